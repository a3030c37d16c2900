package parser

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// A line has several layers of quoting: the request is in the message, the message in the
// record, the record in the line, and the line may be in Docker's JSON. Unquoting the layers
// one after the other would read the line four times. The scanner reads it once, in place. At
// layer n, a quote has exactly 2^n-1 backslashes before it, and a backslash of the text itself
// is written as 2^n backslashes. So the number of backslashes before a quote determines its
// layer, and text of an inner layer cannot contain a quote of an outer one.

// maxLayer is the deepest layer that is read in place: the request in the
// message (1) in a record (1) of a quoted line (1) in Docker's JSON.
const maxLayer = 4

// literal is a text with quotes, as it is written at each layer.
type literal [maxLayer + 1]string

func newLiteral(s string) (l literal) {
	for n := range l {
		l[n] = strings.ReplaceAll(s, `"`, strings.Repeat(`\`, 1<<n-1)+`"`)
	}
	return l
}

// quote is one quote at each layer.
var quote = newLiteral(`"`)

// at reports whether b[i:] begins with s.
func at(b []byte, i int, s string) bool {
	return len(b)-i >= len(s) && string(b[i:i+len(s)]) == s
}

// ending is the result of the search for the end of a string.
type ending uint8

const (
	closed ending = iota // by a quote of the string's layer
	outer                // a quote of an outer layer came first: the text was cut
	noEnd                // there are no more quotes
)

// stringEnd finds the end of a string at layer n whose content starts at i. b[i:end] is the
// content, and next is behind the closing quote. With outer, end is at the backslashes of the
// outer quote, or at the quote itself if n is 0.
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
		case more/unit%2 == 0: // the backslashes before it belong to the text
			return q - own, q + 1, closed
		}
		j = q + 1 // a quote of the text
	}
}

// nextQuote returns the index of the first quote from i on, or -1. For short strings, which
// most are, it is faster than IndexByte.
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

// maxDepth limits the nesting of JSON in messages. That of ZITADEL's example script has three
// levels.
const maxDepth = 16

// jsonScanner reads strict JSON without white space, such as that of JSON.stringify.
type jsonScanner struct {
	b       []byte
	i       int  // the next byte to read
	n       uint // the layer of its quotes
	strings int  // how many were read
	cut     bool // the text ended inside the JSON
}

// quoted reads one string and returns its content.
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

// atEnd sets cut if the text ends here.
func (s *jsonScanner) atEnd() {
	if s.i >= len(s.b) || s.n > 0 && at(s.b, s.i, quote[s.n-1]) {
		s.cut = true
	}
}

// is skips c and reports whether it was there.
func (s *jsonScanner) is(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	s.atEnd()
	return false
}

// value skips any value.
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

// object reads an object. member is called at the value of each key and must read the value.
// If member is nil, values are skipped.
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

// scalar skips a number, true, false or null.
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

// span is a part of a line, b[from:to]. The zero value means that there is none.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }
