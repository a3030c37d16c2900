package zitadeltest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// One seed always writes the same log, and the sequences of each aggregate count from 1
// without gaps.
func TestWriterIsSeededAndContiguous(t *testing.T) {
	write := func(seed uint64) *Store {
		at := time.Unix(1.7e9, 0)
		store := NewStore()
		NewWriter(store, seed, func() time.Time { at = at.Add(time.Millisecond); return at }).Append(2000)
		return store
	}
	a, b, other := write(1), write(1), write(2)
	if a.Len() != b.Len() {
		t.Fatalf("%d and %d events of one seed", a.Len(), b.Len())
	}
	differs, multi := false, false
	for i := range a.rows {
		x, y := a.rows[i], b.rows[i]
		if x.aggregate.id != y.aggregate.id || x.shape.typ != y.shape.typ || x.created != y.created {
			t.Fatalf("event %d differs", i)
		}
		differs = differs || i < other.Len() && other.rows[i].shape.typ != x.shape.typ
		multi = multi || x.inTx > 0
	}
	if !differs || !multi {
		t.Errorf("another seed differs: %v, transactions of several events: %v", differs, multi)
	}
	for id, agg := range a.aggregates {
		if int(agg.last) != len(agg.rows) {
			t.Errorf("aggregate %s: %d events, last sequence %d", id, len(agg.rows), agg.last)
		}
	}
}

func TestWriterKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewStore()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		NewWriter(store, 1, nil).Run(ctx, 100)
		if n := store.Len(); n < 980 || n > 1020 {
			t.Errorf("%d events in 10 s at 100/s", n)
		}
	})
}
