package input

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

const (
	// HeartbeatType is event.type of a heartbeat, and the last part of its tag
	// with tag_by.
	HeartbeatType = "heartbeat"
	// HeartbeatSource is its source.
	HeartbeatSource = "zitadel_siem"
)

// beatAt puts a heartbeat in the host's way at every interval until ctx ends.
// One that the host has not taken by the next is dropped: it tells the past.
func (p *Pipe) beatAt(ctx context.Context) error {
	for {
		if err := sleep(ctx, p.o.Heartbeat); err != nil {
			return err
		}
		b := p.o.Beat(nil, p.Figures(time.Now()))
		p.mu.Lock()
		if !p.closed {
			p.beat = b
			p.signal()
		}
		p.mu.Unlock()
	}
}

// offerBeat gives the host a heartbeat that waits, and reports whether it took it.
func (p *Pipe) offerBeat(add Add) bool {
	p.mu.Lock()
	b := p.beat
	p.mu.Unlock()
	if b == nil {
		return true
	}
	if !add(p.tagOf(HeartbeatType, HeartbeatType), b, 1) {
		return false
	}
	p.mu.Lock()
	p.beat = nil
	p.mu.Unlock()
	return true
}

// AppendHeartbeat appends the figures as one Fluent Bit event: [EventTime, map].
func AppendHeartbeat(b []byte, f Figures) []byte {
	return appendHeartbeat(encode.AppendEventHead(b, f.At), encode.Msgpack, f)
}

// AppendHeartbeatJSON appends them as one line of JSON without the newline.
func AppendHeartbeatJSON(b []byte, f Figures) []byte { return appendHeartbeat(b, encode.JSON, f) }

func appendHeartbeat(b []byte, format encode.Format, f Figures) []byte {
	b = format.OpenMap(b, 4)
	b = format.Field(b, 0, "event")
	b = format.OpenMap(b, 3)
	b = format.Field(b, 0, "id")
	b = format.Text(b, f.Instance+"/"+HeartbeatType+"/"+strconv.FormatInt(f.At.UnixMicro(), 10))
	b = format.Field(b, 1, "type")
	b = format.Text(b, HeartbeatType)
	b = format.Field(b, 1, "time")
	b = format.Time(b, f.At)
	b = format.CloseMap(b)

	b = format.Field(b, 1, HeartbeatType)
	b = format.OpenMap(b, len(f.List)+1)
	for i, v := range f.List {
		b = format.Field(b, i, v.Name)
		b = format.Number(b, v.Value)
	}
	b = format.Field(b, 1, "errors")
	b = format.OpenMap(b, len(f.Errors))
	for i, kind := range slices.Sorted(maps.Keys(f.Errors)) {
		b = format.Key(b, i, kind)
		b = format.Uint(b, f.Errors[kind])
	}
	b = format.CloseMap(b)
	b = format.CloseMap(b)

	b = format.Field(b, 1, "instance")
	b = format.Text(b, f.Instance)
	b = format.Field(b, 1, "source")
	b = format.Text(b, HeartbeatSource)
	return format.CloseMap(b)
}
