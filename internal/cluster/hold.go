package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// ErrStopped is the error of Hold once Run ends.
var ErrStopped = errors.New("the member stops")

// ErrRefused is the error of Hold while no source is taken from the store.
var ErrRefused = errors.New("the store went back")

// waiter is a Hold that waits.
type waiter struct {
	instance string
	answer   chan answer
}

type answer struct {
	held  *held
	state cursor.State
	err   error
}

// Hold waits until this member holds the source, and returns its state: the zero State if
// nobody has committed one. The source has to be in the list of [Member.Sources]. Close what
// Hold returns once its Done is closed, after the last commit, and call Hold again. A Hold that
// comes before that Close waits for it. An error other than that of ctx concerns the state or
// the list, and names the fix; wait a while before another call.
func (m *Member) Hold(ctx context.Context, instance string) (cursor.Held, cursor.State, error) {
	w := &waiter{instance: instance, answer: make(chan answer, 1)}
	m.mu.Lock()
	var err error
	switch {
	case m.stopping:
		err = ErrStopped
	case !m.known[instance]:
		err = fmt.Errorf("source %q is not in the list of sources", instance)
	case m.waiting[instance] != nil || m.held[instance] != nil && !m.held[instance].stopped():
		err = fmt.Errorf("source %q has a reader in this process already", instance)
	case m.back != nil:
		err = m.back
	default:
		m.waiting[instance] = w
	}
	m.mu.Unlock()
	if err != nil {
		return nil, cursor.State{}, err
	}
	poke(m.wake)
	select {
	case a := <-w.answer:
		if a.err != nil {
			return nil, cursor.State{}, a.err
		}
		return a.held, a.state, nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	if m.waiting[instance] == w {
		delete(m.waiting, instance)
	}
	m.mu.Unlock()
	select { // it may have been answered meanwhile
	case a := <-w.answer:
		if a.held != nil {
			_ = a.held.Close()
		}
	default:
	}
	return nil, cursor.State{}, ctx.Err()
}

// answer ends a wait. The caller has m.mu.
func (m *Member) answer(w *waiter, h *held, err error) {
	if m.waiting[w.instance] == w {
		delete(m.waiting, w.instance)
	}
	a := answer{held: h, err: err}
	if h != nil {
		a.state = h.state
	}
	w.answer <- a
}

// held is one source under one fencing number.
type held struct {
	m        *Member
	instance string
	lease    string
	fence    uint64
	state    cursor.State // as taken

	done     chan struct{}
	stopOnce sync.Once
	leaving  bool // m.mu: another member is to have it, or nobody here reads it
	closed   bool // m.mu

	committing sync.Mutex // commits are one after the other
	number     uint64     // of the last attempt
	prepared   uint64     // m.mu: order of the last Prepare
	committed  uint64     // committing: order of the last Commit
}

func (h *held) Done() <-chan struct{} { return h.done }

func (h *held) stop() { h.stopOnce.Do(func() { close(h.done) }) }

func (h *held) stopped() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// leave asks the reader for the source. The caller has m.mu.
func (h *held) leave() {
	h.leaving = true
	h.stop()
}

// certain is nil if the hold certainly stands.
func (h *held) certain() error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	switch {
	case h.closed:
		return fmt.Errorf("source %q: %w: it was given up", h.instance, cursor.ErrLost)
	case h.m.lease != h.lease:
		return fmt.Errorf("source %q: %w: the lease is over", h.instance, cursor.ErrLost)
	case !h.m.certain(h.lease):
		return fmt.Errorf("source %q: %w: the lease could not be renewed in time; repair the store or the way to it", h.instance, cursor.ErrLost)
	}
	return nil
}

// Prepare encodes s. Nothing of it is in the store before Commit.
func (h *held) Prepare(s cursor.State) (cursor.Pending, error) {
	if err := h.certain(); err != nil {
		h.stop()
		return nil, err
	}
	s.Updated = s.Updated.UTC().Truncate(time.Microsecond)
	b, err := pack(s)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", h.instance, err)
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.prepared++
	return &pending{held: h, order: h.prepared, state: b}, nil
}

type pending struct {
	held  *held
	order uint64
	state []byte
}

// Commit is one transaction of the store. Each attempt has a higher number than the one
// before, so that one whose answer got lost, and that the store still runs later, changes
// nothing any more.
func (p *pending) Commit() error {
	h := p.held
	h.committing.Lock()
	defer h.committing.Unlock()
	if p.order <= h.committed {
		return nil // this one, or a later one, was committed before
	}
	if err := h.certain(); err != nil {
		h.stop()
		return err
	}
	ctx, cancel := h.m.limited(context.Background())
	defer cancel()
	h.number++
	err := h.m.o.Store.Commit(ctx, h.lease, h.instance, h.fence, h.number, p.state)
	switch {
	case errors.Is(err, cursor.ErrLost):
		h.stop()
		return fmt.Errorf("source %q: %w", h.instance, err)
	case err != nil:
		if !h.m.unsaved.Failed(err) {
			err = fmt.Errorf("%w (%w)", err, cursor.ErrTold)
		}
		return fmt.Errorf("source %q: the store did not take the state: %w", h.instance, err)
	}
	h.committed = p.order
	h.m.saw(h.instance, h.number)
	return nil
}

// Close gives the source up: another member may have it at once. If the store is away, it
// is given up later. After a lapse of the lease the source stays with this member if a Hold
// asks for it again before the store is back.
func (h *held) Close() error {
	h.committing.Lock() // no commit is under way
	defer h.committing.Unlock()
	m := h.m
	m.mu.Lock()
	if h.closed {
		m.mu.Unlock()
		return nil
	}
	h.closed = true
	h.stop()
	if m.held[h.instance] != h { // the lease ended, and it with it
		m.mu.Unlock()
		return nil
	}
	delete(m.held, h.instance)
	m.unfreed[h.instance] = h
	certain := m.certain(h.lease)
	m.mu.Unlock()
	if certain {
		_ = m.free(context.Background(), h) // balancing tries again, and says what is wrong
	}
	poke(m.wake)
	poke(m.given)
	return nil
}

// free tells the store that the source is free.
func (m *Member) free(ctx context.Context, h *held) error {
	ctx, cancel := m.limited(ctx)
	defer cancel()
	if err := m.o.Store.Release(ctx, h.lease, h.instance, h.fence); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unfreed[h.instance] == h {
		delete(m.unfreed, h.instance)
	}
	return nil
}
