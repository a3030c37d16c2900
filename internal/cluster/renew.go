package cluster

import (
	"context"
	"errors"
	"time"
)

// renewing keeps the lease, with a request every third of it whatever the number of sources.
func (m *Member) renewing(ctx context.Context) {
	for ctx.Err() == nil {
		next := time.Now().Add(m.o.TTL / 3) // from the request, however long the answer takes
		if !m.renew(ctx) {
			next = time.Now().Add(m.o.TTL / 15)
		}
		select {
		case <-ctx.Done():
		case <-m.tell:
		case <-time.After(time.Until(next)):
		}
	}
}

// renew reports whether the lease certainly stands.
func (m *Member) renew(ctx context.Context) bool {
	m.mu.Lock()
	lease, doubt := m.lease, m.doubt
	m.doubt = true
	note := Note{Name: m.o.Name, Sources: m.sources, Waiting: len(m.waiting)}
	m.mu.Unlock()
	if doubt {
		// A renewal whose answer gets lost would keep sources from the others.
		if err := m.probe(ctx); err != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.troubled(renews, err)
			return false
		}
	}
	sent := m.o.now() // before the request: the store counts from a later moment
	ctx, cancel := m.limited(ctx)
	defer cancel()
	var err error
	if lease != "" {
		if err = m.o.Store.Renew(ctx, lease, note); errors.Is(err, ErrExpired) {
			m.o.Log.Warn("the lease is over: the sources are taken again")
			m.mu.Lock()
			m.drop()
			m.mu.Unlock()
			lease = ""
		}
	}
	if lease == "" {
		sent = m.o.now()
		lease, err = m.o.Store.Grant(ctx, m.o.TTL, note)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.troubled(renews, err)
	if err != nil {
		return false
	}
	fresh := m.lease != lease || m.lapsed
	m.lease, m.lapsed, m.doubt, m.met = lease, false, false, true
	// A tenth is for clocks that do not run equally fast, and for the time between a look
	// at the clock and what follows from it.
	m.until = sent.Add(m.o.TTL - m.o.TTL/10)
	m.watchLapse()
	if fresh {
		poke(m.wake)
	}
	return m.certain(lease)
}

// probe tells whether the store answers in time.
func (m *Member) probe(ctx context.Context) error {
	ctx, cancel := m.limited(ctx)
	defer cancel()
	_, err := m.o.Store.Look(ctx)
	return err
}

// watchLapse closes every Done at the moment at which the lease is no longer certain.
func (m *Member) watchLapse() {
	if m.watch != nil {
		m.watch.Stop()
	}
	m.watch = time.AfterFunc(m.until.Sub(m.o.now()), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if left := m.until.Sub(m.o.now()); left > 0 {
			m.watch.Reset(left)
			return
		}
		if m.lease == "" || m.lapsed || !m.running {
			return
		}
		m.lapsed = true
		m.o.Log.Warn("the lease could not be renewed in time: reading waits until the store answers")
		for _, h := range m.held {
			h.stop()
		}
	})
}

// drop forgets the lease and what was held under it.
func (m *Member) drop() {
	for _, h := range m.held {
		h.stop()
	}
	clear(m.held)
	clear(m.unfreed)
	poke(m.given)
	m.lease, m.lapsed = "", false
}

// certain tells whether the lease certainly stands.
func (m *Member) certain(lease string) bool {
	return lease != "" && m.lease == lease && m.o.now().Before(m.until)
}
