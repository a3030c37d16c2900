package redact

import (
	"bytes"
	"strings"
)

// webToken finds a JWT or JWE by its first three letters, eyJ; s[i] is the J. Its header ends
// at s[header].
func webToken(s string, i, header int) (start, end int) {
	start = i - 2
	if start < 0 || s[start:i] != "ey" || header-start < 10 {
		return -1, -1
	}
	if header+1 < len(s) && s[header] == '.' && urlBytes[s[header+1]] {
		return start, span(s, header, tokenBytes)
	}
	// A token that was cut inside its header: {"alg, {"typ, {"kid, {"enc.
	if header-start >= 20 && wordStart(s, start) {
		for _, prefix := range [...]string{"eyJhbGci", "eyJ0eXAi", "eyJraWQi", "eyJlbmMi"} {
			if strings.HasPrefix(s[start:], prefix) {
				return start, span(s, header, tokenBytes)
			}
		}
	}
	return -1, -1
}

// vendorKeys are the prefixes of API keys of known vendors, by their last byte, and the least
// length of the rest.
var vendorKeys = [256][]struct {
	prefix string
	least  int
}{
	'_': {{"ghp_", 16}, {"gho_", 16}, {"ghu_", 16}, {"ghs_", 16}, {"ghr_", 16}, {"github_pat_", 16},
		{"sk_live_", 16}, {"sk_test_", 16}, {"rk_live_", 16}, {"whsec_", 16}, {"npm_", 16}},
	'-': {{"xoxb-", 10}, {"xoxp-", 10}, {"xoxa-", 10}, {"xoxr-", 10}, {"xoxs-", 10}, {"xapp-", 10}, {"glpat-", 16}},
	'.': {{"ya29.", 16}, {"SG.", 32}},
	'I': {{"AKI", 17}, {"ASI", 17}}, // AWS: AKIA, ASIA and 16 more
	'z': {{"AIz", 32}},              // Google: AIza and 35 more
}

// vendorKey finds an API key; s[i] is the last byte of its prefix.
func vendorKey(s string, i int) (start, end int) {
	if i < 2 {
		return -1, -1
	}
	for _, key := range vendorKeys[s[i]] {
		start = i + 1 - len(key.prefix)
		if start < 0 || s[start:i+1] != key.prefix || !wordStart(s, start) {
			continue
		}
		end = span(s, i+1, tokenBytes)
		if key.prefix == "AKI" || key.prefix == "ASI" {
			end = span(s, i+1, wordBytes)
			if s[start:end] != strings.ToUpper(s[start:end]) || s[i+1:min(len(s), i+2)] != "A" {
				continue
			}
		}
		if end-i-1 >= key.least {
			return start, end
		}
	}
	return -1, -1
}

// credentials finds the credentials behind "Bearer ", "Basic " or "DPoP "; s[i] is the space.
func credentials(s string, i int) (start, end int) {
	var valid func(string) bool
	switch {
	case schemeBefore(s, i, "bearer"):
		valid = isBearer
	case schemeBefore(s, i, "basic"):
		valid = isBasic
	case schemeBefore(s, i, "dpop"):
		valid = opaque
	default:
		return -1, -1
	}
	start = skipSpaces(s, i)
	end = span(s, start, token68)
	if !valid(s[start:end]) {
		return -1, -1
	}
	return start, end
}

// schemeBefore reports whether word, in any case, is the word before s[i].
func schemeBefore(s string, i int, word string) bool {
	n := len(word)
	return i >= n && s[i-1]|0x20 == word[n-1] && strings.EqualFold(s[i-n:i], word) && wordStart(s, i-n)
}

// isBasic reports whether word is base64 of user:password. In "Basic information", it is not.
func isBasic(word string) bool {
	return len(word) >= 4 && bytes.IndexByte(decode64(word), ':') >= 0
}

// isBearer reports whether a word behind "bearer" is a token, and not a word of a sentence
// such as "bearer token expired". A token is long, or has other bytes than lower-case letters.
func isBearer(word string) bool {
	if len(word) < 4 {
		return false
	}
	word = strings.TrimRight(word, ".")
	for i := range len(word) {
		if c := word[i]; c < 'a' || c > 'z' {
			return true
		}
	}
	switch word {
	case "authentication", "authorization", "credentials":
		return false
	}
	return len(word) >= 8
}

// longestWord is longer than any word of a sentence, including paths and ids.
const longestWord = 1024

// opaque reports whether a word is long and looks random. ZITADEL's ids (digits, or at_ and
// digits) and words joined by dashes do not.
func opaque(word string) bool {
	if len(word) < 16 {
		return false
	}
	if len(word) > longestWord {
		return true
	}
	var lower, upper, digits int
	for i := range len(word) {
		switch c := word[i]; {
		case 'a' <= c && c <= 'z':
			lower++
		case 'A' <= c && c <= 'Z':
			upper++
		case '0' <= c && c <= '9':
			digits++
		case c == ' ' || c == ':' || c == '{':
			return false
		}
	}
	return lower+upper >= 6 && digits >= 3 || upper >= 3 && lower >= 3 && digits >= 1 || upper >= 5 && lower >= 5 && len(word) >= 20
}

// LooksLikeAuth reports whether the value of a key "auth" is credentials, and not a word.
func LooksLikeAuth(s string) bool {
	return opaque(s) || strings.IndexByte(s, ':') > 0 && !strings.Contains(s, "://") && !strings.Contains(s, ": ")
}
