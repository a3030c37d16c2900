package input

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// chunk is what the host gets in one append: whole events, one tag.
type chunk struct {
	tag    string // empty: the host's own
	data   []byte
	events int
	newest time.Time // creation date of the youngest event
}

// group is one cursor step: batches in their order, and the state after them.
type group struct {
	chunks  []chunk
	open    map[string]int // by tag, the chunk that may still grow
	bytes   int
	events  int
	state   cursor.State
	sealed  bool // its state is being written: nothing may join
	pending Pending
	done    func() // of the last batch that has one
}

func newGroup() *group {
	return &group{open: make(map[string]int), bytes: groupCost}
}

// target returns the chunk of this tag that has room for n more bytes.
func (g *group) target(tag string, n int) *chunk {
	i, ok := g.open[tag]
	if !ok || len(g.chunks[i].data)+n > maxChunk {
		i = len(g.chunks)
		g.chunks = append(g.chunks, chunk{tag: tag})
		g.open[tag] = i
	}
	return &g.chunks[i]
}

// fits reports whether later may share the cursor step of g. A later group
// without records always may: it only moves the state.
func (g *group) fits(later *group) bool {
	return !g.sealed && (later.events == 0 || g.bytes+later.bytes <= maxGroup)
}

// merge appends later to g and returns by how much g grew.
func (g *group) merge(later *group) int {
	before := g.bytes
	g.state = later.state
	if later.done != nil {
		g.done = later.done // which counts for those before it as well
	}
	g.events += later.events
	for _, c := range later.chunks {
		t := g.target(c.tag, len(c.data))
		t.events += c.events
		t.newest = youngest(t.newest, c.newest)
		if t.data == nil {
			t.data = c.data
		} else {
			t.data = append(t.data, c.data...)
		}
		g.bytes += len(c.data)
	}
	return g.bytes - before
}

// encode turns a batch into chunks, one per tag and about 2 MB.
func (p *Pipe) encode(b events.Batch) *group {
	g := newGroup()
	g.state, g.done = b.State, b.Done
	for _, o := range b.Others {
		var kind string
		if kind, p.scratch = p.encodeOther(p.scratch[:0], o); len(p.scratch) == 0 {
			continue
		}
		c := g.target(p.tagOf(kind, kind), len(p.scratch))
		c.data = append(c.data, p.scratch...)
		c.events++
		g.events++
		g.bytes += len(p.scratch)
	}
	for i := range b.Records {
		r := &b.Records[i]
		p.scratch = p.encodeRecord(p.scratch[:0], r)
		if len(p.scratch) == 0 {
			continue // it could not be encoded; a chunk is never empty
		}
		c := g.target(p.tag(r), len(p.scratch))
		c.data = append(c.data, p.scratch...)
		c.events++
		c.newest = youngest(c.newest, r.Time)
		g.events++
		g.bytes += len(p.scratch)
	}
	return g
}

// encodeOther appends a record that came by push. One that makes our code panic
// is left out, since of another kind than events nothing is known that could
// stand for it; those beside it come out.
func (p *Pipe) encodeOther(b []byte, o events.Other) (kind string, out []byte) {
	defer func() {
		if v := recover(); v != nil {
			p.Stats.Panics.Add(1)
			p.Stats.Damaged.Add(1)
			p.o.Log.Error("a record that was pushed cannot be encoded and is missing", "kind", fmt.Sprintf("%T", o), "error", panicError(v))
			kind, out = "", b
		}
	}()
	return o.Type(), p.o.EncodeOther(b, o)
}

func youngest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// encodeRecord appends one event. A record that makes our code panic comes out
// without its payload, marked; it must not stop the ones after it.
func (p *Pipe) encodeRecord(b []byte, r *record.Record) []byte {
	out, err := p.tryEncode(b, r)
	if err == nil {
		return out
	}
	p.Stats.Panics.Add(1)
	p.Stats.Damaged.Add(1)
	p.o.Log.Error("event comes out without its payload", "event.id", r.ID(), "error", err)
	r.Payload = &structpb.Struct{Fields: map[string]*structpb.Value{
		"zitadel_siem_error": structpb.NewStringValue("payload left out: it could not be encoded"),
	}}
	if out, err = p.tryEncode(b, r); err == nil {
		return out
	}
	p.o.Log.Error("event cannot be encoded and is missing", "event.id", r.ID(), "error", err)
	return b
}

func (p *Pipe) tryEncode(b []byte, r *record.Record) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicError(v)
		}
	}()
	p.o.Redact(r)
	return p.o.Encode(b, r), nil
}

// tag is empty where the host's own is meant.
func (p *Pipe) tag(r *record.Record) string { return p.tagOf(r.AggregateType, r.Type) }

// tagOf is as tag. What is of no aggregate has its type for both.
func (p *Pipe) tagOf(aggregateType, eventType string) string {
	switch p.o.TagBy {
	case "aggregate_type":
		return p.o.Tag + "." + tagPart(aggregateType)
	case "event_type":
		return p.o.Tag + "." + tagPart(eventType)
	}
	return ""
}

// maxTagPart: ZITADEL's longest event type has 64 characters.
const maxTagPart = 128

// tagPart keeps a type from being more than a part of a tag: outputs make file
// names, indexes and topics of tags.
func tagPart(s string) string {
	if len(s) > maxTagPart {
		s = s[:maxTagPart]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	if strings.Trim(s, ".") == "" {
		return "unknown"
	}
	return s
}

// panicError keeps the value out of the text where it could hold data of an
// event; runtime errors name types and indexes only.
func panicError(v any) error {
	if e, ok := v.(error); ok {
		if _, ok := e.(interface{ RuntimeError() }); ok {
			return fmt.Errorf("panic: %w", e)
		}
	}
	return fmt.Errorf("panic of type %T", v)
}
