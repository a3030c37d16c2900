package pipe

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
	"github.com/zitadel-siem/zitadel-siem/internal/metric"
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
		tag, b := p.appendRecord(nil, &Heartbeat{p.Metrics(time.Now())})
		p.mu.Lock()
		if !p.closed && len(b) > 0 {
			p.beat, p.beatTag = b, tag
			p.signal()
		}
		p.mu.Unlock()
	}
}

// offerBeat gives the host the heartbeat that waits, and reports whether it took it.
func (p *Pipe) offerBeat(add Add) bool {
	p.mu.Lock()
	b, tag := p.beat, p.beatTag
	p.mu.Unlock()
	if b == nil {
		return true
	}
	if !add(tag, b, 1) {
		return false
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

// AppendMap implements [record.Record].
func (h *Heartbeat) AppendMap(b []byte, f encode.Format) []byte {
	b = f.OpenMap(b, 4)
	b = f.Field(b, 0, "event")
	b = f.OpenMap(b, 3)
	b = f.Field(b, 0, "id")
	b = f.Text(b, h.ID())
	b = f.Field(b, 1, "type")
	b = f.Text(b, HeartbeatType)
	b = f.Field(b, 1, "time")
	b = f.Time(b, h.At)
	b = f.CloseMap(b)

	b = f.Field(b, 1, HeartbeatType)
	b = f.OpenMap(b, len(h.List)+1)
	for i, m := range h.List {
		b = f.Field(b, i, m.Name)
		b = f.Number(b, m.Value)
	}
	b = f.Field(b, len(h.List), "errors")
	b = f.OpenMap(b, len(h.Errors))
	for i, kind := range slices.Sorted(maps.Keys(h.Errors)) {
		b = f.Key(b, i, kind)
		b = f.Uint(b, h.Errors[kind])
	}
	b = f.CloseMap(b)
	b = f.CloseMap(b)

	b = f.Field(b, 1, "instance")
	b = f.Text(b, h.Instance)
	b = f.Field(b, 1, "source")
	b = f.Text(b, HeartbeatSource)
	return f.CloseMap(b)
}
