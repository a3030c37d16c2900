package redact

import (
	"bytes"
	"strings"
)

// minShape is the length of the shortest secret with a shape: "$2a$".
const minShape = 4

// anchors are the bytes at which a secret is looked for. Each shape has one byte that is rare
// in ordinary text, so that most text costs only a table lookup per byte.
var anchors = *bytesOf("${=%: _-.JIzHC>/\xef")

// finder searches one text. It keeps results that are the same for the whole text.
type finder struct {
	s       string
	run     int // end of the last run of base64url bytes
	bracket int // index of the first "{" or "["; -1: not searched yet
}

func newFinder(s string) finder { return finder{s: s, bracket: -1} }

// next returns the first secret that starts at from or later, as s[start:end]. start is -1 if
// there is none. The functions that it calls return their results in the same way.
func (f *finder) next(from int) (start, end int) {
	s := f.s
	for i := from; i < len(s); i++ {
		if !anchors[s[i]] {
			continue
		}
		// The byte before rules out most anchors.
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
			if v := escaped(s, i, '3', 'd'); v > 0 {
				start, end = assignment(s, i, v)
			} else if v := escaped(s, i, '3', 'a'); v > 0 {
				start, end = escapedMember(s, i, v)
			} else if v := escaped(s, i, '2', 'f'); v > 0 && v < len(s) && webhookWord[s[v]] {
				start, end = webhook(s, i, v)
			}
		case '/':
			if i+1 < len(s) && webhookWord[s[i+1]] {
				start, end = webhook(s, i-backslashes(s, i), i+1)
			}
		case 0xef:
			start, end = wideLabel(s, i)
		case ':':
			start, end = f.colon(i)
		case '>':
			start, end = elementText(s, i)
		case ' ':
			switch before | 0x20 {
			case 'r', 'c', 'n', 'y', 'p':
				start, end = credentials(s, i)
			}
			if start < 0 && before != ' ' {
				start, end = afterWord(s, i)
			}
		case 'J':
			if before == 'y' {
				if i >= f.run { // in "eyJeyJeyJ..." all have the same end
					f.run = span(s, i, urlBytes)
				}
				start, end = webToken(s, i, f.run)
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
			switch before {
			case 'K', 'S':
				start, end = vendorKey(s, i)
			case 'M':
				start, end = derKey(s, i-1)
			}
		case 'H', 'C':
			if before == 'M' {
				start, end = derKey(s, i-1)
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

// bytesOf is a set of bytes.
func bytesOf(chars string) *[256]bool {
	var t [256]bool
	for _, c := range []byte(chars) {
		t[c] = true
	}
	return &t
}

const digits = "0123456789"

// setOf is the set of letters, digits and extra.
func setOf(extra string) *[256]bool {
	return bytesOf(digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + extra)
}

var (
	idBytes    = setOf("-")         // the name of a hash scheme
	hashBytes  = setOf("./+=,$-_*") // the hash behind it
	urlBytes   = setOf("-_")        // base64url
	tokenBytes = setOf("-_.")       // JWT and API keys
	token68    = setOf("-._~+/=")   // RFC 7235, credentials
	nameBytes  = setOf("-_.")       // a key in text
	derBytes   = setOf("+/-_=\r\n") // base64 on several lines
	hostBytes  = setOf("-._:[]")    // a host and a port
	wordBytes  = setOf("_")         // a word; a key must not begin inside one
	digitBytes = bytesOf(digits)
)

// wordStart reports whether s[i:] does not begin inside a word.
func wordStart(s string, i int) bool {
	return i == 0 || !wordBytes[s[i-1]]
}

// cryptHash finds $id$…, a modular crypt or PHC string; s[i] is the first "$".
func cryptHash(s string, i int) (start, end int) {
	if start, end = namedHash(s, i); start >= 0 {
		return start, end
	}
	id := span(s, i+1, idBytes)
	if id == i+1 || id-i > 24 || id == len(s) || s[id] != '$' {
		return -1, -1
	}
	end = span(s, id+1, hashBytes)
	switch name := s[i+1 : id]; {
	case name == "2a", name == "2b", name == "2x", name == "2y", strings.HasPrefix(name, "argon2"),
		strings.HasPrefix(name, "pbkdf2"), strings.HasPrefix(name, "scrypt"), name == "1", name == "5", name == "6", name == "apr1",
		end-id > 4 && (name == "7" || name == "S" || name == "P" || name == "H" || name == "y" || name == "gy"):
		return i, end
	case end-id > 16: // an unknown scheme; short text is a template or a price
		return i, end
	}
	return -1, -1
}

// namedHash finds a hash of Django or Werkzeug: pbkdf2_sha256$rounds$salt$hash,
// sha256$salt$hash. s[i] is the first "$".
func namedHash(s string, i int) (start, end int) {
	if i < 3 || !nameBytes[s[i-1]] {
		return -1, -1
	}
	scheme, start := name(s, i)
	scheme = strings.ToLower(scheme)
	for _, known := range [...]string{"pbkdf2", "sha", "md5", "bcrypt", "scrypt", "argon2", "hmac"} {
		if strings.HasPrefix(scheme, known) {
			end = span(s, i+1, hashBytes)
			if end-i > 10 && strings.IndexByte(s[i+1:end], '$') >= 0 {
				return start, end
			}
		}
	}
	return -1, -1
}

// derKey finds a private key in base64 without PEM's dashes, by the first bytes of its ASN.1
// form.
func derKey(s string, start int) (int, int) {
	if !wordStart(s, start) {
		return -1, -1
	}
	// The end is searched last, so that many beginnings with the same end stay cheap.
	if len(s)-start < 48 || !isPrivateDER(decode64(s[start:start+40])) {
		return -1, -1
	}
	end := span(s, start, derBytes)
	if end-start < 48 {
		return -1, -1
	}
	for end > start && (s[end-1] == '\r' || s[end-1] == '\n') {
		end--
	}
	return start, end
}

// isPrivateDER checks the start of a SEQUENCE. A private key starts with a small version: 0 in
// PKCS #1 and #8, 1 in SEC 1 and for Ed25519, 3 in PKCS #12. An encrypted one (PKCS #8) starts
// with an algorithm of PKCS #5. Certificates and public keys start differently.
func isPrivateDER(b []byte) bool {
	b, ok := sequence(b)
	if !ok {
		return false
	}
	if bytes.HasPrefix(b, []byte{2, 1}) && len(b) > 3 && b[2] <= 3 {
		switch b[3] { // an integer, an algorithm, or the key follows
		case 0x02, 0x30, 0x04:
			return true
		}
		return false
	}
	algorithm, ok := sequence(b)
	return ok && bytes.HasPrefix(algorithm, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5})
}

// sequence returns the content of the ASN.1 SEQUENCE at the start of b.
func sequence(b []byte) ([]byte, bool) {
	if len(b) < 6 || b[0] != 0x30 {
		return nil, false
	}
	skip := 2
	if b[1] >= 0x80 {
		skip += int(b[1] & 0x7f)
	}
	if skip > 5 {
		return nil, false
	}
	return b[skip:], true
}

// ldapHash finds {SCHEME}base64 (RFC 2307); s[i] is the "{".
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

// privateKey finds a private key in PEM; s[i] is the first dash.
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
	end = len(s) // if the key was cut
	if at := strings.Index(s[i+len(begin):], finish); at >= 0 {
		rest := i + len(begin) + at + len(finish)
		if dashes := strings.Index(s[rest:], "-----"); dashes >= 0 {
			end = rest + dashes + 5
		}
	}
	return i, end
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

// isBasic reports whether word is base64 of user:password. In "Basic information", it is not.
func isBasic(word string) bool {
	return len(word) >= 4 && bytes.IndexByte(decode64(word), ':') >= 0
}

// schemeBefore reports whether word, in any case, is the word before s[i].
func schemeBefore(s string, i int, word string) bool {
	n := len(word)
	return i >= n && s[i-1]|0x20 == word[n-1] && strings.EqualFold(s[i-n:i], word) && wordStart(s, i-n)
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

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func skipSpaces(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

// skipBlanks skips white space, including the escapes \n, \t and \r.
func skipBlanks(s string, i int) int {
	for i < len(s) {
		if endsText[s[i]] == 1 {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] == '\\' {
			j++
		}
		if j == i || j == len(s) || s[j] != 'n' && s[j] != 't' && s[j] != 'r' {
			break
		}
		i = j + 1
	}
	return i
}
