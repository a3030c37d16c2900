package enrich

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// These are the bytes of an entry. Memory and disk have the same form, except that only
// memory uses the dictionary:
//
//	kind, numeric in the high bit; 8 bytes of a decimal id, or its length and its text
//	flags; order and time of the removal; orders of the groups; values
//
// Nearly all ids of ZITADEL are decimal numbers of 64 bits.
const (
	numeric  = 0x80 // of the kind's byte
	maxID    = 255
	numberID = 9 // length of a numeric key

	flagGone      = 1
	flagForgotten = 2
	flagSame      = 4 // the groups have one order
)

// MaxText bounds a name, an address or an id that is kept, in bytes.
const MaxText = 256

// maxDigits is the largest number of digits that always fits into 64 bits.
const maxDigits = 19

const maxNumber = 1e19 - 1

// maxText bounds the text of all values of an entry together.
const maxText = 1<<16 - 1

// number returns the value of a decimal number of at most maxDigits digits. It accepts no
// sign and no leading zero, so that each number has exactly one text.
func number(s string) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > maxDigits || s[0] == '0' {
		return 0, false
	}
	for ; len(s) >= 8; s = s[8:] {
		v, ok := eightDigits(s)
		if !ok {
			return 0, false
		}
		n = n*1e8 + v
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	return n, true
}

// eightDigits returns the value of the first eight bytes of s. It computes all of them at
// once: one step makes pairs of digits, the next one groups of four, the last one the number.
func eightDigits(s string) (n uint64, ok bool) {
	_ = s[7]
	v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	// '0' to '9' have 3 in the high half, also with 6 added.
	if v&0xf0f0f0f0f0f0f0f0|(v+0x0606060606060606)&0xf0f0f0f0f0f0f0f0>>4 != 0x3333333333333333 {
		return 0, false
	}
	v &= 0x0f0f0f0f0f0f0f0f
	v = v*10 + v>>8
	return (v&0xff000000ff*(100+1_000_000<<32) + v>>16&0xff000000ff*(1+10_000<<32)) >> 32, true
}

// appendKey appends the one encoding of kind and id. len(id) is at most maxID.
func appendKey(b []byte, k kind, id string) []byte {
	if n, ok := number(id); ok {
		return binary.BigEndian.AppendUint64(append(b, byte(k)|numeric), n)
	}
	return append(append(b, byte(k), byte(len(id))), id...)
}

// keyLen returns the length of the key at the head of b.
func keyLen(b []byte) int {
	if b[0]&numeric != 0 {
		return numberID
	}
	return 2 + int(b[1])
}

var errEntry = errors.New("not an entry of this version")

// splitKey checks and splits what appendKey made from what follows it.
func splitKey(b []byte) (k kind, id string, rest []byte, err error) {
	if len(b) < 2 {
		return 0, "", nil, errEntry
	}
	n := keyLen(b)
	k = kind(b[0] &^ numeric)
	if k == 0 || k >= kinds || n > len(b) {
		return 0, "", nil, errEntry
	}
	if n == numberID && b[0]&numeric != 0 {
		v := binary.BigEndian.Uint64(b[1:])
		if v == 0 || v > maxNumber {
			return 0, "", nil, errEntry
		}
		return k, strconv.FormatUint(v, 10), b[n:], nil
	}
	id = string(b[2:n])
	if _, ok := number(id); ok {
		return 0, "", nil, errEntry // has a shorter form
	}
	return k, id, b[n:], nil
}

// appendBody appends the entry without its key. d may be nil.
func (e *entry) appendBody(b []byte, d *dict) []byte {
	layout := e.groups()
	flags := byte(0)
	if e.gone > 0 {
		flags |= flagGone
	}
	if e.forgotten {
		return appendRemoval(append(b, flags|flagForgotten), e)
	}
	same := true
	for g := range layout {
		same = same && e.order[g] == e.order[0]
	}
	if same {
		flags |= flagSame
	}
	b = append(b, flags)
	if e.gone > 0 {
		b = appendRemoval(b, e)
	}
	for g := range layout {
		if g > 0 && same {
			break
		}
		b = binary.AppendUvarint(b, e.order[g])
	}
	for g, fs := range layout {
		if e.order[g] == 0 {
			continue
		}
		for _, f := range fs {
			b = e.appendValue(b, f, d)
		}
	}
	return b
}

func appendRemoval(b []byte, e *entry) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, e.gone), uint64(e.goneAt))
}

