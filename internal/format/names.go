package format

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Names is what earlier events said, for the records of one source. It is safe for
// concurrent use. A panic in it is logged and counted, and goes no further.
type Names struct {
	// Failed counts panics. The record comes out even so.
	Failed atomic.Uint64
	// Learned counts events of the past that taught names, ToLearn the event types whose
	// past is not read yet.
	Learned, ToLearn atomic.Uint64

	log     *slog.Logger
	warn    sync.Once
	syncing sync.Mutex // held by who uses the disk; before mu
	mu      sync.Mutex // not held while the disk makes something durable
	store   *enrich.Store
}

// OpenNames opens the file of names at path. Without a path, names end with the process.
func OpenNames(path string, o enrich.Options) (*Names, error) {
	n := &Names{log: o.Log}
	var err error
	if path == "" {
		n.store, err = enrich.New(o)
	} else {
		n.store, err = enrich.Open(path, o)
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Learn learns from a redacted event.
func (n *Names) Learn(e *record.Event) {
	n.contained(func(s *enrich.Store) { s.Learn(e) })
}

// contained calls f with the store. A panic ends f only.
func (n *Names) contained(f func(*enrich.Store)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			n.failed(fault.Of(v))
		}
	}()
	f(n.store)
}

func (n *Names) failed(err *fault.Error) {
	n.Failed.Add(1)
	n.warn.Do(func() {
		n.log.Error("names: records come out without what earlier events said: "+err.Error(), "stack", err.Stack)
	})
}

// Sync makes what was learned before it durable. Records are encoded while the disk works.
func (n *Names) Sync() error {
	n.syncing.Lock()
	defer n.syncing.Unlock()
	var write func() error
	if err := n.locked(func() error { write = n.store.BeginSync(); return nil }); err != nil {
		return err
	}
	err := fault.Contain(write)
	return n.locked(func() error { return n.store.EndSync(err) })
}

func (n *Names) locked(f func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fault.Contain(f)
}

// Stats says how much is known.
func (n *Names) Stats() enrich.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.store.Stats()
}

// Close syncs and closes the file.
func (n *Names) Close() error {
	n.syncing.Lock()
	defer n.syncing.Unlock()
	return n.locked(n.store.Close)
}
