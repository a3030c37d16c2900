package document

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// Format is the encoding of a document.
type Format bool

// The formats.
const (
	Msgpack Format = false
	JSON    Format = true
)

// AppendEventHead begins a Fluent Bit event, [EventTime, map], up to the map.
// EventTime is fixext 8 (0xd7) of type 0: seconds and nanoseconds in big endian.
func AppendEventHead(b []byte, t time.Time) []byte {
	b = msgp.AppendArrayHeader(b, 2)
	// EventTime has 32 bits for the seconds: 1970 to 2106.
	seconds := min(max(t.Unix(), 0), math.MaxUint32)
	nanos := t.Nanosecond()
	return append(b, 0xd7, 0,
		byte(seconds>>24), byte(seconds>>16), byte(seconds>>8), byte(seconds),
		byte(nanos>>24), byte(nanos>>16), byte(nanos>>8), byte(nanos))
}

// element comes before the i-th entry of a list or map.
func (f Format) element(b []byte, i int) []byte {
	if f == Msgpack || i == 0 {
		return b
	}
	return append(b, ',')
}

// field writes the i-th key of a map, a name that needs no escape. Only whether i is
// zero matters.
func (f Format) field(b []byte, i int, name string) []byte {
	if f == Msgpack {
		return msgp.AppendString(b, name)
	}
	b = f.element(b, i)
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// null writes null or nil.
func (f Format) null(b []byte) []byte {
	if f == Msgpack {
		return msgp.AppendNil(b)
	}
	return append(b, "null"...)
}

// bool writes a boolean.
func (f Format) bool(b []byte, v bool) []byte {
	if f == Msgpack {
		return msgp.AppendBool(b, v)
	}
	return strconv.AppendBool(b, v)
}

// uint writes an unsigned integer.
func (f Format) uint(b []byte, v uint64) []byte {
	if f == Msgpack {
		return msgp.AppendUint64(b, v)
	}
	return strconv.AppendUint(b, v, 10)
}

// maxExact is the largest number up to which a float64 holds every integer.
const maxExact = 1 << 53

// number writes a float64, as an integer where it is one; NaN and the infinities as text.
func (f Format) number(b []byte, v float64) []byte {
	if math.Abs(v) <= maxExact && v == math.Trunc(v) {
		if f == Msgpack {
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
	case f == Msgpack:
		return msgp.AppendFloat64(b, v)
	case math.Abs(v) < 1e-6 || math.Abs(v) > maxExact:
		// With an exponent nobody takes it for an exact integer.
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	default:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
}

// timestamp writes RFC 3339 in UTC with 6 fractional digits, the precision of ZITADEL's
// events, or 9, that of its log.
func (f Format) timestamp(b []byte, t time.Time, precision int) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		// RFC 3339 has four digits for the year; this is no time at all.
		return f.text(b, t.Format("2006-01-02T15:04:05.000000Z"))
	}
	var room [30]byte
	s := room[:21+precision]
	copy(s, "0000-00-00T00:00:00.")
	digits(s[0:4], year)
	digits(s[5:7], int(month))
	digits(s[8:10], day)
	digits(s[11:13], hour)
	digits(s[14:16], minute)
	digits(s[17:19], second)
	fraction := t.Nanosecond()
	if precision == 6 {
		fraction /= 1000
	}
	digits(s[20:20+precision], fraction)
	s[20+precision] = 'Z'
	if f == Msgpack {
		return msgp.AppendStringFromBytes(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// digits fills b with v in decimal, zeros before it.
func digits(b []byte, v int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

// text writes a string. What is no UTF-8 in it becomes U+FFFD.
func (f Format) text(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if f == Msgpack {
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
