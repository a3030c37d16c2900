package redact

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
