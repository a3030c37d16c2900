package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Opener opens the feed of a source. Several sources may be opened at once.
type Opener func(context.Context, config.PullSettings) (*Feed, error)

// openAtOnce is how many sources are opened at once. Each waits for the disk, mostly, and has a
// thread of its own meanwhile: 10,000 at once would be more than Go allows.
const openAtOnce = 16

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

	applying sync.Mutex    // one Apply at a time
	opening  chan struct{} // one entry for each source that is being opened while Run runs

	mu      sync.Mutex
	members []*member       // in the order of the settings
	ctx     context.Context // of Run; nil before
	end     func()          // ends Run
	working int             // goroutines of members, and Apply
	ended   chan struct{}   // closed once all have ended
	over    bool            // it is closed
	broken  *member         // the first whose sink will not work again, which ended Run; nil: none
}

// Start opens every source, or none. Nothing is read before [Set.Run]. Close the set, also
// after Run.
func Start(ctx context.Context, list []config.PullSettings, open Opener, log *slog.Logger) (*Set, error) {
	s := &Set{open: open, log: log, ended: make(chan struct{}), opening: make(chan struct{}, openAtOnce)}
	var opening errgroup.Group
	opening.SetLimit(openAtOnce)
	opened, stop := context.WithCancel(ctx)
	defer stop()
	for _, settings := range list {
		m := newMember(settings)
		s.members = append(s.members, m)
		opening.Go(func() (err error) {
			if opened.Err() == nil {
				m.feed, err = open(ctx, settings)
			}
			if err != nil {
				stop()
			}
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		return nil, errors.Join(err, s.Close())
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
	members := s.members
	if s.broken != nil && !slices.Contains(members, s.broken) { // Apply replaced it meanwhile
		members = append(slices.Clone(members), s.broken)
	}
	errs := make([]error, 0, len(members))
	for _, m := range members {
		err := m.err
		if err != nil && len(members) > 1 {
			err = fmt.Errorf("source %q: %w", m.settings.Instance, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Feeds are the feeds that are or were open, in the order of the settings.
func (s *Set) Feeds() []*Feed {
	s.mu.Lock()
	defer s.mu.Unlock()
	feeds := make([]*Feed, 0, len(s.members))
	for _, m := range s.members {
		if m.feed != nil {
			feeds = append(feeds, m.feed)
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
