package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// lease is short, so that the tests are.
const lease = cluster.MinTTL

// sharing is one process among several.
type sharing struct {
	*Set
	member *cluster.Member
	gate   *clustertest.Gate // between it and the store
	stop   func()            // as SIGTERM does
}

// share starts a process that shares the sources of the list.
func share(t *testing.T, store cluster.Store, name string, list ...config.PullSettings) *sharing {
	t.Helper()
	return shareOpening(t, store, name, opener, list...)
}

// shareOpening is share with another opener.
func shareOpening(t *testing.T, store cluster.Store, name string, open Opener, list ...config.PullSettings) *sharing {
	t.Helper()
	gate := clustertest.NewGate(store)
	member, err := cluster.New(cluster.Options{Store: gate, Name: name, TTL: lease})
	if err != nil {
		t.Fatal(err)
	}
	set := Share(list, member, open, slog.New(slog.DiscardHandler))
	set.Stays = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	t.Cleanup(stop)
	testkit.Until(t, "the start", func() bool { set.mu.Lock(); defer set.mu.Unlock(); return set.ctx != nil })
	return &sharing{set, member, gate, stop}
}

// sources are n sources of one server without state files.
func sources(t *testing.T, n int, srv *zitadeltest.Server, far *forwardtest.Server) (list []config.PullSettings) {
	t.Helper()
	for i := range n {
		s := settings(t, srv, far, "instance", fmt.Sprintf("source-%d", i))
		s.StatePath = ""
		list = append(list, s)
	}
	return list
}

// came tells whether every event of srv has come from every source.
func came(srv *zitadeltest.Server, far *forwardtest.Server, list []config.PullSettings) bool {
	counts := arrived(far)
	for _, s := range list {
		for _, e := range srv.Store().Keys() {
			if counts[record.Key{Instance: s.Instance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()] == 0 {
				return false
			}
		}
	}
	return true
}

// repeats is how many records came more than once.
func repeats(far *forwardtest.Server) (n int) {
	for _, count := range arrived(far) {
		n += count - 1
	}
	return n
}

func (p *sharing) held() []string { return p.member.Status().Held }

func TestShare_EachSourceIsReadByOneProcess(t *testing.T) {
	srv, far, store := serve(t, 300), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 4, srv, far)
	a, b := share(t, store, "a", list...), share(t, store, "b", list...)
	testkit.Until(t, "equal shares", func() bool { return len(a.held()) == 2 && len(b.held()) == 2 })
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
	if n := repeats(far); n > 0 {
		t.Errorf("%d records came twice", n)
	}
	if both := append(a.held(), b.held()...); len(slices.Compact(slices.Sorted(slices.Values(both)))) != 4 {
		t.Errorf("held: %q", both)
	}
}

func TestShare_WhatAProcessGivesUpGoesOnElsewhereWithoutARepeat(t *testing.T) {
	srv, far, store := serve(t, 300), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 4, srv, far)
	a, b := share(t, store, "a", list...), share(t, store, "b", list...)
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
	a.stop()
	testkit.Until(t, "all at one", func() bool { return len(b.held()) == 4 })
	zitadeltest.NewWriter(srv.Store(), 1, time.Now).Append(100)
	testkit.Until(t, "the new events", func() bool { return came(srv, far, list) })
	if n := repeats(far); n > 0 {
		t.Errorf("%d records came twice", n)
	}
}

func TestShare_ProcessWithoutTheStoreStopsReadingAndSaysSo(t *testing.T) {
	srv, far, store := serve(t, 300), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 2, srv, far)
	a := share(t, store, "a", list...)
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
	a.gate.Set(clustertest.Cut, 0)
	testkit.Until(t, "no feed", func() bool { return len(a.Feeds()) == 0 })
	h := healthOf(a.member.Status(), time.Now())
	if !strings.Contains(h.Problem, "so reading waits") || !strings.Contains(h.Problem, "partitioned") {
		t.Errorf("health says %q", h.Problem)
	}
	if p := a.shared(); len(p) != 1 || !strings.Contains(p[0].Fix, "the store that the setting state names") {
		t.Errorf("the page says %v", p)
	}
	b := share(t, store, "b", list...)
	zitadeltest.NewWriter(srv.Store(), 1, time.Now).Append(100)
	testkit.Until(t, "the new events from the other process", func() bool { return came(srv, far, list) })
	a.gate.Set(clustertest.Open, 0)
	testkit.Until(t, "equal shares again, without a restart", func() bool { return len(a.held()) == 1 && len(b.held()) == 1 })
	zitadeltest.NewWriter(srv.Store(), 1, time.Now).Append(100)
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
}

// A rollout waits for health: a new process that cannot use the store must not replace one that can.
func TestShare_ProcessIsUnhealthyUntilTheStoreHasGrantedALease(t *testing.T) {
	srv, far, store := serve(t, 10), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	gate := clustertest.NewGate(store)
	member, err := cluster.New(cluster.Options{Store: gate, Name: "a", TTL: lease})
	if err != nil {
		t.Fatal(err)
	}
	if h := healthOf(member.Status(), time.Now()); h.Well || !strings.Contains(h.Problem, "has not answered yet") {
		t.Errorf("before the first answer: %+v", h)
	}
	gate.Set(clustertest.Cut, 0)
	list := sources(t, 1, srv, far)
	set := Share(list, member, opener, slog.New(slog.DiscardHandler))
	set.Stays = true
	_, url := serveSet(t, set)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	defer func() { stop(); <-done }()
	testkit.Until(t, "the reason", func() bool {
		status, text := get(t, url+"/health")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "since the start of this process, so nothing is read: ")
	})
	gate.Set(clustertest.Open, 0)
	testkit.Until(t, "health", func() bool {
		status, text := get(t, url+"/health")
		return status == http.StatusOK && strings.Contains(text, `"sources_held":1`)
	})
	gate.Set(clustertest.Cut, 0)
	testkit.Until(t, "an outage", func() bool { return member.Status().Err != nil })
	if status, text := get(t, url+"/health"); status != http.StatusOK || !strings.Contains(text, `"problem":"the store`) {
		t.Errorf("in an outage of a moment: %d\n%s", status, text)
	}
	testkit.Until(t, "no line for a source that may be held elsewhere", func() bool { _, text := get(t, url+"/health"); return strings.Count(text, "\n") == 1 })
}

