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

// brittle is a store that gives nothing and takes nothing back while it is broken.
type brittle struct {
	*clustertest.Memory
	broken atomic.Bool
}

var errBroken = errors.New("connection refused")

func (s *brittle) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	if s.broken.Load() {
		return cluster.Taken{}, errBroken
	}
	return s.Memory.Take(ctx, lease, instance)
}

func (s *brittle) Release(ctx context.Context, lease, instance string, fence uint64) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Memory.Release(ctx, lease, instance, fence)
}

func (s *brittle) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Memory.Commit(ctx, lease, instance, fence, number, state)
}

// The pipe of each source logs why its state was not committed, except what was told before.
func TestCommitsThatFailAlikeAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brittle{Memory: clustertest.NewMemory()}
		m, err := cluster.New(cluster.Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer running(t, m)()
		names := clustertest.Names(20)
		m.Sources(names)
		var all []cursor.Held
		for _, name := range names {
			h, _, err := m.Hold(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			all = append(all, h)
		}
		for _, told := range []int{1, 0, 1} {
			store.broken.Store(true)
			fresh := 0
			for i, h := range all {
				err := commit(h, cursor.State{Instance: names[i]})
				if !errors.Is(err, errBroken) {
					t.Fatal(err)
				}
				if !errors.Is(err, cursor.ErrTold) {
					fresh++
				}
			}
			if fresh != told {
				t.Errorf("%d errors were not told before, want %d", fresh, told)
			}
			time.Sleep(40 * time.Second)
		}
		store.broken.Store(false)
	})
}

// A process has thousands of sources: what concerns all of them is not logged for each.
func TestOutageOfTheStoreIsAFewLinesHoweverManySources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &brittle{Memory: clustertest.NewMemory()}
		g := clustertest.NewGroup(cluster.DefaultTTL, time.Minute)
		names := clustertest.Names(500)
		store.broken.Store(true)
		a := g.Start(t, store, cluster.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, names)
		time.Sleep(time.Minute) // none can be taken
		store.broken.Store(false)
		clustertest.Eventually(t, time.Minute, "all are held", func() bool { return len(a.Status().Held) == 500 })
		store.broken.Store(true)
		a.Read(nil) // none can be given up
		time.Sleep(time.Minute)
		if err := a.Status().Err; !errors.Is(err, errBroken) {
			t.Errorf("status %v", err)
		}
		store.broken.Store(false)
		clustertest.Eventually(t, time.Minute, "all are free", func() bool {
			v, err := store.Look(t.Context())
			return err == nil && len(v.Free) == 500
		})
		a.Read(names)
		time.Sleep(time.Minute)
		store.broken.Store(true)
		a.Stop() // none is given up, but the lease ends
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) > 12 {
			t.Errorf("%d lines, such as\n%s", len(lines), strings.Join(lines[:12], "\n"))
		}
	})
}
