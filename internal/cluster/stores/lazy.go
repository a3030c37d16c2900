package stores

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

// lazy is a store that is opened by the first call.
type lazy struct {
	open    func(context.Context) (cluster.Store, error)
	opening chan struct{} // holds an entry while a call opens it

	mu     sync.Mutex
	store  cluster.Store // nil before
	closed bool
}

func newLazy(open func(context.Context) (cluster.Store, error)) *lazy {
	return &lazy{open: open, opening: make(chan struct{}, 1)}
}

var errClosed = errors.New("the store is closed")

func (l *lazy) get(ctx context.Context) (cluster.Store, error) {
	if s, err := l.have(); s != nil || err != nil {
		return s, err
	}
	select {
	case l.opening <- struct{}{}:
		defer func() { <-l.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s, err := l.have(); s != nil || err != nil { // another call has opened it meanwhile
		return s, err
	}
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		s.Close()
		return nil, errClosed
	}
	l.store = s
	return s, nil
}

func (l *lazy) have() (cluster.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	return l.store, nil
}

// ask calls f with the open store.
func ask[T any](ctx context.Context, l *lazy, f func(cluster.Store) (T, error)) (T, error) {
	s, err := l.get(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return f(s)
}

func (l *lazy) tell(ctx context.Context, f func(cluster.Store) error) error {
	_, err := ask(ctx, l, func(s cluster.Store) (struct{}, error) { return struct{}{}, f(s) })
	return err
}

func (l *lazy) Grant(ctx context.Context, ttl time.Duration, note cluster.Note) (string, error) {
	return ask(ctx, l, func(s cluster.Store) (string, error) { return s.Grant(ctx, ttl, note) })
}

func (l *lazy) Renew(ctx context.Context, lease string, note cluster.Note) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Renew(ctx, lease, note) })
}

func (l *lazy) Revoke(ctx context.Context, lease string) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Revoke(ctx, lease) })
}

func (l *lazy) Register(ctx context.Context, instances []string) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Register(ctx, instances) })
}

func (l *lazy) Look(ctx context.Context) (cluster.View, error) {
	return ask(ctx, l, func(s cluster.Store) (cluster.View, error) { return s.Look(ctx) })
}

func (l *lazy) Holders(ctx context.Context) (map[string]string, error) {
	return ask(ctx, l, func(s cluster.Store) (map[string]string, error) { return s.Holders(ctx) })
}

func (l *lazy) Take(ctx context.Context, lease, instance string) (cluster.Taken, error) {
	return ask(ctx, l, func(s cluster.Store) (cluster.Taken, error) { return s.Take(ctx, lease, instance) })
}

func (l *lazy) Commit(ctx context.Context, lease, instance string, fence, number uint64, state []byte) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Commit(ctx, lease, instance, fence, number, state) })
}

func (l *lazy) Release(ctx context.Context, lease, instance string, fence uint64) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Release(ctx, lease, instance, fence) })
}

// Close closes the store; calls that follow fail.
func (l *lazy) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.store != nil {
		l.store.Close()
	}
}

func (l *lazy) Alive(ctx context.Context, v cluster.View) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Alive(ctx, v) })
}

func (l *lazy) Accept(ctx context.Context) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Accept(ctx) })
}

func (l *lazy) Refuse(ctx context.Context, why string) error {
	return l.tell(ctx, func(s cluster.Store) error { return s.Refuse(ctx, why) })
}
