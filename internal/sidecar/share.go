package sidecar

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
)

// soonLost: the next wait for a hold that ended within this time begins later.
const soonLost = time.Second

// Hold is a source that this process holds in a store, and its state.
type Hold struct {
	Held  cursor.Held
	State cursor.State
}

// Share returns a set of sources that several processes share: each is open in this one only
// while member holds it. [Set.Run] runs the member too.
func Share(list []config.PullSettings, member *cluster.Member, open Opener, log *slog.Logger) *Set {
	s := newSet(open, log)
	s.member = member
	for _, settings := range list {
		s.keepers = append(s.keepers, s.newKeeper(settings))
	}
	return s
}

// tellMember tells the member which sources there are. It is called with s.mu held.
func (s *Set) tellMember() {
	if s.member == nil {
		return
	}
	names := make([]string, 0, len(s.keepers))
	for _, k := range s.keepers {
		names = append(names, k.settings.Instance)
	}
	s.member.Sources(names)
}

// share runs the source whenever this process holds it, until ctx ends, or until it ends by
// itself. A source that cannot be opened is given up before the next attempt, so that
// another process can try.
func (k *keeper) share(ctx context.Context, s *Set) error {
	for wait := retry.New(firstReopen, mostReopen); ; {
		held, state, err := k.hold(ctx, s)
		over, began := false, time.Now()
		if err == nil {
			over, err = k.runHeld(ctx, s, Hold{held, state})
		}
		switch {
		case over:
			return err
		case ctx.Err() != nil, errors.Is(err, cluster.ErrStopped):
			return nil
		case err == nil && time.Since(began) >= soonLost:
			wait.Reset()
			continue
		case err == nil: // it repeated a step, and the next hold may do so again
		case errors.Is(err, cluster.ErrRefused): // the member says so, once for all sources
		default:
			k.failed(s, err)
		}
		if wait.Wait(ctx) != nil {
			return nil
		}
	}
}

// hold waits until this process holds the source. Meanwhile another one may: that it could not be
// opened here is no trouble then.
func (k *keeper) hold(ctx context.Context, s *Set) (cursor.Held, cursor.State, error) {
	waits := func(does bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		k.waits = does
	}
	waits(true)
	defer waits(false)
	return s.member.Hold(ctx, k.settings.Instance)
}

// runHeld runs the source until the hold is lost or to be given up. It is over if the source
// is not to run again.
func (k *keeper) runHeld(ctx context.Context, s *Set, hold Hold) (over bool, err error) {
	defer hold.Held.Close() // what cannot be given up now is given up later
	reading, stop := while(ctx, hold.Held.Done())
	defer stop()
	s.mu.Lock()
	k.began = time.Now()
	s.mu.Unlock()
	feed, err := k.tryOpen(reading, s, hold)
	if err != nil {
		if reading.Err() != nil {
			err = nil
		}
		return false, err
	}
	k.use(feed, s)
	err = feed.Run(reading)
	lost := isClosed(hold.Held.Done()) // before Close, which closes it as well
	err = cmp.Or(err, feed.Close())
	if !lost || sink.IsFinal(err) || ctx.Err() != nil {
		return true, err
	}
	if err != nil {
		s.log.Warn("the source was given up with an error: "+err.Error(), "instance", k.settings.Instance)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.feed = nil // its figures are those of the next holder now
	return false, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// while returns a context that ends with ctx or when done is closed.
func while(ctx context.Context, done <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() {
		select {
		case <-done:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}
