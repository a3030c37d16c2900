package cluster_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// While a new list of sources is rolled out, members have different ones. Whatever a live member
// lists has a holder; once all have the same list, the shares are equal.
func TestWhatALiveMemberListsIsHeldWhileListsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = cluster.DefaultTTL
		store := clustertest.NewMemory()
		g := clustertest.NewGroup(ttl, time.Second)
		names := clustertest.Names(40)
		start := func(name string, list []string) *clustertest.Runner {
			return g.Start(t, store, cluster.Options{Name: name}, list)
		}
		members := map[string]*clustertest.Runner{"a": start("a", names[:30]), "b": start("b", names[:30]), "c": start("c", names[:30])}
		defer func() {
			for _, r := range members {
				r.Stop()
			}
		}()
		holds := func(what string, want []string) {
			t.Helper()
			var got []string
			for _, r := range members {
				got = append(got, r.Status().Held...)
			}
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s", what, d)
			}
		}
		time.Sleep(4 * ttl)
		members["a"].Read(names[:31]) // one more, with a reload
		time.Sleep(2 * ttl)
		holds("one more in one list", names[:31])
		members["b"].Stop() // and with a restart
		members["b"] = start("b", names[:31])
		time.Sleep(2 * ttl)
		holds("one more in two lists", names[:31])
		members["c"].Read(names[:31])
		time.Sleep(4 * ttl)
		holds("one more in all lists", names[:31])
		for name, r := range members {
			if n := len(r.Status().Held); n > 11 {
				t.Errorf("%s holds %d of 31", name, n)
			}
		}
		members["a"].Read(names[:20]) // eleven fewer
		time.Sleep(2 * ttl)
		holds("fewer in one list", names[:31])
		members["b"].Read(names[:20])
		members["c"].Read(names[10:40]) // nothing in common but ten
		time.Sleep(2 * ttl)
		holds("lists that overlap", names)
		members["c"].Read(names[:20])
		time.Sleep(4 * ttl)
		holds("the short list", names[:20])
		if view, err := store.Look(t.Context()); err != nil || !slices.Equal(slices.Sorted(slices.Values(view.Free)), names[20:]) {
			t.Errorf("free: %q, %v", view.Free, err)
		}
		if faults, errs := g.Faults(), g.Errs(); len(faults) > 0 {
			t.Errorf("%q, %v", faults, errs)
		}
	})
}

// An operator deletes a source from the store: it is read again from start.
func TestSourceThatIsDeletedFromTheStoreIsRegisteredAgain(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 7}); err != nil {
			t.Fatal(err)
		}
		store.Delete("one")
		<-h.Done()
		h.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		h, s, err := m.Hold(ctx, "one")
		if err != nil || s.Events != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		h.Close()
	})
}

// takes counts the requests for a source.
type takes struct {
	cluster.Store
	n atomic.Int64
}

func (s *takes) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	s.n.Add(1)
	return s.Store.Take(ctx, lease, instance)
}

// The answer to Release gets lost, and another member takes the source.
func TestSourceThatAnotherMemberHasIsNotAskedForAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := clustertest.NewGroup(cluster.DefaultTTL, time.Second)
		store := clustertest.NewMemory()
		counted := &takes{Store: store}
		a := g.Start(t, counted, cluster.Options{}, nil)
		defer a.Stop()
		a.Sources([]string{"one"})
		h, _ := hold(t, a.Member)
		a.Gate.Set(clustertest.Deaf, 0)
		h.Close()
		b := g.Start(t, store, cluster.Options{}, []string{"one"})
		defer b.Stop()
		time.Sleep(2 * time.Second)
		if len(b.Status().Held) != 1 {
			t.Fatal("the other member does not have the source")
		}
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_, _, _ = a.Hold(ctx, "one")
		}()
		synctest.Wait()
		a.Gate.Set(clustertest.Open, 0)
		time.Sleep(time.Minute)
		if n := counted.n.Load(); n > 3 {
			t.Errorf("%d requests for the source in a minute", n)
		}
		cancel()
		<-asked
	})
}
