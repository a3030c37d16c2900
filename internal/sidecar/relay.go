package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
)

// listen opens the endpoint for webhooks of a source that processes share, and runs it until
// stop is called: a load balancer may send to each of them at any time. The listener is nil
// if the settings ask for none. Files that cannot be read are tried again until ctx ends.
func (k *keeper) listen(ctx context.Context, s *Set) (l *listen.Listener, stop func(), err error) {
	if k.settings.Listen.Address == "" {
		return nil, func() {}, nil
	}
	for wait := retry.New(firstReopen, mostReopen); ; {
		if l, err = listen.Open(k.settings.Settings, s.log.With("instance", k.settings.Instance)); err == nil {
			k.closed.Worked()
			break
		}
		k.failed(s, err)
		if err := wait.Wait(ctx); err != nil {
			return nil, nil, err
		}
	}
	// What a sink takes last has to leave the spool.
	listening, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { l.Keep(listening) })
	return l, func() { end(); running.Wait() }, nil
}

// relay hands over what listener receives until ctx ends. Its error is that of a sink that
// will not work again.
func (k *keeper) relay(ctx context.Context, s *Set, listener *listen.Listener) error {
	for wait := retry.New(firstReopen, mostReopen); ctx.Err() == nil; {
		err := k.relayOnce(ctx, s, listener)
		if sink.IsFinal(err) {
			return err
		}
		if err != nil && ctx.Err() == nil && k.unrelayed.Failed(err) {
			s.log.Error(fmt.Sprintf("webhooks cannot be relayed, trying again: %v", err), k.about(err)...)
		}
		_ = wait.Wait(ctx)
	}
	return nil
}

func (k *keeper) relayOnce(ctx context.Context, s *Set, listener *listen.Listener) error {
	feed, err := k.tryOpen(ctx, s, Hold{Listener: listener})
	if err != nil {
		return err
	}
	k.unrelayed.Worked()
	k.show(feed, s)
	defer k.show(nil, s)
	return errors.Join(feed.Run(ctx), feed.Close())
}

// show makes feed the one that is shown.
func (k *keeper) show(feed *Feed, s *Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.feed = feed
}
