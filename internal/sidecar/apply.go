package sidecar

import (
	"context"
	"reflect"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// stopPatience is how long Apply waits for the sources that it stopped: a message under
// way may take 5 s, and a request is given up at once.
const stopPatience = 10 * time.Second

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
	members, running := s.hold()
	if !running {
		return Changes{}
	}
	next := compare(members, list)
	s.replace(next)
	// A new source may have the state or the address of one that goes.
	awaitAll(s.ctx, next.stopped)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range next.fresh {
		s.begin(m, len(next.fresh))
	}
	s.working--
	s.endIfDone()
	return next.did
}

// hold keeps Run from ending while Apply works. Only Apply changes the members then.
func (s *Set) hold() (members []*member, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil || s.over {
		return nil, false
	}
	s.working++
	return s.members, true
}

// plan is what a list changes.
type plan struct {
	members []*member // all, in the order of the list
	fresh   []*member // of them, those to begin
	stopped []*member // those to stop
	did     Changes
}

func compare(members []*member, list []config.PullSettings) (p plan) {
	before := make(map[string]*member, len(members))
	for _, m := range members {
		before[m.settings.Instance] = m
	}
	for _, settings := range list {
		old := before[settings.Instance]
		delete(before, settings.Instance)
		switch {
		case old == nil:
			p.did.Added++
		case reflect.DeepEqual(old.settings, settings):
			p.did.Same++
			p.members = append(p.members, old)
			continue
		default:
			p.did.Changed++
			p.stopped = append(p.stopped, old)
		}
		m := newMember(settings)
		m.before = old
		p.members, p.fresh = append(p.members, m), append(p.fresh, m)
	}
	for _, m := range before {
		p.did.Removed++
		p.stopped = append(p.stopped, m)
	}
	return p
}

func (s *Set) replace(next plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range next.stopped {
		m.stop()
	}
	s.members = next.members
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
