package pipe

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

const (
	// HeartbeatType is event.type of a heartbeat, and the last part of its tag
	// with tag_by.
	HeartbeatType = "heartbeat"

	// HeartbeatSource is its source.
	HeartbeatSource = "zitadel_siem"
)

// Heartbeat is the metrics as a record.
type Heartbeat struct{ metric.Snapshot }

// beatAtIntervals queues a heartbeat at every interval until ctx ends. The next one replaces
// one that the host has not taken: old metrics are of no use.
func (p *Pipe) beatAtIntervals(ctx context.Context) error {
	for {
		if err := retry.Sleep(ctx, p.o.Heartbeat); err != nil {
			return err
		}
		h := &Heartbeat{p.Metrics(time.Now())}
		beat := p.single(h)
		if p.o.Derived != nil {
			p.queue(p.o.Derived(h))
		}
		p.mu.Lock()
		if !p.closed && beat != nil {
			p.beat = beat
			p.signal()
		}
		p.mu.Unlock()
	}
}

// watchAtIntervals queues what [Options.Beside] gives until ctx ends.
func (p *Pipe) watchAtIntervals(ctx context.Context) error {
	for {
		if err := retry.Sleep(ctx, p.o.BesideEvery); err != nil {
			return err
		}
		p.queue(p.o.Beside(time.Now()))
	}
}

// single encodes r as a chunk; nil: the format leaves it out.
func (p *Pipe) single(r record.Record) *chunk {
	tag, b := p.appendRecord(nil, r)
	if len(b) == 0 {
		return nil
	}
	return &chunk{tag: tag, data: b, records: 1, size: p.size(b)}
}

// maxBeside is how many records that no step has may wait. An alert has about 2 kB.
const maxBeside = 256

// queue queues records that belong to no step. Nothing replaces them; if the host takes
// nothing for long, the oldest are dropped and counted.
func (p *Pipe) queue(list []record.Record) {
	for _, r := range list {
		c := p.single(r)
		if c == nil {
			continue
		}
		c.beside = r
		p.mu.Lock()
		if !p.closed {
			if p.beside = append(p.beside, c); len(p.beside) > maxBeside {
				p.beside = slices.Delete(p.beside, 0, 1)
				p.Stats.BesideDropped.Add(1)
			}
			p.signal()
		}
		p.mu.Unlock()
	}
}

// offerBeat gives the host what belongs to no step: the heartbeat that waits, and then the
// others. It reports whether the host took all of it.
func (p *Pipe) offerBeat(add Add) bool {
	for {
		c := p.nextBeside()
		if c == nil {
			return true
		}
		if !p.give(add, c) {
			return false
		}
		p.tookBeside(c)
	}
}

func (p *Pipe) nextBeside() *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.beat != nil:
		return p.beat
	case len(p.beside) > 0:
		return p.beside[0]
	}
	return nil
}

// tookBeside removes c, unless it was replaced or dropped meanwhile.
func (p *Pipe) tookBeside(c *chunk) {
	p.mu.Lock()
	if p.beat == c {
		p.beat = nil
	}
	if len(p.beside) > 0 && p.beside[0] == c {
		p.beside = slices.Delete(p.beside, 0, 1)
	}
	p.mu.Unlock()
	p.sayTaken(c)
}

// sayTaken calls Options.BesideTaken if c is for it.
func (p *Pipe) sayTaken(c *chunk) {
	if c.beside != nil && p.o.BesideTaken != nil {
		p.o.BesideTaken(c.beside)
	}
}

// EventType implements [record.Record].
func (h *Heartbeat) EventType() string { return HeartbeatType }

// ID implements [record.Record].
func (h *Heartbeat) ID() string {
	return h.Instance + "/" + HeartbeatType + "/" + strconv.FormatInt(h.At.UnixMicro(), 10)
}

// Timestamp implements [record.Record].
func (h *Heartbeat) Timestamp() time.Time { return h.At }

// WriteFields implements [record.Record].
func (h *Heartbeat) WriteFields(d *document.Doc) {
	d.Map("event")
	d.Text("id", h.ID())
	d.Text("type", HeartbeatType)
	d.Time("time", h.At)
	d.End()

	d.Map(HeartbeatType)
	for _, m := range h.List {
		d.Number(m.Name, m.Value)
	}
	d.Map("errors")
	for _, kind := range slices.Sorted(maps.Keys(h.Errors)) {
		d.Key(kind)
		d.Uint("", h.Errors[kind])
	}
	d.End()
	d.End()

	d.Text("instance", h.Instance)
	d.Text("source", HeartbeatSource)
}
