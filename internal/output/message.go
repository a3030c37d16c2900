package output

import (
	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// encode appends a record to out, and sends what was there if it is large enough.
func (w *work) encode(r *parser.Record, more int, pairs []byte) error {
	start := len(w.out)
	if w.out = w.encoder.AppendMsgpack(w.out, r, more, pairs); len(w.out) == start {
		w.counts.LeftOut++
		return nil
	}
	size := 0
	if w.opts.Limit.Size > 0 {
		size = chunks.Size(w.out[start:])
	}
	if start > 0 && (len(w.out) > w.opts.ChunkSize || w.opts.Limit.Exceeded(w.load+size, w.n+1)) {
		if err := w.send(start); err != nil {
			return err
		}
	}
	w.n++
	w.load += size
	return nil
}

// send sends the records in the first size bytes of out, n in number. A record behind
// them is not counted in n yet.
func (w *work) send(size int) error {
	if w.n == 0 {
		return nil
	}
	if err := w.opts.Send(w.ctx, w.tags.Tag(w.tag, w.load, w.n), w.out[:size], w.n); err != nil {
		return err
	}
	w.counts.Sent += uint64(w.n)
	w.n, w.load = 0, 0
	w.out = w.out[:copy(w.out, w.out[size:])]
	return nil
}
