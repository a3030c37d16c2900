package document

import (
	"strconv"
	"unicode/utf8"
)

// CEF writes one event in ArcSight's Common Event Format, one line:
// CEF:0|vendor|product|version|class|name|severity|key=value key=value.
//
// Newlines, equals signs and backslashes in values come back as they went in. The
// format has no escape for other control characters, nor for characters that
// make a line look other than it is: a tab becomes a space, the others become
// U+FFFD. Spaces at the ends of a value go, because a reader cannot tell them
// from the separator.
type CEF struct{ line }

// The lengths that the standard allows, in bytes.
const (
	cefVendor  = 63
	cefVersion = 31
	cefClass   = 1023
	cefName    = 512
)

// Reset begins an event that is appended to b. Severity goes from 0 to 10.
func (c *CEF) Reset(b []byte, vendor, product, version, class, name string, severity int) {
	b = append(b, "CEF:0"...)
	for _, f := range [...]struct {
		v     string
		limit int
	}{{vendor, cefVendor}, {product, cefVendor}, {version, cefVersion}, {class, cefClass}, {name, cefName}} {
		b = append(b, '|')
		b = cefHeader.append(b, f.v, f.limit)
	}
	b = append(b, '|')
	b = strconv.AppendInt(b, int64(severity), 10)
	c.b, c.n = append(b, '|'), 0
}

// Field writes an entry of the extension, cut at limit bytes. It writes nothing,
// and returns false, if the value is empty. Keys are names in the code and written once.
func (c *CEF) Field(key, value string, limit int) bool {
	if value == "" {
		return false
	}
	start := len(c.b)
	c.key(' ', key)
	value = trim(value)
	from := len(c.b)
	c.b = cefValue.append(c.b, value, limit)
	for len(c.b) > from && c.b[len(c.b)-1] == ' ' {
		c.b = c.b[:len(c.b)-1]
	}
	if len(c.b) == from {
		c.b = c.b[:start]
		c.n--
		return false
	}
	return true
}

// Int writes a number.
func (c *CEF) Int(key string, v int64) {
	c.key(' ', key)
	c.b = strconv.AppendInt(c.b, v, 10)
}

// LEEF writes one event in IBM's Log Event Extended Format 2.0, one line:
// LEEF:2.0|vendor|product|version|id|key=value<tab>key=value.
//
// The format has no escapes: a tab or a line end in a value becomes a space, a
// pipe in the header an underscore, other characters that a line must not hold U+FFFD.
type LEEF struct{ line }

// leefID is the length of an event id.
const leefID = 255

// Reset begins an event that is appended to b.
func (l *LEEF) Reset(b []byte, vendor, product, version, id string) {
	b = append(b, "LEEF:2.0"...)
	for _, v := range [...]string{vendor, product, version, id} {
		b = append(b, '|')
		b = leefHeader.append(b, v, leefID)
	}
	// The delimiter is given, so that no reader takes the first value for it.
	l.b, l.n = append(b, "|x09|"...), 0
}

// Field writes an attribute, cut at limit bytes, unless it is empty.
func (l *LEEF) Field(key, value string, limit int) {
	if value = trim(value); value == "" {
		return
	}
	l.key('\t', key)
	l.b = leefValue.append(l.b, value, limit)
}

// Int writes a number.
func (l *LEEF) Int(key string, v int64) {
	l.key('\t', key)
	l.b = strconv.AppendInt(l.b, v, 10)
}

// line is what the two formats share.
type line struct {
	b []byte
	n int // fields
}

func (l *line) key(separator byte, key string) {
	if l.n > 0 {
		l.b = append(l.b, separator)
	}
	l.n++
	l.b = append(l.b, key...)
	l.b = append(l.b, '=')
}

// Bytes returns the line without a newline.
func (l *line) Bytes() []byte { return l.b }

// place is where a text stands: what must not stand there as it is.
type place struct {
	special  [2]byte // the same twice for one; 0 is none
	escaped  bool    // by a backslash; otherwise it becomes an underscore
	newlines bool    // are written as \n and \r; otherwise they become spaces
}

var (
	cefHeader  = place{special: [2]byte{'|', '\\'}, escaped: true}
	cefValue   = place{special: [2]byte{'=', '\\'}, escaped: true, newlines: true}
	leefHeader = place{special: [2]byte{'|', '|'}}
	leefValue  = place{}
)

// append appends at most limit bytes of s, counted before escapes.
func (p *place) append(b []byte, s string, limit int) []byte {
	s = upTo(s, limit)
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != p.special[0] && c != p.special[1] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && !(r == utf8.RuneError && size == 1) && !unsafeRune(r) {
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		switch {
		case c >= 0x20 && c < 0x7f && p.escaped:
			b = append(b, '\\', c)
		case c >= 0x20 && c < 0x7f:
			b = append(b, '_')
		case c == '\n' && p.newlines:
			b = append(b, '\\', 'n')
		case c == '\r' && p.newlines:
			b = append(b, '\\', 'r')
		case c == '\n', c == '\r', c == '\t':
			b = append(b, ' ')
		default:
			b = append(b, "\uFFFD"...)
		}
		i += size
		from = i
	}
	return append(b, s[from:]...)
}

// unsafeRune reports whether a line must not hold r: a control character, or
// one that makes the line look other than it is.
func unsafeRune(r rune) bool {
	return r < 0x20 || 0x7f <= r && r < 0xa0 || 0x200b <= r && r <= 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == 0xfeff
}

// upTo returns the longest part of s, whole characters, that is at most limit
// bytes long when every byte that is not UTF-8 has become U+FFFD.
func upTo(s string, limit int) string {
	if len(s) <= limit/3 {
		return s
	}
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		width := size
		if r == utf8.RuneError && size == 1 || unsafeRune(r) && r != '\n' && r != '\r' && r != '\t' {
			width = len("\uFFFD")
		}
		if n += width; n > limit {
			return s[:i]
		}
		i += size
	}
	return s
}

// trim removes the spaces at the ends of s.
func trim(s string) string {
	for s != "" && blank(s[0]) {
		s = s[1:]
	}
	for s != "" && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
