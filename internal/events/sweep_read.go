package events

import (
	"context"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
)

// sweepJob is one read of a span. The first one compares. If ZITADEL shows other events than are
// known, a second one emits.
type sweepJob struct {
	span  *span
	known sums      // span.known, if only this read has changed it
	done  time.Time // read up to it
	read  sums      // of the events that this read has had so far
	fewer int       // reads that had fewer events than are known

	emit    func(date uint64) bool // whether the events of a date come out; nil: this read compares
	shown   sums                   // what the read that compared had
	late    uint64                 // so many events are late; what else comes out has come out before
	unknown uint64                 // so many events of emit are not in span.known yet
	missing uint64                 // so many events fewer were shown than are known
	found   uint64                 // late events that came out
	silent  bool                   // nothing came out
	all     bool                   // emit is true for each date
	tries   int                    // emitting reads that had other events than the comparing one
}

func newSweepJob(p *span) *sweepJob { return &sweepJob{span: p, known: p.known, done: p.since} }

// takeSwept takes the answer of a read, emits the events that are new, and decides what to do
// with the span if it was read to its end.
func (r *Reader) takeSwept(ctx context.Context, a sweepAnswer, emit Emit) error {
	s := r.sweep
	s.underWay = false
	if a.err != nil {
		return a.err
	}
	s.resume = time.Now().Add(max(a.took, sweepRest))
	job := s.job
	if job == nil || len(s.spans.list) == 0 || s.spans.list[0] != job.span {
		return nil // the span was dropped meanwhile
	}
	if job.known != job.span.known {
		// An event of it was the answer to a hole. This read may have seen it as a new one.
		s.job = nil
		return nil
	}
	job.done = a.stretch.done
	for _, e := range a.stretch.events {
		job.read.add(dateHash(created(e)))
	}
	if job.emit != nil {
		if g := a.stretch.group; g != nil && len(g.events) > 0 && job.emit(dateHash(g.date)) {
			g.reportUnproved() // the group is late, so this was not reported before
		}
		if err := r.emitSwept(ctx, a.stretch.events, emit); err != nil {
			return err
		}
	}
	if job.done.Before(job.span.upTo) {
		return nil
	}
	r.closeSpan()
	r.stats.setSwept(s.spans.upTo())
	return nil
}

// emitSwept emits the events of a stretch that have to come out.
func (r *Reader) emitSwept(ctx context.Context, events []*eventpb.Event, emit Emit) error {
	r.broken = true // until the records are emitted
	read := r.now().UTC().Truncate(tick)
	job := r.sweep.job
	var b Batch
	for _, e := range events {
		date := dateHash(created(e))
		if !job.emit(date) {
			continue
		}
		if job.unknown > 0 {
			job.unknown--
			job.span.known.add(date)
			job.known = job.span.known
		}
		if r.admitSwept(e) {
			rec := FromEvent(e, r.settings.Instance, read)
			b.add(&rec)
		}
	}
	if !job.done.Before(job.span.upTo) && (job.all || job.read == job.shown) {
		// In the same state as the last of them, so that a crash does not repeat all. If this read
		// had other events than the one before, and not all came out, some may be missing.
		job.span.known, job.known = job.read, job.read
	}
	if n := uint64(len(b.Records)); n > 0 {
		found := min(n, job.late)
		job.late, job.found, job.silent = job.late-found, job.found+found, false
		r.total += n
		r.stats.Events.Add(n)
		r.stats.SweepFound.Add(found)
		r.stats.SweepRepeated.Add(n - found)
		b.State = r.state()
		if err := emit(ctx, b); err != nil {
			return err
		}
	}
	r.broken = false
	return nil
}

