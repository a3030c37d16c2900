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
