package sidecar

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
)

// soonLost: the next wait for a hold that ended within this time begins later.
const soonLost = time.Second

// Hold is a source that this process holds in a store, and its state. Without Held, another
// process may hold it, and only what Listener receives is to be emitted.
type Hold struct {
	Held  cursor.Held
	State cursor.State
	// Listener receives the webhooks of the source as long as it is in the set, whoever holds
	// it. Nil: it has none, or the source runs its own.
	Listener *listen.Listener
}

// Relays reports whether only webhooks are to be emitted.
func (h Hold) Relays() bool { return h.Held == nil && h.Listener != nil }

// Share returns a set of sources that several processes share: each is open in this one only
// while member holds it. [Set.Run] runs the member too.
func Share(list []config.PullSettings, member *cluster.Member, open Opener, log *slog.Logger) *Set {
	s := newSet(open, log)
	s.member = member
	for _, settings := range list {
		s.keepers = append(s.keepers, newKeeper(settings))
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
// itself. Then it hands over the last webhooks: another process goes on with the source, but only
// this one has them.
func (k *keeper) share(ctx context.Context, s *Set) error {
	in, err := k.listen(ctx, s)
	switch {
	case err != nil:
		return nil // ctx has ended
	case in == nil:
		return k.shareSource(ctx, s, nil)
	}
	defer in.stop()
	if err = k.shareSource(ctx, s, in.Listener); sink.IsFinal(err) || isReplaced(ctx) {
		return err
	}
	return cmp.Or(err, k.drain(s, in)) // drain runs in any case
}

// shareSource runs the source whenever this process holds it. A source that cannot be opened is
// given up before the next attempt, so that another process can try.
func (k *keeper) shareSource(ctx context.Context, s *Set, listener *listen.Listener) error {
	pause := retry.New(firstReopen, mostReopen)
	for wait := time.Duration(0); ; {
		hold, over, err := k.hold(ctx, s, listener, wait)
		began := time.Now()
		if err == nil {
			over, err = k.runHeld(ctx, s, hold)
		}
		switch {
		case over:
			return err
		case ctx.Err() != nil, errors.Is(err, cluster.ErrStopped):
			return nil
		case err == nil && time.Since(began) >= soonLost:
			pause.Reset()
			wait = 0
			continue
		case err == nil: // it repeated a step, and the next hold may do so again
		case errors.Is(err, cluster.ErrRefused): // the member says so, once for all sources
		default:
			k.failed(s, err)
		}
		wait = pause.Next()
	}
}

// hold waits until this process holds the source, and before that for the time of pause.
// Meanwhile it relays what listener receives, if that is not nil. It is over, with an error, if
// the sink will not work again.
func (k *keeper) hold(ctx context.Context, s *Set, listener *listen.Listener, pause time.Duration) (_ Hold, over bool, err error) {
	waiting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	relaying, stop := context.WithCancel(ctx)
	defer stop()
	var relay sync.WaitGroup
	var relayed error
	if listener != nil {
		relay.Go(func() {
			if relayed = k.relay(relaying, s, listener); relayed != nil {
				giveUp()
			}
		})
	}
	hold := Hold{Listener: listener}
	if err = retry.Sleep(waiting, pause); err == nil {
		k.waiting(s, true)
		hold.Held, hold.State, err = s.member.Hold(waiting, k.settings.Instance)
		k.waiting(s, false)
	}
	stop()
	relay.Wait()
	if relayed != nil && hold.Held != nil {
		err = hold.Held.Close()
	}
	return hold, relayed != nil, cmp.Or(relayed, err)
}

// waiting notes that this process waits for the source: another one may hold it, and that it
// could not be opened here is no trouble then.
func (k *keeper) waiting(s *Set, does bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.waits = does
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
	k.show(nil, s) // its figures are those of the next holder now
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
