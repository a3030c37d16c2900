package redact

import (
	"bytes"
	"strings"
)

// minShape is the length of the shortest text with a shape in it: "$2a$".
const minShape = 4

// anchors marks the bytes at which a shape is looked for. Each shape has one
// byte that is rare in ordinary text, so that most text costs a table lookup
// per byte and nothing else.
var anchors = func() (t [256]bool) {
	for _, c := range []byte("${=%: _-.JIzHC>/\xef") {
		t[c] = true
	}
	return
}()

// finder looks through one text. What holds for the whole of it is looked for once.
type finder struct {
	s       string
	run     int // end of the run of base64url bytes that was looked at last
	bracket int // where the first "{" or "[" stands; -1 for not looked for yet
}

func newFinder(s string) finder { return finder{s: s, bracket: -1} }

// next returns the first secret that starts at from or later, as s[start:end];
// start is -1 where there is none.
func (f *finder) next(from int) (start, end int) {
	s := f.s
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
				if i >= f.run { // "eyJeyJeyJ...": all of them share one end
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
	derBytes   = setOf("+/-_=\r\n") // base64, on several lines
	hostBytes  = setOf("-._:[]")    // a host and a port
	wordBytes  = setOf("_")         // a word that a key must not be a part of
)

// wordStart reports whether no word runs into s[i:].
func wordStart(s string, i int) bool {
	return i == 0 || !wordBytes[s[i-1]]
}

// cryptHash finds $id$… from its first "$": modular crypt and PHC strings.
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
	case end-id > 16: // the rest of a scheme not listed; short ones are templates and prices
		return i, end
	}
	return -1, -1
}

// namedHash finds scheme$…$… from its first "$", as Django and Werkzeug write
// it: pbkdf2_sha256$rounds$salt$hash, sha256$salt$hash.
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

// derKey finds a private key in base64 without PEM's dashes around it, by the
// first bytes of its ASN.1 form.
func derKey(s string, start int) (int, int) {
	if !wordStart(s, start) {
		return -1, -1
	}
	// The end comes last: a text of nothing but such beginnings has one end.
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

// isPrivateDER looks at the start of a SEQUENCE. A private key starts with a
// small version: 0 in PKCS #1 and #8, 1 in SEC 1 and for Ed25519, 3 in PKCS #12.
// An encrypted one (PKCS #8) with an algorithm of PKCS #5. Certificates and
// public keys start with neither.
func isPrivateDER(b []byte) bool {
	b, ok := sequence(b)
	if !ok {
		return false
	}
	if bytes.HasPrefix(b, []byte{2, 1}) && len(b) > 3 && b[2] <= 3 {
		switch b[3] { // what follows: an integer, an algorithm, the key
		case 0x02, 0x30, 0x04:
			return true
		}
		return false
	}
	algorithm, ok := sequence(b)
	return ok && bytes.HasPrefix(algorithm, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5})
}

// sequence returns what stands in the ASN.1 SEQUENCE that b starts with.
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

// webToken finds a JWT or JWE by its first three letters, eyJ, from the J. Its
// header ends at s[header].
func webToken(s string, i, header int) (start, end int) {
	start = i - 2
	if start < 0 || s[start:i] != "ey" {
		return -1, -1
	}
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
	case schemeBefore(s, i, "dpop"):
		start = skipSpaces(s, i)
		end = span(s, start, token68)
		if opaque(s[start:end]) {
			return start, end
		}
	}
	return -1, -1
}

// schemeBefore reports whether the word before s[i] is word.
func schemeBefore(s string, i int, word string) bool {
	n := len(word)
	return i >= n && s[i-1]|0x20 == word[n-1] && strings.EqualFold(s[i-n:i], word) && wordStart(s, i-n)
}

// longestWord is longer than any word of a sentence, paths and ids included.
const longestWord = 1024

// opaque reports whether word is long and mixed like a random one. ZITADEL's
// ids (digits, at_ and digits) and words joined by dashes are not.
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

// LooksLikeAuth tells credentials under the key "auth" from a word about them.
func LooksLikeAuth(s string) bool {
	return opaque(s) || strings.IndexByte(s, ':') > 0 && !strings.Contains(s, "://") && !strings.Contains(s, ": ")
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

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func skipSpaces(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

// skipBlanks steps over white space, also where it stands as \n, \t or \r.
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
