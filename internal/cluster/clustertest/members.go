package clustertest

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Eventually waits until ok, and fails after limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

func held(rs ...*Runner) (n int) {
	for _, r := range rs {
		n += len(r.Status().Held)
	}
	return n
}

func balanced(limit int, rs ...*Runner) bool {
	for _, r := range rs {
		if len(r.Status().Held) > limit {
			return false
		}
	}
	return true
}

// Members tests that members share the sources of an empty store: 30 sources, up to three
// members, and the ways in which one goes away. open connects to the same store each time. slack is how
// much longer than in theory all may take, because of other work on the machine.
func Members(t *testing.T, ttl, slack time.Duration, open func() cluster.Store) {
	instances := Names(30)
	g := NewGroup(ttl, ttl/20)
	a := g.Start(t, open(), cluster.Options{Name: "a"}, instances)
	defer a.Stop()
	Eventually(t, 2*ttl+slack, "one member holds all", func() bool { return held(a) == 30 })
	b := g.Start(t, open(), cluster.Options{Name: "b"}, instances)
	defer b.Stop()
	c := g.Start(t, open(), cluster.Options{Name: "c"}, instances)
	defer c.Stop()
	share := func() bool { return held(a, b, c) == 30 && balanced(10, a, b, c) }
	Eventually(t, 4*ttl+slack, "three members hold ten each", share)
	if n := g.Moves(); n > 30+20+5 {
		t.Errorf("%d holds until three members had ten each: 20 moves are needed", n)
	}

	// Leaving: at once.
	b.Stop()
	if took := Eventually(t, 2*ttl+slack, "two members hold all", func() bool { return held(a, c) == 30 && balanced(15, a, c) }); took > ttl+slack {
		t.Errorf("the sources of a member that stopped were free for %s", took)
	}

	// A member that does not renew loses its sources; what it commits later changes nothing.
	a.Gate.Freeze()
	Eventually(t, 3*ttl+slack, "the other member holds all", func() bool { return held(c) == 30 })
	before := g.Moves()
	a.Gate.Thaw()
	Eventually(t, 5*ttl+slack, "the member that came back has its share", func() bool { return held(a, c) == 30 && balanced(15, a, c) })
	if n := g.Moves() - before; n > 15+5 {
		t.Errorf("%d moves after a member came back: 15 are needed", n)
	}

	// A partition shorter than a lease moves nothing.
	before = g.Moves()
	a.Gate.Set(Cut, 0)
	time.Sleep(ttl / 3)
	a.Gate.Set(Open, 0)
	Eventually(t, ttl+slack, "the lease stands", func() bool { return held(a, c) == 30 && a.Status().Certain && a.Status().Err == nil })
	if n := g.Moves() - before; n != 0 {
		t.Errorf("%d moves in a partition of a third of a lease", n)
	}
	everyMoves(t, g, instances, 2*ttl+slack)
	if faults, errs := g.Faults(), g.Errs(); len(faults)+len(errs) > 0 {
		t.Errorf("%q, %v", faults, errs)
	}
}

// everyMoves checks that every source is read.
func everyMoves(t testing.TB, g *Group, instances []string, limit time.Duration) {
	t.Helper()
	from := map[string]uint64{}
	for _, instance := range instances {
		from[instance] = g.Events(instance)
	}
	Eventually(t, limit, "every source is read", func() bool {
		for _, instance := range instances {
			if g.Events(instance) == from[instance] {
				return false
			}
		}
		return true
	})
}
