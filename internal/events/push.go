package events

import (
	"context"
	"maps"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

const (
	// maxPushed bounds the events that came by push and were not met by the
	// reader yet, since their keys are kept in memory and in every state: twice
	// what ZITADEL's one worker sends in the minutes of a slow pull. Beyond it
	// an event comes when the reader meets it.
	maxPushed = 10_000
	// pushTogether is how many pushes at most make one batch.
	pushTogether = 256
	// pushFuture is how far clocks may differ: ZITADEL sends what has just
	// happened. The key of a later date could outlive neither a restart nor a state.
	pushFuture = 10 * time.Second
)

// Push is something that ZITADEL sent by itself, before it was asked.
type Push struct {
	// Event is one that the log has as well; nil for anything else.
	Event *eventpb.Event
	// Other is a record of something that the log does not have; nil for an event.
	Other Other
	Size  int // bytes of what it came in
	// Done is called once this, and all that was pushed before it, is
	// acknowledged. It must be quick.
	Done func()
}

// Other is a record of another kind than [record.Record], redacted already.
type Other interface {
	Type() string
	AppendMsgpack(b []byte) []byte // one Fluent Bit event
	AppendJSON(b []byte) []byte    // one line without the newline
}

// takePushes emits what was pushed: an event at once where it is news, so that
// it is dropped when the reader meets its key. A push decides nothing else, not
// the watermark and not what is missing: whoever has the key of a target could
// otherwise make the reader pass over the log.
func (r *Reader) takePushes(ctx context.Context, first Push, emit Emit) error {
	r.broken = true // until the batch is emitted
	read := r.now().UTC().Truncate(tick)
	var b Batch
	for p, n := first, 1; ; n++ {
		switch {
		case p.Event == nil && p.Other != nil:
			b.Others = append(b.Others, p.Other)
		case p.Event != nil && r.takesPush(p.Event):
			rec := record.FromEvent(p.Event, r.settings.Instance, read)
			rec.Source = record.SourceWebhook
			b.Records = append(b.Records, rec)
		}
		b.Done = p.Done
		more := false
		if n < pushTogether {
			select {
			case p, more = <-r.pushes:
			default:
			}
		}
		if !more {
			break
		}
	}
	r.total += uint64(len(b.Records))
	r.stats.Events.Add(uint64(len(b.Records)))
	r.stats.Pushed.Add(uint64(len(b.Records)))
	b.State = r.state()
	if err := emit(ctx, b); err != nil {
		return err
	}
	r.broken = false
	return nil
}

// takesPush reports whether e is news and wanted, and remembers it.
func (r *Reader) takesPush(e *eventpb.Event) bool {
	agg, seq, date := e.GetAggregate(), e.GetSequence(), created(e)
	a := r.mem.aggregate(agg.GetType().GetType(), agg.GetId())
	missing := r.holes.missing(a.key, seq)
	switch {
	case r.mem.has(a, seq), !date.After(r.keysFrom()) && !missing:
		r.stats.PushedKnown.Add(1) // the reader was first
		return false
	case date.After(r.now().Add(pushFuture)), !missing && !r.roomForPush():
		return false // it comes when the reader meets it
	case !r.filter.passes(e) || r.isOwn(a, e):
		return false // counted when the reader meets it
	}
	if missing {
		if _, asked := r.holes.fill(a.key, seq); asked {
			r.stats.HolesFilled.Add(1)
		}
	}
	if date.After(r.keysFrom()) {
		r.mem.remember(a, seq, date)
		r.pushed[seenKey{a, seq}] = true
	}
	return true
}

// roomForPush forgets which pushes will not be met any more, where there are
// too many.
func (r *Reader) roomForPush() bool {
	if len(r.pushed) < maxPushed {
		return true
	}
	maps.DeleteFunc(r.pushed, func(k seenKey, _ bool) bool { return !r.mem.has(k.agg, k.sequence) })
	return len(r.pushed) < maxPushed
}

// meets is called when the reader finds an event that was emitted before: one
// that was pushed counts from then on in its aggregate's sequence.
func (r *Reader) meets(a *aggregate, seq uint64) {
	if k := (seenKey{a, seq}); r.pushed[k] {
		delete(r.pushed, k)
		r.jump(a, seq)
		return
	}
	r.stats.Duplicates.Add(1)
}

// idle sleeps, but for pushes.
func (r *Reader) idle(ctx context.Context, d time.Duration, emit Emit) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case p := <-r.pushes:
			if err := r.takePushes(ctx, p, emit); err != nil {
				return err
			}
		}
	}
}
