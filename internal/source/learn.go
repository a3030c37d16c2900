package source

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

const (
	// learnPatience is how long reading waits for learn. Afterwards the two go on side by
	// side: the order in which names are learned does not matter.
	learnPatience = 30 * time.Second
	learnProgress = 10 * time.Second // between two lines of the log, and two marks
	learnFirst    = time.Minute
	learnMost     = 5 * time.Minute
)

// learner reads the events of the past that teach names, without emitting them, and the part
// of the past that was young then a second time: ZITADEL may show events late.
type learner struct {
	s        *Source
	todo     []string // event types
	mark     mark
	notified time.Time
}

// newLearner finds out what there is to learn. It is called before the first event is
// read: fresh says that there was no state.
func (s *Source) newLearner(fresh bool) *learner {
	l := &learner{s: s}
	var all []string
	for _, list := range enrich.Types() {
		all = append(all, list...)
	}
	switch {
	case !s.Settings.Enrich.Learn:
		return l
	case fresh && s.Settings.Start.Beginning && !s.Settings.FiltersEvents():
		l.mark.Done = all // reading itself passes all of them
		if err := l.save(); err != nil {
			s.opts.Log.Warn("the next start learns names of the past again: " + err.Error())
		}
		return l
	case s.names.Stats().Entries > 0:
		// Without a state, reading begins later than it did, and what lies between is only
		// learned where the last part still has to be read again.
		if m := readMark(s.markPath()); !fresh || m.pending() {
			l.mark = m
		}
	}
	l.todo = slices.DeleteFunc(all, func(t string) bool { return slices.Contains(l.mark.Done, t) })
	return l
}

// startLearning makes the encoders remember, and starts to learn the past beside reading.
func (s *Source) startLearning(ctx context.Context, running *sync.WaitGroup) {
	if s.names == nil {
		s.endWait()
		return
	}
	s.opts.Format.Remember(s.names)
	l := s.newLearner(s.last.Version == 0)
	running.Go(func() { l.run(ctx) })
}

// run learns until everything is learned or ctx ends. Errors are logged, and it tries again.
func (l *learner) run(ctx context.Context) {
	defer l.s.endWait()
	backoff := retry.New(learnFirst, learnMost)
	if retry.Sleep(ctx, l.s.StartAfter) != nil {
		return
	}
	for len(l.todo) > 0 || l.mark.pending() {
		err := fault.Contain(func() error { return l.learn(ctx) })
		if err == nil || ctx.Err() != nil {
			return
		}
		l.s.endWait()
		wait := backoff.Next()
		l.s.opts.Log.Warn("learning names of the past stopped: "+err.Error(), "again_in", wait.Round(time.Second))
		if retry.Sleep(ctx, wait) != nil {
			return
		}
	}
}

func (l *learner) learn(ctx context.Context) error {
	known, err := l.s.client.EventTypes(ctx)
	if err != nil {
		return err
	}
	// A type that this ZITADEL does not know would make the request one for all events.
	unknown := func(t string) bool { return !slices.Contains(known, t) }
	l.todo = slices.DeleteFunc(l.todo, unknown)
	if err := l.past(ctx); err != nil {
		return err
	}
	l.s.endWait()
	return l.again(ctx, slices.DeleteFunc(slices.Clone(l.mark.Done), unknown))
}

