package events

import (
	"context"
	"maps"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
)

const (
	// sweepRest is the least pause between two reads of the sweep. It leaves 30 of the 50
	// requests per second that ZITADEL Cloud allows. After a slow read, the pause is as long
	// as the read, so that the sweep takes no more than half of the time.
	sweepRest = 50 * time.Millisecond
	// A span with fewer events than are known is read again, because a proxy on the way may
	// have answered an empty page. After so many reads, the events count as removed.
	missingReads = 3
	// maxFilled bounds the events that are remembered because they filled holes: some 150 bytes
	// each.
	maxFilled = 4096
	// missingRest is the pause before a span is read again for this reason. It is shorter if
	// spans are.
	missingRest = 10 * time.Second
	// lastRead is how long `end` and --once wait for one read of the sweep. A page takes seconds
	// even from a slow database; a minute leaves time for some of askFor's retries.
	lastRead = time.Minute
	// After so many emitting reads of a span that had other events than the comparing ones, the
	// span is given up, so that it does not stop the sweep.
	unsteadyReads = 6
)

// sweep reads the log a second time, when it is as old as the option `sweep`, and finds the
// events that became visible after the overlap. It compares the sums of what was read with the
// sums of what ZITADEL shows now. Only where they differ, it reads the span once more, and
// emits what is new. docs/adr/0019 has the reasons.
//
// It works between two passes, one read at a time. All of it but the reads runs on the
// goroutine of [Reader.Run].
type sweep struct {
	every time.Duration // 0: off
	spans spans
	asked string // see cursor.Sweep; known if there are spans

	base     evidence // a bound of ZITADEL's clock from the state; see sweepClockAt
	walker   windows
	job      *sweepJob
	answers  chan sweepAnswer // one at most
	underWay bool             // an answer will come
	resume   time.Time        // no read before, on the monotonic clock
	saved    time.Time        // upTo in the last state

	// filled are events that came as answers to holes, with their dates. The others of their
	// transaction may still be missing, and then the sweep takes the whole date for new. After
	// a restart, they come twice in this case.
	filled map[eventKey]time.Time

	behind                      bool // spans were dropped, and this was logged
	missing, unsteady, repeated told
	outages                     outage.Log // of the reads of the sweep
	clockTold                   bool       // that this machine's clock is ahead
}

// told limits how often a message is logged, and adds up what it is about.
type told struct {
	next time.Time
	n    uint64
}

// due adds n, and returns the sum since the last message if it is time for another one.
func (t *told) due(n uint64, every time.Duration) (uint64, bool) {
	t.n += n
	if now := time.Now(); now.Before(t.next) {
		return 0, false
	} else {
		t.next = now.Add(every)
	}
	n, t.n = t.n, 0
	return n, true
}

type sweepAnswer struct {
	stretch stretch
	took    time.Duration
	err     error
}

func newSweep(every time.Duration, state *cursor.State) *sweep {
	s := &sweep{every: every, spans: newSpans(every), answers: make(chan sweepAnswer, 1), filled: make(map[eventKey]time.Time)}
	if every == 0 {
		return s
	}
	s.base.see(state.Watermark)
	if state.Sweep != nil {
		s.spans.restore(state.Sweep)
		s.asked = state.Sweep.Asked
	} else if state.Version != 0 {
		// The overlap was read without being noted here. No event in it is newer than this.
		s.spans.skipTo(maxTime(state.Watermark, state.Updated))
	}
	return s
}

func (s *sweep) state() *cursor.Sweep {
	if s.every == 0 {
		return nil
	}
	s.saved = s.spans.upTo()
	return &cursor.Sweep{Asked: s.asked, Next: s.spans.next, Spans: s.spans.snapshot()}
}

// prepareSweep forgets the spans if ZITADEL was asked for other events then: their sums say
// nothing about what it answers now.
func (r *Reader) prepareSweep() {
	s := r.sweep
	if s.every == 0 {
		return
	}
	asked := r.filter.asked()
	if s.asked != asked && len(s.spans.list) > 0 {
		r.log.Warn("the filter has changed: the sweep begins again here, and does not look for late events of the time before",
			"was", s.asked, "is", asked, "before", s.spans.next)
		s.spans.drop(len(s.spans.list))
		s.job = nil
	}
	if s.asked != asked {
		s.spans.skipTo(maxTime(maxTime(s.spans.next, r.watermark), maxTime(r.readUpTo, r.stateAt)))
	}
	s.asked = asked
	s.walker = windows{r: r, width: firstWidth, limit: r.pageSize, again: true}
}

// sweepClockAt is a lower bound of ZITADEL's clock at a moment of this machine. After a restart in a
// quiet log there is no evidence; but the clock had reached the watermark.
func (r *Reader) sweepClockAt(t time.Time) time.Time {
	return maxTime(r.evidence.clockAt(t), r.sweep.base.clockAt(t))
}

