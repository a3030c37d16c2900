// Package output is the heart of the Fluent Bit output: it takes chunks of log
// lines, parses the lines, and sends the records on. A chunk is done only when
// the other side has acknowledged every record of it.
package output

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Result says what becomes of a chunk.
type Result int

// The results.
const (
	OK    Result = iota // every record of it is acknowledged, or counted
	Retry               // give it again: what was sent of it comes again, with the same ids
	Error               // it cannot be decoded, whatever anyone does
)

// Options of a [Flusher].
type Options struct {
	LineKeys []string // the first that is there and holds text wins
	Parser   parser.Options
	Format   *format.Format // nil: raw
	Tag      string         // empty: the chunk's own
	// ChunkSize bounds the bytes of records in one message. A record that is
	// larger by itself has a message of its own.
	ChunkSize int
	// Send returns nil once the other side has the n records.
	Send func(ctx context.Context, tag string, entries []byte, n int) error
	Log  *slog.Logger
	Now  func() time.Time // nil: the real clock
}

// Flusher parses and sends chunks. Any number of goroutines may flush at once.
type Flusher struct {
	opts     Options
	lineKeys [][]byte
	pool     sync.Pool // of *work
	stats    stats
	warnings warnings
}

// New returns a flusher.
func New(o Options) *Flusher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Format == nil {
		o.Format = format.Raw()
	}
	f := &Flusher{opts: o, warnings: warnings{log: o.Log}}
	f.stats.began = o.Now()
	for _, key := range o.LineKeys {
		f.lineKeys = append(f.lineKeys, []byte(key))
	}
	// The whole chunk would come again, and panic again, for ever.
	f.opts.Parser.Panicked = f.warnings.panicked
	f.pool.New = func() any {
		return &work{parser: parser.New(f.opts.Parser), encoder: f.opts.Format.NewEncoder(), parts: newParts()}
	}
	return f
}

// work is what one flush needs, used again by later ones.
type work struct {
	*Flusher
	ctx context.Context
	tag string

	parser  *parser.Parser
	encoder *format.Encoder
	record  parser.Record
	parts   parts
	clean   cleaner
	fields  []field
	moved   []field
	pairs   []byte // what stands beside the line
	cut     bool   // some of it is missing in pairs
	out     []byte // records that are not sent yet
	n       int    // how many
	counts  Counts
}

// Flush parses and sends one chunk.
func (f *Flusher) Flush(ctx context.Context, tag string, chunk []byte) (result Result) {
	if f.opts.Tag != "" {
		tag = f.opts.Tag
	}
	defer func() {
		if v := recover(); v != nil { // the work is left to the collector
			f.opts.Log.Error(fmt.Sprintf("panic of type %T while a chunk was parsed, please report it", v), "stack", string(debug.Stack()))
			result = Retry
		}
	}()
	w := f.pool.Get().(*work)
	w.Flusher, w.ctx, w.tag = f, ctx, tag
	result = w.flush(chunk)
	f.stats.add(w.counts, result)
	f.stats.report(f.opts.Log, f.opts.Now())
	if result != Retry {
		w.warn()
	}
	if w.reset(); max(len(chunk), w.size()) <= maxKept {
		f.pool.Put(w)
	}
	return result
}

// maxKept bounds the buffers that are used again: one huge record is no reason to
// hold its size for ever.
const maxKept = 16 << 20

func (w *work) size() int {
	return cap(w.out) + cap(w.pairs) + cap(w.clean.room) + (cap(w.fields)+cap(w.moved))*int(unsafe.Sizeof(field{}))
}

// reset forgets the chunk.
func (w *work) reset() {
	w.parts.rests(func([]byte, event) {}) // of a chunk that comes again
	clear(w.fields[:cap(w.fields)])
	clear(w.moved[:cap(w.moved)])
	w.Flusher, w.ctx, w.record, w.counts, w.n = nil, nil, parser.Record{}, Counts{}, 0
	w.out = w.out[:0]
}

func (w *work) flush(chunk []byte) Result {
	before := w.parser.Counts()
	err, broken, at := w.decode(chunk)
	if err == nil {
		err = w.rest()
	}
	if err == nil {
		err = w.send(len(w.out))
	}
	for kind, n := range w.parser.Counts() {
		w.counts.Kinds[kind] = n - before[kind]
	}
	switch {
	case err != nil:
		if w.ctx.Err() == nil { // else it was given up
			w.warnings.failed(err, w.opts.Now())
		}
		return Retry
	case broken != nil:
		w.warnings.worked()
		w.counts.Undecodable++
		w.opts.Log.Error("a chunk cannot be decoded: what stands before is sent, the rest is lost",
			"error", broken, "byte", at, "of", len(chunk), "records_before", w.counts.Records)
		return Error
	}
	w.warnings.worked()
	return OK
}

// decode takes the records of chunk one by one. err is trouble with the other
// side; broken says why nothing of chunk can be read from the byte at on.
func (w *work) decode(chunk []byte) (err, broken error, at int) {
	var group event // that is open
	for b := chunk; len(b) > 0; {
		e, rest, err := next(b)
		switch {
		case err == errShape:
			w.counts.Records++
			w.counts.Odd++
		case err != nil:
			return nil, err, len(chunk) - len(b)
		case e.marker == groupBegin:
			group = e
		case e.marker == groupEnd:
			group = event{}
		default:
			w.counts.Records++
			e.groupMetadata, e.groupBody = group.metadata, group.body
			if e.at.IsZero() {
				e.at = w.opts.Now()
			}
			if err := w.event(e); err != nil {
				return err, nil, 0
			}
		}
		b = rest
	}
	return nil, nil, 0
}

