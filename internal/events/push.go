package events

import (
	"cmp"
	"context"
	"slices"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

const (
	// maxPushed limits the events that came by push and were not met in the log
	// yet. They are in every state, with about 150 bytes each. The limit is what
	// ZITADEL's one worker sends in some minutes. Beyond it, an event comes when the
	// reader meets it.
	maxPushed = 4000
	// pushTogether and pushBytes limit one batch of pushes.
	pushTogether = 256
	pushBytes    = 1 << 20
	// pushFuture is how much clocks may differ: ZITADEL sends what has just happened.
	pushFuture = 10 * time.Second
	// pushKept is as long as a hole is asked for: until then the reader may meet
	// the event.
	pushKept = holeWait
)

// Push is something that ZITADEL sent by itself.
type Push struct {
	// Event is one that the log has too; nil for anything else.
	Event *eventpb.Event
	// Record is of something that the log does not have, and is redacted
	// already; nil for an event.
	Record record.Record
	Size   int // bytes of what it came in
	// Taken, if not nil, is called when the reader has received this from the channel.
	Taken func()
	// Done is called once this, and all that was pushed before it, is
	// acknowledged. It must be quick.
	Done func()
}

// pushKey identifies a pushed event. It is no part of the memory of the log: a
// push must not even make an aggregate known there.
type pushKey struct {
	aggregateKey
	sequence uint64
}

// pushedEvent is what a push said of an event, to be compared with the log.
type pushedEvent struct {
	created time.Time
	typ     string
}

// TakePushes emits what is pushed, until the channel is closed or ctx ends, and reads nothing. It is
// for the end of a process, and works while ZITADEL does not answer. The reader must have a state: a
// first start has not decided where it begins.
func (r *Reader) TakePushes(ctx context.Context, emit Emit) error {
	// Without an answer of ZITADEL there is only this machine's clock. If it is behind, the keys
	// in the state would look older than they are, and be forgotten too early.
	dated := func(ctx context.Context, b Batch) error {
		b.State.Updated = maxTime(b.State.Updated, r.stateAt)
		return emit(ctx, b)
	}
	for {
		select {
		case p, more := <-r.pushes:
			if !more {
				return nil
			}
			if err := r.takePushes(ctx, p, dated); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takePushesOrNone emits pushes, or notes that no more come.
func (r *Reader) takePushesOrNone(ctx context.Context, first Push, more bool, emit Emit) error {
	if !more {
		r.pushes = nil
		return nil
	}
	return r.takePushes(ctx, first, emit)
}

// is reports whether the push was of an event with this date and type.
func (p pushedEvent) is(date time.Time, typ string) bool {
	return p.created.Equal(date) && p.typ == typ
}

// takePushes emits pushes. A new event is emitted at once, and dropped when the
// reader meets it in the log. A push changes nothing else: not the watermark, not
// what is missing, not what is known of an aggregate. Otherwise the owner of a
// target's key could hide events.
func (r *Reader) takePushes(ctx context.Context, first Push, emit Emit) error {
	events := uint64(0)
	r.broken = true // until the batch is emitted
	read := r.now().UTC().Truncate(tick)
	var b Batch
	b.Done = together(r.pushes, first, func(p Push) {
		switch {
		case p.Event == nil && p.Record != nil:
			b.Records = append(b.Records, p.Record)
		case p.Event != nil && r.admitPush(p.Event):
			e := pushedRecord(p.Event, r.settings.Instance, read)
			b.add(&e)
			events++
		}
	})
	r.total += events
	r.stats.Events.Add(events)
	r.stats.Pushed.Add(events)
	b.State = r.state()
	if err := emit(ctx, b); err != nil {
		return err
	}
	r.broken = false
	return nil
}

// together calls take with first and with what waits behind it, as far as one batch goes. It
// returns the Done of the last one.
func together(pushes <-chan Push, first Push, take func(Push)) (done func()) {
	n, size := 0, 0
	for p, more := first, true; more; {
		if p.Taken != nil {
			p.Taken()
		}
		take(p)
		done = p.Done
		n, size = n+1, size+p.Size
		more = false
		if n < pushTogether && size < pushBytes {
			select {
			case p, more = <-pushes:
			default:
			}
		}
	}
	return done
}

// pushedRecord is the record of an event that came by push.
func pushedRecord(e *eventpb.Event, instance string, read time.Time) record.Event {
	out := FromEvent(e, instance, read)
	out.Source = record.SourceWebhook
	return out
}

// admitPush reports whether e is new and wanted, and notes it then.
func (r *Reader) admitPush(e *eventpb.Event) bool {
	agg := e.GetAggregate()
	k := pushKey{aggregateKey{agg.GetType().GetType(), agg.GetId()}, e.GetSequence()}
	date, now := created(e).Truncate(tick), r.now()
	_, again := r.pushed[k]
	switch {
	case again, r.mem.hasKey(k.aggregateKey, k.sequence), !date.After(r.keysFrom()) && !r.holes.missing(k.aggregateKey, k.sequence):
		r.stats.PushedKnown.Add(1) // the reader was first, or another push
		return false
	case date.After(now.Add(pushFuture)), date.Before(now.Add(-pushKept)), !r.makeRoomForPush(now):
		return false // it comes when the reader meets it
	case r.settings.ExcludeOwn && k.typ == oidcSession, !r.filter.passes(e):
		return false // decided, and counted, when the reader meets it
	}
	r.pushed[k] = pushedEvent{date, e.GetType().GetType()}
	return true
}

// makeRoomForPush forgets old pushes if there are too many, and reports whether
// there is room for one more.
func (r *Reader) makeRoomForPush(now time.Time) bool {
	if len(r.pushed) < maxPushed {
		return true
	}
	for k, p := range r.pushed {
		if p.created.Before(now.Add(-pushKept)) {
			delete(r.pushed, k)
		}
	}
	return len(r.pushed) < maxPushed
}

// dropPushed forgets the push of e, which the reader has met in the log, and
// reports whether e was emitted with it. A push that said something else of this
// key was not of this event.
func (r *Reader) dropPushed(k aggregateKey, e *eventpb.Event) bool {
	if len(r.pushed) == 0 {
		return false
	}
	key := pushKey{k, e.GetSequence()}
	p, ok := r.pushed[key]
	if !ok {
		return false
	}
	delete(r.pushed, key)
	if p.is(created(e), e.GetType().GetType()) {
		return true
	}
	r.log.Warn("a webhook and the Events API disagree about an event: both come out, the webhook's with source actions_webhook",
		"aggregate_type", k.typ, "aggregate_id", k.id, "sequence", e.GetSequence(), "fix", "somebody else may have the signing key of a target: change it")
	return false
}

// pushedState is the part of the state about pushes, in a stable order.
func (r *Reader) pushedState() []cursor.Pushed {
	if len(r.pushed) == 0 {
		return nil
	}
	out := make([]cursor.Pushed, 0, len(r.pushed))
	for k, p := range r.pushed {
		out = append(out, cursor.Pushed{AggregateType: k.typ, AggregateID: k.id, Sequence: k.sequence, Created: p.created, Type: p.typ})
	}
	slices.SortFunc(out, func(a, b cursor.Pushed) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.AggregateID, b.AggregateID), cmp.Compare(a.Sequence, b.Sequence))
	})
	return out
}

func restorePushed(saved []cursor.Pushed) map[pushKey]pushedEvent {
	pushed := make(map[pushKey]pushedEvent, len(saved))
	for _, p := range saved {
		pushed[pushKey{aggregateKey{p.AggregateType, p.AggregateID}, p.Sequence}] = pushedEvent{p.Created, p.Type}
	}
	return pushed
}

// idle waits for d. Meanwhile it emits pushes, and lets the sweep read.
func (r *Reader) idle(ctx context.Context, d time.Duration, emit Emit) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		wake := r.startSweep(ctx)
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case a := <-r.sweep.answers:
			if err := r.takeSwept(ctx, a, emit); err != nil {
				return err
			}
		case p, more := <-r.pushes:
			if err := r.takePushesOrNone(ctx, p, more, emit); err != nil {
				return err
			}
		}
	}
}
