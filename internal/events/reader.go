package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
)

// Reader reads one instance's events. Make it with [NewReader].
type Reader struct {
	client   Client
	settings config.Settings
	log      *slog.Logger
	clock    func() time.Time
	pageSize int
	phase    float64                                        // see Options
	ready    func(ctx context.Context, now time.Time) error // nil: nothing; see Options
	pushes   <-chan Push
	pushed   map[pushKey]pushedEvent // emitted, and not met in the log yet

	filter filter
	mem    *memory
	holes  *holes
	sweep  *sweep
	stats  *Stats

	filterText string // see describe

	fresh     bool      // no state was there
	begun     bool      // Run was called before
	broken    bool      // a stretch was taken over and not emitted
	watermark time.Time // see cursor.State
	passed    passed    // what the watermark has not reached yet
	evidence  evidence  // of ZITADEL's clock
	newest    time.Time // creation date of an event that was emitted
	readUpTo  time.Time // where the last pass ended; new events before it are late
	stateAt   time.Time // when the state was written that this reader began with
	total     uint64    // events acknowledged before, plus those emitted

	chaseBeginnings bool   // sequences before an aggregate's first event are asked for
	misses          int    // beginnings in a row that had nothing before them
	ownUser         string // the token's user, where exclude_own is set
	namelessMu      sync.Mutex
	nameless        []culprit
	savedMark       time.Time // watermark of the last batch
	clockWarned     bool

	good    atomic.Pointer[adminpb.ListEventsRequest] // was answered with events
	outages outage.Log
}

// Options of a reader. Only Log is required.
type Options struct {
	Log *slog.Logger
	Now func() time.Time // this machine's clock; nil is time.Now
	// Ready, if not nil, is called by each Run once ZITADEL has answered, before anything is read.
	// now is ZITADEL's clock. Its error ends Run.
	Ready func(ctx context.Context, now time.Time) error
	// Pushes, if not nil, are emitted as they come. It is closed once nothing more comes.
	Pushes <-chan Push
	// Phase, from 0 to 1, is where in each poll interval the reader polls, and in each span of
	// the sweep it sweeps, so that many readers of one process do not all ask at once. 0: the
	// interval begins when the poll before ends.
	Phase float64
	// Stats, if not nil, are counted on: a reader that replaces another one goes
	// on with its metrics.
	Stats *Stats
}

// NewReader returns a reader that goes on from state, or begins where the
// settings say when state is the zero State.
func NewReader(client Client, settings config.Settings, state cursor.State, o Options) (*Reader, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stats == nil {
		o.Stats = new(Stats)
	}
	r := &Reader{
		client:     client,
		settings:   settings,
		log:        o.Log,
		clock:      o.Now,
		stats:      o.Stats,
		phase:      o.Phase,
		ready:      o.Ready,
		pushes:     o.Pushes,
		pushed:     restorePushed(state.Pushed),
		pageSize:   settings.PageSize,
		mem:        newMemory(),
		holes:      newHoles(state.Holes, state.Updated),
		sweep:      newSweep(settings.Sweep, &state),
		stateAt:    state.Updated,
		fresh:      state.Version == 0,
		watermark:  state.Watermark,
		total:      state.Events,
		filterText: Describe(&settings),
	}
	r.filter = newFilter(&settings, nil) // of pushes, until prepare knows the event types
	r.chaseBeginnings = r.fresh && settings.Start.Beginning
	r.mem.holes = r.holes.open
	// Keys of the state were newer than its watermark, and older than now.
	if err := r.mem.restore(state.Seen, maxTime(state.Updated, state.Watermark)); err != nil {
		return nil, fmt.Errorf("state of %s: %w", settings.Instance, err)
	}
	if !r.fresh && state.Filter != r.filterText {
		r.mem.forgetTops() // they are of the events that the old filter let through
		r.log.Warn("the filter has changed since the state was written: events read before are not read again",
			"was", state.Filter, "is", r.filterText, "watermark", state.Watermark, "fix", "to read them all, give a new state_path")
	}
	return r, nil
}

// Stats returns the reader's counters.
func (r *Reader) Stats() *Stats { return r.stats }

// Run reads until ctx ends. With the setting `end` it returns nil once no event
// before that date can come any more. It retries after errors that pass by
// themselves, and returns the others: a *zitadel.Error of class Stop, which says
// what to fix, or the error of emit. After the first kind Run may be called again
// and goes on where it was. After an error of emit, or a panic, events may have
// been read and not emitted: make a new Reader from the last state then.
func (r *Reader) Run(ctx context.Context, emit Emit) (err error) {
	defer func() {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			r.broken = true
			err = fmt.Errorf("reading events: %w", err)
		}
	}()
	defer fault.Catch(&err)
	if r.broken {
		return errors.New("this reader has lost its place: make a new one from the stored state")
	}
	defer r.sweep.drain()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if r.ready != nil {
		if err := r.ready(ctx, r.now()); err != nil {
			return err
		}
	}
	r.prepareSweep()
	if r.fresh && !r.begun {
		r.begin()
		r.sweep.spans.skipTo(r.watermark)
		r.begun = true
		// Stored before anything is read: after a crash "now" stays what it
		// was at the first start.
		if err := emit(ctx, Batch{State: r.state()}); err != nil {
			return err
		}
	}
	windows := &windows{r: r, width: firstWidth, limit: r.pageSize}
	for {
		start := r.now()
		if err := r.pass(ctx, windows, emit); err != nil {
			return err
		}
		if r.finished(start) {
			if err := r.finishSweep(ctx, emit); err != nil {
				return err
			}
			r.log.Info("the setting `end` is reached, reading stops", "end", r.settings.End, "events", r.stats.Events.Load())
			return nil
		}
		if err := r.idle(ctx, r.untilNextPoll(time.Now()), emit); err != nil {
			return err
		}
	}
}

