package detect

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// A record is scanned once, along the tree of names. What no rule reads is skipped without
// decoding. A general parser takes three times as long (BenchmarkRules).

// value is a scalar of a record, or the mark that there is an object.
type value struct {
	kind kind
	s    string // the text; of a number or a bool, as it stands in the record
}

type kind uint8

const (
	isNull kind = iota
	isText
	isNumber
	isBool
	isObject
)

// text is a scalar as Sigma compares it.
func (v value) text() string {
	if v.kind == isNull || v.kind == isObject {
		return ""
	}
	return v.s
}

// scalar reports whether v has a text.
func (v value) scalar() bool { return v.kind != isNull && v.kind != isObject }

// number is the value of a number.
func (v value) number() (float64, bool) {
	if v.kind != isNumber {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.s, 64)
	return n, err == nil
}

// maxNested bounds the depth of a record. Ours have less than 10 levels beside their payload.
const maxNested = 200

var errJSON = errors.New("no JSON object")

// scanner reads one line.
type scanner struct {
	s     string
	i     int
	depth int
	f     *fields
	bad   bool
}

// read takes the values of the slots from a JSON object. The values are parts of line.
func (f *fields) read(s *slots, line string) error {
	f.reset(len(s.names))
	p := scanner{s: line, f: f}
	p.space()
	if p.i == len(p.s) || p.s[p.i] != '{' {
		return errJSON
	}
	p.object(&s.root)
	p.space()
	if p.bad || p.i != len(p.s) {
		return errJSON
	}
	return nil
}

func (p *scanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// is moves behind c, if it is next.
func (p *scanner) is(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// fail stops the scan: nothing moves it on.
func (p *scanner) fail() { p.bad, p.i = true, len(p.s) }

// object reads an object at "{". n is nil if nothing in it is wanted.
func (p *scanner) object(n *name) {
	p.i++
	if p.depth++; p.depth > maxNested {
		p.fail()
		return
	}
	defer func() { p.depth-- }()
	if p.is('}') {
		return
	}
	for !p.bad {
		p.space()
		key, escaped, ok := p.quoted()
		if !ok || !p.is(':') {
			p.fail()
			return
		}
		if n == nil {
			p.value(nil)
		} else {
			if escaped {
				key = unescaped(key)
			}
			p.value(n.find(key))
		}
		if p.is(',') {
			continue
		}
		if !p.is('}') {
			p.fail()
		}
		return
	}
}

// find returns the names that are wanted below a key; nil: none. A key may be a path, as in
// {"event.action": ...}.
func (n *name) find(key string) *name {
	if k := n.kid(key); k != nil || strings.IndexByte(key, '.') < 0 {
		return k
	}
	for part := range strings.SplitSeq(key, ".") {
		if n = n.kid(part); n == nil {
			return nil
		}
	}
	return n
}

func (p *scanner) list(n *name) {
	p.i++
	if p.depth++; p.depth > maxNested {
		p.fail()
		return
	}
	defer func() { p.depth-- }()
	if p.is(']') {
		return
	}
	for !p.bad {
		p.space()
		if p.i < len(p.s) && p.s[p.i] == '[' {
			p.value(nil) // a list in a list has no meaning in ECS
		} else {
			p.value(n)
		}
		if p.is(',') {
			continue
		}
		if !p.is(']') {
			p.fail()
		}
		return
	}
}

// value reads any value.
func (p *scanner) value(n *name) {
	p.space()
	if p.i == len(p.s) {
		p.fail()
		return
	}
	switch c := p.s[p.i]; c {
	case '{':
		if n != nil {
			p.f.add(n, value{kind: isObject})
		}
		p.object(n)
	case '[':
		p.list(n)
	case '"':
		text, escaped, ok := p.quoted()
		switch {
		case !ok:
			p.fail()
		case n != nil && n.slot >= 0:
			if escaped {
				text = unescaped(text)
			}
			p.f.add(n, value{isText, text})
		}
	case 't':
		p.word(n, "true", isBool)
	case 'f':
		p.word(n, "false", isBool)
	case 'n':
		p.word(n, "null", isNull)
	default:
		p.digits(n)
	}
}

func (p *scanner) word(n *name, word string, k kind) {
	if !strings.HasPrefix(p.s[p.i:], word) {
		p.fail()
		return
	}
	p.i += len(word)
	if n != nil {
		p.f.add(n, value{k, word})
	}
}

func (p *scanner) digits(n *name) {
	from := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' {
			p.i++
			continue
		}
		break
	}
	if p.i == from {
		p.fail()
		return
	}
	if n != nil {
		p.f.add(n, value{isNumber, p.s[from:p.i]})
	}
}

// quoted reads a text at its quote and returns what is between the quotes, as it stands there.
func (p *scanner) quoted() (s string, escaped, ok bool) {
	if p.i == len(p.s) || p.s[p.i] != '"' {
		return "", false, false
	}
	p.i++
	from := p.i
	for {
		n := strings.IndexByte(p.s[p.i:], '"')
		if n < 0 {
			return "", false, false
		}
		p.i += n
		// An odd number of backslashes before it belongs to the text.
		slashes := 0
		for p.i-slashes > from && p.s[p.i-slashes-1] == '\\' {
			slashes++
		}
		p.i++
		if slashes%2 == 0 {
			s = p.s[from : p.i-1]
			return s, strings.IndexByte(s, '\\') >= 0, true
		}
	}
}

// unescaped decodes a text that has escapes. A text with a wrong escape stays as it is.
func unescaped(s string) string {
	var text string
	if json.Unmarshal([]byte(`"`+s+`"`), &text) != nil {
		return s
	}
	return text
}
