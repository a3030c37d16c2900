package sidecar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
)

// Waits between two attempts to open a source. The state of a reader that is being
// replaced is free within seconds; a missing file may stay so for long.
const (
	firstReopen = 500 * time.Millisecond
	mostReopen  = 30 * time.Second
)

// member is one source of a [Set]: its settings, and the goroutine that opens, runs and
// closes its feed.
type member struct {
	settings  config.PullSettings
	histories *histories
	closed    outage.Log // why the feed cannot be opened
	began     time.Time
	before    *member       // the same source with other settings, which has to end first
	done      chan struct{} // closed at the end of keep
	together  int           // how many sources began with it

	// Guarded by Set.mu:
	stop func() // nil before it runs
	feed *Feed  // the last one that was opened
	err  error  // why it ended
}

func newMember(settings config.PullSettings) *member {
	return &member{settings: settings, histories: new(histories), began: time.Now(), done: make(chan struct{})}
}

// keep runs the source until ctx ends, or until it ends by itself.
func (m *member) keep(ctx context.Context, s *Set) {
	defer close(m.done)
	if m.before != nil {
		<-m.before.done
		m.before = nil
	}
	err := m.run(ctx, s)
	final := sink.IsFinal(err)
	if err != nil && !final && s.ctx.Err() == nil { // Run goes on, and returns it much later or never
		s.log.Error("the source has ended: "+err.Error(), "instance", m.settings.Instance)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.err = err
	if final {
		s.broken = cmp.Or(s.broken, m)
		s.end()
	}
}

// run opens the feed, runs it and closes it.
func (m *member) run(ctx context.Context, s *Set) error {
	feed := m.opened(ctx, s)
	if feed == nil {
		return nil
	}
	return cmp.Or(feed.Run(ctx), feed.Close())
}

// opened returns the feed that [Start] has opened, or opens one. It tries until it succeeds;
// nil: ctx has ended.
func (m *member) opened(ctx context.Context, s *Set) *Feed {
	s.mu.Lock()
	feed := m.feed
	s.mu.Unlock()
	log := s.log.With("instance", m.settings.Instance)
	for wait := retry.New(firstReopen, mostReopen); feed == nil; {
		var err error
		if feed, err = m.tryOpen(ctx, s); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if m.closed.Failed(err) {
			var more []any
			if panicked, ok := errors.AsType[*fault.Error](err); ok {
				more = []any{"stack", panicked.Stack}
			}
			log.Error(fmt.Sprintf("the source cannot be opened, trying again: %v", err), more...)
		}
		if wait.Wait(ctx) != nil {
			return nil
		}
	}
	if lasted, ended := m.closed.Worked(); ended {
		log.Info("the source is open", "after", lasted.Round(time.Second))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	feed.Spread(len(s.members), m.together)
	m.feed = feed
	return feed
}

// tryOpen waits for its turn and opens the feed. A panic is an error of this source alone.
func (m *member) tryOpen(ctx context.Context, s *Set) (feed *Feed, err error) {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if ctx.Err() != nil { // select takes either if both are ready
		return nil, ctx.Err()
	}
	err = fault.Contain(func() (err error) {
		feed, err = s.open(ctx, m.settings)
		return err
	})
	return feed, err
}

// view is a member at one moment.
type view struct {
	settings  config.PullSettings
	feed      *Feed // nil: it was never open
	histories *histories
	began     time.Time
	trouble   string // why it is not open
	since     time.Time
	ended     error // why it ended; nil: it runs, or has read all that it should
}

// view is called with Set.mu held.
func (m *member) view() view {
	v := view{settings: m.settings, feed: m.feed, histories: m.histories, began: m.began, ended: m.err}
	v.trouble, v.since = m.closed.Current()
	return v
}

// health of the source, also of one that is not open.
func (v view) health(now time.Time) health {
	if v.feed != nil {
		h := v.feed.health(now, v.began)
		if v.ended != nil {
			h.Well, h.Problem = false, "the source has ended: "+v.ended.Error()
		}
		return h
	}
	h := health{Instance: v.settings.Instance, Well: now.Sub(v.began) <= unhealthyAfter}
	if v.trouble != "" {
		h.Problem = "the source cannot be opened: " + v.trouble
	}
	return h
}

// problems are what is wrong with it now.
func (v view) problems(now time.Time) []page.Problem {
	if v.ended != nil {
		return []page.Problem{{Level: page.Failing, Source: v.settings.Instance, What: "The source has ended. " + v.ended.Error(),
			Fix: "Correct what the message names, and restart this process."}}
	}
	if v.feed != nil {
		return v.feed.problems(now, v.began, v.histories)
	}
	if v.trouble == "" {
		return nil
	}
	return []page.Problem{{Level: page.Failing, Source: v.settings.Instance, Since: v.since, What: "The source cannot be opened. " + v.trouble,
		Fix: "Correct what the message names. It is tried again by itself within half a minute."}}
}

// shown is the row of the source.
func (v view) shown(now time.Time, problems []page.Problem) page.Source {
	if v.feed != nil {
		return v.feed.shown(now, v.histories, problems)
	}
	row := page.Source{
		Instance: v.settings.Instance,
		From:     v.settings.URL.Scheme + "://" + v.settings.URL.Host,
		To:       cmp.Or(v.settings.Out.Forward.String(), "standard output"),
		Lag:      -1, History: &v.histories.taken, Doing: "starting",
	}
	if len(problems) > 0 {
		row.Level, row.Doing = page.Failing, "failing"
	}
	return row
}