// past reads the types to do, in lists that fit one request each.
func (l *learner) past(ctx context.Context) error {
	l.s.names.ToLearn.Store(uint64(len(l.todo)))
	if len(l.todo) == 0 {
		return nil
	}
	began := time.Now()
	l.notified = began
	l.s.opts.Log.Info("names of the past are learned", "event_types", len(l.todo))
	for len(l.todo) > 0 {
		list := l.todo[:min(len(l.todo), enrich.MaxFilter)]
		if err := l.list(ctx, list); err != nil {
			return err
		}
		l.mark.Done = append(l.mark.Done, list...)
		l.mark.List, l.mark.UpTo = nil, time.Time{}
		l.todo = l.todo[len(list):]
		l.s.names.ToLearn.Store(uint64(len(l.todo)))
		if err := l.save(); err != nil {
			return err
		}
	}
	l.s.opts.Log.Info("names of the past are known", "events", l.s.names.Learned.Load(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// list reads all events of some types, once, up to now. It goes on where an earlier call of
// the same list stopped.
func (l *learner) list(ctx context.Context, types []string) (err error) {
	from := config.Start{Beginning: true}
	if slices.Equal(l.mark.List, types) && !l.mark.UpTo.IsZero() {
		from = config.Start{At: l.mark.UpTo}
	} else {
		l.mark.List, l.mark.UpTo = slices.Clone(types), time.Time{}
	}
	now := time.Now
	if l.s.opts.Now != nil {
		now = l.s.opts.Now
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.save())
		}
	}()
	return l.read(ctx, types, from, now(), 0, func(b events.Batch) error {
		// The first batch has ZITADEL's clock as it was before the first page.
		l.mark.again(b.State.Updated.Add(-l.s.Settings.Overlap-events.ClockSlack), b.State.Updated)
		if b.State.Watermark.After(l.mark.UpTo) {
			l.mark.UpTo = b.State.Watermark
		}
		if time.Since(l.notified) < l.s.learnProgress {
			return l.s.names.Sync()
		}
		l.notified = time.Now()
		l.s.opts.Log.Info("names of the past are learned", "event_types_left", len(l.todo), "events", l.s.names.Learned.Load(), "up_to", b.Newest)
		return l.save()
	})
}

// again reads events of these types a second time if they were younger than overlap when they
// were read: others of that time may have become visible afterwards. It reads up to where
// reading began, until no event can become visible there any more. What is younger is the
// reader's own.
func (l *learner) again(ctx context.Context, types []string) error {
	if !l.mark.pending() {
		return nil
	}
	select {
	case <-l.s.begun:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mark.again(l.mark.AgainFrom, l.s.begunAt.Add(time.Microsecond)) // the end of a range is exclusive
	for list := range slices.Chunk(types, enrich.MaxFilter) {
		err := l.read(ctx, list, config.Start{At: l.mark.AgainFrom}, l.mark.AgainTo, l.s.Settings.Overlap, func(events.Batch) error { return nil })
		if err != nil {
			return err
		}
	}
	l.mark.AgainFrom, l.mark.AgainTo = time.Time{}, time.Time{}
	return l.save()
}

// read learns from the events of some types, and calls after for each batch. It ends once
// ZITADEL's clock has passed end by overlap; without overlap, that is after one pass.
func (l *learner) read(ctx context.Context, types []string, start config.Start, end time.Time, overlap time.Duration, after func(events.Batch) error) error {
	x := l.s.Settings
	x.EventTypes, x.ExcludeEventTypes, x.AggregateTypes, x.AggregateIDs, x.ResourceOwners, x.EditorUserIDs = types, nil, nil, nil, nil, nil
	x.ExcludeOwn = false
	x.Start, x.End, x.Overlap = start, end, overlap
	return l.s.readPast(ctx, x, func(e *record.Event) {
		l.s.names.Learn(e)
		l.s.names.Learned.Add(1)
	}, after)
}

// awaitLearning waits until learn has read everything, has failed, or takes too long.
func (s *Source) awaitLearning(ctx context.Context) {
	patience := time.NewTimer(learnPatience)
	defer patience.Stop()
	select {
	case <-s.learned:
	case <-ctx.Done():
	case <-patience.C:
		s.opts.Log.Info("names of the past are still being learned; reading starts, and some records come without names")
		s.endWait()
	}
}

// endWait lets reading start.
func (s *Source) endWait() { s.learnedOnce.Do(func() { close(s.learned) }) }
