package redact

import "strings"

// afterWord finds a secret behind a word that names it; s[i] is the space between them:
// "token x9f...", "access_token is x9f...", "API key x9f...", "password hunter2". In sentences,
// ordinary words follow such names too ("token expired", "password check failed"). So only
// text that is not a word of any language is a secret: a mix of letters and digits.
func afterWord(s string, i int) (start, end int) {
	start = skipSpaces(s, i)
	for start < len(s) && s[start] == '\\' { // an escaped quote
		start++
	}
	if start < len(s) && strings.IndexByte("\"'(<`", s[start]) >= 0 {
		start++
	}
	end = span(s, start, token68)
	mixed := isMixed(s[start:end])
	if !mixed && !holdsSign(s[start:min(len(s), start+longestTyped)]) {
		return -1, -1
	}
	key, at := wordBefore(s, i)
	if !NamesSecret(key) || strings.EqualFold(key, "hash") {
		return -1, -1
	}
	switch password := isPassword(key); {
	case password:
		end = start + len(strings.TrimRight(s[start:valueEnd(s, start)], ".,;:!?)]}>\"'`"))
		if end <= start || !isTyped(s[start:end]) {
			return -1, -1
		}
	case !mixed:
		return -1, -1
	case weakName(key) && !opaque(s[start:end]) && !isOneTime(key, s[start:end]):
		return -1, -1
	}
	if at > 0 && s[at-1] == '/' { // a path, a host
		return -1, -1
	}
	return unlessKnown(s, start, end)
}

// longestTyped limits the search for a sign in a word that may be a password.
const longestTyped = 32

// holdsSign reports whether the first word of s has a digit or one of passwordSigns.
func holdsSign(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isBlank(c):
			return false
		case c-'0' < 10 || strings.IndexByte(passwordSigns, c) >= 0:
			return true
		}
	}
	return false
}

const passwordSigns = "!@#$%^&*+?~"

// wordBefore returns the name before s[i]. It skips "is" and "was", and joins "key" with the
// word before it ("API key").
func wordBefore(s string, i int) (key string, at int) {
	for i > 0 && isBlank(s[i-1]) {
		i--
	}
	key, at = name(s, i)
	if strings.EqualFold(key, "is") || strings.EqualFold(key, "was") {
		for i = at; i > 0 && isBlank(s[i-1]); i-- {
		}
		key, at = name(s, i)
	}
	if strings.EqualFold(key, "key") && at > 0 && isBlank(s[at-1]) {
		before, start := name(s, at-1)
		return before + key, start
	}
	return key, at
}

// isMixed reports whether a word looks random. Words of a language, ids (ZITADEL's are digits),
// ids of errors (COMMAND-3M0fs), times and versions do not.
func isMixed(word string) bool {
	word = strings.TrimRight(word, ".=")
	if opaque(word) {
		return true
	}
	letters, digits, others := 0, 0, 0
	for i := range len(word) {
		switch c := word[i]; {
		case c-'0' < 10:
			digits++
		case c|0x20-'a' < 26:
			letters++
		default:
			others++
		}
	}
	switch {
	case others > 0:
		return false
	case len(word) >= 32:
		return letters > 0
	case letters == 0:
		return len(word) >= 4 && len(word) <= 8 // perhaps a one-time code
	}
	return len(word) >= 10 && letters >= 4 && digits >= 3
}

// isOneTime reports whether value is a one-time code under this key.
func isOneTime(key, value string) bool {
	switch strings.ToLower(key) {
	case "otp", "totp", "pin":
		return strings.Trim(value, "0123456789") == ""
	}
	return false
}

// isTyped reports whether a word can be a password, and not the next word of a sentence: it
// has letters and digits, or one of passwordSigns.
func isTyped(word string) bool {
	if len(word) < 6 || isErrorID(word) {
		return false
	}
	letters, digits, signs := 0, 0, 0
	for i := range len(word) {
		switch c := word[i]; {
		case c-'0' < 10:
			digits++
		case c|0x20-'a' < 26:
			letters++
		case strings.IndexByte(passwordSigns, c) >= 0:
			signs++
		case c == '=', c == '/', c == ':', c == '(', c == '[', c == '{', c == '<': // a pair, a path, a URL
			return false
		}
	}
	if lower := strings.ToLower(word); signs == 0 {
		for _, algorithm := range [...]string{"sha", "md5", "pbkdf2", "argon2", "bcrypt", "scrypt", "oauth2", "saml2", "base64", "http", "ipv"} {
			if strings.HasPrefix(lower, algorithm) {
				return false
			}
		}
	}
	return letters > 0 && (digits > 0 || signs > 0)
}

// isErrorID reports whether word is the id of an error of ZITADEL, such as COMMAND-3M0fs.
func isErrorID(word string) bool {
	prefix, id, ok := strings.Cut(word, "-")
	return ok && len(id) <= 8 && len(prefix) >= 2 && prefix == strings.ToUpper(prefix)
}
