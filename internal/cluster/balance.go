package cluster

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// takers is how many sources a member takes at once: each is one round trip.
const takers = 8

// balancing takes and gives up sources, fifteen times in a lease and when there is a reason.
func (m *Member) balancing(ctx context.Context) {
	for ctx.Err() == nil {
		if asked, err := m.balance(ctx); asked && ctx.Err() == nil {
			m.mu.Lock()
			m.troubled(balances, err)
			m.mu.Unlock()
		}
		m.tellMoves()
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-time.After(m.o.TTL / 15):
		}
	}
}

// balance asks nothing while the lease does not certainly stand.
func (m *Member) balance(ctx context.Context) (asked bool, err error) {
	m.mu.Lock()
	lease, ready := m.lease, m.certain(m.lease)
	unknown := m.unknown
	instances := make([]string, 0, len(m.known))
	for instance := range m.known {
		instances = append(instances, instance)
	}
	var free []*held
	var unfreed error
	for instance, h := range m.unfreed {
		if m.waiting[instance] == nil || h.leaving {
			free = append(free, h)
		}
	}
	m.mu.Unlock()
	if !ready {
		return false, nil
	}
	for _, h := range free {
		if unfreed = m.free(ctx, h); unfreed != nil {
			break // the others would wait as long
		}
	}
	if unknown {
		if err := m.register(ctx, instances); err != nil {
			return true, err
		}
	}
	at := m.o.now()
	short, cancel := m.limited(ctx)
	view, err := m.o.Store.Look(short)
	cancel()
	sure := false
	if err == nil {
		sure, err = m.trust(ctx, view, at)
	}
	if err != nil || !sure {
		return true, err
	}
	m.compareLists(view, lease)
	m.takeAll(ctx, lease, m.plan(view, lease))
	return true, cmp.Or(m.reconcile(ctx, view, lease), unfreed)
}

// reconcile finds what the store and this member see differently: the answer of a Take or a
// Release got lost. The counts differ for a moment while readers close, so two looks decide.
func (m *Member) reconcile(ctx context.Context, v View, lease string) error {
	m.mu.Lock()
	differs := false
	for _, other := range v.Members {
		differs = differs || other.Lease == lease && other.Held != m.counted
	}
	m.counted = len(m.held) + len(m.unfreed)
	if !differs {
		m.differ = 0
	} else {
		m.differ++
	}
	check := m.differ >= 2
	m.mu.Unlock()
	if !check {
		return nil
	}
	ctx, cancel := m.limited(ctx)
	defer cancel()
	holders, err := m.o.Store.Holders(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lease != lease {
		return nil
	}
	m.differ = 0
	for instance, holder := range holders {
		if holder == lease && m.held[instance] == nil && m.unfreed[instance] == nil {
			m.unfreed[instance] = &held{m: m, instance: instance, lease: lease, closed: true, done: make(chan struct{})}
		}
	}
	for instance, h := range m.held {
		if holders[instance] != lease {
			h.stop()
		}
	}
	return nil
}

func (m *Member) register(ctx context.Context, instances []string) error {
	ctx, cancel := m.limited(ctx)
	defer cancel()
	if err := m.o.Store.Register(ctx, instances); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if hashOf(instances) == m.sources {
		m.unknown = false
	}
	return nil
}

// plan gives one source up if this member has too many, and returns those to take.
func (m *Member) plan(v View, lease string) []*waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.back != nil || m.lease != lease || m.stopping {
		return nil
	}
	now := m.o.now()
	freeFrom := make(map[string]time.Time, len(m.freeFrom))
	var take, late []*waiter
	free := 0
	for _, instance := range v.Free {
		if !m.known[instance] {
			continue
		}
		free++
		from, ok := m.freeFrom[instance]
		if !ok {
			from = now
		}
		freeFrom[instance] = from
		// Nobody with room takes it, perhaps because none knows it, or because it is paused.
		if w := m.waiting[instance]; w == nil {
			continue
		} else if now.Sub(from) > m.o.TTL/3 {
			late = append(late, w)
		} else {
			take = append(take, w)
		}
	}
	m.freeFrom = freeFrom
	registered := free
	for _, other := range v.Members {
		registered += other.Held
	}
	if registered < len(m.known) { // somebody deleted a source from the store
		m.unknown = true
	}
	// Two members that look at the same moment start at different ends.
	rand.Shuffle(len(take), func(i, j int) { take[i], take[j] = take[j], take[i] })
	mine, leaving := 0, false
	for _, h := range m.held {
		if h.leaving {
			leaving = true
		} else {
			mine++
		}
	}
	if !leaving && surplus(v, lease, m.sources, len(m.known), mine, free) {
		for _, h := range m.held { // any
			m.passed.add(h.instance, now)
			h.leave()
			break
		}
	}
	room := max(0, share(len(m.known), len(v.Members))-mine-len(late))
	take = append(late, take[:min(room, len(take))]...)
	for instance, h := range m.unfreed { // held in the store, from before a lapse
		if w := m.waiting[instance]; w != nil && !h.leaving {
			take = append(take, w)
		}
	}
	return take
}

// takeAll takes what is in the list. After several failures it leaves the rest to the next look, which
// knows whether the store is away.
func (m *Member) takeAll(ctx context.Context, lease string, list []*waiter) {
	var all errgroup.Group
	all.SetLimit(takers)
	var failed atomic.Int32
	for _, w := range list {
		all.Go(func() error {
			if failed.Load() < takers && m.take(ctx, lease, w) != nil {
				failed.Add(1)
			}
			return nil
		})
	}
	_ = all.Wait() // take tells who waits
}

// take returns an error of the store, and not that the source is another member's.
func (m *Member) take(ctx context.Context, lease string, w *waiter) error {
	m.mu.Lock()
	wanted := m.waiting[w.instance] == w && m.certain(lease)
	m.mu.Unlock()
	if !wanted {
		return nil
	}
	short, cancel := m.limited(ctx)
	taken, err := m.o.Store.Take(short, lease, w.instance)
	cancel()
	if errors.Is(err, ErrTaken) { // an answer to Release got lost, and it is another member's now
		m.mu.Lock()
		if h := m.unfreed[w.instance]; h != nil && h.lease == lease {
			delete(m.unfreed, w.instance)
		}
		m.mu.Unlock()
		return nil
	}
	if err != nil {
		if !errors.Is(err, ErrExpired) && ctx.Err() == nil && m.untaken.Failed(err) {
			m.o.Log.Warn("a source could not be taken: it is tried again", "instance", w.instance, "err", err)
		}
		return err
	}
	h := &held{m: m, instance: w.instance, lease: lease, fence: taken.Fence, number: taken.Number, done: make(chan struct{})}
	err = m.judge(taken, w.instance)
	if err == nil && taken.State != nil {
		h.state, err = unpack(taken.State, w.instance)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lease != lease {
		return ErrExpired // the take went with the lease
	}
	delete(m.unfreed, w.instance)
	if err != nil || m.waiting[w.instance] != w || m.stopping {
		h.closed, h.leaving = true, true
		m.unfreed[w.instance] = h
		poke(m.wake)
		if m.waiting[w.instance] == w {
			m.answer(w, nil, err)
		}
		return nil
	}
	m.held[w.instance] = h
	m.taken.add(w.instance, m.o.now())
	if !m.certain(lease) {
		h.stop()
	}
	m.answer(w, h, nil)
	return nil
}
