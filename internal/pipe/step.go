package pipe

import (
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// chunk is what the host gets in one append: whole records of one tag.
type chunk struct {
	tag     string // empty: the host's own
	data    []byte
	records int
	size    int // as JSON, if there is a limit
	// beside is the record in it, if it belongs to no step and is no heartbeat.
	beside record.Record
}

// step moves the state once: batches in their order, and the state after them.
type step struct {
	chunks  []chunk
	open    map[string]int // by tag, the chunk that may still grow
	limit   chunks.Limit
	bytes   int
	records int
	newest  time.Time
	state   State
	sealed  bool // its state is being written: nothing may join
	pending Pending
	done    func() // of the last batch that has one
}

// target returns the chunk of this tag that has room for more.
func (s *step) target(more chunk) *chunk {
	i, ok := s.open[more.tag]
	if !ok || !s.chunks[i].holds(more, s.limit) {
		i = len(s.chunks)
		s.chunks = append(s.chunks, chunk{tag: more.tag})
		s.open[more.tag] = i
	}
	return &s.chunks[i]
}

func (c *chunk) holds(more chunk, limit chunks.Limit) bool {
	return len(c.data)+len(more.data) <= maxChunk && !limit.Exceeded(c.size+more.size, c.records+more.records)
}

// fits reports whether later may join s. A later step without records always
// may: it only moves the state.
func (s *step) fits(later *step) bool {
	return !s.sealed && (later.records == 0 || s.bytes+later.bytes <= maxStep)
}

// merge appends later to s and returns by how much s grew.
func (s *step) merge(later *step) int {
	before := s.bytes
	s.state = later.state
	if later.done != nil {
		s.done = later.done // it covers the batches before as well
	}
	s.records += later.records
	s.newest = newest(s.newest, later.newest)
	for _, c := range later.chunks {
		t := s.target(c)
		t.records += c.records
		t.size += c.size
		if t.data == nil {
			t.data = c.data
		} else {
			t.data = append(t.data, c.data...)
		}
		s.bytes += len(c.data)
	}
	return s.bytes - before
}

func newest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// commit makes the state of s count.
func (s *step) commit() error {
	if err := s.pending.Commit(); err != nil {
		return err
	}
	if s.done != nil {
		s.done()
	}
	return nil
}

// instead returns the later step and keeps the callback of the earlier one, if
// any: committing the later state covers both.
func instead(earlier, later *step) *step {
	if earlier != nil && later.done == nil {
		later.done = earlier.done
	}
	return later
}

// encode makes chunks of a batch, one per tag and about 2 MB, or as large as the limit allows.
func (p *Pipe) encode(b Batch) *step {
	s := &step{open: make(map[string]int), limit: p.o.Limit, bytes: stepCost, state: b.State, newest: b.Newest, done: b.Done}
	for _, r := range b.Records {
		p.encodeOne(s, r)
		if p.o.Derived != nil {
			for _, d := range p.o.Derived(r) {
				p.encodeOne(s, d)
			}
		}
	}
	return s
}

// encodeOne adds a record to the chunk of its tag.
func (p *Pipe) encodeOne(s *step, r record.Record) {
	var tag string
	if tag, p.scratch = p.appendRecord(p.scratch[:0], r); len(p.scratch) == 0 {
		return // it could not be encoded
	}
	one := chunk{tag: tag, data: p.scratch, records: 1, size: p.size(p.scratch)}
	c := s.target(one)
	c.data = append(c.data, p.scratch...)
	c.records++
	c.size += one.size
	s.records++
	s.bytes += len(p.scratch)
}

// size is that of an encoded record as JSON, which only a limit needs.
func (p *Pipe) size(b []byte) int {
	if p.o.Limit.Size == 0 {
		return 0
	}
	return chunks.Size(b)
}

// bug is the fix of what only a bug can cause.
const bug = "this is a bug: report it with this message"

// appendRecord appends a record and returns its tag. A record that makes our code
// panic comes out without its payload, marked. If there is no payload to drop, or
// if that does not help, it is left out: it must not stop the others.
func (p *Pipe) appendRecord(b []byte, r record.Record) (tag string, out []byte) {
	tag, out, err := p.tryAppend(b, r)
	if err == nil {
		return tag, out
	}
	p.Stats.Panics.Add(1)
	p.Stats.Damaged.Add(1)
	if event, ok := r.(interface{ DropPayload() }); ok {
		p.o.Log.Error("event comes out without its payload", "event.id", r.ID(), "error", err, "fix", bug)
		event.DropPayload()
		if tag, out, err = p.tryAppend(b, r); err == nil {
			return tag, out
		}
	}
	p.o.Log.Error("record cannot be encoded and is missing", "event.id", r.ID(), "error", err, "fix", bug)
	return "", b[:0]
}

func (p *Pipe) tryAppend(b []byte, r record.Record) (tag string, out []byte, err error) {
	defer fault.Catch(&err)
	return p.o.Tag(r), p.o.Encode(b, r), nil
}