// event takes one record.
func (w *work) event(e event) (err error) {
	line, key := w.split(e.body)
	switch {
	case w.isOurs(line, key):
		w.counts.Loops++
		return nil
	case line == nil:
		w.counts.NoLine++
		return nil
	}
	if whole, ok := w.parts.add(line, e, w.fields); ok {
		return w.line(whole, e)
	}
	w.counts.Parts++
	if w.parts.full() {
		return w.rest()
	}
	return nil
}

// rest parses what is left of lines whose end has not come: it is in the next
// chunk, which may come through another worker.
func (w *work) rest() (err error) {
	w.parts.rests(func(line []byte, e event) {
		if err == nil {
			w.counts.Parts-- // the last one of them is a line
			w.split(e.body)
			err = w.line(line, e)
		}
	})
	return err
}

// split fills fields with the entries of body, and takes the one that holds the
// line out of them. It returns nil where there is none.
func (w *work) split(body []byte) (line, key []byte) {
	w.fields = appendFields(w.fields[:0], body)
	for _, key := range w.lineKeys {
		for i := range w.fields {
			if !bytes.Equal(w.fields[i].name, key) {
				continue
			}
			if line, ok := readText(w.fields[i].value); ok {
				w.fields = slices.Delete(w.fields, i, i+1)
				return line, key
			}
		}
	}
	return nil, nil
}

// isReserved reports whether a record of ours has a field of that name, or whoever
// reads it may take the name for a part of one, as Elasticsearch does with event.id.
func (f *Flusher) isReserved(name []byte) bool {
	first, _, _ := bytes.Cut(name, []byte("."))
	switch string(first) {
	case "input", "input_cut", "metadata", "group":
		return true
	}
	return f.opts.Format.Reserved(string(first))
}

// line parses one line and encodes its record, with the other fields of the
// event that brought it.
func (w *work) line(line []byte, e event) error {
	if !w.parser.Parse(line, &w.record) {
		return nil // counted, by its kind
	}
	w.record.Read = e.at
	more := w.encodePairs(e)
	start := len(w.out)
	if w.out = w.encoder.AppendMsgpack(w.out, &w.record, more, w.pairs); len(w.out) == start {
		w.counts.LeftOut++
		return nil
	}
	if len(w.out) > w.opts.ChunkSize && start > 0 {
		if err := w.send(start); err != nil {
			return err
		}
	}
	w.n++
	return nil
}

// encodePairs fills pairs, and returns of how many entries.
func (w *work) encodePairs(e event) (more int) {
	w.pairs, w.moved, w.cut = w.pairs[:0], w.moved[:0], false
	for _, f := range w.fields {
		if w.isReserved(f.name) {
			w.moved = append(w.moved, f)
		} else {
			more += w.pair(f)
		}
	}
	more += w.pairOf("input", w.moved...)
	if holds(e.metadata) {
		more += w.pair(field{name: []byte("metadata"), value: e.metadata})
	}
	w.moved = w.moved[:0]
	if holds(e.groupMetadata) {
		w.moved = append(w.moved, field{name: []byte("metadata"), value: e.groupMetadata})
	}
	if holds(e.groupBody) {
		w.moved = append(w.moved, field{name: []byte("body"), value: e.groupBody})
	}
	more += w.pairOf("group", w.moved...)
	if w.cut {
		w.pairs = msgp.AppendBool(msgp.AppendString(w.pairs, "input_cut"), true)
		more++
	}
	return more
}

func holds(m []byte) bool {
	n, _, err := msgp.ReadMapHeaderBytes(m)
	return err == nil && n > 0
}

// pair appends one entry to pairs, or none where they would become larger than a line
// can be: a record has to fit into the buffer of the receiver, which refuses it for
// ever otherwise.
func (w *work) pair(f field) (n int) {
	before := len(w.pairs)
	if before+len(f.key)+len(f.value) <= parser.MaxLine {
		w.pairs = w.clean.entry(w.pairs, f, anywhere, 0)
		if len(w.pairs) <= parser.MaxLine {
			return 1
		}
	}
	w.pairs, w.cut = w.pairs[:before], true
	return 0
}

// pairOf appends a map of entries under name, where there are any.
func (w *work) pairOf(name string, fields ...field) (n int) {
	before := len(w.pairs)
	w.pairs = append(msgp.AppendString(w.pairs, name), 0xdf, 0, 0, 0, 0) // map 32, of as many as will fit
	at := len(w.pairs) - 4
	for _, f := range fields {
		n += w.pair(f)
	}
	if n == 0 {
		w.pairs = w.pairs[:before]
		return 0
	}
	binary.BigEndian.PutUint32(w.pairs[at:], uint32(n))
	return 1
}

// send sends the records in the first size bytes of out: all but a last one that
// is not counted yet.
func (w *work) send(size int) error {
	if w.n == 0 {
		return nil
	}
	if err := w.opts.Send(w.ctx, w.tag, w.out[:size], w.n); err != nil {
		return err
	}
	w.counts.Sent += uint64(w.n)
	w.n = 0
	w.out = w.out[:copy(w.out, w.out[size:])]
	return nil
}
