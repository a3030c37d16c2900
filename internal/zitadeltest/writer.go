package zitadeltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Writer appends transactions like the recorded ones, as an instance in use does. Each
// one is a copy of a recorded one with aggregates of the writer, some new and some
// known, so that sequences continue. A Writer is for one goroutine.
type Writer struct {
	store *Store
	now   func() time.Time
	rand  *rand.Rand
	ids   uint64
	known map[string][]string // aggregate type -> ids
}

// NewWriter returns a writer whose choices depend only on seed. now returns the creation
// dates; nil means time.Now.
func NewWriter(store *Store, seed uint64, now func() time.Time) *Writer {
	if now == nil {
		now = time.Now
	}
	return &Writer{
		store: store, now: now,
		rand:  rand.New(rand.NewPCG(seed, 0)),
		ids:   500000000000000000 + seed<<32, // no recorded id begins with 5
		known: map[string][]string{},
	}
}

// transactions are the recorded events by transaction, without those of the setup,
// which an instance writes only once.
var transactions = sync.OnceValue(func() [][]Event {
	const setUp = 20 // events; the set-up's own hold 139 and 516, the next largest 7
	var all [][]Event
	events := RecordedEvents(time.Time{})
	for first := 0; first < len(events); {
		end := first + 1
		for end < len(events) && events[end].CreatedAt.Equal(events[first].CreatedAt) {
			end++
		}
		if end-first < setUp {
			all = append(all, events[first:end])
		}
		first = end
	}
	return all
})

// Next returns a transaction created now and does not append it. Append it, or push it
// through a [Tx] to make it late.
func (w *Writer) Next() []Event {
	template := transactions()[w.rand.IntN(len(transactions()))]
	now := w.now()
	renamed := map[string]string{}
	events := make([]Event, len(template))
	for i, e := range template {
		id, ok := renamed[e.AggregateID]
		if !ok {
			id = w.aggregate(e.AggregateType)
			renamed[e.AggregateID] = id
		}
		e.AggregateID, e.Sequence, e.CreatedAt = id, 0, now
		events[i] = e
	}
	return events
}

// aggregate returns a known aggregate in four of five cases.
func (w *Writer) aggregate(typ string) string {
	const most = 1000 // known aggregates of one type
	known := w.known[typ]
	if len(known) > 0 && (w.rand.IntN(5) > 0 || len(known) >= most) {
		return known[w.rand.IntN(len(known))]
	}
	w.ids++
	id := fmt.Sprint(w.ids)
	w.known[typ] = append(known, id)
	return id
}

// Append appends transactions until at least n events are written, and returns
// how many it wrote.
func (w *Writer) Append(n int) int {
	written := 0
	for written < n {
		events := w.Next()
		w.store.Append(events...)
		written += len(events)
	}
	return written
}

// Run appends about perSecond events a second until the context ends.
func (w *Writer) Run(ctx context.Context, perSecond float64) {
	const step = 20 * time.Millisecond // bursts that a user sees as a flow
	tick := time.NewTicker(step)
	defer tick.Stop()
	due := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due += perSecond * step.Seconds()
		if due >= 1 {
			due -= float64(w.Append(int(due)))
		}
	}
}
