package redact

import (
	"strconv"
	"strings"
)

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
	if i == 0 || s[i-1] != '\\' && s[i-1] != '%' {
		return s[i:end], i
	}
	return escapedName(s, i, end)
}

// escapedName is name where s[i-1] begins an escape: \u0026code and %26code, whose escape
// is no part of the name, or \u0070assword and pass%77ord, whose escape is.
func escapedName(s string, i, end int) (string, int) {
	rest := ""
	for {
		c, next := escape(s, i)
		next = min(next, end)
		if c >= 0x80 || !nameBytes[c] || len(rest) > longestName {
			return s[next:end] + rest, next
		}
		rest = string(rune(c)) + s[next:end] + rest
		end = i - 1
		end -= backslashes(s, end)
		for i = end; i > 0 && nameBytes[s[i-1]]; i-- {
		}
		if i == 0 || s[i-1] != '\\' && s[i-1] != '%' {
			return s[i:end] + rest, i
		}
	}
}

// escape reads the escape that s[i-1] begins, \uXXXX or %XX, or %25XX and so on. c is 0
// where it is none.
func escape(s string, i int) (c uint64, next int) {
	digits := i + 2
	if s[i-1] == '%' {
		for strings.HasPrefix(s[i:], "25") {
			i += 2
		}
		digits = i + 2
	} else if i < len(s) && s[i] == 'u' {
		i++
		digits = i + 4
	} else {
		return 0, i // a backslash of another kind
	}
	c, err := strconv.ParseUint(s[i:min(digits, len(s))], 16, 16)
	if err != nil && s[i-1] == 'u' {
		return 0, i - 1
	}
	return c, digits
}

// assigned returns the name that stands before a "=" at s[end]: name, "name", list[name],
// name[] and name[0], whose brackets may stand as %5B and %5D.
func assigned(s string, end int) (key string, at int) {
	for range 4 {
		end = beforeQuote(s, end)
		inner := beforeByte(s, end, ']', '5', 'd')
		if inner < 0 {
			return name(s, end)
		}
		inner = beforeQuote(s, inner)
		if key, at = name(s, inner); secretInText(key) {
			return key, at
		}
		if end = beforeByte(s, beforeQuote(s, at), '[', '5', 'b'); end < 0 {
			return "", at
		}
	}
	return "", end
}

// beforeQuote steps back over a quote before s[end], and the backslashes before it.
func beforeQuote(s string, end int) int {
	if end == 0 || s[end-1] != '"' && s[end-1] != '\'' {
		return end
	}
	end--
	return end - backslashes(s, end)
}

// beforeByte steps back over c before s[end], which may stand as %XX, or as %25XX and
// so on; -1 where there is none. high and low are its digits, low in lower case.
func beforeByte(s string, end int, c, high, low byte) int {
	switch {
	case end > 0 && s[end-1] == c:
		return end - 1
	case end < 3 || s[end-2] != high || s[end-1]|0x20 != low|0x20:
		return -1
	}
	end -= 2
	for strings.HasSuffix(s[:end], "25") {
		end -= 2
	}
	if end > 0 && s[end-1] == '%' {
		return end - 1
	}
	return -1
}

// escaped returns where s goes on after a byte that stands as %XX at s[i:], or
// as %25XX and so on, in a URL inside URLs; -1 where there is none. high and
// low are its digits, low in lower case.
func escaped(s string, i int, high, low byte) int {
	for i++; strings.HasPrefix(s[i:], "25"); i += 2 {
	}
	if i+1 < len(s) && s[i] == high && s[i+1]|0x20 == low|0x20 {
		return i + 2
	}
	return -1
}

// assignment finds the value of name=value: queries, forms, cookies, logs. eq
// is where the name ends, v where the value starts.
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
	if !secretInText(key) && !secretCookie(key) && !(at > 0 && secretParameter(s, at, key)) {
		return -1, -1
	}
	start, end = valueAt(s, v)
	if isCookies(key) {
		end = cookiesEnd(s, end)
	}
	return unlessKnown(s, start, end)
}

// isCookies names what holds cookies, one after the other.
func isCookies(key string) bool {
	key = strings.ToLower(key)
	return strings.HasSuffix(key, "cookie") || strings.HasSuffix(key, "cookies")
}

