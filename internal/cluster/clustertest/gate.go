package clustertest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// Gate stands between one member and its store.
type Gate struct {
	cluster.Store

	mu     sync.Mutex
	away   bool
	frozen chan struct{} // closed by Thaw
	beats  int
}

// ErrAway is what a request gets while the way to the store is cut.
var ErrAway = errors.New("the network is partitioned")

// Cut and Mend are a partition between the member and the store.
func (g *Gate) Cut() { g.set(true) }

// Mend: see [Gate.Cut].
func (g *Gate) Mend() { g.set(false) }

func (g *Gate) set(away bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away = away
}

// Freeze holds requests back, as a member does that is stopped by SIGSTOP. They reach the
// store after Thaw, however late.
func (g *Gate) Freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen == nil {
		g.frozen = make(chan struct{})
	}
}

// Thaw: see [Gate.Freeze].
func (g *Gate) Thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen != nil {
		close(g.frozen)
		g.frozen = nil
	}
}

// Beats counts the renewals.
func (g *Gate) Beats() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.beats
}

func (g *Gate) pass() error {
	g.mu.Lock()
	frozen := g.frozen
	g.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away {
		return ErrAway
	}
	return nil
}

func (g *Gate) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	if err := g.pass(); err != nil {
		return "", err
	}
	return g.Store.Grant(ctx, ttl, note)
}

func (g *Gate) Renew(ctx context.Context, lease string, note cluster.Note) error {
	if err := g.pass(); err != nil {
		return err
	}
	g.mu.Lock()
	g.beats++
	g.mu.Unlock()
	return g.Store.Renew(ctx, lease, note)
}

func (g *Gate) Revoke(ctx context.Context, lease string) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Store.Revoke(ctx, lease)
}

func (g *Gate) Register(ctx context.Context, instances []string) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Store.Register(ctx, instances)
}

func (g *Gate) Look(ctx context.Context) (cluster.View, error) {
	if err := g.pass(); err != nil {
		return cluster.View{}, err
	}
	return g.Store.Look(ctx)
}

func (g *Gate) Holders(ctx context.Context) (map[string]string, error) {
	if err := g.pass(); err != nil {
		return nil, err
	}
	return g.Store.Holders(ctx)
}

func (g *Gate) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	if err := g.pass(); err != nil {
		return cluster.Taken{}, err
	}
	return g.Store.Take(ctx, lease, instance)
}

func (g *Gate) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Store.Commit(ctx, lease, instance, fence, number, state)
}

func (g *Gate) Release(ctx context.Context, lease, instance string, fence uint64) error {
	if err := g.pass(); err != nil {
		return err
	}
	return g.Store.Release(ctx, lease, instance, fence)
}
