package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Opener opens the feed of a source. Several sources may be opened at once. A source whose
// state is a file comes with the zero Hold.
type Opener func(context.Context, config.PullSettings, Hold) (*Feed, error)

// openAtOnce is how many sources are opened at once. Each waits for the disk, mostly, and has a
// thread of its own meanwhile: 10,000 at once would be more than Go allows.
const openAtOnce = 16

// Set are the sources of a process. They can be exchanged while they run: [Set.Apply].
// Methods are safe for concurrent use.
type Set struct {
	open   Opener
	log    *slog.Logger
	member *cluster.Member // nil: each source has a state file
	// Stays keeps Run going while there is no source at all, because a reload may add one.
	// Set it before Run.
	Stays bool
	// Reloads counts attempts to read the settings again.
	Reloads Reloads

	applying sync.Mutex    // one Apply at a time
	opening  chan struct{} // one entry for each source that is being opened while Run runs

	mu      sync.Mutex
	keepers []*keeper       // in the order of the settings
	ctx     context.Context // of Run; nil before
	end     func()          // ends Run
	working int             // goroutines of keepers, and Apply
	ended   chan struct{}   // closed once all have ended
	over    bool            // it is closed
	broken  *keeper         // the first whose sink will not work again, which ended Run; nil: none
}

func newSet(open Opener, log *slog.Logger) *Set {
	return &Set{open: open, log: log, ended: make(chan struct{}), opening: make(chan struct{}, openAtOnce)}
}

// Start opens every source, or none. Nothing is read before [Set.Run]. Close the set, also
// after Run.
func Start(ctx context.Context, list []config.PullSettings, open Opener, log *slog.Logger) (*Set, error) {
	s := newSet(open, log)
	var opening errgroup.Group
	opening.SetLimit(openAtOnce)
	opened, stop := context.WithCancel(ctx)
	defer stop()
	for _, settings := range list {
		k := newKeeper(settings)
		s.keepers = append(s.keepers, k)
		opening.Go(func() (err error) {
			if opened.Err() == nil {
				k.feed, err = open(ctx, settings, Hold{})
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
	var member sync.WaitGroup
	if s.member != nil {
		member.Go(func() { _ = s.member.Run(ctx) }) // its only error is a second call
	}
	defer member.Wait()
	defer cancel()
	s.mu.Lock()
	s.ctx, s.end = ctx, cancel
	s.tellMember()
	defer spareMemory(len(s.keepers))()
	for _, k := range s.keepers {
		s.begin(k, len(s.keepers))
	}
	s.endIfDone()
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.awaitKeepers()
	}
	return s.errors()
}

// begin runs k, one of so many that begin together. It is called with s.mu held.
func (s *Set) begin(k *keeper, together int) {
	k.together = together
	ctx, stop := context.WithCancelCause(s.ctx)
	k.stop = stop
	s.working++
	go func() {
		defer stop(nil)
		k.keep(ctx, s)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.working--
		s.endIfDone()
	}()
}

// endIfDone ends Run if no source runs and none can come. It is called with s.mu held.
func (s *Set) endIfDone() {
	stays := s.Stays && len(s.keepers) == 0 && s.ctx.Err() == nil
	if s.working == 0 && !stays && !s.over {
		s.over = true
		close(s.ended)
	}
}

// awaitKeepers waits for the end of all goroutines, after the context of Run has ended.
func (s *Set) awaitKeepers() {
	s.mu.Lock()
	s.endIfDone()
	s.mu.Unlock()
	<-s.ended
}

func (s *Set) errors() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keepers := s.keepers
	if s.broken != nil && !slices.Contains(keepers, s.broken) { // Apply replaced it meanwhile
		keepers = append(slices.Clone(keepers), s.broken)
	}
	errs := make([]error, 0, len(keepers))
	for _, k := range keepers {
		err := k.err
		if err != nil && len(keepers) > 1 {
			err = fmt.Errorf("source %q: %w", k.settings.Instance, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Feeds are the feeds that are or were open, in the order of the settings.
func (s *Set) Feeds() []*Feed {
	s.mu.Lock()
	defer s.mu.Unlock()
	feeds := make([]*Feed, 0, len(s.keepers))
	for _, k := range s.keepers {
		if k.feed != nil {
			feeds = append(feeds, k.feed)
		}
	}
	return feeds
}

// ending tells whether the context of Run has ended.
func (s *Set) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx != nil && s.ctx.Err() != nil
}

// views are the keepers as they are now.
func (s *Set) views() []view {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]view, 0, len(s.keepers))
	for _, k := range s.keepers {
		views = append(views, k.view(s.member != nil))
	}
	return views
}

// Close closes the sources that Run did not, because it was not called.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, k := range s.keepers {
		if k.stop == nil && k.feed != nil {
			errs = append(errs, k.feed.Close())
		}
	}
	return errors.Join(errs...)
}
