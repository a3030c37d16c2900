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
		beat := p.encodeBeat(&Heartbeat{p.Metrics(time.Now())})
		p.mu.Lock()
		if !p.closed && len(beat) > 0 {
			p.beat = beat
			p.signal()
		}
		p.mu.Unlock()
	}
}

// encodeBeat encodes a heartbeat and what derives from it, each as a chunk.
func (p *Pipe) encodeBeat(h *Heartbeat) (beat []chunk) {
	one := func(r record.Record) {
		if tag, b := p.appendRecord(nil, r); len(b) > 0 {
			beat = append(beat, chunk{tag: tag, data: b, records: 1})
		}
	}
	one(h)
	if p.o.Derived != nil {
		for _, d := range p.o.Derived(h) {
			one(d)
		}
	}
	return beat
}

// offerBeat gives the host the heartbeat that waits, and reports whether it took it.
func (p *Pipe) offerBeat(add Add) bool {
	p.mu.Lock()
	beat := p.beat
	p.mu.Unlock()
	for _, c := range beat {
		if !add(c.tag, c.data, c.records) {
			return false
		}
	}
	if beat == nil {
		return true
	}
	p.mu.Lock()
	p.beat = nil
	p.mu.Unlock()
	return true
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
