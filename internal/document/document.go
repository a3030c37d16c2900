// Package document writes one record as an ordered document: maps, lists and
// values go one after the other into the bytes of their encoding, which is msgpack
// as Fluent Bit takes it or one line of JSON. Nobody counts the entries of a map:
// its header is completed when the map is closed.
//
// A document is a stream and not a tree of nodes, because a tree costs a second
// pass over every record.
//
// For CEF and LEEF, which are flat, see [CEF] and [LEEF].
package document

import (
	"slices"
	"time"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

const (
	// MaxDepth is how many levels of lists and maps of a payload are written,
	// the payload itself being the first.
	MaxDepth = 64
	// TooDeep stands where a list or map lay deeper than [MaxDepth].
	TooDeep = "[TOO DEEP]"
)

// Doc is a document that is being written. Reset begins a new one. The methods that
// take a key write one entry of the open map; in a list, and for the outermost
// value, the key is ignored. Keys must need no escape: they are names in the
// code, never foreign text. Only [Doc.Struct] and [Doc.Foreign] take foreign keys.
type Doc struct {
	b    []byte
	f    encode.Format
	in   frame   // the map or list that is open
	out  []frame // those around it
	keys []string
}

// frame is an open map or list. It is small because every map copies one.
type frame struct {
	start    int32 // where its entry begins, key included
	header   int32 // where its msgpack header is
	n        int32 // entries so far
	kind     kind
	optional bool
}

type kind uint8

const (
	root kind = iota
	inMap
	inList
)

// Reset begins a document that is appended to b.
func (d *Doc) Reset(b []byte, f encode.Format) {
	d.b, d.f, d.in, d.out, d.keys = b, f, frame{}, d.out[:0], d.keys[:0]
}

// Event begins a Fluent Bit event, [EventTime, map], in msgpack. In JSON it writes nothing.
func (d *Doc) Event(t time.Time) {
	if d.f == encode.Msgpack {
		d.b = encode.AppendEventHead(d.b, t)
	}
}

// Bytes returns what was written, behind the bytes that Reset was given. All
// maps and lists must be closed.
func (d *Doc) Bytes() []byte {
	b := d.b
	d.b = nil
	return b
}

// Map opens a map.
func (d *Doc) Map(key string) { d.push(key, inMap, false) }

// Optional opens a map that vanishes, key included, if it is empty when it is closed.
func (d *Doc) Optional(key string) { d.push(key, inMap, true) }

// List opens a list.
func (d *Doc) List(key string) { d.push(key, inList, false) }

// OptionalList opens a list that vanishes, key included, if it is empty when it is closed.
func (d *Doc) OptionalList(key string) { d.push(key, inList, true) }

func (d *Doc) push(key string, k kind, optional bool) {
	start := len(d.b)
	d.key(key)
	d.out = append(d.out, d.in)
	d.in = frame{start: int32(start), header: int32(len(d.b)), kind: k, optional: optional}
	switch {
	case d.f == encode.Msgpack && k == inMap:
		d.b = append(d.b, fixmap)
	case d.f == encode.Msgpack:
		d.b = append(d.b, fixarray)
	case k == inMap:
		d.b = append(d.b, '{')
	default:
		d.b = append(d.b, '[')
	}
}

// End closes the map or list that was opened last.
func (d *Doc) End() {
	f := d.in
	d.in = d.out[len(d.out)-1]
	d.out = d.out[:len(d.out)-1]
	if f.n == 0 && f.optional {
		d.b = d.b[:f.start]
		d.in.n--
		return
	}
	switch {
	case d.f == encode.Msgpack && f.n < 16:
		d.b[f.header] |= byte(f.n)
	case d.f == encode.Msgpack:
		d.widen(f)
	case f.kind == inMap:
		d.b = append(d.b, '}')
	default:
		d.b = append(d.b, ']')
	}
}

// The msgpack headers.
const (
	fixmap   = 0x80
	fixarray = 0x90
	fixstr   = 0xa0
	map16    = 0xde
	array16  = 0xdc
)

// widen gives a map or list of 16 entries and more its longer header, in front
// of what was written already.
func (d *Doc) widen(f frame) {
	code := byte(map16)
	if f.kind == inList {
		code = array16
	}
	size := 2
	if f.n >= 1<<16 {
		code++ // map32, array32
		size = 4
	}
	end, header := len(d.b), int(f.header)
	d.b = append(d.b, 0, 0, 0, 0)[:end+size]
	copy(d.b[header+1+size:], d.b[header+1:end])
	d.b[header] = code
	for i := range size {
		d.b[header+1+i] = byte(f.n >> (8 * (size - 1 - i)))
	}
}

// key begins an entry.
func (d *Doc) key(name string) {
	n := d.in.n
	d.in.n = n + 1
	if d.in.kind == inMap {
		if d.f == encode.Msgpack && len(name) < 32 {
			d.b = append(d.b, fixstr|byte(len(name)))
			d.b = append(d.b, name...)
			return
		}
		d.b = d.f.Field(d.b, int(n), name)
		return
	}
	if d.in.kind == inList {
		d.b = d.f.Element(d.b, int(n))
	}
}

// Text writes a string. Bytes of it that are not UTF-8 become U+FFFD.
func (d *Doc) Text(key, v string) {
	d.key(key)
	switch {
	case d.f == encode.Msgpack && len(v) < 32 && utf8.ValidString(v):
		d.b = append(d.b, fixstr|byte(len(v)))
		d.b = append(d.b, v...)
	case d.f == encode.JSON && encode.Plain(v):
		d.b = append(d.b, '"')
		d.b = append(d.b, v...)
		d.b = append(d.b, '"')
	default:
		d.b = d.f.Text(d.b, v)
	}
}

// Some is Text for a string that is left out when it is empty.
func (d *Doc) Some(key, v string) {
	if v != "" {
		d.Text(key, v)
	}
}

// TextBytes is Text.
func (d *Doc) TextBytes(key string, v []byte) {
	d.Text(key, unsafe.String(unsafe.SliceData(v), len(v)))
}

// Bool writes a boolean.
func (d *Doc) Bool(key string, v bool) {
	d.key(key)
	d.b = d.f.Bool(d.b, v)
}

// Uint writes an integer.
func (d *Doc) Uint(key string, v uint64) {
	d.key(key)
	d.b = d.f.Uint(d.b, v)
}

// Number writes a float64, as an integer where it is one.
func (d *Doc) Number(key string, v float64) {
	d.key(key)
	d.b = d.f.Number(d.b, v)
}

// Time writes RFC 3339 with six fractional digits, or nothing for the zero time.
func (d *Doc) Time(key string, t time.Time) {
	if !t.IsZero() {
		d.key(key)
		d.b = d.f.Time(d.b, t)
	}
}

// TimeNano is Time with nine fractional digits.
func (d *Doc) TimeNano(key string, t time.Time) {
	if !t.IsZero() {
		d.key(key)
		d.b = d.f.TimeNano(d.b, t)
	}
}

// Millis writes t as the milliseconds since 1970.
func (d *Doc) Millis(key string, t time.Time) {
	d.Number(key, float64(t.UnixMilli()))
}

// Foreign writes a number under a key that may need an escape.
func (d *Doc) Foreign(key string, v uint64) {
	d.b = d.f.Key(d.b, int(d.in.n), key)
	d.in.n++
	d.b = d.f.Uint(d.b, v)
}

// Fragment is entries of a map that many documents share, encoded once.
type Fragment struct {
	n int32
	b []byte
}

// NewFragment returns the entries that write makes.
func NewFragment(f encode.Format, write func(*Doc)) *Fragment {
	var d Doc
	d.Reset(nil, f)
	d.Map("")
	write(&d)
	return &Fragment{d.in.n, d.b[1:]} // without the header
}

// Paste writes a fragment of the same format into the open map.
func (d *Doc) Paste(f *Fragment) {
	if d.in.n > 0 && f.n > 0 {
		d.b = d.f.Element(d.b, 1)
	}
	d.in.n += f.n
	d.b = append(d.b, f.b...)
}

// Format is the format of the document.
func (d *Doc) Format() encode.Format { return d.f }

// Pairs adds n entries that are encoded already, in msgpack.
func (d *Doc) Pairs(n int, pairs []byte) {
	d.in.n += int32(n)
	d.b = append(d.b, pairs...)
}

// Struct writes a payload with its keys sorted. Nil is left out.
func (d *Doc) Struct(key string, s *structpb.Struct) {
	if s == nil {
		return
	}
	d.key(key)
	d.object(s.Fields, 1)
	if cap(d.keys) > 256 {
		// A stack that one huge payload grew is let go.
		d.keys = nil
		return
	}
	clear(d.keys[:cap(d.keys)])
	d.keys = d.keys[:0]
}

// object writes a map of the given depth.
func (d *Doc) object(fields map[string]*structpb.Value, depth int) {
	from := len(d.keys)
	d.keys = appendSorted(d.keys, fields)
	d.b = d.f.OpenMap(d.b, len(fields))
	for i := range len(fields) {
		// By index: a nested map may have moved the stack.
		k := d.keys[from+i]
		d.b = d.f.Key(d.b, i, k)
		d.value(fields[k], depth)
	}
	d.keys = d.keys[:from]
	d.b = d.f.CloseMap(d.b)
}

// value writes a value that is in a list or map of the given depth.
func (d *Doc) value(v *structpb.Value, depth int) {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		d.b = d.f.Text(d.b, v.StringValue)
	case *structpb.Value_NumberValue:
		d.b = d.f.Number(d.b, v.NumberValue)
	case *structpb.Value_BoolValue:
		d.b = d.f.Bool(d.b, v.BoolValue)
	case *structpb.Value_StructValue:
		if depth == MaxDepth {
			d.b = d.f.Text(d.b, TooDeep)
			return
		}
		d.object(v.StructValue.GetFields(), depth+1)
	case *structpb.Value_ListValue:
		if depth == MaxDepth {
			d.b = d.f.Text(d.b, TooDeep)
			return
		}
		values := v.ListValue.GetValues()
		d.b = d.f.OpenList(d.b, len(values))
		for i, element := range values {
			d.b = d.f.Element(d.b, i)
			d.value(element, depth+1)
		}
		d.b = d.f.CloseList(d.b)
	default: // null, or a value without a kind
		d.b = d.f.Null(d.b)
	}
}

// appendSorted appends the keys of fields, sorted.
func appendSorted(keys []string, fields map[string]*structpb.Value) []string {
	from := len(keys)
	for k := range fields {
		keys = append(keys, k)
	}
	slices.Sort(keys[from:])
	return keys
}