// decode reads into e what appendBody made. The kind of e must be set. All strings and the
// id share one allocation.
func (e *entry) decode(b []byte, d *dict, r *reader) error {
	layout := e.groups()
	*r = reader{b: b, text: append(r.text[:0], e.id...)}
	flags := r.byte()
	if flags&flagGone != 0 {
		e.gone, e.goneAt = r.uvarint(), int64(r.uvarint())
	}
	e.forgotten = flags&flagForgotten != 0
	if e.forgotten {
		for g := range layout {
			e.order[g] = e.gone
		}
	} else {
		for g := range layout {
			if g > 0 && flags&flagSame != 0 {
				e.order[g] = e.order[0]
			} else {
				e.order[g] = r.uvarint()
			}
		}
		var ends [fields][2]uint16
		for g, fs := range layout {
			if e.order[g] == 0 {
				continue
			}
			for _, f := range fs {
				start := uint16(len(r.text))
				r.value(d, ends[fName])
				if len(r.text) > maxText {
					return errEntry
				}
				ends[f] = [2]uint16{start, uint16(len(r.text))}
			}
		}
		text := string(r.text)
		e.id = text[:len(e.id)]
		for g, fs := range layout {
			if e.order[g] == 0 {
				continue
			}
			for _, f := range fs {
				e.f[f] = text[ends[f][0]:ends[f][1]]
			}
		}
	}
	if r.bad || len(r.b) > 0 || (e.gone == 0) != (flags&flagGone == 0) || flags > 7 || e.forgotten && e.gone == 0 {
		return errEntry
	}
	return nil
}

// A value begins with a uvarint. Its low three bits name the form, and the other bits are a
// length or a number. Some forms end with another value.
const (
	vText   = 0 // length; bytes
	vDict   = 1 // index in the dictionary
	vNumber = 2 // 8 bytes
	vShared = 3 // length of what the entry's name begins with; a value
	vJoined = 4 // length; bytes; a value
)

// minShared is the length from which a common beginning is worth its bytes.
const minShared = 3

func (e *entry) appendValue(b []byte, f field, d *dict) []byte {
	s := e.f[f]
	switch f {
	case fEmail:
		if n := common(s, e.f[fName]); n >= minShared {
			return appendAddress(appendHead(b, n, vShared), s[n:], d)
		}
		return appendAddress(b, s, d)
	case fName:
		return appendAddress(b, s, d)
	case fOrg, fProject, fKind, fClient, fAgent, fIDP, fDomain, fRoles:
		if i, ok := d.index(s); ok {
			return appendHead(b, i, vDict)
		}
	}
	if n, ok := number(s); ok && len(s) > 7 {
		return binary.BigEndian.AppendUint64(appendHead(b, 0, vNumber), n)
	}
	return append(appendHead(b, len(s), vText), s...)
}

// appendAddress writes a text that may end with the domain of an e-mail address.
func appendAddress(b []byte, s string, d *dict) []byte {
	for at := len(s) - 1; at >= 0; at-- {
		if s[at] != '@' {
			continue
		}
		if i, ok := d.index(s[at:]); ok {
			if at > 0 {
				b = append(appendHead(b, at, vJoined), s[:at]...)
			}
			return appendHead(b, i, vDict)
		}
		break
	}
	return append(appendHead(b, len(s), vText), s...)
}

func appendHead(b []byte, n, form int) []byte {
	return binary.AppendUvarint(b, uint64(n)<<3|uint64(form))
}

func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// reader reads values. After an error, bad is set and it reads nothing more.
type reader struct {
	b    []byte
	text []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// value appends a value to r.text. name is where in r.text the entry's name is.
func (r *reader) value(d *dict, name [2]uint16) {
	for range 3 { // no value nests deeper
		head := r.uvarint()
		n := head >> 3
		switch head & 7 {
		case vText:
			r.text = append(r.text, r.bytes(n)...)
			return
		case vDict:
			s, ok := d.value(n)
			r.text, r.bad = append(r.text, s...), r.bad || !ok
			return
		case vNumber:
			if b := r.bytes(8); b != nil {
				r.text = strconv.AppendUint(r.text, binary.BigEndian.Uint64(b), 10)
			}
			return
		case vShared:
			if n > uint64(name[1]-name[0]) {
				r.bad = true
				return
			}
			r.text = append(r.text, r.text[name[0]:int(name[0])+int(n)]...)
		case vJoined:
			r.text = append(r.text, r.bytes(n)...)
		default:
			r.bad = true
			return
		}
	}
	r.bad = true
}
