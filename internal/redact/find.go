package redact

import "strings"

// minShape is the length of the shortest text with a shape in it: "$2a$".
const minShape = 4

// anchors marks the bytes at which a shape is looked for. Each shape has one
// byte that is rare in ordinary text, so that most text costs a table lookup
// per byte and nothing else.
var anchors = func() (t [256]bool) {
	for _, c := range []byte("${=%: _-.JIz") {
		t[c] = true
	}
	return
}()

// find returns the first secret of s that starts at from or later, as
// s[start:end]; start is -1 where there is none. free says that s is a message
// for people, where "password: x" means one.
func find(s string, from int, free bool) (start, end int) {
	for i := from; i < len(s); i++ {
		if !anchors[s[i]] {
			continue
		}
		// Most anchors fall to a look at the byte before them.
		var before byte
		if i > 0 {
			before = s[i-1]
		}
		start = -1
		switch s[i] {
		case '$':
			start, end = cryptHash(s, i)
		case '{':
			start, end = ldapHash(s, i)
		case '=':
			start, end = assignment(s, i, i+1)
		case '%': // "=" in a URL inside a URL
			if i+2 < len(s) && s[i+1] == '3' && s[i+2]|0x20 == 'd' {
				start, end = assignment(s, i, i+3)
			}
		case ':':
			start, end = colon(s, i, free)
		case ' ':
			if before|0x20 == 'r' || before|0x20 == 'c' {
				start, end = credentials(s, i)
			}
		case 'J':
			if before == 'y' {
				start, end = webToken(s, i)
			}
		case '-':
			if i+1 < len(s) && s[i+1] == '-' {
				start, end = privateKey(s, i)
			} else if 'a' <= before && before <= 'z' {
				start, end = vendorKey(s, i)
			}
		case '.':
			if before == '9' || before == 'G' {
				start, end = vendorKey(s, i)
			}
		case 'I':
			if before == 'K' || before == 'S' {
				start, end = vendorKey(s, i)
			}
		case 'z':
			if before == 'I' {
				start, end = vendorKey(s, i)
			}
		default:
			start, end = vendorKey(s, i)
		}
		if start >= from && end > start {
			return start, end
		}
	}
	return -1, -1
}

// span returns the end of the run of bytes of set that starts at i.
func span(s string, i int, set *[256]bool) int {
	for i < len(s) && set[s[i]] {
		i++
	}
	return i
}

func setOf(extra string) *[256]bool {
	var t [256]bool
	for c := range 256 {
		t[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	for _, c := range []byte(extra) {
		t[c] = true
	}
	return &t
}

var (
	idBytes    = setOf("-")         // the name of a hash scheme
	hashBytes  = setOf("./+=,$-_*") // what follows it
	urlBytes   = setOf("-_")        // base64url
	tokenBytes = setOf("-_.")       // JWT and API keys
	token68    = setOf("-._~+/=")   // RFC 7235, credentials
	nameBytes  = setOf("-_.")       // a key in text
	wordBytes  = setOf("_")         // a word that a key must not be a part of
)

// wordStart reports whether no word runs into s[i:].
func wordStart(s string, i int) bool {
	return i == 0 || !wordBytes[s[i-1]]
}

// cryptHash finds $id$… from its first "$": modular crypt and PHC strings.
func cryptHash(s string, i int) (start, end int) {
	id := span(s, i+1, idBytes)
	if id == i+1 || id-i > 24 || id == len(s) || s[id] != '$' {
		return -1, -1
	}
	end = span(s, id+1, hashBytes)
	switch name := s[i+1 : id]; {
	case name == "2a", name == "2b", name == "2x", name == "2y", strings.HasPrefix(name, "argon2"),
		strings.HasPrefix(name, "pbkdf2"), strings.HasPrefix(name, "scrypt"), name == "1", name == "5", name == "6", name == "apr1":
		return i, end
	case end-id > 16: // the rest of a scheme not listed; short ones are templates and prices
		return i, end
	}
	return -1, -1
}

// ldapHash finds {SCHEME}base64 (RFC 2307) from its "{".
func ldapHash(s string, i int) (start, end int) {
	scheme := span(s, i+1, idBytes)
	if scheme == len(s) || s[scheme] != '}' || scheme-i > 24 {
		return -1, -1
	}
	name := strings.ToUpper(s[i+1 : scheme])
	for _, known := range [...]string{"SHA", "MD5", "CRYPT", "PBKDF2", "ARGON2"} {
		if strings.Contains(name, known) {
			if end = span(s, scheme+1, hashBytes); end-scheme > 8 {
				return i, end
			}
		}
	}
	return -1, -1
}

// webToken finds a JWT or JWE by its first three letters, eyJ, from the J.
func webToken(s string, i int) (start, end int) {
	start = i - 2
	if start < 0 || s[start:i] != "ey" {
		return -1, -1
	}
	header := span(s, i, urlBytes)
	if header-start < 10 {
		return -1, -1
	}
	if header+1 < len(s) && s[header] == '.' && urlBytes[s[header+1]] {
		return start, span(s, header, tokenBytes)
	}
	// A token that was cut within its header: {"alg, {"typ, {"kid, {"enc.
	if header-start >= 20 && wordStart(s, start) {
		for _, prefix := range [...]string{"eyJhbGci", "eyJ0eXAi", "eyJraWQi", "eyJlbmMi"} {
			if strings.HasPrefix(s[start:], prefix) {
				return start, span(s, header, tokenBytes)
			}
		}
	}
	return -1, -1
}

// privateKey finds a PEM private key from the first of its dashes to the last.
func privateKey(s string, i int) (start, end int) {
	const begin, finish = "-----BEGIN ", "-----END "
	if !strings.HasPrefix(s[i:], begin) {
		return -1, -1
	}
	// "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY" and the like.
	label := s[i+len(begin) : min(len(s), i+len(begin)+40)]
	if !strings.Contains(label, "PRIVATE KEY") {
		return -1, -1
	}
	end = len(s) // a key that was cut has no end
	if at := strings.Index(s[i+len(begin):], finish); at >= 0 {
		rest := i + len(begin) + at + len(finish)
		if dashes := strings.Index(s[rest:], "-----"); dashes >= 0 {
			end = rest + dashes + 5
		}
	}
	return i, end
}

// vendorKeys are API keys with a prefix of their own, by the byte at which
// they are looked for: what stands up to it, and how much must follow.
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

// vendorKey finds an API key from the anchor within its prefix.
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

// credentials finds what follows "Bearer " or "Basic ", from the space.
func credentials(s string, i int) (start, end int) {
	switch {
	case i >= 6 && s[i-1]|0x20 == 'r' && strings.EqualFold(s[i-6:i], "bearer") && wordStart(s, i-6):
		start = skipSpaces(s, i)
		end = span(s, start, token68)
		if isBearer(s[start:end]) {
			return start, end
		}
	case i >= 5 && s[i-1]|0x20 == 'c' && strings.EqualFold(s[i-5:i], "basic") && wordStart(s, i-5):
		start = skipSpaces(s, i)
		end = span(s, start, token68)
		// "Basic information" is no user:password.
		if end-start >= 4 && strings.IndexByte(string(decode64(s[start:end])), ':') >= 0 {
			return start, end
		}
	}
	return -1, -1
}

// isBearer tells a token from a word of a sentence such as "bearer token
// expired": a token is long, or has something other than lower-case letters.
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

func skipSpaces(s string, i int) int {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i
}