// untilNextPoll is the pause after a poll that ended now. With a phase, the polls keep their place
// in the interval, also after an outage that made all readers of a process begin together. The
// pause is then an eighth of the interval at least, and a whole one and an eighth at most.
func (r *Reader) untilNextPoll(now time.Time) time.Duration {
	interval := r.settings.PollInterval
	if r.phase == 0 {
		return interval
	}
	in := time.Duration(now.UnixNano()) % interval
	pause := time.Duration(r.phase*float64(interval)) - in
	for pause < interval/8 {
		pause += interval
	}
	return pause
}

// prepare asks ZITADEL what the filters need to know.
func (r *Reader) prepare(ctx context.Context) error {
	var known []string
	if n := len(r.settings.EventTypes); n > 0 && n <= maxEventTypes {
		var err error
		if known, err = r.list(ctx, r.client.EventTypes); err != nil {
			return err
		}
	}
	// An answer, of no events: its Date corrects this machine's clock before
	// `start: now` and `end` are decided by it.
	if _, err := r.ask(ctx, emptyPage()); err != nil && !unreadablePage(err) {
		return err
	}
	r.filter = newFilter(&r.settings, known)
	r.chaseBeginnings = r.chaseBeginnings && r.filter.wholeAggregates
	if c, ok := r.client.(interface {
		OwnUserID(context.Context) (string, error)
	}); ok && r.settings.ExcludeOwn {
		id, err := r.list(ctx, func(ctx context.Context) ([]string, error) {
			id, err := c.OwnUserID(ctx)
			return []string{id}, err
		})
		if err != nil {
			return err
		}
		r.ownUser = id[0]
	}
	return nil
}

// begin sets the watermark of a first start.
func (r *Reader) begin() {
	now := r.now().Add(-r.settings.Settle)
	switch s := r.settings.Start; {
	case s.Now:
		r.watermark = now
	case s.Back > 0:
		r.watermark = now.Add(-s.Back)
	case !s.At.IsZero():
		r.watermark = s.At.Add(-tick) // `start` itself is included
	}
	r.watermark = r.watermark.UTC().Truncate(tick)
}

// state is the cursor as of the events emitted so far.
func (r *Reader) state() cursor.State {
	return cursor.State{
		Version:   cursor.Version,
		Instance:  r.settings.Instance,
		Updated:   r.now().UTC(),
		Filter:    r.filterText,
		Watermark: r.watermark,
		Seen:      r.mem.snapshot(r.keysFrom()),
		Holes:     r.holes.snapshot(),
		Pushed:    r.pushedState(),
		Sweep:     r.sweep.state(),
		Events:    r.total,
	}
}

// reportHidden logs, after the first pass, that ZITADEL hides events.
func (r *Reader) reportHidden() {
	switch hidden := r.stats.Hidden.Load(); {
	case hidden > 0:
		r.log.Warn("zitadel hides older events: aggregates begin after their first sequence",
			"sequences", hidden, "fix", "audit-log retention cuts the log (an instance limit, or DefaultAuditLogRetention); raise it to read more")
	case r.fresh && r.settings.Start.Beginning && r.filter.wholeAggregates && r.filter.aggregateTypes == nil && r.filter.aggregateID == "" && r.evidence.date.IsZero():
		r.log.Warn("zitadel shows no event at all, though every instance has some",
			"fix", "check the url's instance, audit-log retention, and the role (IAM_OWNER_VIEWER)")
	}
}

// finished reports whether `end` is so far behind that no late event can come
// before it any more.
func (r *Reader) finished(passStart time.Time) bool {
	end := r.settings.End
	return !end.IsZero() && passStart.After(end.Add(r.settings.Settle+r.settings.Overlap))
}

// now is ZITADEL's clock if its answers show it, otherwise this machine's.
func (r *Reader) now() time.Time {
	now := r.clock()
	c, ok := r.client.(interface {
		ServerTime() (server, local time.Time, ok bool)
	})
	if !ok {
		return now
	}
	server, local, ok := c.ServerTime()
	// Answers have whole seconds: less than two is no skew.
	if skew := server.Sub(local); ok && (skew > 2*time.Second || skew < -2*time.Second) {
		return now.Add(skew)
	}
	return now
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
