package redact

import (
	"strings"
	"unicode/utf8"
)

// colon finds the secret behind the ":" at s[i], in all forms that have a colon.
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
	case !nameBytes[c] && c < utf8.RuneSelf, s[i+1] == '=': // ":=" is found at its "="
		return -1, -1
	case strings.HasPrefix(s[i:], "://"):
		return userInfo(s, i+3)
	case s[i+1] == '[': // Go's map[name:[value]]
		if key, _ := name(s, i); NamesSecret(key) {
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
	case len(key) >= 3 && NamesSecret(key):
		return f.labelled(i, key, at)
	}
	return -1, -1
}

// labelled finds the value of "password: x", {Password:x} and map[password:x]. After the name
// of a password, any value is a secret except a common word of sentences. After other names, as
// in "fetch token: refused", it must be long and random, or in a printed struct or map.
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
		if len(value) < 4 || !strings.ContainsAny(value, digits) {
			return -1, -1
		}
	case !printed:
		return -1, -1
	}
	if list {
		return start, end
	}
	// Closing brackets behind the value are kept.
	if inner := strings.TrimRight(value, "]})"); inner != "" {
		end = start + len(inner)
	}
	return start, end
}

// wideLabel finds the value behind a full-width colon or equals sign of East Asian text.
func wideLabel(s string, i int) (start, end int) {
	if !strings.HasPrefix(s[i:], "：") && !strings.HasPrefix(s[i:], "＝") {
		return -1, -1
	}
	if key, _ := name(s, i); !isPassword(key) {
		return -1, -1
	}
	start, end = valueAt(s, skipSpaces(s, i+len("：")))
	if commonWord(s[start:end]) {
		return -1, -1
	}
	return unlessKnown(s, start, end)
}

// headerEnd returns where the value of a header ends: at the end of its line, or at the quote
// around it. A quote behind a "=" belongs to the value, as in Digest response="x".
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
	if isForeign(key) {
		return true
	}
	key = strings.ToLower(key)
	for _, word := range [...]string{"passw", "pwd", "passphrase", "client_secret", "clientsecret", "client-secret", "api_key", "apikey"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// userInfo finds the password of https://user:password@host, or a user that is a token.
// authority is the index behind "://".
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
	if at-authority >= 20 { // too long for a name of a user
		return unlessKnown(s, authority, at)
	}
	return -1, -1
}
