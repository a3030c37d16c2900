package clustertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// Store tests that an empty store does what [cluster.Store] says. ttl is the shortest lease
// that the store grants.
func Store(t *testing.T, s cluster.Store, ttl time.Duration) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	grant := func(ttl time.Duration) string {
		t.Helper()
		lease, err := s.Grant(ctx, ttl, cluster.Note{Name: "a"})
		must(err)
		return lease
	}
	take := func(lease, instance string) cluster.Taken {
		t.Helper()
		taken, err := s.Take(ctx, lease, instance)
		must(err)
		return taken
	}
	a, b := grant(time.Minute), grant(time.Minute)
	must(s.Register(ctx, []string{"one", "two"}))
	must(s.Register(ctx, []string{"two", "three"}))

	first := take(a, "one")
	if first.Number != 0 || first.State != nil {
		t.Errorf("a source without a state gave %+v", first)
	}
	if _, err := s.Take(ctx, b, "one"); !errors.Is(err, cluster.ErrTaken) {
		t.Errorf("a held source could be taken: %v", err)
	}
	if _, err := s.Take(ctx, "deadbeef", "two"); !errors.Is(err, cluster.ErrExpired) {
		t.Errorf("a lease that never was could take a source: %v", err)
	}
	must(s.Commit(ctx, a, "one", first.Fence, 1, []byte("s1")))
	must(s.Commit(ctx, a, "one", first.Fence, 3, []byte("s3")))
	must(s.Commit(ctx, a, "one", first.Fence, 2, []byte("s2"))) // late: it changes nothing
	if err := s.Commit(ctx, b, "one", first.Fence, 4, []byte("b")); !errors.Is(err, cursor.ErrLost) {
		t.Errorf("another member could commit: %v", err)
	}
	again := take(a, "one")
	if again.Fence <= first.Fence || again.Number != 3 || string(again.State) != "s3" {
		t.Errorf("taken again: %+v after %+v", again, first)
	}
	if again.Age < 0 || again.Age > time.Minute {
		t.Errorf("the last commit is %s old", again.Age)
	}
	if err := s.Commit(ctx, a, "one", first.Fence, 4, []byte("x")); !errors.Is(err, cursor.ErrLost) {
		t.Errorf("an old fencing number could commit: %v", err)
	}
	must(s.Release(ctx, a, "one", first.Fence)) // an old one: nothing
	if _, err := s.Take(ctx, b, "one"); !errors.Is(err, cluster.ErrTaken) {
		t.Errorf("an old fencing number freed a source: %v", err)
	}

	v, err := s.Look(ctx)
	must(err)
	slices.Sort(v.Free)
	if want := []string{"three", "two"}; !slices.Equal(v.Free, want) || len(v.Members) != 2 {
		t.Errorf("look: %+v, want %q free", v, want)
	}
	for _, m := range v.Members {
		if want := map[string]int{a: 1, b: 0}[m.Lease]; m.Held != want || m.Note.Name != "a" {
			t.Errorf("look shows %+v, want %d held", m, want)
		}
	}
	must(s.Renew(ctx, b, cluster.Note{Name: "b", Waiting: 7}))
	holders, err := s.Holders(ctx)
	must(err)
	if len(holders) != 1 || holders["one"] != a {
		t.Errorf("holders: %v", holders)
	}
	must(s.Release(ctx, a, "one", again.Fence))
	other := take(b, "one")
	if other.Fence <= again.Fence || string(other.State) != "s3" {
		t.Errorf("taken over: %+v", other)
	}
	must(s.Release(ctx, b, "one", 0))
	take(b, "two")
	must(s.Revoke(ctx, b))
	next, err := s.Look(ctx)
	must(err)
	if len(next.Free) != 3 || len(next.Members) != 1 || next.Beat < v.Beat || next.Store != v.Store {
		t.Errorf("after the end of a lease: %+v, before %+v", next, v)
	}
	if err := s.Renew(ctx, b, cluster.Note{}); !errors.Is(err, cluster.ErrExpired) {
		t.Errorf("an ended lease could be renewed: %v", err)
	}

	// A lease ends by itself, and frees what it held.
	short := grant(ttl)
	held := take(short, "three")
	until := time.Now().Add(10 * ttl)
	for time.Now().Before(until) {
		if v, err = s.Look(ctx); err == nil && slices.Contains(v.Free, "three") {
			break
		}
		time.Sleep(ttl / 20)
	}
	after := take(a, "three")
	if after.Fence <= held.Fence {
		t.Errorf("fence %d after %d", after.Fence, held.Fence)
	}
	if err := s.Commit(ctx, short, "three", held.Fence, 1, []byte("x")); !errors.Is(err, cursor.ErrLost) {
		t.Errorf("a lease that ended could commit: %v", err)
	}
	if err := s.Renew(ctx, short, cluster.Note{}); !errors.Is(err, cluster.ErrExpired) {
		t.Errorf("a lease that ended could be renewed: %v", err)
	}
	use(t, s)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, ok := s.(*Memory); !ok {
		if _, err := s.Look(canceled); err == nil {
			t.Error("a canceled request gave an answer")
		}
	}
}

// use tests what a store notes of its use.
func use(t *testing.T, s cluster.Store) {
	t.Helper()
	look := func() cluster.View {
		t.Helper()
		v, err := s.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if v := look(); v.Noted != 0 || v.Idle != 0 || v.Refused != "" {
		t.Errorf("a store that was never noted as used: idle for %s, refused: %q", v.Idle, v.Refused)
	}
	unused := look()
	do(s.Alive(t.Context(), unused))
	do(s.Refuse(t.Context(), "why"))
	time.Sleep(10 * time.Millisecond)
	before := look()
	do(s.Alive(t.Context(), before))
	if v := look(); v.Refused != "why" {
		t.Errorf("a refusal ended, or got lost: %q", v.Refused)
	}
	time.Sleep(10 * time.Millisecond)
	noted := look()
	if noted.Idle < 10*time.Millisecond || noted.Idle > time.Minute || noted.Noted <= before.Noted {
		t.Errorf("idle for %s since %d, before that %d", noted.Idle, noted.Noted, before.Noted)
	}
	for _, old := range []cluster.View{unused, before} {
		do(s.Alive(t.Context(), old))
		if v := look(); v.Noted != noted.Noted {
			t.Errorf("a note that nobody has looked at was replaced: %d by %d", noted.Noted, v.Noted)
		}
	}
	do(s.Accept(t.Context()))
	if v := look(); v.Refused != "" {
		t.Errorf("a refusal stands: %q", v.Refused)
	}
}
