// Package output is the Fluent Bit output plugin in plain Go: it takes chunks of log
// lines, parses the lines, and sends the records on. A chunk is done when the receiver has
// acknowledged every record of it.
package output

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Result is the result of a flush.
type Result int

// The results.
const (
	OK    Result = iota // every record is acknowledged, or counted as not sent
	Retry               // flush the chunk again; records that were sent come twice, with the same ids
	Error               // the chunk cannot be decoded; a retry would not help
)

// Options of a [Flusher].
type Options struct {
	LineKeys []string // the first key that exists and holds text is used
	Parser   parser.Options
	Format   *format.Format // nil: raw
	Tag      string         // empty: the tag of the chunk
	// ChunkSize limits the bytes of records in one message. A larger record has a
	// message of its own.
	ChunkSize int
	// Limit bounds the chunks that the receiver makes of the records; see package chunks.
	Limit chunks.Limit
	// Send returns nil if the receiver has acknowledged the n records.
	Send func(ctx context.Context, tag string, entries []byte, n int) error
	Log  *slog.Logger
	Now  func() time.Time // for tests; nil: time.Now
}

// Flusher parses and sends chunks. It is safe for concurrent use.
type Flusher struct {
	opts     Options
	lineKeys [][]byte
	kinds    parser.Kinds // that become records
	join     *parser.Joiner
	batches  atomic.Uint64
	busy     atomic.Int32 // flushes that run
	mixed    atomic.Bool  // several ran at the same time
	gaps     gaps
	pool     sync.Pool // of *work
	tags     *chunks.Tags
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
	f := &Flusher{opts: o, tags: chunks.NewTags(o.Limit), warnings: warnings{log: o.Log, failures: outage.Log{Remind: reportEvery}}}
	f.stats.began = o.Now()
	for _, key := range o.LineKeys {
		f.lineKeys = append(f.lineKeys, []byte(key))
	}
	// Without this, the chunk would be sent again and panic again, forever.
	f.opts.Parser.Panicked = f.warnings.panicked
	f.kinds = f.opts.Parser.Kinds
	if f.kinds == 0 {
		f.kinds = parser.DefaultKinds
	}
	if f.kinds.Has(parser.Served) {
		f.join = parser.NewJoiner()
	}
	f.opts.Parser.Kinds = f.kinds.WithHalves()
	f.pool.New = func() any {
		return &work{parser: parser.New(f.opts.Parser), encoder: f.opts.Format.NewEncoder(), parts: newParts()}
	}
	return f
}

// work holds the buffers and the state of one flush. Buffers are reused.
type work struct {
	*Flusher
	ctx context.Context
	tag string

	parser  *parser.Parser
	encoder *format.Encoder
	record  parser.Record
	parts   parts
	clean   cleaner
	halves  halves // of the requests of this chunk
	fields  []field
	moved   []field
	pairs   []byte // the other fields of the event, encoded
	cut     bool   // some of them are missing in pairs
	out     []byte // records that are not sent yet
	n       int    // number of records in out
	load    int    // their size as JSON, if there is a limit
	counts  Counts
}

