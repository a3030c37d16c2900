package redact

import "strings"

// This file finds secrets in text by the name that stands before them:
// name=value, "name":"value", name:[value], Name: value.

// secretInText reports whether a name in text says that its value is a secret.
func secretInText(name string) bool {
	switch classOf(name) {
	case secretName, secretEnd, secretLeaf:
		return true
	}
	return false
}

// name returns the name that ends before s[end], and where it starts.
func name(s string, end int) (string, int) {
	i := end
	for i > 0 && nameBytes[s[i-1]] {
		i--
	}
	// %26code, %3Fcode: the hexadecimal digits are no part of the name.
	if i > 0 && s[i-1] == '%' {
		i = min(i+2, end)
	}
	return s[i:end], i
}

// assignment finds the value of name=value: queries, forms, cookies, logs. eq
// is where the name ends, v where the value starts.
func assignment(s string, eq, v int) (start, end int) {
	key, at := name(s, eq)
	if key == "" || v >= len(s) {
		return -1, -1
	}
	if !secretInText(key) && !secretCookie(key) && !(at > 0 && secretParameter(s[at-1], key)) {
		return -1, -1
	}
	start, end = v, v
	if c := s[v]; c == '"' || c == '\'' {
		start = v + 1
		end = start + closing(s[start:], c, 0)
	} else {
		for end < len(s) && !endsValue(s, end) {
			end++
		}
	}
	return unlessKnown(s, start, end)
}

// secretCookie names cookies whose name alone does not look secret: ZITADEL's
// (zitadel.useragent, zitadel.login.csrf, __Host-zitadel…) and well-known ones.
func secretCookie(key string) bool {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "__Host-"), "__Secure-")
	return strings.HasPrefix(key, "zitadel.") || strings.EqualFold(key, "jsessionid") || strings.EqualFold(key, "phpsessid")
}

// secretParameter names secrets in the query of a URL that are harmless words
// elsewhere.
func secretParameter(before byte, key string) bool {
	if before != '?' && before != '&' && before != '#' {
		return false
	}
	switch strings.ToLower(key) {
	case "state", "sig", "signature", "auth", "key", "x-amz-signature", "x-goog-signature":
		return true
	}
	return false
}

// endsValue reports whether an unquoted value ends before s[i]. Commas and
// brackets do not end it: passwords hold them, and too much is better than too
// little.
func endsValue(s string, i int) bool {
	switch c := s[i]; c {
	case '&', ';', '"', '\'', '`', '<', '>', ' ', '\t', '\r', '\n':
		return true
	case '\\': // an escape sequence around, not a backslash within
		return i+1 < len(s) && strings.IndexByte(`"'nrtu`, s[i+1]) >= 0
	case '%': // "&" in a URL inside a URL
		return i+2 < len(s) && s[i+1] == '2' && s[i+2] == '6'
	}
	return false
}

// unlessKnown drops a value that is redacted already, empty, no secret by its
// kind, or a template's placeholder as in ?code={{.Code}}.
func unlessKnown(s string, start, end int) (int, int) {
	switch v := s[start:end]; {
	case v == "", v == Redacted, v == "true", v == "false", v == "null", v == "nil":
		return -1, -1
	case strings.HasPrefix(v, "{{") && strings.HasSuffix(v, "}}"):
		return -1, -1
	case len(v) >= 12 && strings.EqualFold(v[:6], "%7b%7b") && strings.EqualFold(v[len(v)-6:], "%7d%7d"):
		return -1, -1
	}
	return start, end
}

// colon finds what a ":" may stand for; free see find.
func colon(s string, i int, free bool) (start, end int) {
	if i+1 == len(s) || i == 0 {
		return -1, -1
	}
	before := i
	for before > 1 && s[before-1] == ' ' {
		before--
	}
	if c := s[before-1]; c == '"' || c == '\'' {
		return member(s, before, i+1)
	}
	switch c := s[i-1]; {
	case strings.HasPrefix(s[i:], "://"):
		return userInfo(s, i+3)
	case s[i+1] == '[': // Go's map[name:[value]]
		if key, _ := name(s, i); secretInText(key) {
			start, end = i+2, len(s)
			if strings.HasPrefix(s[start:], Redacted+"]") {
				return -1, -1
			}
			if n := strings.IndexByte(s[start:], ']'); n >= 0 {
				end = start + n
			}
			return unlessKnown(s, start, end)
		}
	case s[i+1] == ' ' || !nameBytes[c]:
		return labelled(s, i, free)
	case c|0x20 == 'e' || c|0x20 == 'n' || c|0x20 == 'y': // Cookie:, Authorization:, X-Api-Key:
		if key, _ := name(s, i); isCredentialHeader(key) {
			return labelled(s, i, free)
		}
	}
	return -1, -1
}

