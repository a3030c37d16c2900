package record

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// format says into what the walk writes its tokens. Only here do the two
// encodings differ.
type format bool

const (
	asMsgpack format = false
	asJSON    format = true
)

func (f format) openMap(b []byte, n int) []byte {
	if f == asMsgpack {
		return msgp.AppendMapHeader(b, uint32(n))
	}
	return append(b, '{')
}

func (f format) closeMap(b []byte) []byte {
	if f == asMsgpack {
		return b
	}
	return append(b, '}')
}

func (f format) openList(b []byte, n int) []byte {
	if f == asMsgpack {
		return msgp.AppendArrayHeader(b, uint32(n))
	}
	return append(b, '[')
}

func (f format) closeList(b []byte) []byte {
	if f == asMsgpack {
		return b
	}
	return append(b, ']')
}

// element comes before the i-th element of a list.
func (f format) element(b []byte, i int) []byte {
	if f == asMsgpack || i == 0 {
		return b
	}
	return append(b, ',')
}

// key writes the i-th key of a map; only whether i is zero matters.
func (f format) key(b []byte, i int, name string) []byte {
	b = f.element(b, i)
	b = f.text(b, name)
	if f == asMsgpack {
		return b
	}
	return append(b, ':')
}

// field is key for a name that is known to need no escape.
func (f format) field(b []byte, i int, name string) []byte {
	if f == asMsgpack {
		return msgp.AppendString(b, name)
	}
	b = f.element(b, i)
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func (f format) null(b []byte) []byte {
	if f == asMsgpack {
		return msgp.AppendNil(b)
	}
	return append(b, "null"...)
}

func (f format) boolean(b []byte, v bool) []byte {
	if f == asMsgpack {
		return msgp.AppendBool(b, v)
	}
	return strconv.AppendBool(b, v)
}

func (f format) unsigned(b []byte, v uint64) []byte {
	if f == asMsgpack {
		return msgp.AppendUint64(b, v)
	}
	return strconv.AppendUint(b, v, 10)
}

// maxExact is the largest number up to which a float64 holds every integer.
const maxExact = 1 << 53

func (f format) number(b []byte, v float64) []byte {
	if math.Abs(v) <= maxExact && v == math.Trunc(v) {
		if f == asMsgpack {
			return msgp.AppendInt64(b, int64(v))
		}
		return strconv.AppendInt(b, int64(v), 10)
	}
	switch {
	case math.IsNaN(v):
		return f.text(b, "NaN") // the names that protobuf's JSON uses
	case math.IsInf(v, 1):
		return f.text(b, "Infinity")
	case math.IsInf(v, -1):
		return f.text(b, "-Infinity")
	case f == asMsgpack:
		return msgp.AppendFloat64(b, v)
	case math.Abs(v) < 1e-6 || math.Abs(v) > maxExact:
		// With an exponent nobody takes it for an exact integer.
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	default:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
}

// time writes RFC 3339 in UTC with six fractional digits, ZITADEL's precision.
func (f format) time(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		// RFC 3339 has four digits for the year; this is no time at all.
		return f.text(b, t.Format("2006-01-02T15:04:05.000000Z"))
	}
	var s [27]byte
	copy(s[:], "0000-00-00T00:00:00.000000Z")
	digits(s[0:4], year)
	digits(s[5:7], int(month))
	digits(s[8:10], day)
	digits(s[11:13], hour)
	digits(s[14:16], minute)
	digits(s[17:19], second)
	digits(s[20:26], t.Nanosecond()/1000)
	if f == asMsgpack {
		return msgp.AppendStringFromBytes(b, s[:])
	}
	b = append(b, '"')
	b = append(b, s[:]...)
	return append(b, '"')
}

// digits fills b with v in decimal, zeros before it.
func digits(b []byte, v int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

// id writes [Key.ID] without building it apart where no part needs a change.
func (f format) id(b []byte, k Key) []byte {
	if !plain(k.Instance) || !plain(k.AggregateType) || !plain(k.AggregateID) {
		return f.text(b, k.ID())
	}
	var room [20]byte
	sequence := strconv.AppendUint(room[:0], k.Sequence, 10)
	if f == asMsgpack {
		b = appendStringHeader(b, len(k.Instance)+len(k.AggregateType)+len(k.AggregateID)+3+len(sequence))
		return k.AppendID(b)
	}
	b = append(b, '"')
	b = k.AppendID(b)
	return append(b, '"')
}

// appendStringHeader writes what goes before the bytes of a msgpack str.
func appendStringHeader(b []byte, n int) []byte {
	switch {
	case n < 1<<5:
		return append(b, 0xa0|byte(n))
	case n < 1<<8:
		return append(b, 0xd9, byte(n))
	case n < 1<<16:
		return append(b, 0xda, byte(n>>8), byte(n))
	default:
		return append(b, 0xdb, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

func (f format) text(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if f == asMsgpack {
		return msgp.AppendString(b, s)
	}
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// plain reports whether s stands in JSON as it is, and is ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || escapes[c] {
			return false
		}
	}
	return true
}

// escapes marks the ASCII characters that JSON strings hold escaped here: what
// JSON asks for, and DEL.
var escapes = func() (t [utf8.RuneSelf]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'], t[0x7f] = true, true, true
	return
}()

const hex = "0123456789abcdef"

// misleading reports whether r makes a line look other than it is: U+2028 and
// U+2029, which some line readers take for an end of line; bidirectional
// controls (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), which turn
// text around; U+200B to U+200D, which have no width.
func misleading(r rune) bool {
	return 0x200b <= r && r <= 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// appendEscaped appends valid UTF-8 as the inside of a JSON string. Beyond
// what JSON asks for it escapes DEL and U+0080 to U+009F, which terminals obey,
// and what is misleading.
func appendEscaped(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if !escapes[c] {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < 0xa0 || misleading(r) {
			b = append(b, s[from:i]...)
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			from = i + size
		}
		i += size
	}
	return append(b, s[from:]...)
}