// noteRead notes that a stretch was read, before its events are admitted. before is the date up to
// which events had been read.
func (r *Reader) noteRead(asked, before time.Time) {
	s := r.sweep
	clock := r.sweepClockAt(asked)
	if s.every == 0 || clock.IsZero() {
		return
	}
	if r.readUpTo.IsZero() {
		// In a log whose events are all old, nothing but this machine's clock tells how old. It
		// counts with an allowance of a day, and only in the first pass: what is new after that
		// became visible just now.
		clock = maxTime(clock, r.now().Add(-24*time.Hour))
	} else if r.newest.After(before) && s.spans.next.Sub(maxTime(clock, r.newest)) > s.spans.width {
		r.mendNext(before)
	}
	// What is that old now needs no second time.
	s.spans.skipTo(clock.Add(-s.every))
}

// mendNext lets spans begin behind the date up to which events were read, because a wrong clock let
// them begin in the future. The events that were read before have no later date.
func (r *Reader) mendNext(read time.Time) {
	s := r.sweep
	if !s.clockTold && r.now().Sub(r.newest) > 24*time.Hour {
		r.log.Warn("this machine's clock is more than a day ahead of ZITADEL's events: the sweep does not find late events of the time before this start",
			"clock", r.now(), "event", r.newest, "fix", "set this machine's clock")
		s.clockTold = true
	}
	s.spans.next = read
	if n := len(s.spans.list); n > 0 {
		s.spans.skipTo(s.spans.list[n-1].upTo)
	}
}

// rest is the pause before a span is read again.
func (s *sweep) rest() time.Duration { return min(missingRest, s.spans.width/4) }

// note notes an event that is read for the first time.
func (r *Reader) note(date, asked time.Time) {
	s := r.sweep
	if s.every == 0 {
		return
	}
	// An answer to a hole may have a date in the future after a clock was set back. No span
	// begins there.
	if date.After(s.spans.next) && !date.After(r.sweepClockAt(time.Now())) {
		s.spans.reach(date, asked)
	}
	s.spans.add(date)
}

// noteFilled notes an event that came as the answer to a hole.
func (s *sweep) noteFilled(e *eventpb.Event) {
	if s.every == 0 {
		return
	}
	if len(s.filled) >= maxFilled {
		maps.DeleteFunc(s.filled, func(_ eventKey, date time.Time) bool { return !date.After(s.spans.upTo()) })
	}
	if len(s.filled) < maxFilled {
		s.filled[keyOf(e)] = created(e)
	}
}

// noteWatermark notes how far the log was read, events or not, after a stretch.
func (r *Reader) noteWatermark(asked time.Time) {
	s := r.sweep
	if s.every == 0 || r.sweepClockAt(asked).IsZero() {
		return
	}
	s.spans.reach(r.watermark, asked)
	// Far behind the present, it turns out only later how old a span was when it was read.
	s.spans.prune(func(p *span) bool {
		return !p.asked.IsZero() && !p.upTo.After(r.sweepClockAt(p.asked).Add(-s.every))
	})
	if n := len(s.spans.list) - maxSpans; n > 0 {
		if !s.behind {
			r.log.Warn("the sweep cannot keep up with the log: late events before this date may be missing",
				"date", s.spans.list[n].since, "fix", "set a shorter sweep, or 0s to turn it off; or give ZITADEL's database more power")
		}
		s.behind = true
		s.spans.drop(n)
	} else if n < -maxSpans/2 {
		s.behind = false
	}
	r.stats.setSwept(s.spans.upTo())
}

// startSweep starts a read if one is due and none is under way. If it is not yet time for it,
// it returns a channel that says when it is.
func (r *Reader) startSweep(ctx context.Context) <-chan time.Time {
	s := r.sweep
	if s.underWay || !r.sweepDue() {
		return nil
	}
	if wait := time.Until(s.resume); wait > 0 {
		return time.After(wait)
	}
	first := s.spans.list[0]
	if s.job == nil || s.job.span != first {
		s.job = newSweepJob(first)
	}
	s.underWay = true
	go func(since, until time.Time) {
		began := time.Now()
		stretch, err := s.walker.readContained(ctx, since, until)
		s.answers <- sweepAnswer{stretch, time.Since(began), err}
	}(s.job.done, first.upTo.Add(tick))
	return nil
}

// readContained is read for a goroutine: a panic is returned as an error (law 10).
func (w *windows) readContained(ctx context.Context, since, until time.Time) (s stretch, err error) {
	defer fault.Catch(&err)
	return w.read(ctx, since, until)
}

// sweepDue reports whether the first span is old enough.
func (r *Reader) sweepDue() bool {
	s := r.sweep
	if s.every == 0 || len(s.spans.list) == 0 {
		return false
	}
	// Spans end at full minutes. With a phase, not all readers of a process ask just then.
	later := time.Duration(r.phase * float64(s.spans.width))
	return !s.spans.list[0].upTo.After(r.sweepClockAt(time.Now()).Add(-s.every - later))
}

// drain waits for the read that is under way. Its context has ended, or nobody wants it.
func (s *sweep) drain() {
	if s.underWay {
		<-s.answers
		s.underWay = false
	}
}