// cookiesEnd returns where a=b; c=d ends of which the first value ends at s[end].
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
// name => value. Here it may be a sentence: "code = Unavailable".
func spacedAssignment(s string, eq, v int) (start, end int) {
	for eq > 0 && (isBlank(s[eq-1]) || s[eq-1] == ':') {
		eq--
	}
	key, _ := assigned(s, eq)
	if !secretInText(key) {
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

// valueAt returns where the value at s[v:] starts and ends, within its quotes
// if it has any. A list of quoted values is one.
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

// weakName names what is as often a word of a message as a secret.
func weakName(key string) bool {
	switch strings.ToLower(key) {
	case "code", "codes", "hash", "pin", "otp", "totp", "pass", "bearer", "jwt", "jwe", "assertion", "verifier", "nonce", "challenge",
		"cookie", "cookies", "cred", "creds", "credential", "credentials", "csrf", "xsrf":
		return true
	}
	return false
}

// commonWord reports whether value is a word that a sentence goes on with
// after "password:", and so no password.
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

// longestElement bounds how far the end of an element is looked for. Without one the
// text up to the next tag goes.
const longestElement = 4096

// mostTags bounds how many ends of other elements are passed; the text up to there goes.
const mostTags = 64

// elementText finds the text of <name>text</name> from the ">" before it.
func elementText(s string, i int) (start, end int) {
	const longest = 200 // of a tag with its attributes
	open := strings.LastIndexByte(s[max(0, i-longest):i], '<')
	if open < 0 {
		return -1, -1
	}
	tag := s[max(0, i-longest)+open+1 : i]
	if tag == "" || tag[0] == '/' || tag[len(tag)-1] == '/' {
		return -1, -1
	}
	tag, _, _ = strings.Cut(tag, " ")
	key := tag[strings.LastIndexByte(tag, ':')+1:]            // without the namespace
	if !secretInText(key) || strings.EqualFold(key, "code") { // HTML's <code>
		return -1, -1
	}
	start = i + 1
	within := s[:min(len(s), start+longestElement)]
	end = start
	for tags := 0; ; end += 2 {
		if tags++; tags > mostTags {
			return start, end
		}
		n := strings.Index(within[min(end, len(within)):], "</")
		if n < 0 {
			break // no end: a text that was cut, or a placeholder
		}
		end += n
		if rest := s[end+2:]; len(rest) >= len(tag) && strings.EqualFold(rest[:len(tag)], tag) {
			return unlessKnown(s, start, end)
		}
	}
	if n := strings.IndexByte(s[start:], '<'); n >= 0 {
		return unlessKnown(s, start, valueEnd(s[:start+n], start))
	}
	return unlessKnown(s, start, valueEnd(s, start))
}

// secretCookie names cookies whose name alone does not look secret: ZITADEL's
// (zitadel.useragent, zitadel.login.csrf, __Host-zitadel…) and well-known ones.
func secretCookie(key string) bool {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "__Host-"), "__Secure-")
	return strings.HasPrefix(key, "zitadel.") || strings.EqualFold(key, "jsessionid") || strings.EqualFold(key, "phpsessid")
}

// secretParameter names secrets in the query of a URL that are harmless words
// elsewhere; the name stands at s[at:].
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

// valueEnd returns where the unquoted value at s[v:] ends. Commas and brackets do not
// end it: passwords hold them, and too much is better than too little. So do quotes, angle
// brackets and semicolons; they end it where what follows them is no more text.
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
		case '\\': // an escape sequence around, not a backslash within
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

// endsText marks what stands behind the end of a text: 1 for white space, 2 for the rest.
var endsText = func() (t [256]byte) {
	for _, c := range []byte(" \t\r\n") {
		t[c] = 1
	}
	for _, c := range []byte(",:;)]}><|&\\\"'`") {
		t[c] = 2
	}
	return
}()

// longestPlaceholder is longer than any, and keeps many beginnings from sharing one end.
const longestPlaceholder = 200

// unlessKnown drops a value that is redacted already, empty, no secret by its
// kind, or a template's placeholder as in ?code={{.Code}}.
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

// escapedMember finds the value of "name":value where all of it is percent-encoded:
// %22name%22%3A%22value%22. The name's end is at s[colon], v is behind the colon.
func escapedMember(s string, colon, v int) (start, end int) {
	nameEnd := beforeByte(s, colon, '"', '2', '2')
	if nameEnd < 0 {
		return -1, -1
	}
	if key, _ := name(s, nameEnd); !secretInText(key) && !secretCookie(key) {
		return -1, -1
	}
	for v < len(s) && s[v] == '+' { // a space
		v++
	}
	if start = -1; v < len(s) && s[v] == '%' {
		start = escaped(s, v, '2', '2')
	}
	if start < 0 {
		return unlessKnown(s, v, valueEnd(s, v))
	}
	for end = start; end < len(s) && endsText[s[end]] != 1 && s[end] != '&'; end++ {
		// %5C before it is the backslash that makes it a quote of the value.
		if s[end] == '%' && escaped(s, end, '2', '2') > 0 && beforeByte(s, end, '\\', '5', 'c') < 0 {
			break
		}
	}
	return unlessKnown(s, start, end)
}

