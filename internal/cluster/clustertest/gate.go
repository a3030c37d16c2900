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
	store cluster.Store

	mu     sync.Mutex
	way    Way
	lag    time.Duration
	frozen chan struct{} // closed by Thaw
}

// Way is the state of the network between a member and its store.
type Way int

const (
	Open Way = iota
	Cut      // nothing arrives
	Deaf     // requests arrive, answers get lost
)

// ErrAway is what a request gets while the way to the store is cut.
var ErrAway = errors.New("the network is partitioned")

// Set sets the way. Requests arrive after lag, also those for whose answer the member no longer
// waits.
func (g *Gate) Set(way Way, lag time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.way, g.lag = way, lag
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

func through[T any](ctx context.Context, g *Gate, request func(context.Context) (T, error)) (T, error) {
	var none T
	g.mu.Lock()
	frozen := g.frozen
	g.mu.Unlock()
	if frozen != nil {
		<-frozen
		ctx = context.WithoutCancel(ctx)
	}
	g.mu.Lock()
	way, lag := g.way, g.lag
	g.mu.Unlock()
	if way == Cut {
		return none, ErrAway
	}
	if lag > 0 {
		type result struct {
			value T
			err   error
		}
		answer := make(chan result, 1)
		go func() {
			time.Sleep(lag)
			value, err := request(context.WithoutCancel(ctx))
			answer <- result{value, err}
		}()
		select {
		case a := <-answer:
			return a.value, a.err
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	value, err := request(ctx)
	if way == Deaf {
		return none, ErrAway
	}
	return value, err
}

func pass(ctx context.Context, g *Gate, request func(context.Context) error) error {
	_, err := through(ctx, g, func(ctx context.Context) (struct{}, error) { return struct{}{}, request(ctx) })
	return err
}

func (g *Gate) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	return through(ctx, g, func(ctx context.Context) (string, error) { return g.store.Grant(ctx, ttl, note) })
}

func (g *Gate) Renew(ctx context.Context, lease string, note cluster.Note) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Renew(ctx, lease, note) })
}

func (g *Gate) Revoke(ctx context.Context, lease string) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Revoke(ctx, lease) })
}

func (g *Gate) Register(ctx context.Context, instances []string) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Register(ctx, instances) })
}

func (g *Gate) Look(ctx context.Context) (cluster.View, error) { return through(ctx, g, g.store.Look) }

func (g *Gate) Holders(ctx context.Context) (map[string]string, error) {
	return through(ctx, g, g.store.Holders)
}

func (g *Gate) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	return through(ctx, g, func(ctx context.Context) (cluster.Taken, error) { return g.store.Take(ctx, lease, instance) })
}

func (g *Gate) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	return pass(ctx, g, func(ctx context.Context) error {
		return g.store.Commit(ctx, lease, instance, fence, number, state)
	})
}

func (g *Gate) Release(ctx context.Context, lease, instance string, fence uint64) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Release(ctx, lease, instance, fence) })
}

func (g *Gate) Alive(ctx context.Context, v cluster.View) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Alive(ctx, v) })
}

func (g *Gate) Accept(ctx context.Context) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Accept(ctx) })
}

func (g *Gate) Refuse(ctx context.Context, why string) error {
	return pass(ctx, g, func(ctx context.Context) error { return g.store.Refuse(ctx, why) })
}

// Close does nothing: other members may use the store.
func (g *Gate) Close() {}

// NewGate returns an open gate.
func NewGate(store cluster.Store) *Gate { return &Gate{store: store} }
