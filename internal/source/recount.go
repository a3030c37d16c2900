package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// recountPatience is how long reading waits for the counts.
	recountPatience = 30 * time.Second
	// recountMost is how far back events are read for the counts: twice the longest timespan of
	// the built-in rules, and how late events may come.
	recountMost = 48*time.Hour + detect.Lateness
	// Parts begin at full hours. Of an attack that is older than what is read, nobody knows when
	// its alerts were. If the source changes hands several times in an hour, each holder finds the
	// same ones; otherwise each could take another one for given, and none would come.
	recountGrid = time.Hour
	// paceAfter is how long events come before the pace is judged. The first requests find out how
	// dense the log is.
	paceAfter = 3 * time.Second
	// paceMargin is for a log that is denser than the part by which the pace was judged.
	paceMargin = 0.8
)

// errBehind ends the reading of a part that would not be through in time.
var errBehind = errors.New("reading the past takes too long")

// recount reads the recent past for what correlations have counted: another process read it, or
// this one, and the counts were not kept. Of the events that the state acknowledges, the sink has
// the alerts, so that they only count. Reading itself emits the others, with their alerts.
type recount struct {
	s            *Source
	acknowledged func(*record.Event) bool
	show         func(record.Record) // to the rules
	n            int                 // events that counted
	err          error               // why something was left out
	since        time.Time           // after this, nothing was
}

// recount is called by the reader once ZITADEL has answered. Its only error is that of ctx.
func (s *Source) recount(ctx context.Context, now time.Time) error {
	if !s.isUncounted() {
		return nil
	}
	began := time.Now()
	c := &recount{s: s, show: s.opts.Format.Showing(s.detector.count)}
	waiting, stop := context.WithTimeoutCause(ctx, s.recountPatience, errBehind)
	defer stop()
	if err := fault.Contain(func() error { return c.read(waiting, now) }); err != nil {
		c.err, c.since = err, now
	}
	if ctx.Err() != nil {
		return ctx.Err() // the next holder, or start, reads it all
	}
	s.detector.setCounted()
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case c.err != nil:
		s.opts.Log.Warn("counts of correlations are too low, because not all events before this start could be read again: "+c.err.Error(),
			"complete_since", c.since.UTC(), "events", c.n, "took", took)
	case c.n > 0:
		s.opts.Log.Info("counts of correlations are known again", "events", c.n, "took", took)
	}
	return nil
}

// read reads the parts of the past one after the other.
func (c *recount) read(ctx context.Context, now time.Time) (err error) {
	state := c.s.last
	if c.acknowledged, err = events.Acknowledged(state); err != nil {
		return err
	}
	types, err := c.types(ctx)
	if err != nil {
		return err
	}
	ends, _ := ctx.Deadline()
	parts := c.s.opts.Detect.Rules.Past(types, enrich.MaxFilter, recountMost)
	if longest := c.s.opts.Detect.Rules.Longest(); len(parts) > 0 && longest > recountMost {
		c.err = fmt.Errorf("a rule counts over %s, and the last 48h are read", detect.FormatTimespan(longest))
		c.since = state.Watermark.Add(-recountMost)
	}
	begin := func(ago time.Duration) time.Time { return state.Watermark.Add(-ago).Truncate(recountGrid) }
	var spans []span
	for _, p := range parts {
		spans = append(spans, span{p.Types, begin(p.From), begin(p.To)})
	}
	if n := len(spans); n > 0 {
		last := &spans[n-1]
		last.to = events.AcknowledgedUpTo(state, c.s.Settings.Overlap)
		if from, to := pushedAfter(state.Pushed, last.to); !to.IsZero() {
			spans = append(spans, span{last.types, from, to})
		}
	}
	for i, p := range spans {
		patience := time.Until(ends)
		if i+1 < len(spans) {
			patience /= 2 // most rules need only what is younger
		}
		if p.to.After(now) {
			p.to = now
		}
		if err := c.part(ctx, p, patience); err != nil {
			c.err, c.since = err, p.to
		}
	}
	return nil
}

// span is a part of the log, and the event types of which rules need the events in it.
type span struct {
	types    []string // nil: all
	from, to time.Time
}

// pushedAfter returns from when to when there are pushed events after a date. There are some behind
// a backlog.
func pushedAfter(pushed []cursor.Pushed, date time.Time) (from, to time.Time) {
	for _, p := range pushed {
		if p.Created.Before(date) {
			continue
		}
		if from.IsZero() {
			from = p.Created // they are sorted
		}
		to = p.Created.Add(time.Microsecond) // the end of a range is exclusive
	}
	return from, to
}

// types asks for the event types, until ctx ends.
func (c *recount) types(ctx context.Context) ([]string, error) {
	again := retry.New(time.Second, 5*time.Second)
	for {
		types, err := c.s.client.EventTypes(ctx)
		if e, ok := errors.AsType[*zitadel.Error](err); err == nil || ok && e.Class == zitadel.Stop || again.Wait(ctx) != nil {
			return types, err
		}
	}
}

// part reads a part of the past. If that would take too long, it leaves out the older end, because
// rules with a short timespan do not need it.
func (c *recount) part(ctx context.Context, of span, patience time.Duration) error {
	ctx, stop := context.WithTimeoutCause(ctx, patience, errBehind)
	defer stop()
	ends, _ := ctx.Deadline()
	for {
		var next time.Time
		var p pace
		err := c.s.readPast(ctx, c.settings(of), c.event, func(b events.Batch) error {
			if next = p.next(b.Newest, of.to, ends); !next.IsZero() {
				return errBehind
			}
			return nil
		})
		switch {
		case err == nil:
			return nil
		case next.IsZero():
			return cmp.Or(context.Cause(ctx), err)
		}
		c.err, c.since, of.from = errBehind, next, next
	}
}

// pace tells how fast the log is read.
type pace struct {
	began         time.Time // when the first events had come
	first, newest time.Time // dates of events
}

// next returns the zero time if the log can be read up to a date before ends. Otherwise it returns
// a date from which on it can. newest is that of the events at hand.
func (p *pace) next(newest, to, ends time.Time) time.Time {
	if !newest.After(p.newest) {
		return time.Time{}
	}
	now := time.Now()
	if p.newest = newest; p.began.IsZero() {
		p.began, p.first = now, newest
	}
	took := now.Sub(p.began)
	if took < paceAfter {
		return time.Time{}
	}
	inTime := time.Duration(float64(newest.Sub(p.first)) / float64(took) * float64(ends.Sub(now)))
	if to.Sub(newest) <= inTime {
		return time.Time{}
	}
	return to.Add(-time.Duration(paceMargin * float64(inTime)))
}

// settings are those of the source, for the events of a part.
func (c *recount) settings(of span) config.Settings {
	x := c.s.Settings
	if of.types != nil && len(x.EventTypes) == 0 {
		x.EventTypes = of.types
	}
	x.Start, x.End, x.Overlap = config.Start{At: of.from}, of.to, 0
	x.PollInterval = min(x.PollInterval, time.Second) // it waits so long if a clock was corrected
	return x
}

// event counts an event. Reading emits the others.
func (c *recount) event(e *record.Event) {
	if c.acknowledged(e) {
		c.show(e)
		c.n++
	}
}
