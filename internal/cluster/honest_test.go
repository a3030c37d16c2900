package cluster_test

import (
	"bytes"
	"context"
	"errors"
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

// seenBy is a store as one member sees it.
type seenBy struct {
	*clustertest.Memory
	look func(cluster.View) (cluster.View, error)
}

func (s seenBy) Look(ctx context.Context) (cluster.View, error) {
	v, err := s.Memory.Look(ctx)
	if err != nil {
		return v, err
	}
	return s.look(v)
}

// corrected after its start, and the members saw it all the time.
func TestClockOfTheStoreThatJumpsIsNoBackup(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 7}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		store.SetNow(func() time.Time { return time.Now().Add(4 * 24 * time.Hour) })
		time.Sleep(time.Minute)
		h.Close()
		h, s := hold(t, m)
		if s.Events != 7 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}

// yet must not stop all the others.
func TestWrongClockOfOneMemberRefusesNothingThatOthersUse(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		time.Sleep(time.Minute)
		wrong, err := cluster.New(cluster.Options{Store: seenBy{store, func(v cluster.View) (cluster.View, error) {
			v.Idle += 30 * 24 * time.Hour
			return v, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer running(t, wrong)()
		time.Sleep(2 * time.Minute)
		h.Close()
		if err := errors.Join(m.Status().Err, wrong.Status().Err); err != nil {
			t.Fatal(err)
		}
		h, _ = hold(t, wrong)
		h.Close()
	})
}

// A name that led to another server for a while is corrected.
func TestWrongStoreForAWhileNeedsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrong atomic.Bool
		right := clustertest.NewMemory()
		m, err := cluster.New(cluster.Options{Store: seenBy{right, func(v cluster.View) (cluster.View, error) {
			if wrong.Load() {
				v.Store = "another"
			}
			return v, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer running(t, m)()
		h, _ := hold(t, m)
		wrong.Store(true)
		time.Sleep(time.Minute)
		h.Close()
		if _, _, err := m.Hold(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), "it is the store another") {
			t.Fatal(err)
		}
		if err := right.Refuse(t.Context(), ""); err != nil { // it was noted in the other one
			t.Fatal(err)
		}
		wrong.Store(false)
		time.Sleep(time.Minute)
		h, _ = hold(t, m)
		h.Close()
	})
}

// All members go on with another store once one of them accepts it.
func TestOtherStoreIsUsedOnceOneMemberAcceptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var other atomic.Bool
		store := seenBy{clustertest.NewMemory(), func(v cluster.View) (cluster.View, error) {
			if other.Load() {
				v.Store = "another"
			}
			return v, nil
		}}
		var members []*cluster.Member
		for range 2 {
			m, err := cluster.New(cluster.Options{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			defer running(t, m)()
			members = append(members, m)
		}
		time.Sleep(time.Minute)
		other.Store(true)
		time.Sleep(time.Minute)
		accepting, err := cluster.New(cluster.Options{Store: store, AcceptOld: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if err := m.Status().Err; err == nil || !strings.Contains(err.Error(), "it is the store another") {
				t.Errorf("status %v", err)
			}
		}
		stop := running(t, accepting)
		time.Sleep(10 * time.Second)
		stop()
		time.Sleep(time.Minute)
		for _, m := range members {
			if err := m.Status().Err; err != nil {
				t.Error(err)
			}
		}
	})
}

// An idle source commits once a minute. A fail-over that loses a moment can lose one of these.
func TestFailOverThatLosesOneCommitOfAnIdleSourceGoesOn(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(65 * time.Second)
		replica := store.Copy()
		if err := commit(h, cursor.State{Instance: "one", Events: 2}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		store.Restore(replica)
		h.Close()
		time.Sleep(5 * time.Second)
		h, s := hold(t, m)
		if s.Events != 1 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}

// The lease is renewed, and the rest of the store cannot be used, for example because a right is missing.
func TestStoreThatRenewsAndNothingElseIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var log bytes.Buffer
		m, err := cluster.New(cluster.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Store: seenBy{clustertest.NewMemory(), func(v cluster.View) (cluster.View, error) {
			if broken.Load() {
				return v, errors.New("permission denied")
			}
			return v, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, m)
		h, _ := hold(t, m)
		broken.Store(true)
		time.Sleep(time.Hour)
		if s := m.Status(); s.Err == nil || time.Since(s.Since) < 59*time.Minute {
			t.Errorf("status %v since %s", s.Err, time.Since(s.Since))
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if err := m.Status().Err; err != nil {
			t.Error(err)
		}
		h.Close()
		stop()
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) != 3 { // beside that the source was taken
			t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines[:min(6, len(lines))], "\n"))
		}
	})
}
