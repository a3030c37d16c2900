package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// A line quotes text in text in text: the request inside the message inside the
// record inside the line, and Docker once more. Unquoting one after the other reads
// the line four times. The scanner reads it once, in place: at layer n, a
// quote stands behind exactly 2^n-1 backslashes, and a backslash of the text
// itself is 2^n of them. So the number of backslashes before a quote tells
// whose quote it is, and nobody can write one that belongs to a layer
// further out.

// maxLayer is the deepest layer that is read in place: the request in the
// message (1) in a record (1) of a quoted line (1) in Docker's JSON.
const maxLayer = 4

// literal is a text with its quotes as they stand at each layer.
type literal [maxLayer + 1]string

func newLiteral(s string) (l literal) {
	for n := range l {
		l[n] = strings.ReplaceAll(s, `"`, strings.Repeat(`\`, 1<<n-1)+`"`)
	}
	return l
}

// quote is one quote at each layer.
var quote = newLiteral(`"`)

// at reports whether s stands at b[i:].
func at(b []byte, i int, s string) bool {
	return len(b)-i >= len(s) && string(b[i:i+len(s)]) == s
}

// ending says how the search for the end of a string went.
type ending uint8

const (
	closed ending = iota // by a quote of its own layer
	outer                // a quote further out came first: the text was cut
	noEnd                // there is no quote any more
)

// stringEnd finds the end of a string at layer n whose content starts at i:
// b[i:end] is its content, and next is behind its closing quote. With outer,
// end is at the backslashes of the quote further out, or at the quote where n is 0.
func stringEnd(b []byte, i int, n uint) (end, next int, how ending) {
	unit := 1 << n
	own := unit - 1
	for j := i; ; {
		q := nextQuote(b, j)
		if q < 0 {
			return len(b), len(b), noEnd
		}
		slashes := 0
		for k := q - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		switch more := slashes - own; {
		case more == 0:
			return q - own, q + 1, closed
		case more < 0 || more%unit != 0:
			return q - slashes, q, outer
		case more/unit%2 == 0: // behind backslashes of the text
			return q - own, q + 1, closed
		}
		j = q + 1 // a quote of the text
	}
}

// nextQuote finds the first quote from i on, or -1. Most strings are shorter than
// what a call of IndexByte takes.
func nextQuote(b []byte, i int) int {
	const (
		ones   uint64 = 0x0101010101010101
		tops   uint64 = 0x8080808080808080
		quotes        = '"' * ones
	)
	for stop := i + 32; i+8 <= len(b); i += 8 {
		if i >= stop {
			if d := bytes.IndexByte(b[i:], '"'); d >= 0 {
				return i + d
			}
			return -1
		}
		// The classic search for a zero byte: the lowest hit is exact.
		x := binary.LittleEndian.Uint64(b[i:]) ^ quotes
		if hit := (x - ones) &^ x & tops; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' {
			return i
		}
	}
	return -1
}

// maxDepth bounds the nesting of JSON in messages. The official script's has three levels.
const maxDepth = 16

// jsonScanner steps over the JSON of JSON.stringify, strictly and without
// white space, at a layer. It stands at i.
type jsonScanner struct {
	b       []byte
	i       int
	n       uint
	strings int  // how many were passed
	cut     bool // the text ended within
}

// quoted steps over one string and returns its content.
func (s *jsonScanner) quoted() (content span, ok bool) {
	if !at(s.b, s.i, quote[s.n]) {
		s.atEnd()
		return span{}, false
	}
	from := s.i + len(quote[s.n])
	end, next, how := stringEnd(s.b, from, s.n)
	if how != closed {
		s.i, s.cut = end, true
		return span{from, end}, false
	}
	s.i = next
	s.strings++
	return span{from, end}, true
}

// atEnd notes that the text ends here, within the JSON.
func (s *jsonScanner) atEnd() {
	if s.i >= len(s.b) || s.n > 0 && at(s.b, s.i, quote[s.n-1]) {
		s.cut = true
	}
}

// is steps over c.
func (s *jsonScanner) is(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	s.atEnd()
	return false
}

// value steps over any value.
func (s *jsonScanner) value(depth int) bool {
	if s.i >= len(s.b) || depth > maxDepth {
		s.atEnd()
		return false
	}
	switch c := s.b[s.i]; c {
	case '{':
		return s.object(depth, nil)
	case '[':
		s.i++
		if s.i < len(s.b) && s.b[s.i] == ']' {
			s.i++
			return true
		}
		for {
			if !s.value(depth + 1) {
				return false
			}
			if s.i < len(s.b) && s.b[s.i] == ',' {
				s.i++
				continue
			}
			return s.is(']')
		}
	case '"', '\\':
		_, ok := s.quoted()
		return ok
	default:
		return s.scalar()
	}
}

// object steps over {...}. member is called at the value of each key and steps
// over it; nil steps over any.
func (s *jsonScanner) object(depth int, member func(key []byte) bool) bool {
	if !s.is('{') {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '}' {
		s.i++
		return true
	}
	for {
		key, ok := s.quoted()
		if !ok || !s.is(':') {
			return false
		}
		if member != nil {
			ok = member(s.b[key.from:key.to])
		} else {
			ok = s.value(depth + 1)
		}
		if !ok {
			return false
		}
		if s.i < len(s.b) && s.b[s.i] == ',' {
			s.i++
			continue
		}
		return s.is('}')
	}
}

// scalar steps over a number, true, false or null.
func (s *jsonScanner) scalar() bool {
	for _, word := range [...]string{"true", "false", "null"} {
		if at(s.b, s.i, word) {
			s.i += len(word)
			return true
		}
	}
	from := s.i
	for s.i < len(s.b) && (s.b[s.i]-'0' < 10 || s.i > from && (s.b[s.i]|0x20 == 'e' || s.b[s.i] == '.' || s.b[s.i] == '+') || s.b[s.i] == '-') {
		s.i++
	}
	if s.i > from {
		return true
	}
	s.atEnd()
	return false
}

// span is a part of the line: b[from:to]. The zero span is none.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }
