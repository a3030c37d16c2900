package sidecar

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// stopPatience is how long Apply waits for the sources that it stopped: a message under
// way may take 5 s, and a request is given up at once.
const stopPatience = 10 * time.Second

// errReplaced is the cause of the end of a source that goes on at once with other settings and with
// the same spool. Its endpoint stays open to the last: ZITADEL sends each webhook once.
var errReplaced = errors.New("the source is replaced")

// isReplaced reports whether the context of a keeper ended for errReplaced.
func isReplaced(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errReplaced) }

// takesSpoolOf reports whether k hands over what old leaves in its spool.
func (k *keeper) takesSpoolOf(old *keeper) bool {
	return k.settings.Listen.Address != "" && k.settings.Listen.SpoolPath == old.settings.Listen.SpoolPath
}

// Changes says what [Set.Apply] did.
type Changes struct{ Added, Changed, Removed, Same int }

// Apply makes the running sources those of the list. Sources are the same if their label
// is. One with equal settings is not touched. One with other settings is stopped, completes
// the step that it has begun, and starts again; one that is not in the list is stopped.
// A source that cannot be opened is tried again and again, and does not hold up the others.
// Outside of Run, Apply does nothing.
func (s *Set) Apply(list []config.PullSettings) Changes {
	s.applying.Lock()
	defer s.applying.Unlock()
	keepers, running := s.pin()
	if !running {
		return Changes{}
	}
	next := compare(keepers, list)
	s.replace(next)
	// A new source may have the state or the address of one that goes.
	awaitAll(s.ctx, next.stopped)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range next.fresh {
		s.begin(k, len(next.fresh))
	}
	s.working--
	s.endIfDone()
	return next.did
}

// pin keeps Run from ending while Apply works. Only Apply changes the keepers then.
func (s *Set) pin() (keepers []*keeper, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil || s.over {
		return nil, false
	}
	s.working++
	return s.keepers, true
}

// plan is what a list changes.
type plan struct {
	keepers []*keeper // all, in the order of the list
	fresh   []*keeper // of them, those to begin
	stopped []*keeper // those to stop
	did     Changes
}

func compare(keepers []*keeper, list []config.PullSettings) (p plan) {
	before := make(map[string]*keeper, len(keepers))
	for _, k := range keepers {
		before[k.settings.Instance] = k
	}
	for _, settings := range list {
		old := before[settings.Instance]
		delete(before, settings.Instance)
		switch {
		case old == nil:
			p.did.Added++
		case reflect.DeepEqual(old.settings, settings):
			p.did.Same++
			p.keepers = append(p.keepers, old)
			continue
		default:
			p.did.Changed++
			p.stopped = append(p.stopped, old)
		}
		k := newKeeper(settings)
		k.before = old
		p.keepers, p.fresh = append(p.keepers, k), append(p.fresh, k)
	}
	for _, k := range before {
		p.did.Removed++
		p.stopped = append(p.stopped, k)
	}
	return p
}

func (s *Set) replace(next plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range next.fresh {
		if k.before != nil && k.takesSpoolOf(k.before) {
			k.before.stop(errReplaced)
		}
	}
	for _, k := range next.stopped {
		k.stop(nil)
	}
	s.keepers = next.keepers
	s.tellMember()
}

func awaitAll(ctx context.Context, stopped []*keeper) {
	timeout := time.NewTimer(stopPatience)
	defer timeout.Stop()
	for _, k := range stopped {
		select {
		case <-k.done:
		case <-ctx.Done():
			return
		case <-timeout.C:
			return
		}
	}
}
