package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Opener opens the feed of a source. Several sources may be opened at once.
type Opener func(context.Context, config.PullSettings) (*Feed, error)

// stopPatience is how long Apply waits for the sources that it stopped: a message under
// way may take 5 s, and a request is given up at once.
const stopPatience = 10 * time.Second

// Set are the sources of a process. They can be exchanged while they run: [Set.Apply].
// Methods are safe for concurrent use.
type Set struct {
	open Opener
	log  *slog.Logger
	// Stays keeps Run going while there is no source at all, because a reload may add one.
	// Set it before Run.
	Stays bool
	// Reloads counts attempts to read the settings again.
	Reloads Reloads

	applying sync.Mutex // one Apply at a time

	mu      sync.Mutex
	members []*member       // in the order of the settings
	ctx     context.Context // of Run; nil before
	end     func()          // ends Run
	working int             // goroutines of members, and Apply
	ended   chan struct{}   // closed once all have ended
	over    bool            // it is closed
}

// Start opens every source, or none. Nothing is read before [Set.Run]. Close the set, also
// after Run.
func Start(ctx context.Context, list []config.PullSettings, open Opener, log *slog.Logger) (*Set, error) {
	s := &Set{open: open, log: log, ended: make(chan struct{})}
	for _, settings := range list {
		feed, err := open(ctx, settings)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		m := newMember(settings)
		m.feed = feed
		s.members = append(s.members, m)
	}
	return s, nil
}

// Run runs all sources side by side until ctx ends, or until each has ended by itself. A
// sink that will not work again ends all. The error names the source. Run is called once.
func (s *Set) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.ctx, s.end = ctx, cancel
	defer spareMemory(len(s.members))()
	for _, m := range s.members {
		s.begin(m, len(s.members))
	}
	s.endIfDone()
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.awaitMembers()
	}
	return s.errors()
}

// begin runs m, one of so many that begin together. It is called with s.mu held.
func (s *Set) begin(m *member, together int) {
	m.together = together
	ctx, stop := context.WithCancel(s.ctx)
	m.stop = stop
	s.working++
	go func() {
		defer stop()
		m.keep(ctx, s)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.working--
		s.endIfDone()
	}()
}

// endIfDone ends Run if no source runs and none can come. It is called with s.mu held.
func (s *Set) endIfDone() {
	stays := s.Stays && len(s.members) == 0 && s.ctx.Err() == nil
	if s.working == 0 && !stays && !s.over {
		s.over = true
		close(s.ended)
	}
}

// awaitMembers waits for the end of all goroutines, after the context of Run has ended.
func (s *Set) awaitMembers() {
	s.mu.Lock()
	s.endIfDone()
	s.mu.Unlock()
	<-s.ended
}

func (s *Set) errors() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.members))
	for _, m := range s.members {
		err := m.err
		if err != nil && len(s.members) > 1 {
			err = fmt.Errorf("source %q: %w", m.settings.Instance, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Changes says what [Set.Apply] did.
type Changes struct{ Added, Changed, Removed, Same int }

// Apply makes the running sources those of the list. Sources are the same if their label
// is. One with equal settings is not touched. One with other settings is stopped, completes
// the step that it has begun, and starts again; one that is not in the list is stopped.
// A source that cannot be opened is tried again and again, and does not hold up the others.
// After the end of Run, Apply does nothing.
func (s *Set) Apply(list []config.PullSettings) Changes {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	if s.ctx == nil || s.ctx.Err() != nil || s.over {
		s.mu.Unlock()
		return Changes{}
	}
	s.working++ // Run goes on while this does
	before := make(map[string]*member, len(s.members))
	for _, m := range s.members {
		before[m.settings.Instance] = m
	}
	var did Changes
	next, fresh := make([]*member, 0, len(list)), []*member{}
	var stopped []*member
	for _, settings := range list {
		old := before[settings.Instance]
		delete(before, settings.Instance)
		switch {
		case old == nil:
			did.Added++
		case reflect.DeepEqual(old.settings, settings):
			did.Same++
			next = append(next, old)
			continue
		default:
			did.Changed++
			stopped = append(stopped, old)
		}
		m := newMember(settings)
		m.before = old
		next, fresh = append(next, m), append(fresh, m)
	}
	for _, m := range before {
		did.Removed++
		stopped = append(stopped, m)
	}
	for _, m := range stopped {
		m.stop()
	}
	s.members = next
	s.mu.Unlock()

	// A new source may have the state or the address of one that goes.
	awaitAll(s.ctx, stopped)

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range fresh {
		s.begin(m, len(fresh))
	}
	s.working--
	s.endIfDone()
	return did
}

func awaitAll(ctx context.Context, stopped []*member) {
	timeout := time.NewTimer(stopPatience)
	defer timeout.Stop()
	for _, m := range stopped {
		select {
		case <-m.done:
		case <-ctx.Done():
			return
		case <-timeout.C:
			return
		}
	}
}

// Feeds are the feeds that are or were open, in the order of the settings.
func (s *Set) Feeds() []*Feed {
	var feeds []*Feed
	for _, v := range s.views() {
		if v.feed != nil {
			feeds = append(feeds, v.feed)
		}
	}
	return feeds
}

// views are the members as they are now.
func (s *Set) views() []view {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]view, 0, len(s.members))
	for _, m := range s.members {
		views = append(views, m.view())
	}
	return views
}

// Close closes the sources that Run did not, because it was not called.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range s.members {
		if m.stop == nil && m.feed != nil {
			errs = append(errs, m.feed.Close())
		}
	}
	return errors.Join(errs...)
}
