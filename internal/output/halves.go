package output

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// halves are the access records of one chunk whose other half may follow in the chunk. They
// are kept until its end at most: a chunk is acknowledged when all its records are sent, so
// that nothing that was acknowledged is in memory only.
type halves struct {
	stream uint64
	batch  uint64
	waits  []wait
	pairs  []byte // of all of them
}

// wait is an access record that waits.
type wait struct {
	record   parser.Record
	more     int // the entries in pairs[from:to]
	from, to int
	done     bool // a request has taken it
}

// spread is any odd number: it tells streams of one tag apart.
const spread = 0x9e3779b97f4a7c15

// begin starts a chunk. Its tag identifies the stream of lines: one worker gets the chunks of
// a tag in the order in which they were read. Several workers mix them, and a chunk that is
// flushed again comes behind younger ones, so that each chunk is a stream of its own then.
func (h *halves) begin(f *Flusher, tag string) {
	if f.join == nil {
		return
	}
	h.stream, h.batch = xxhash.Sum64String(tag), f.batches.Add(1)
	failures, open := f.gaps.state(f.opts.Now())
	if open || f.mixed.Load() {
		h.stream ^= 2 * h.batch * spread
	} else {
		h.stream ^= (2*failures + 1) * spread
	}
}

func (h *halves) reset() {
	clear(h.waits)
	h.waits, h.pairs = h.waits[:0], h.pairs[:0]
}

func (h *halves) size() int { return cap(h.pairs) + cap(h.waits)*int(unsafe.Sizeof(wait{})) }

// isHalf completes a request with its access record. It reports that the record is not to be
// sent now: an access record that waits for its request, or what only the joiner must know.
func (w *work) isHalf(more int) bool {
	h, r := &w.halves, &w.record
	switch r.Kind {
	case parser.Access:
		w.join.Access(h.stream, r, parser.Place{Batch: h.batch, Index: len(h.waits)})
		if w.kinds.Has(parser.Access) {
			r.Join = parser.NotJoined // it comes out whether or not its request does
			return false
		}
		from := len(h.pairs)
		h.pairs = append(h.pairs, w.pairs...)
		h.waits = append(h.waits, wait{record: *r, more: more, from: from, to: len(h.pairs)})
		return true
	case parser.Malformed:
		w.join.Lost(h.stream)
		return !w.kinds.Has(parser.Malformed)
	case parser.Served:
		place, joined := w.join.Served(h.stream, r)
		if joined && place.Batch == h.batch && place.Index < len(h.waits) {
			h.waits[place.Index].done = true
		}
	}
	return false
}

// lone encodes the access records whose request was not in the chunk.
func (w *work) lone() error {
	h := &w.halves
	for i := range h.waits {
		if wait := &h.waits[i]; !wait.done {
			if err := w.encode(&wait.record, wait.more, h.pairs[wait.from:wait.to]); err != nil {
				return err
			}
		}
	}
	return nil
}
