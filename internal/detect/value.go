package detect

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// test is one value of a field in a rule.
type test interface {
	match(v value, f *fields) bool
}

type (
	// glob is a text with wildcards. Its parts follow each other with any text in between. In
	// a part, any1 stands for one character.
	glob struct {
		parts            []string
		anchored, closed bool // nothing before the first part, nothing behind the last one
		cased            bool
	}
	null    struct{}
	pattern struct{ *regexp.Regexp }
	network struct{ netip.Prefix }
	compare struct {
		op string
		n  float64
	}
	// reference compares with another field of the record.
	reference struct{ slot int }
)

// any1 stands for "?" in a part.
const any1 = '\x00'

// newGlob reads Sigma's wildcards: * and ?, with \ before one that is meant literally.
func newGlob(s string, before, behind, cased bool) *glob {
	g := &glob{anchored: !before, closed: !behind, cased: cased}
	var part strings.Builder
	star := false
	end := func() {
		if part.Len() > 0 {
			g.parts = append(g.parts, part.String())
			part.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			part.WriteByte(s[i])
		case c == '*':
			if i == 0 {
				g.anchored = false
			}
			end()
			star = true
			continue
		case c == '?':
			part.WriteByte(any1)
		default:
			part.WriteByte(c)
		}
		star = false
	}
	end()
	if star {
		g.closed = false
	}
	if !cased {
		for i, p := range g.parts {
			g.parts[i] = strings.ToLower(p)
		}
	}
	return g
}

func (g *glob) match(v value, _ *fields) bool {
	if !v.scalar() {
		return false
	}
	return g.text(v.text())
}

func (g *glob) text(s string) bool {
	if !g.cased {
		s = lower(s)
	}
	if len(g.parts) == 0 {
		return s == "" || !g.anchored || !g.closed
	}
	for i, p := range g.parts {
		first, last := i == 0 && g.anchored, i == len(g.parts)-1 && g.closed
		n := -1
		switch {
		case first:
			n = prefix(s, p)
			if last && n != len(s) {
				n = -1
			}
		case last:
			return suffix(s, p)
		default:
			for at := 0; at <= len(s) && n < 0; at++ {
				if n = prefix(s[at:], p); n >= 0 {
					n += at
				}
				if n < 0 && p[0] != any1 { // jump to where the part can begin
					next := strings.IndexByte(s[min(at+1, len(s)):], p[0])
					if next < 0 {
						return false
					}
					at += next
				}
			}
		}
		if n < 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

// prefix returns how many bytes of s the part p covers, or -1.
func prefix(s, p string) int {
	at := 0
	for i := 0; i < len(p); i++ {
		if at == len(s) {
			return -1
		}
		if p[i] == any1 {
			_, n := utf8.DecodeRuneInString(s[at:])
			at += n
			continue
		}
		if s[at] != p[i] {
			return -1
		}
		at++
	}
	return at
}

func suffix(s, p string) bool {
	if strings.IndexByte(p, any1) < 0 {
		return strings.HasSuffix(s, p)
	}
	for at := range len(s) + 1 {
		if n := prefix(s[at:], p); n >= 0 && at+n == len(s) {
			return true
		}
	}
	return false
}

// lower is strings.ToLower, which does not allocate for most values of our records.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

func (null) match(v value, _ *fields) bool { return v.kind == isNull }

func (p pattern) match(v value, _ *fields) bool {
	return v.scalar() && p.MatchString(v.text())
}

func (n network) match(v value, _ *fields) bool {
	if v.kind != isText || len(v.s) > maxAddress {
		return false
	}
	ip, err := netip.ParseAddr(v.s)
	return err == nil && n.Contains(ip.Unmap().WithZone(""))
}

// maxAddress bounds what is parsed as an address; a longer text would only give an error
// that repeats it.
const maxAddress = 64

func (c compare) match(v value, _ *fields) bool {
	n, ok := v.number()
	if !ok {
		return false
	}
	switch c.op {
	case "lt":
		return n < c.n
	case "lte":
		return n <= c.n
	case "gt":
		return n > c.n
	default:
		return n >= c.n
	}
}

func (r reference) match(v value, f *fields) bool {
	if !v.scalar() {
		return false
	}
	for _, other := range f.values[r.slot] {
		if other.scalar() && strings.EqualFold(v.text(), other.text()) {
			return true
		}
	}
	return false
}