func TestShare_StoreThatWentBackIsOneProblemAndNotOneOfEachSource(t *testing.T) {
	srv, far, store := serve(t, 10), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	if err := store.Refuse(t.Context(), "it is old"); err != nil {
		t.Fatal(err)
	}
	a := share(t, store, "a", sources(t, 3, srv, far)...)
	_, url := serveSet(t, a.Set)
	testkit.Until(t, "the refusal", func() bool {
		status, text := get(t, url+"/health")
		return status == http.StatusServiceUnavailable && strings.Contains(text, "no source is read: the store went back: it is old")
	})
	testkit.Until(t, "an attempt of each source", func() bool { return a.member.Status().Waiting == 0 })
	if _, text := get(t, url+"/health"); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"sources_waiting":3`) {
		t.Errorf("health has lines of sources, or counts others:\n%s", text)
	}
	if _, text := get(t, url+"/metrics"); !strings.Contains(text, "zitadel_siem_sources_waiting 3\n") {
		t.Error("an alert does not see that nobody reads the sources")
	}
	if p := a.shared(); len(p) != 1 || !strings.Contains(p[0].Fix, "Do what the message says") {
		t.Errorf("the page says %v", p)
	}
	if err := store.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "all sources", func() bool { return len(a.held()) == 3 })
}

func TestShare_SourceThatIsRemovedHereIsReadWhereItStays(t *testing.T) {
	srv, far, store := serve(t, 300), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 2, srv, far)
	a := share(t, store, "a", list...)
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
	b := share(t, store, "b", list...)
	if did := a.Apply(list[:0]); did.Removed != 2 {
		t.Fatal(did)
	}
	testkit.Until(t, "all at the other", func() bool { return len(b.held()) == 2 })
	zitadeltest.NewWriter(srv.Store(), 1, time.Now).Append(100)
	testkit.Until(t, "the new events", func() bool { return came(srv, far, list) })
}

// A file that is missing on one machine only is no reason to read nothing.
func TestShare_SourceThatCannotBeOpenedHereIsReadElsewhere(t *testing.T) {
	srv, far, store := serve(t, 100), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 1, srv, far)
	broken := func(context.Context, config.PullSettings, Hold) (*Feed, error) {
		return nil, errors.New("no such file")
	}
	a := shareOpening(t, store, "a", broken, list...)
	testkit.Until(t, "an attempt that failed", func() bool { return a.views()[0].trouble != "" })
	share(t, store, "b", list...)
	testkit.Until(t, "all events", func() bool { return came(srv, far, list) })
	testkit.Until(t, "no trouble here while it is read there", func() bool {
		now := time.Now().Add(2 * unhealthyAfter)
		v := a.views()[0]
		return v.health(now).Well && len(v.problems(now)) == 0
	})
}

// Thousands of sources say nothing of what concerns all of them.
func TestShare_StoreThatIsRefusedIsOneProblem(t *testing.T) {
	srv, far, store := serve(t, 1), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	if err := store.Refuse(t.Context(), "for a test"); err != nil {
		t.Fatal(err)
	}
	a := share(t, store, "a", sources(t, 3, srv, far)...)
	testkit.Until(t, "the refusal", func() bool { return len(a.shared()) == 1 })
	asked := a.keepers[0]
	testkit.Until(t, "the end of a wait", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return !asked.waits })
	for _, v := range a.views() {
		if p := v.problems(time.Now()); len(p) > 0 || v.trouble != "" {
			t.Errorf("%s: %v", v.settings.Instance, p)
		}
	}
	if err := store.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "all held", func() bool { return len(a.held()) == 3 })
}

// losing is a store that loses each hold before its first commit.
type losing struct {
	*clustertest.Memory
	takes atomic.Int32
}

func (s *losing) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	s.takes.Add(1)
	return s.Memory.Take(ctx, lease, instance)
}

func (s *losing) Commit(context.Context, string, string, uint64, uint64, []byte) error {
	return cursor.ErrLost
}

// Each hold repeats a step.
func TestShare_HoldsThatAreLostAtOnceAreNotTakenInATightLoop(t *testing.T) {
	srv, far, store := serve(t, 100), forwardtest.Start(t, forwardtest.Options{}), &losing{Memory: clustertest.NewMemory()}
	list := sources(t, 1, srv, far)
	share(t, store, "a", list...)
	testkit.Until(t, "a repeat", func() bool { return store.takes.Load() > 1 })
	time.Sleep(3 * time.Second)
	if n := store.takes.Load(); n > 12 {
		t.Errorf("taken %d times within three seconds", n)
	}
}

func TestShare_SourceThatIsReadUpToItsEndIsNotReadAgain(t *testing.T) {
	srv, far, store := serve(t, 100), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	list := sources(t, 1, srv, far)
	list[0].End = time.Now()
	opened := 0
	a := shareOpening(t, store, "a", func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		opened++
		return opener(ctx, s, hold)
	}, list...)
	testkit.Until(t, "the end of the source", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.over })
	if !came(srv, far, list) || repeats(far) > 0 || opened != 1 {
		t.Errorf("opened %d times, %d records came twice", opened, repeats(far))
	}
}
