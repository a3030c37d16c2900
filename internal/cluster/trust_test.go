package cluster_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// A restart does not end a refusal; the newest backup does, without a restart.
func TestLaw5StoreThatWentBackIsRefusedUntilItIsMended(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, again func() *cluster.Member) {
		h, _ := hold(t, m)
		time.Sleep(time.Minute)
		backup := store.Copy()
		for i := range uint64(5) {
			if err := commit(h, cursor.State{Instance: "one", Events: i + 1}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		h.Close()
		newest := store.Copy()
		store.Restore(backup)
		time.Sleep(time.Minute)
		for _, member := range []*cluster.Member{m, again()} {
			_, _, err := member.Hold(t.Context(), "one")
			if err == nil || !strings.Contains(err.Error(), "the store went back") || !strings.Contains(err.Error(), "restore the newest backup") {
				t.Errorf("error %v", err)
			}
			if err := member.Status().Err; err == nil || !strings.Contains(err.Error(), "the store went back") {
				t.Errorf("status %v", err)
			}
		}
		store.Restore(newest)
		time.Sleep(time.Minute)
		h, s := hold(t, m)
		if s.Events != 5 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}

// swapped is a store that is replaced by a backup between a look and the note that follows.
type swapped struct {
	*clustertest.Memory
	backup atomic.Pointer[clustertest.Memory]
}

func (s *swapped) Alive(ctx context.Context, v cluster.View) error {
	if backup := s.backup.Swap(nil); backup != nil {
		s.Restore(backup)
	}
	return s.Memory.Alive(ctx, v)
}

// The age of the note in a backup is what tells how much is lost. A member that has just looked at
// the newer store must not make it young.
func TestLaw5NoteOnTheWayDoesNotHideThatTheStoreWentBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &swapped{Memory: clustertest.NewMemory()}
		m, err := cluster.New(cluster.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, m)
		defer stop()
		time.Sleep(time.Minute)
		backup := store.Copy()
		time.Sleep(10 * time.Minute)
		store.backup.Store(backup)
		time.Sleep(time.Minute)
		if store.backup.Load() != nil {
			t.Fatal("nothing was noted in a minute")
		}
		if err := m.Status().Err; err == nil || !strings.Contains(err.Error(), "the store went back") {
			t.Errorf("status %v", err)
		}
	})
}

// One member that is told to accept it makes all go on.
func TestLaw5StoreThatWentBackIsUsedOnceOneMemberAcceptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := clustertest.NewMemory()
		g := clustertest.NewGroup(cluster.DefaultTTL, time.Second)
		a := g.Start(t, store, cluster.Options{}, []string{"one"})
		defer a.Stop()
		time.Sleep(time.Minute)
		backup := store.Copy()
		time.Sleep(10 * time.Minute)
		a.Read(nil)
		time.Sleep(time.Second)
		store.Restore(backup)
		a.Read([]string{"one"})
		time.Sleep(time.Minute)
		if errs := g.Errs(); len(errs) == 0 || len(a.Status().Held) > 0 {
			t.Fatalf("%v, held %q", errs, a.Status().Held)
		}
		b := g.Start(t, store, cluster.Options{AcceptOld: true}, nil)
		time.Sleep(10 * time.Second)
		b.Stop()
		g.Errs()
		time.Sleep(time.Minute)
		if errs := g.Errs(); len(errs) > 0 || len(a.Status().Held) != 1 || a.Status().Err != nil {
			t.Errorf("%v, status %+v", errs, a.Status())
		}
	})
}

// A failover of PostgreSQL may lose what the replica had not got yet: no member needs a restart.
func TestStoreThatLosesItsLastMomentsGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := clustertest.NewMemory()
		instances := clustertest.Names(7)
		g := clustertest.NewGroup(cluster.DefaultTTL, time.Second)
		a := g.Start(t, store, cluster.Options{Name: "a"}, instances)
		defer a.Stop()
		time.Sleep(3 * time.Minute)
		for _, behind := range []time.Duration{time.Second, 7 * time.Second, 40 * time.Second} {
			replica := store.Copy()
			b := g.Start(t, store, cluster.Options{Name: "b"}, instances) // a lease, holds and commits that get lost
			// Readers commit at whole seconds from some beginning, and so nothing while the store is replaced.
			time.Sleep(behind + 300*time.Millisecond)
			g.Rewind()
			store.Restore(replica)
			time.Sleep(2 * cluster.DefaultTTL)
			before := map[string]uint64{}
			for _, instance := range instances {
				before[instance] = g.Events(instance)
			}
			time.Sleep(2 * cluster.DefaultTTL)
			for _, instance := range instances {
				if g.Events(instance) <= before[instance] {
					t.Errorf("%s behind: %s is not read", behind, instance)
				}
			}
			b.Stop()
			time.Sleep(time.Minute)
		}
		if errs, faults := g.Errs(), g.Faults(); len(errs)+len(faults) > 0 || a.Status().Err != nil {
			t.Errorf("%v, %q, status %v", errs, faults, a.Status().Err)
		}
	})
}

func TestStoreThatNobodyUsedForLongIsRefusedUnlessAccepted(t *testing.T) {
	for _, accept := range []bool{false, true} {
		bubble(t, cluster.Options{AcceptOld: accept, MaxAge: 10 * time.Minute}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, again func() *cluster.Member) {
			h, _ := hold(t, m)
			if err := commit(h, cursor.State{Instance: "one", Events: 7}); err != nil {
				t.Fatal(err)
			}
			h.Close()
			time.Sleep(time.Minute)
			backup := store.Copy()
			backup.Now = time.Now
			time.Sleep(11 * time.Minute)
			other, err := cluster.New(cluster.Options{Store: backup, AcceptOld: accept, MaxAge: 10 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			stop := running(t, other)
			defer stop()
			h, s, err := other.Hold(t.Context(), "one")
			if accept && (err != nil || s.Events != 7) {
				t.Errorf("accepted: %+v, %v", s, err)
			}
			if !accept && (err == nil || !strings.Contains(err.Error(), "no member has used it for 1")) {
				t.Errorf("error %v", err)
			}
			if h != nil {
				h.Close()
			}
		})
	}
}

// A backup younger than MaxAge is used by members that have seen nothing newer, and they say how
// much may come out twice.
func TestStoreThatNobodyUsedForAWhileIsUsedWithAWarning(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 7}); err != nil {
			t.Fatal(err)
		}
		h.Close()
		for _, wait := range []time.Duration{time.Minute, 3 * time.Hour} {
			backup := store.Copy()
			backup.Now = time.Now
			time.Sleep(wait)
			var log bytes.Buffer
			other, err := cluster.New(cluster.Options{Store: backup, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			stop := running(t, other)
			h, s := hold(t, other)
			if s.Events != 7 {
				t.Errorf("state %+v", s)
			}
			h.Close()
			stop()
			warned := strings.Contains(log.String(), "no member has used the store for a while") && strings.Contains(log.String(), "for=3h0m")
			if warned != (wait > time.Minute) {
				t.Errorf("after %s: %s", wait, &log)
			}
		}
	})
}

// ZITADEL refuses a source for a month: its state is old, and the store is not.
func TestSourceThatFailsForLongIsNoBackup(t *testing.T) {
	const ttl = 24 * time.Hour // few looks
	bubble(t, cluster.Options{TTL: ttl}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, again func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 7}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * 24 * time.Hour)
		h.Close()
		h, _ = hold(t, m)
		m.Sources(nil)
		h.Close()
		h, s := hold(t, again())
		if s.Events != 7 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}