// labelled finds the value of "Cookie: value" up to the end of the line, and
// in free text that of "password: value" up to the end of the word.
func labelled(s string, i int, free bool) (start, end int) {
	key, _ := name(s, i)
	start = skipSpaces(s, i+1)
	end = start
	switch {
	case isCredentialHeader(key):
		for end < len(s) && strings.IndexByte("\r\n\"'`", s[end]) < 0 && !endsEscaped(s, end) {
			end++
		}
	case free && isPassword(key):
		for end < len(s) && !endsValue(s, end) {
			end++
		}
	default:
		return -1, -1
	}
	return unlessKnown(s, start, end)
}

func endsEscaped(s string, i int) bool { return s[i] == '\\' && endsValue(s, i) }

func isCredentialHeader(key string) bool {
	switch len(key) {
	case 6, 10, 13, 19, 9:
		switch strings.ToLower(key) {
		case "cookie", "set-cookie", "authorization", "proxy-authorization", "x-api-key":
			return true
		}
	}
	return false
}

func isPassword(key string) bool {
	switch strings.ToLower(key) {
	case "password", "passwd", "pwd", "passphrase", "client_secret", "clientsecret", "api_key", "apikey":
		return true
	}
	return false
}

// userInfo finds the password of https://user:password@host, or a user that is
// a token; authority is where the part after "://" starts.
func userInfo(s string, authority int) (start, end int) {
	at := -1
	for i := authority; i < len(s) && strings.IndexByte("/?#\\\"'`<> \t\r\n", s[i]) < 0; i++ {
		if s[i] == '@' {
			at = i
		}
	}
	if at < 0 {
		return -1, -1
	}
	if n := strings.IndexByte(s[authority:at], ':'); n >= 0 {
		return unlessKnown(s, authority+n+1, at)
	}
	if at-authority >= 20 { // no user is called that; a token is
		return unlessKnown(s, authority, at)
	}
	return -1, -1
}

// member finds the value of "name":value in JSON and its like. The text may
// itself stand in a JSON string, several times: \\\"name\\\":\\\"value\\\".
// The closing quote of the name is the last byte of s[:before].
func member(s string, before, v int) (start, end int) {
	quote := s[before-1]
	nameEnd := before - 1
	for nameEnd > 0 && s[nameEnd-1] == '\\' {
		nameEnd--
	}
	key, _ := name(s, nameEnd)
	if !secretInText(key) && !secretCookie(key) {
		return -1, -1
	}
	v = skipSpaces(s, v)
	if v == len(s) {
		return -1, -1
	}
	if s[v] == '{' {
		start, end = v, v+balanced(s[v:])
		if end-start == 2 { // {}
			return -1, -1
		}
		return start, end
	}
	if s[v] == '[' && !strings.HasPrefix(s[v:], Redacted) {
		// Cut what stands between the brackets; a "]" within a value ends it
		// early unless it is quoted.
		start = v + 1
		if strings.HasPrefix(s[start:], Redacted+"]") {
			return -1, -1
		}
		for end = start; end < len(s) && s[end] != ']'; end++ {
			if s[end] == quote {
				level := backslashes(s, end)
				end++
				end += closing(s[end:], quote, level)
				for end < len(s) && s[end] != quote {
					end++
				}
			}
		}
		end = min(end, len(s))
		if strings.Trim(s[start:end], `\"'`) == Redacted {
			return -1, -1
		}
		return unlessKnown(s, start, end)
	}
	q := v
	for q < len(s) && s[q] == '\\' {
		q++
	}
	if q < len(s) && s[q] == quote {
		start = q + 1
		end = start + closing(s[start:], quote, q-v)
		return unlessKnown(s, start, end)
	}
	for end = v; end < len(s) && strings.IndexByte(",}] \t\r\n\\", s[end]) < 0; end++ {
	}
	return unlessKnown(s, v, end)
}

// closing returns where in s the quote ends that was opened behind the given
// number of backslashes: before the backslashes of the closing one, or len(s).
func closing(s string, quote byte, level int) int {
	for i := range len(s) {
		if s[i] != quote {
			continue
		}
		switch n := backslashes(s, i); {
		case level == 0 && n%2 == 0:
			return i
		case level > 0 && n <= level:
			return i - n
		}
	}
	return len(s)
}

// backslashes counts those right before s[i].
func backslashes(s string, i int) (n int) {
	for n < i && s[i-1-n] == '\\' {
		n++
	}
	return n
}

// balanced returns the length of the braces that s starts with.
func balanced(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
