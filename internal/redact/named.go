package redact

import "strings"

// assignment finds the value of name=value in queries, forms, cookies and logs. The name ends at
// eq, and the value starts at v.
func assignment(s string, eq, v int) (start, end int) {
	if v >= len(s) {
		return -1, -1
	}
	if s[eq] == '=' && eq > 0 && (isBlank(s[v]) || s[v] == '>' || isBlank(s[eq-1]) || s[eq-1] == ':') {
		return spacedAssignment(s, eq, v)
	}
	key, at := assigned(s, eq)
	if key == "" {
		return -1, -1
	}
	if !NamesSecret(key) && !secretCookie(key) && !(at > 0 && secretParameter(s, at, key)) {
		return -1, -1
	}
	start, end = valueAt(s, v)
	if isCookies(key) {
		end = cookiesEnd(s, end)
	}
	return unlessKnown(s, start, end)
}

// isCookies reports whether the value under this key is a list of cookies.
func isCookies(key string) bool {
	key = strings.ToLower(key)
	return strings.HasSuffix(key, "cookie") || strings.HasSuffix(key, "cookies")
}

// cookiesEnd returns the end of a=b; c=d, whose first value ends at s[end].
func cookiesEnd(s string, end int) int {
	for end < len(s) && s[end] == ';' {
		next := skipSpaces(s, end+1)
		eq := span(s, next, nameBytes)
		if eq == next || eq == len(s) || s[eq] != '=' {
			break
		}
		end = valueEnd(s, eq+1)
	}
	return end
}

// spacedAssignment finds the value of name = value, name := value, name == value and
// name => value. This may be a part of a sentence: "code = Unavailable".
func spacedAssignment(s string, eq, v int) (start, end int) {
	for eq > 0 && (isBlank(s[eq-1]) || s[eq-1] == ':') {
		eq--
	}
	key, _ := assigned(s, eq)
	if !NamesSecret(key) {
		return -1, -1
	}
	if s[v] == '=' || s[v] == '>' {
		v++
	}
	start, end = valueAt(s, skipSpaces(s, v))
	if value := s[start:end]; weakName(key) && !opaque(value) || commonWord(value) {
		return -1, -1
	}
	return unlessKnown(s, start, end)
}

// valueAt returns the start and the end of the value at s[v:], without its quotes. A list of
// quoted values is one value.
func valueAt(s string, v int) (start, end int) {
	quote := v
	for quote < len(s) && s[quote] == '\\' {
		quote++
	}
	if quote < len(s) && (s[quote] == '"' || s[quote] == '\'') {
		start = quote + 1
		return start, start + closing(s[start:], s[quote], quote-v)
	}
	if isQuotedList(s, v) {
		return v, balanced(s, v, 0)
	}
	return v, valueEnd(s, v)
}

func isQuotedList(s string, v int) bool {
	if v == len(s) || s[v] != '[' && s[v] != '{' {
		return false
	}
	v = skipBlanks(s, v+1)
	for v < len(s) && s[v] == '\\' {
		v++
	}
	return v < len(s) && (s[v] == '"' || s[v] == '\'')
}

// weakName reports whether key is as often a word of a message as the name of a secret.
func weakName(key string) bool {
	switch strings.ToLower(key) {
	case "code", "codes", "hash", "pin", "otp", "totp", "pass", "bearer", "jwt", "jwe", "assertion", "verifier", "nonce", "challenge",
		"cookie", "cookies", "cred", "creds", "credential", "credentials", "csrf", "xsrf":
		return true
	}
	return false
}

// commonWord reports whether value is a common word of sentences behind "password:", and so is
// not a password.
func commonWord(value string) bool {
	value = strings.TrimRight(value, ".,;:!?)]}")
	if len(value) > len("authentication") {
		return false
	}
	_, ok := commonWords[strings.ToLower(value)]
	return ok
}

var commonWords = func() map[string]struct{} {
	words := map[string]struct{}{"": {}}
	for word := range strings.FieldsSeq(`a an and are as at by can cannot could did do does for from had has have in is it its may
		must no none not of off on or please see should that the their this to too use used was were will with yes your
		added allowed blocked change changed check checked cleared created deleted disabled empty enabled expired expires failed
		forbidden forced generated incorrect invalid locked mandatory maximum minimum mismatch missing new ok old optional
		policy pending provided read refused rejected removed required reset same sent set short succeeded successful
		successfully unchanged unexpected unknown unset unsupported updated valid verified write wrong
		cause connection could dial error expected get got history login lookup open post request server user`) {
		words[word] = struct{}{}
	}
	return words
}()

