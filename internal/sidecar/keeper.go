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

// keeper is one source of a [Set]: its settings, and the goroutine that opens, runs and
// closes its feed.
type keeper struct {
	settings  config.PullSettings
	histories *histories
	closed    outage.Log    // why the feed cannot be opened
	unrelayed outage.Log    // why webhooks cannot be relayed, while another process may hold the source
	before    *keeper       // the same source with other settings, which has to end first
	done      chan struct{} // closed at the end of keep
	together  int           // how many sources began with it

	// Guarded by Set.mu:
	stop  func(cause error) // nil before it runs; see errReplaced
	feed  *Feed             // the last one that was opened; while another process may hold the source, its relay or nil
	began time.Time         // when it began to be opened
	waits bool              // for this process to hold it
	err   error             // why it ended
}

func newKeeper(settings config.PullSettings) *keeper {
	return &keeper{settings: settings, histories: new(histories), began: time.Now(), done: make(chan struct{})}
}

// keep runs the source until ctx ends, or until it ends by itself.
func (k *keeper) keep(ctx context.Context, s *Set) {
	defer close(k.done)
	if k.before != nil {
		<-k.before.done
		k.before = nil
	}
	if ctx.Err() != nil { // the one before has used up the time that the end has
		return
	}
	err := k.run(ctx, s)
	final := sink.IsFinal(err)
	if err != nil && !final && s.ctx.Err() == nil { // Run goes on, and returns it much later or never
		s.log.Error("the source has ended: "+err.Error(), "instance", k.settings.Instance)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.err = err
	if final {
		s.broken = cmp.Or(s.broken, k)
		s.end()
	}
}

// run opens the feed, runs it and closes it.
func (k *keeper) run(ctx context.Context, s *Set) error {
	if s.member != nil {
		return k.share(ctx, s)
	}
	feed := k.opened(ctx, s)
	if feed == nil {
		return nil
	}
	return cmp.Or(feed.Run(ctx), feed.Close())
}

// opened returns the feed that [Start] has opened, or opens one. It tries until it succeeds;
// nil: ctx has ended.
func (k *keeper) opened(ctx context.Context, s *Set) *Feed {
	s.mu.Lock()
	feed := k.feed
	s.mu.Unlock()
	for wait := retry.New(firstReopen, mostReopen); feed == nil; {
		var err error
		if feed, err = k.tryOpen(ctx, s, Hold{}); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		k.failed(s, err)
		if wait.Wait(ctx) != nil {
			return nil
		}
	}
	k.use(feed, s)
	return feed
}

// failed logs why the source cannot be opened.
func (k *keeper) failed(s *Set, err error) {
	if k.closed.Failed(err) {
		s.log.Error(fmt.Sprintf("the source cannot be opened, trying again: %v", err), k.about(err)...)
	}
}

// about says in the log which source err is about, and where a panic was.
func (k *keeper) about(err error) []any {
	more := []any{"instance", k.settings.Instance}
	if panicked, ok := errors.AsType[*fault.Error](err); ok {
		more = append(more, "stack", panicked.Stack)
	}
	return more
}

// use makes feed the one that runs.
func (k *keeper) use(feed *Feed, s *Set) {
	if lasted, ended := k.closed.Worked(); ended {
		s.log.Info("the source is open", "instance", k.settings.Instance, "after", lasted.Round(time.Second))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	feed.Spread(len(s.keepers), k.together)
	k.feed = feed
}

// tryOpen waits for its turn and opens the feed. A panic is an error of this source alone.
func (k *keeper) tryOpen(ctx context.Context, s *Set, hold Hold) (feed *Feed, err error) {
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
		feed, err = s.open(ctx, k.settings, hold)
		return err
	})
	return feed, err
}

// view is a keeper at one moment.
type view struct {
	settings  config.PullSettings
	feed      *Feed // nil: it was never open
	histories *histories
	began     time.Time
	trouble   string // why it is not open
	unrelayed string // why webhooks are not relayed
	since     time.Time
	shared    bool
	ended     error // why it ended; nil: it runs, or has read all that it should
}

// view is called with Set.mu held. shared says that the source is open only while this process holds it.
func (k *keeper) view(shared bool) view {
	v := view{settings: k.settings, feed: k.feed, histories: k.histories, began: k.began, shared: shared, ended: k.err}
	if !k.waits {
		v.trouble, v.since = k.closed.Current()
	}
	if v.trouble == "" {
		v.unrelayed, v.since = k.unrelayed.Current()
	} else if v.feed != nil && v.feed.Relays() {
		v.feed = nil // that webhooks are relayed does not make it well
	}
	return v
}

// elsewhere tells whether another process may read the source, and nothing is wrong with it here.
func (v view) elsewhere() bool {
	return v.shared && v.feed == nil && v.trouble == "" && v.unrelayed == "" && v.ended == nil
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
	began := v.began
	if v.shared {
		began = v.since
	}
	h := health{Instance: v.settings.Instance, Well: v.elsewhere() || now.Sub(began) <= unhealthyAfter}
	switch {
	case v.ended != nil:
		h.Well, h.Problem = false, "the source has ended: "+v.ended.Error()
	case v.trouble != "":
		h.Problem = "the source cannot be opened: " + v.trouble
	case v.unrelayed != "":
		h.Problem = "webhooks cannot be relayed: " + v.unrelayed
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
	what := "The source cannot be opened. " + v.trouble
	switch {
	case v.unrelayed != "":
		what = "Webhooks cannot be relayed. " + v.unrelayed
	case v.trouble == "":
		return nil
	}
	return []page.Problem{{Level: page.Failing, Source: v.settings.Instance, Since: v.since, What: what,
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
	if v.elsewhere() {
		row.Doing = notHeld
	}
	if len(problems) > 0 {
		row.Level, row.Doing = page.Failing, "failing"
	}
	return row
}
