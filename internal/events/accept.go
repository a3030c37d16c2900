package events

import (
	"context"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// accept processes a stretch: it drops known events, opens and fills holes, moves the watermark,
// and emits the rest.
func (r *Reader) accept(ctx context.Context, s stretch, emit Emit) error {
	before := maxTime(r.newest, r.watermark)
	for _, e := range s.events {
		// An answer to a hole has no limit of time. After a clock was set back, it may have a
		// date in the future, which would be taken for the present.
		if !s.onlyHoles {
			r.evidence.see(created(e))
		}
		r.newest = maxTime(r.newest, created(e))
	}
	if !s.onlyHoles {
		r.passed = append(r.passed, reading{s.done, s.asked})
		r.watermark = maxTime(r.watermark, r.passed.upTo(func(asked time.Time) time.Time { return r.evidence.clockAt(asked).Add(-r.settings.Overlap) }))
	}
	asked := s.asked
	if s.onlyHoles {
		asked = time.Now()
	} else {
		r.noteRead(asked, before)
	}
	r.broken = true // until the records are emitted
	read := r.now().UTC().Truncate(tick)
	b := Batch{Records: make([]record.Record, 0, len(s.events))}
	list := make([]record.Event, len(s.events)) // one allocation for all
	for i, e := range s.events {
		if r.admit(e, s.onlyHoles, asked) {
			list[i] = FromEvent(e, r.settings.Instance, read)
			b.add(&list[i])
		}
	}
	// Only now, because the stretch has events from before the new watermark.
	r.mem.forgetUpTo(r.keysFrom())
	if !s.onlyHoles {
		r.noteWatermark(asked)
	}
	r.total += uint64(len(b.Records))
	r.stats.Events.Add(uint64(len(b.Records)))
	r.stats.HolesOpen.Store(int64(r.holes.count))
	r.stats.setProgress(r.newest, r.watermark)
	// Without events, the state is stored once a minute, not at every poll.
	if len(b.Records) > 0 || r.watermark.Sub(r.savedMark) >= time.Minute {
		b.State = r.state()
		if err := emit(ctx, b); err != nil {
			return err
		}
		r.savedMark = r.watermark
	}
	r.broken = false
	if !s.onlyHoles && r.holes.count >= manyHoles {
		return r.fillHoles(ctx, emit)
	}
	return nil
}

// keysFrom is the date from which keys are remembered: one overlap behind the watermark. Only
// keys newer than the watermark are read again. After a restart, the others help to distinguish a
// gap from events that were committed in another order than they were created.
func (r *Reader) keysFrom() time.Time { return r.watermark.Add(-r.settings.Overlap) }

// admit records that e was read, and reports whether it is new and wanted. asked is before the
// request for it.
func (r *Reader) admit(e *eventpb.Event, onlyHoles bool, asked time.Time) bool {
	agg, seq, date := e.GetAggregate(), e.GetSequence(), created(e)
	a := r.mem.aggregate(agg.GetType().GetType(), agg.GetId())
	filled, sought := r.holes.fill(a.key, seq)
	if sought {
		r.stats.HolesFilled.Add(1)
	}
	if onlyHoles && !filled {
		return false
	}
	if r.mem.has(a, seq) {
		r.stats.Duplicates.Add(1)
		return false
	}
	if date.After(r.keysFrom()) {
		r.mem.remember(a, seq, date)
	}
	r.note(date, asked)
	if onlyHoles {
		r.sweep.noteFilled(e)
	}
	r.jump(a, seq)
	return r.want(a, e, onlyHoles)
}

// admitSwept is admit for an event that the sweep takes for new.
func (r *Reader) admitSwept(e *eventpb.Event) bool {
	agg, seq := e.GetAggregate(), e.GetSequence()
	a := r.mem.aggregate(agg.GetType().GetType(), agg.GetId())
	if _, sought := r.holes.fill(a.key, seq); sought {
		r.stats.HolesFilled.Add(1)
	}
	if _, known := r.sweep.filled[keyOf(e)]; known || r.mem.has(a, seq) {
		return false
	}
	if date := created(e); date.After(r.keysFrom()) {
		r.mem.remember(a, seq, date) // the watermark of a quiet log may be older than the sweep
	}
	// Of an aggregate that was forgotten, or read before a restart, later events may have been
	// read. They must not look like missing ones. Where beginnings are asked for, no event of
	// an unknown aggregate was read.
	if a.top > 0 || r.chaseBeginnings && !r.mem.forgot {
		r.jump(a, seq)
	}
	return r.want(a, e, true)
}

// want reports whether an event that is new in the log has to be emitted.
func (r *Reader) want(a *aggregate, e *eventpb.Event, late bool) bool {
	date := created(e)
	if r.dropPushed(a.key, e) {
		return false
	}
	if late || !r.readUpTo.IsZero() && !date.After(r.readUpTo) {
		r.stats.Late.Add(1)
	}
	if r.noteOwn(a, e) {
		r.stats.Own.Add(1)
		return false
	}
	if !r.filter.passes(e) {
		r.stats.Filtered.Add(1)
		return false
	}
	return true
}

// jump opens a hole if sequences are missing before seq.
func (r *Reader) jump(a *aggregate, seq uint64) {
	top := a.top
	a.top = max(top, seq)
	if !r.filter.wholeAggregates || seq <= top+1 {
		return
	}
	atFirstSight := top == 0
	if atFirstSight && (!r.chaseBeginnings || r.mem.forgot) {
		if r.settings.Start.Beginning && r.fresh && !r.mem.forgot {
			r.stats.Hidden.Add(seq - 1)
		}
		return
	}
	if !r.holes.add(a.key, top+1, seq-1, atFirstSight, r.now()) {
		r.stats.HolesGivenUp.Add(1)
		r.log.Error("too many missing events are being asked for: this gap is given up, and its events may be missing",
			"aggregate_type", a.key.typ, "aggregate_id", a.key.id, "first", top+1, "last", seq-1, "open", maxHoles,
			"fix", "check the role of the token's user (IAM_OWNER_VIEWER) and audit-log retention; a new state_path reads all events again from start")
	}
}

// oidcSession is the type of the aggregates that exclude_own concerns.
const oidcSession = "oidc_session"

// noteOwn reports whether e is of a session that belongs to the reader's own
// token: a session of its user without a login. It remembers the session.
func (r *Reader) noteOwn(a *aggregate, e *eventpb.Event) bool {
	if r.ownUser == "" || a.key.typ != oidcSession {
		return false
	}
	if e.GetType().GetType() == "oidc_session.added" {
		fields := e.GetPayload().GetFields()
		a.own = fields["userID"].GetStringValue() == r.ownUser && fields["sessionID"].GetStringValue() == ""
	}
	return a.own
}

// evidence is a lower bound of ZITADEL's clock. An event with a date exists, so the clock has
// reached that date, and has continued since. Only the monotonic clock of this machine is used,
// which changes of the wall clock do not affect.
type evidence struct {
	date time.Time // zero: none
	seen time.Time // when that date was seen, by this machine's clock
}

func (e *evidence) see(date time.Time) {
	if date.After(e.clock()) {
		e.date, e.seen = date, time.Now()
	}
}

// clock is the earliest time that ZITADEL's clock can show now; zero without evidence.
func (e *evidence) clock() time.Time { return e.clockAt(time.Now()) }

// clockAt is the same for an earlier moment t of this machine. The watermark uses the time at which
// a window was requested, not the time at which the sink accepted its batch.
func (e *evidence) clockAt(t time.Time) time.Time {
	if e.date.IsZero() {
		return time.Time{}
	}
	return e.date.Add(t.Sub(e.seen)).Truncate(tick)
}