// secretCookie reports whether key is a known secret cookie whose name does not look like one:
// ZITADEL's (zitadel.useragent, zitadel.login.csrf, __Host-zitadel…) and some others.
func secretCookie(key string) bool {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "__Host-"), "__Secure-")
	return strings.HasPrefix(key, "zitadel.") || strings.EqualFold(key, "jsessionid") || strings.EqualFold(key, "phpsessid")
}

// secretParameter reports whether key, at s[at:], is a secret parameter of a URL. Outside of
// URLs these names are harmless words.
func secretParameter(s string, at int, key string) bool {
	switch s[at-1] {
	case '?', '&', '#':
	case 'F', 'f', '6', '3': // %3F, %26, %23; \u0026
		if at >= 6 && s[at-6:at-2] == `\u00` {
			break
		}
		if at < 3 || s[at-3] != '%' && s[at-3] != '5' {
			return false
		}
	default:
		return false
	}
	switch strings.ToLower(key) {
	case "state", "session_state", "sig", "signature", "auth", "key", "x-amz-signature", "x-goog-signature":
		return true
	}
	return false
}

// valueEnd returns the end of the unquoted value at s[v:]. Commas and brackets do not end it,
// because passwords contain them, and removing too much is better than too little. Quotes,
// angle brackets and semicolons end it only if no more text follows directly.
func valueEnd(s string, v int) int {
	for i := v; i < len(s); i++ {
		switch c := s[i]; c {
		case '&', ' ', '\t', '\r', '\n':
			return i
		case ';':
			if i+1 == len(s) || endsText[s[i+1]] == 1 {
				return i
			}
		case '"', '\'', '`', '>':
			if i+1 == len(s) || endsText[s[i+1]] > 0 {
				return i
			}
		case '<':
			if i+1 < len(s) && s[i+1] == '/' {
				return i
			}
		case '%': // "&" in a URL inside a URL
			if escaped(s, i, '2', '6') > 0 {
				return i
			}
		case '\\': // an escape of the text around ends the value; a backslash of the value does not
			from := i
			for i+1 < len(s) && s[i+1] == '\\' {
				i++
			}
			if i+1 == len(s) {
				break
			}
			switch s[i+1] {
			case 'n', 'r', 't':
				return from
			case '"', '\'':
				if i++; i+1 == len(s) || endsText[s[i+1]] > 0 {
					return from
				}
			case 'u':
				c, next := escape(s, i+1)
				switch ends := next >= len(s) || endsText[s[next]] > 0; {
				case c == '&', c == '<' && next < len(s) && s[next] == '/', (c == '>' || c == '"' || c == '\'') && ends:
					return from
				}
				i = next - 1
			}
		}
	}
	return len(s)
}

// endsText has the bytes that may follow the end of a text: 1 for white space, 2 for others.
var endsText = func() (t [256]byte) {
	for _, c := range []byte(" \t\r\n") {
		t[c] = 1
	}
	for _, c := range []byte(",:;)]}><|&\\\"'`") {
		t[c] = 2
	}
	return
}()

// longestPlaceholder is longer than any placeholder. It keeps the search linear when many values
// have the same end.
const longestPlaceholder = 200

// unlessKnown returns start and end unless the value is redacted, empty, a boolean or null, or a
// placeholder of a template as in ?code={{.Code}}.
func unlessKnown(s string, start, end int) (int, int) {
	switch v := s[start:end]; {
	case v == "", v == Redacted, v == "true", v == "false", v == "null", v == "nil":
		return -1, -1
	case strings.HasPrefix(v, Redacted) && strings.Trim(v[len(Redacted):], "]})>,;.") == "": // map[password:[REDACTED]]
		return -1, -1
	case len(v) > longestPlaceholder:
	case strings.HasPrefix(v, "{{") && strings.HasSuffix(v, "}}"):
		return -1, -1
	case len(v) >= 12 && strings.EqualFold(v[:6], "%7b%7b") && strings.EqualFold(v[len(v)-6:], "%7d%7d"):
		return -1, -1
	}
	return start, end
}