// closeSpan decides about a span that was read to its end.
func (r *Reader) closeSpan() {
	s, job := r.sweep, r.sweep.job
	known := &job.span.known
	if job.found > 0 {
		r.log.Info("the sweep has found events that became visible late", "events", job.found, "after", job.span.since, "up_to", job.span.upTo)
	}
	if job.silent && job.missing > 0 {
		r.reportMissing(job)
	}
	if job.emit != nil && job.read != job.shown {
		r.readsDiffer(job)
		return
	}
	if job.read == *known {
		s.dropSpan()
		return
	}
	next := newSweepJob(job.span)
	next.tries = job.tries
	s.job = next
	if job.read.n < known.n {
		if next.fewer = job.fewer + 1; next.fewer < missingReads {
			s.resume = time.Now().Add(s.rest())
			return
		}
		next.missing = known.n - job.read.n
	}
	next.shown, next.silent = job.read, true
	next.late = max(job.read.n, known.n) - known.n
	next.unknown = next.late
	if dates, ok := changed(job.read, *known); ok {
		next.emit = dates.more
		if next.missing > 0 {
			next.late = job.read.n // what comes out is late, and takes the place of missing ones
		}
		return
	}
	if next.missing > 0 {
		// Retention, or somebody, removes events. Which of the others are new cannot be known.
		r.reportMissing(next)
		s.dropSpan()
		return
	}
	next.all, next.emit = true, func(uint64) bool { return true }
	if known.n > 0 {
		next.unknown = 0 // the first ones need not be the late ones
		if spans, due := s.repeated.due(1, time.Hour); due {
			r.log.Warn("events became visible late, and cannot be told from those that came out before: all of this time come out again, with the same event.id",
				"after", job.span.since, "up_to", job.span.upTo, "events", job.read.n, "late", next.late, "times_since_the_last_line", spans)
		}
	}
}

// readsDiffer decides what to do if the read that had to emit had other events than the read that
// compared: a proxy answered an empty page, two replicas of the database differ, or events are
// still becoming visible.
func (r *Reader) readsDiffer(job *sweepJob) {
	s := r.sweep
	if job.tries++; job.tries >= unsteadyReads {
		if spans, due := s.unsteady.due(1, 24*time.Hour); due {
			r.log.Warn("zitadel shows other events of one time at each read: the sweep gives this time up, late events in it may be missing",
				"after", job.span.since, "up_to", job.span.upTo, "times_since_the_last_line", spans,
				"fix", "look whether ZITADEL reads from replicas that differ, or a proxy changes its answers")
		}
		s.dropSpan()
		return
	}
	next := newSweepJob(job.span)
	next.tries = job.tries
	if job.silent {
		// What was late was not there at this read. It is asked for once more, because a
		// comparison might not see it either.
		again := *job
		again.done, again.read = job.span.since, sums{}
		next = &again
	}
	s.job, s.resume = next, time.Now().Add(s.rest())
}

// dropSpan ends the work on the first span.
func (s *sweep) dropSpan() {
	s.spans.drop(1)
	s.job = nil
}

// reportMissing counts events that are known and are not shown any more, and logs that once a day.
func (r *Reader) reportMissing(job *sweepJob) {
	r.stats.SweepMissing.Add(job.missing)
	if missing, due := r.sweep.missing.due(job.missing, 24*time.Hour); due {
		r.log.Warn("zitadel no longer shows all the events that it has shown before",
			"after", job.span.since, "up_to", job.span.upTo, "missing", missing,
			"fix", "audit-log retention hides events that are younger than the option sweep; otherwise look who removed events from ZITADEL's database")
	}
}

// finishSweep reads what is due without pauses, when there is nothing else to do, and stores how
// far it came. Reads that ZITADEL refuses or does not answer are left to the next run: otherwise a
// run of cron would never end, although the live end is read.
func (r *Reader) finishSweep(ctx context.Context, emit Emit) error {
	s := r.sweep
	r.phase = 0 // nothing comes after this
	patience := time.NewTimer(lastRead)
	defer patience.Stop()
	for {
		s.resume = time.Time{}
		r.startSweep(ctx)
		if !s.underWay {
			return r.storeSweep(ctx, emit)
		}
		select {
		case a := <-s.answers:
			if err := r.takeSwept(ctx, a, emit); err != nil {
				return err
			}
			patience.Reset(lastRead)
		case <-patience.C:
			r.log.Warn("zitadel does not answer the sweep: reading stops without it, the next run goes on there",
				"from", s.spans.upTo(), "waited", lastRead)
			return r.storeSweep(ctx, emit)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// storeSweep stores how far the sweep came, unless that is stored already.
func (r *Reader) storeSweep(ctx context.Context, emit Emit) error {
	if r.sweep.saved.Equal(r.sweep.spans.upTo()) {
		return nil
	}
	return emit(ctx, Batch{State: r.state()})
}