// Flush parses and sends one chunk.
func (f *Flusher) Flush(ctx context.Context, tag string, chunk []byte) (result Result) {
	from := tag
	if f.opts.Tag != "" {
		tag = f.opts.Tag
	}
	if f.busy.Add(1) > 1 {
		f.mixed.Store(true)
	}
	defer f.busy.Add(-1)
	defer func() {
		if v := recover(); v != nil { // the buffers are not reused
			err := fault.Of(v)
			f.opts.Log.Error("a chunk cannot be processed: "+err.Error(), "stack", err.Stack)
			result = Retry
		}
		if f.join != nil {
			f.gaps.flushed(chunk, result, f.opts.Now())
		}
	}()
	w := f.pool.Get().(*work)
	w.Flusher, w.ctx, w.tag = f, ctx, tag
	w.halves.begin(f, from)
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

// maxKept limits the size of reused buffers, so that one huge record does not occupy
// memory forever.
const maxKept = 16 << 20

func (w *work) size() int {
	return cap(w.out) + cap(w.pairs) + w.halves.size() + cap(w.clean.room) + (cap(w.fields)+cap(w.moved))*int(unsafe.Sizeof(field{}))
}

// reset prepares w for the next chunk.
func (w *work) reset() {
	w.parts.rests(func([]byte, event) {}) // a chunk that failed may have left some
	w.halves.reset()
	clear(w.fields[:cap(w.fields)])
	clear(w.moved[:cap(w.moved)])
	w.Flusher, w.ctx, w.record, w.counts, w.n, w.load = nil, nil, parser.Record{}, Counts{}, 0, 0
	w.out = w.out[:0]
}

func (w *work) flush(chunk []byte) Result {
	before := w.parser.Counts()
	at, broken, err := w.decode(chunk)
	if err == nil {
		err = w.rest()
	}
	if err == nil {
		err = w.lone()
	}
	if err == nil {
		err = w.send(len(w.out))
	}
	for kind, n := range w.parser.Counts() {
		w.counts.Kinds[kind] = n - before[kind]
	}
	switch {
	case err != nil:
		if w.ctx.Err() == nil { // otherwise the output was stopped
			w.warnings.failed(err)
		}
		return Retry
	case broken != nil:
		w.warnings.worked()
		w.counts.Undecodable++
		w.opts.Log.Error("a chunk cannot be decoded: the records before this byte are sent, the rest is lost",
			"error", broken, "byte", at, "of", len(chunk), "records_before", w.counts.Records)
		return Error
	}
	w.warnings.worked()
	return OK
}

// decode processes the records of chunk one by one. err is an error of sending. broken
// says why chunk cannot be read from the byte at on.
func (w *work) decode(chunk []byte) (at int, broken, err error) {
	var group event // the open one
	for b := chunk; len(b) > 0; {
		e, rest, err := next(b)
		switch {
		case errors.Is(err, errShape):
			w.counts.Records++
			w.counts.Odd++
		case err != nil:
			return len(chunk) - len(b), err, nil
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
				return 0, nil, err
			}
		}
		b = rest
	}
	return 0, nil, nil
}

// event processes one record.
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

// rest parses the incomplete lines. Their ends are in the next chunk, which another worker
// may get.
func (w *work) rest() (err error) {
	w.parts.rests(func(line []byte, e event) {
		if err == nil {
			w.counts.Parts-- // the last part counts as the line
			w.split(e.body)
			err = w.line(line, e)
		}
	})
	return err
}

// split fills fields with the entries of body, without the one that holds the line. It
// returns the line, or nil if there is none.
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

// isReserved reports whether our records have a field of that name, or of its first part:
// Elasticsearch reads event.id as the field id of event.
func (f *Flusher) isReserved(name []byte) bool {
	first, _, _ := bytes.Cut(name, []byte("."))
	switch string(first) {
	case "input", "input_cut", "metadata", "group":
		return true
	}
	return f.opts.Format.Reserved(string(first))
}

// line parses one line and encodes its record, with the other fields of its event.
func (w *work) line(line []byte, e event) error {
	if !w.parser.Parse(line, &w.record) {
		return nil // counted by its kind
	}
	w.record.Read = e.at
	more := w.encodePairs(e)
	if w.join != nil && w.isHalf(more) {
		return nil
	}
	return w.encode(&w.record, more, w.pairs)
}

// encodePairs fills pairs and returns the number of entries.
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

// pair appends one entry to pairs and returns 1, or 0 if pairs would become larger than
// the longest line: a receiver refuses a record that does not fit into its buffer, so that
// it would be retried forever.
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

// pairOf appends a map of entries under name, unless it is empty.
func (w *work) pairOf(name string, fields ...field) (n int) {
	before := len(w.pairs)
	w.pairs = append(msgp.AppendString(w.pairs, name), 0xdf, 0, 0, 0, 0) // map 32; its length follows below
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
