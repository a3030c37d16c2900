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

// intake receives the webhooks of a source that processes share. It lives as long as the source
// is in the set. Its contexts end some time after that.
type intake struct {
	*listen.Listener
	draining context.Context // no message begins later
	sending  context.Context
	stop     func() // waits for the end of the listener
}

// listen opens the endpoint for webhooks of a source that processes share, and runs it: a load
// balancer may send to each of them at any time. At the end of ctx it accepts nothing more. The
// intake is nil if the settings ask for none. Files that cannot be read are tried again until ctx
// ends.
func (k *keeper) listen(ctx context.Context, s *Set) (*intake, error) {
	if k.settings.Listen.Address == "" {
		return nil, nil
	}
	var l *listen.Listener
	for wait := retry.New(firstReopen, mostReopen); ; {
		var err error
		if l, err = listen.Open(k.settings.Settings, s.log.With("instance", k.settings.Instance)); err == nil {
			k.closed.Worked()
			break
		}
		k.failed(s, err)
		if err := wait.Wait(ctx); err != nil {
			return nil, err
		}
	}
	in := &intake{Listener: l}
	var stopDraining, stopSending func()
	in.draining, stopDraining = sink.OutliveToDrain(ctx)
	in.sending, stopSending = sink.Outlive(ctx)
	release := context.AfterFunc(ctx, func() {
		if !isReplaced(ctx) {
			l.Drain()
		}
	})
	// What a sink takes last has to leave the spool.
	listening, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { l.Keep(listening) })
	in.stop = func() {
		end()
		running.Wait()
		release()
		stopDraining()
		stopSending()
	}
	return in, nil
}

// drain ends the accepting, and hands over what no reader has taken. Its error is that of a sink
// that will not work again.
func (k *keeper) drain(s *Set, in *intake) error {
	in.Drain()
	feed, err := k.tryOpen(in.draining, s, Hold{Listener: in.Listener})
	if err == nil {
		err = errors.Join(feed.drain(in.draining, in.sending), feed.Close())
	}
	if sink.IsFinal(err) {
		return err
	}
	if err != nil && in.draining.Err() == nil {
		s.log.Error(fmt.Sprintf("webhooks cannot be relayed at the end: %v", err), k.about(err)...)
	}
	return nil
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
