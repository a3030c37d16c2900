package events

import (
	"context"
	"time"
)

// pass reads everything after the watermark that is old enough to be settled.
// Pages are asked for while the ones before are being taken over.
func (r *Reader) pass(ctx context.Context, w *windows, emit Emit) error {
	until := r.settledUpTo()
	if !until.After(r.watermark) {
		// Only an answer can show that the clock which is behind, ZITADEL's or this
		// machine's, was corrected. So ask, although there is nothing to read.
		if _, err := r.ask(ctx, emptyPage()); err != nil && !unreadablePage(err) {
			return err
		}
		until = r.settledUpTo()
	}
	r.checkClock(until)
	if err := r.lookAhead(ctx, until); err != nil {
		return err
	}
	readCtx, stop := context.WithCancel(ctx)
	defer stop()
	r.passed = nil
	stretches := make(chan stretch, 1)
	read := make(chan error, 1)
	go func(since time.Time) {
		defer close(stretches)
		read <- w.walk(readCtx, since, until, stretches)
	}(r.watermark)
	for open := true; open; {
		var s stretch
		var err error
		select {
		case s, open = <-stretches:
			if open {
				err = r.accept(ctx, s, emit)
			}
		case p, more := <-r.pushes:
			err = r.takePushesOrNone(ctx, p, more, emit)
		}
		if err != nil {
			stop()
			for range stretches {
			}
			return err
		}
	}
	if err := <-read; err != nil {
		return err
	}
	r.readUpTo = maxTime(r.readUpTo, until.Add(-tick))
	if err := r.fillHoles(ctx, emit); err != nil {
		return err
	}
	if r.stats.ReadUpTo().IsZero() {
		r.reportHidden()
	}
	r.stats.setReadUpTo(r.readUpTo)
	return nil
}

// settledUpTo is the date, exclusive, up to which a pass reads.
func (r *Reader) settledUpTo() time.Time {
	until := r.now().Add(-r.settings.Settle).UTC().Truncate(tick)
	if end := r.settings.End; !end.IsZero() && end.Before(until) {
		until = end.UTC().Truncate(tick)
	}
	return until
}

// checkClock logs once that a clock is behind: the reader waits then.
func (r *Reader) checkClock(until time.Time) {
	behind := !r.watermark.IsZero() && r.watermark.Sub(until) > time.Minute
	if behind && !r.clockWarned {
		r.log.Warn("the clock is behind the events that were read: nothing is read until it has caught up",
			"clock", until, "watermark", r.watermark, "fix", "set this machine's clock")
	}
	r.clockWarned = behind
}

// farBehind is how much a pass reads without looking ahead.
const farBehind = 10 * time.Minute

// lookAhead looks for a recent event if there is much to read. The event proves
// how far ZITADEL's clock is, so that old windows need not be read again and their
// keys need not be kept. In a quiet log the watermark stands still; what was read by an earlier
// pass had no event, and one that comes is read by this pass.
func (r *Reader) lookAhead(ctx context.Context, until time.Time) error {
	if until.Sub(maxTime(r.watermark, r.readUpTo)) < farBehind {
		return nil
	}
	for _, back := range []time.Duration{farBehind, 24 * time.Hour} {
		req := r.filter.request()
		setRange(req, maxTime(until.Add(-back), effective(r.watermark)), until)
		req.Limit = 1
		page, err := r.ask(ctx, req)
		if err != nil && !unreadablePage(err) {
			return err
		}
		if len(page) == 1 {
			r.evidence.see(created(page[0]))
			return nil
		}
	}
	return nil
}

// reading says that the log was read up to done, inclusive, by calls after asked.
type reading struct{ done, asked time.Time }

// passed are the stretches of a pass, in order, that the watermark has not reached yet. It waits for
// each: a later stretch, which was asked for later, says nothing about events of an earlier one that
// became visible between the two.
type passed []reading

// upTo takes off what is complete, and returns up to where the log is. limit gives, for the time of
// a call, the date up to which no event can become visible after it.
func (p *passed) upTo(limit func(asked time.Time) time.Time) (date time.Time) {
	for len(*p) > 0 {
		first := (*p)[0]
		if most := limit(first.asked); most.Before(first.done) {
			return maxTime(date, most)
		}
		date = first.done
		*p = (*p)[1:]
	}
	return date
}