// colon finds what a ":" may stand for.
func (f *finder) colon(i int) (start, end int) {
	s := f.s
	if i+1 == len(s) || i == 0 {
		return -1, -1
	}
	before := i
	for before > 1 && endsText[s[before-1]] == 1 {
		before--
	}
	c := s[before-1]
	if c == '"' || c == '\'' {
		return member(s, before, i+1)
	}
	for before = i; before > 1 && isBlank(s[before-1]); before-- {
	}
	c = s[before-1]
	switch {
	case !nameBytes[c], s[i+1] == '=': // ":=" is found by its "="
		return -1, -1
	case strings.HasPrefix(s[i:], "://"):
		return userInfo(s, i+3)
	case s[i+1] == '[': // Go's map[name:[value]]
		if key, _ := name(s, i); secretInText(key) {
			start, end = i+2, len(s)
			if strings.HasPrefix(s[start-1:], Redacted) || strings.HasPrefix(s[start:], Redacted+"]") {
				return -1, -1
			}
			if n := strings.IndexByte(s[start:], ']'); n >= 0 {
				end = start + n
			}
			return unlessKnown(s, start, end)
		}
		return -1, -1
	}
	if '0' <= c && c <= '9' && before > 2 && s[before-2] < 'A' && s[before-2] != '_' { // a time, an address
		return -1, -1
	}
	key, at := name(s, before)
	switch {
	case isCredentialHeader(key):
		start = skipSpaces(s, i+1)
		return unlessKnown(s, start, headerEnd(s, start))
	case at > 0 && s[at-1] == '/': // host:port, paths
		return -1, -1
	case len(key) >= 3 && secretInText(key):
		return f.labelled(i, key, at)
	}
	return -1, -1
}

// labelled finds the value of "password: x", {Password:x} and map[password:x].
// After the name of a password it is a secret unless it is a word of a
// sentence; after others, as in "fetch token: refused", where it is long and
// random, or stands in a printed struct or map, behind a bracket.
func (f *finder) labelled(i int, key string, at int) (start, end int) {
	s := f.s
	start, end = valueAt(s, skipSpaces(s, i+1))
	if start, end = unlessKnown(s, start, end); start < 0 || commonWord(s[start:end]) {
		return -1, -1
	}
	value := s[start:end]
	if (strings.HasPrefix(s, "urn:") || strings.HasPrefix(s, "arn:")) && !opaque(value) {
		return -1, -1
	}
	if f.bracket < 0 {
		if f.bracket = strings.IndexAny(s, "{["); f.bracket < 0 {
			f.bracket = len(s)
		}
	}
	printed := start == i+1 && f.bracket < at
	list := isQuotedList(s, start)
	switch {
	case isPassword(key), opaque(value), list && f.bracket < at:
	case printed && weakName(key):
		if len(value) < 4 || strings.IndexAny(value, "0123456789") < 0 {
			return -1, -1
		}
	case !printed:
		return -1, -1
	}
	if list {
		return start, end
	}
	// The brackets around it stay.
	if inner := strings.TrimRight(value, "]})"); inner != "" {
		end = start + len(inner)
	}
	return start, end
}

// headerEnd returns where the value of a header ends: with its line, or with the quote
// around it. A quote behind a "=" is the value's own, as in Digest response="x".
func headerEnd(s string, start int) int {
	for i := start; i < len(s); i++ {
		from := i
		for i < len(s) && s[i] == '\\' {
			i++
		}
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '\r', c == '\n', c == '`', i > from && (c == 'n' || c == 'r'):
			return from
		case c == '"' || c == '\'':
			if from == start || s[from-1] != '=' {
				return from
			}
			i += 1 + closing(s[i+1:], c, i-from)
			for i < len(s) && s[i] == '\\' {
				i++
			}
		case c == 'u' && i > from:
			if c, _ := escape(s, i); c == '"' || c == '\'' {
				return from
			}
		}
	}
	return len(s)
}

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
	key = strings.ToLower(key)
	for _, word := range [...]string{"passw", "pwd", "passphrase", "client_secret", "clientsecret", "client-secret", "api_key", "apikey"} {
		if strings.Contains(key, word) {
			return true
		}
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
	v = skipBlanks(s, v)
	if v == len(s) {
		return -1, -1
	}
	level := before - 1 - nameEnd
	if s[v] == '{' {
		start, end = v, balanced(s, v, level)
		if end-start == 2 { // {}
			return -1, -1
		}
		return start, end
	}
	if s[v] == '[' && !strings.HasPrefix(s[v:], Redacted) {
		// Cut what stands between the brackets.
		start = v + 1
		if strings.HasPrefix(s[start:], Redacted+"]") {
			return -1, -1
		}
		if end = balanced(s, v, level); end > start && s[end-1] == ']' {
			end--
		}
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
	end = v
	if strings.HasPrefix(s[v:], Redacted) { // its bracket is none that ends a value
		end += len(Redacted)
	}
	for ; end < len(s) && strings.IndexByte(",}] \t\r\n\\\"", s[end]) < 0; end++ {
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

// balanced returns where what begins with the bracket s[i] ends, behind the bracket that
// closes it. Brackets in quotes do not count. A quote behind fewer than level backslashes
// ends the text in which all of it is quoted.
func balanced(s string, i, level int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			n := backslashes(s, i)
			if c == '"' && n < level {
				return i - n
			}
			if c == '\'' && (n > 0 || wordBytes[s[i-1]]) { // an apostrophe
				continue
			}
			i += 1 + closing(s[i+1:], c, n)
			for i < len(s) && s[i] == '\\' {
				i++
			}
			if c == '"' && i < len(s) && backslashes(s, i) < level {
				return i - backslashes(s, i)
			}
		}
	}
	return len(s)
}
