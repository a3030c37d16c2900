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
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Record is what writes itself as a document.
type Record interface {
	// Timestamp is the time of the Fluent Bit event that holds the record.
	Timestamp() time.Time
	// WriteFields writes the fields of the record into the map that is open.
	WriteFields(*Doc)
}

// docs keeps documents between records, so that none is allocated.
var docs = sync.Pool{New: func() any {
	var d struct {
		Doc
		room [8]frame // deeper than most records, in one allocation with the document
	}
	d.out = d.room[:0]
	return &d.Doc
}}

// AppendEvent appends r to b as one Fluent Bit event, [EventTime, map]. The map gets more
// further entries, whose keys and values are encoded in pairs.
func AppendEvent(b []byte, r Record, more int, pairs []byte) []byte {
	d := docs.Get().(*Doc)
	d.Reset(b, Msgpack)
	d.Event(r.Timestamp())
	return d.whole(r, more, pairs)
}

// AppendJSON appends r to b as one line of JSON without the newline.
func AppendJSON(b []byte, r Record) []byte {
	d := docs.Get().(*Doc)
	d.Reset(b, JSON)
	return d.whole(r, 0, nil)
}

// whole writes r as the one map of d, and gives d back. A document in which a record
// panicked is not given back.
func (d *Doc) whole(r Record, more int, pairs []byte) []byte {
	d.Map("")
	r.WriteFields(d)
	d.Pairs(more, pairs)
	d.End()
	b := d.Bytes()
	docs.Put(d)
	return b
}

// Doc is a document that is being written. Reset begins a new one. The methods that
// take a key write one entry of the open map; in a list, for the outermost value
// and after [Doc.Key], the key is ignored. Keys must need no escape: they are names in
// the code, never foreign text. Only [Doc.Key] takes a foreign key.
type Doc struct {
	b   []byte
	f   Format
	in  frame   // the map or list that is open
	out []frame // those around it

	foreign string // the key of the next entry, if in is keyed
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
	keyed // a map for whose next entry Key gave the key
)

// Reset begins a document that is appended to b.
func (d *Doc) Reset(b []byte, f Format) {
	d.b, d.f, d.in, d.out = b, f, frame{}, d.out[:0]
}

// Event begins a Fluent Bit event, [EventTime, map], in msgpack. In JSON it writes nothing.
func (d *Doc) Event(t time.Time) {
	if d.f == Msgpack {
		d.b = AppendEventHead(d.b, t)
	}
}

// Bytes returns what was written, behind the bytes that Reset was given. All
// maps and lists must be closed.
func (d *Doc) Bytes() []byte {
	b := d.b
	d.b, d.foreign = nil, "" // the pool must not keep them
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
	case d.f == Msgpack && k == inMap:
		d.b = append(d.b, fixmap)
	case d.f == Msgpack:
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
	case d.f == Msgpack && f.n < 16:
		d.b[f.header] |= byte(f.n)
	case d.f == Msgpack:
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
	switch d.in.kind {
	case inMap:
		if d.f == Msgpack && len(name) < 32 {
			d.b = append(d.b, fixstr|byte(len(name)))
			d.b = append(d.b, name...)
			return
		}
		d.b = d.f.field(d.b, int(n), name)
	case inList:
		d.b = d.f.element(d.b, int(n))
	case keyed:
		d.in.kind = inMap
		d.b = d.f.element(d.b, int(n))
		d.text(d.foreign)
		if d.f == JSON {
			d.b = append(d.b, ':')
		}
	}
}

// Key gives the next entry of the open map a key that may need an escape. It is written
// with the value, so that it vanishes with a value that is left out.
func (d *Doc) Key(name string) { d.foreign, d.in.kind = name, keyed }

// leaveOut ends an entry whose value is not written.
func (d *Doc) leaveOut() {
	if d.in.kind == keyed {
		d.in.kind = inMap
	}
}

// Text writes a string. Bytes of it that are not UTF-8 become U+FFFD.
func (d *Doc) Text(key, v string) {
	d.key(key)
	d.text(v)
}

func (d *Doc) text(v string) {
	switch {
	case d.f == Msgpack && len(v) < 32 && utf8.ValidString(v):
		d.b = append(d.b, fixstr|byte(len(v)))
		d.b = append(d.b, v...)
	case d.f == JSON && plain(v):
		d.b = append(d.b, '"')
		d.b = append(d.b, v...)
		d.b = append(d.b, '"')
	default:
		d.b = d.f.text(d.b, v)
	}
}

// Some is Text for a string that is left out when it is empty.
func (d *Doc) Some(key, v string) {
	if v == "" {
		d.leaveOut()
		return
	}
	d.Text(key, v)
}

// TextBytes is Text.
func (d *Doc) TextBytes(key string, v []byte) {
	d.Text(key, unsafe.String(unsafe.SliceData(v), len(v)))
}

// Null writes null.
func (d *Doc) Null(key string) {
	d.key(key)
	d.b = d.f.null(d.b)
}

// Bool writes a boolean.
func (d *Doc) Bool(key string, v bool) {
	d.key(key)
	d.b = d.f.bool(d.b, v)
}

// Uint writes an integer.
func (d *Doc) Uint(key string, v uint64) {
	d.key(key)
	d.b = d.f.uint(d.b, v)
}

// Number writes a float64, as an integer where it is one.
func (d *Doc) Number(key string, v float64) {
	d.key(key)
	d.b = d.f.number(d.b, v)
}

// Time writes RFC 3339 with six fractional digits, or nothing for the zero time.
func (d *Doc) Time(key string, t time.Time) {
	if t.IsZero() {
		d.leaveOut()
		return
	}
	d.key(key)
	d.b = d.f.timestamp(d.b, t, 6)
}

// TimeNano is Time with nine fractional digits.
func (d *Doc) TimeNano(key string, t time.Time) {
	if t.IsZero() {
		d.leaveOut()
		return
	}
	d.key(key)
	d.b = d.f.timestamp(d.b, t, 9)
}

// Millis writes t as the milliseconds since 1970.
func (d *Doc) Millis(key string, t time.Time) {
	d.Number(key, float64(t.UnixMilli()))
}

// Fragment is entries of a map that many documents share, encoded once.
type Fragment struct {
	n int32
	b []byte
}

// NewFragment returns the entries that write makes.
func NewFragment(f Format, write func(*Doc)) *Fragment {
	var d Doc
	d.Reset(nil, f)
	d.Map("")
	write(&d)
	return &Fragment{d.in.n, d.b[1:]} // without the header
}

// Paste writes a fragment of the same format into the open map.
func (d *Doc) Paste(f *Fragment) {
	if d.in.n > 0 && f.n > 0 {
		d.b = d.f.element(d.b, 1)
	}
	d.in.n += f.n
	d.b = append(d.b, f.b...)
}

// Format is the format of the document.
func (d *Doc) Format() Format { return d.f }

// Pairs adds n entries that are encoded already, in msgpack.
func (d *Doc) Pairs(n int, pairs []byte) {
	d.in.n += int32(n)
	d.b = append(d.b, pairs...)
}
