package events

import (
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// maxAggregates limits the aggregates whose highest sequence is remembered, to notice a gap. They
// take about 180 bytes each, 6 MB together. A forgotten aggregate is known again from its next
// event on.
const maxAggregates = 1 << 15

type aggregateKey struct{ typ, id string }

// aggregate is what is remembered of one: its highest sequence, 0 for none.
type aggregate struct {
	key  aggregateKey
	top  uint64
	pins int  // keys of it in memory.seen
	own  bool // a session of the reader's own token
}

type seenKey struct {
	agg      *aggregate
	sequence uint64
}

// memory has the keys that were emitted recently, because they are read again, and the highest
// sequences of recent aggregates.
type memory struct {
	// Two generations: a lookup moves an aggregate to young. When young is full, old is
	// dropped and young becomes old.
	young, old map[aggregateKey]*aggregate
	room       int  // young is full at this size
	forgot     bool // an aggregate was dropped

	// holes are the open ones. Their aggregates are never forgotten: otherwise the answer to a
	// hole would become the highest sequence, and the sequences above it would be missing.
	holes map[aggregateKey][]hole

	seen      map[seenKey]time.Time // creation date
	sweptSize int                   // len(seen) after the last sweep
}

func newMemory() *memory {
	return &memory{
		room:  maxAggregates / 2,
		young: make(map[aggregateKey]*aggregate),
		old:   make(map[aggregateKey]*aggregate),
		seen:  make(map[seenKey]time.Time),
	}
}

func (m *memory) aggregate(typ, id string) *aggregate {
	k := aggregateKey{typ, id}
	if a, ok := m.young[k]; ok {
		return a
	}
	a, ok := m.old[k]
	if !ok {
		a = &aggregate{key: k}
	}
	if len(m.young) >= m.room {
		m.rotate()
	}
	m.young[k] = a
	delete(m.old, k)
	return a
}

// rotate forgets the old generation, except for aggregates that are still needed.
func (m *memory) rotate() {
	kept := make(map[aggregateKey]*aggregate, maxAggregates/2)
	for k, a := range m.old {
		if a.pins > 0 || m.holes[k] != nil {
			kept[k] = a
		} else {
			m.forgot = true
		}
	}
	m.old, m.young = m.young, kept
	// Kept aggregates do not count, otherwise every call would rotate.
	m.room = maxAggregates/2 + len(kept)
}

func (m *memory) has(a *aggregate, sequence uint64) bool {
	_, ok := m.seen[seenKey{a, sequence}]
	return ok
}

// hasKey is has for an aggregate that may be unknown. It does not remember the aggregate.
func (m *memory) hasKey(k aggregateKey, sequence uint64) bool {
	a, ok := m.young[k]
	if !ok {
		a, ok = m.old[k]
	}
	return ok && m.has(a, sequence)
}

func (m *memory) remember(a *aggregate, sequence uint64, created time.Time) {
	m.seen[seenKey{a, sequence}] = created
	a.pins++
}

// forgetUpTo drops the keys created up to a date. It sweeps when the map
// has doubled, so that the cost per event stays the same.
func (m *memory) forgetUpTo(date time.Time) {
	if len(m.seen) < 2*m.sweptSize+64 {
		return
	}
	m.sweep(date)
}

func (m *memory) sweep(date time.Time) {
	for k, created := range m.seen {
		if !created.After(date) {
			delete(m.seen, k)
			k.agg.pins--
		}
	}
	m.sweptSize = len(m.seen)
}

// snapshot returns the keys created after a date for the state file.
func (m *memory) snapshot(date time.Time) map[string]string {
	m.sweep(date)
	runs := make(map[*aggregate][]uint64)
	for k := range m.seen {
		runs[k.agg] = append(runs[k.agg], k.sequence)
	}
	for k := range m.holes {
		a, ok := m.young[k]
		if !ok {
			a = m.old[k]
		}
		if a != nil && runs[a] == nil {
			runs[a] = []uint64{}
		}
	}
	if len(runs) == 0 {
		return nil
	}
	out := make(map[string]string, len(runs))
	for a, sequences := range runs {
		// The highest one was emitted too, but may be older than the date.
		if a.top > 0 {
			sequences = append(sequences, a.top)
		}
		if len(sequences) == 0 {
			continue
		}
		out[a.key.typ+"/"+a.key.id] = cursor.FormatRuns(sequences)
	}
	return out
}

// restore is the inverse of snapshot. The creation dates are not in the state:
// every key counts as recent until the watermark passes `until`, the newest
// date they can have.
func (m *memory) restore(seen map[string]string, until time.Time) error {
	for name, runs := range seen {
		typ, id, _ := strings.Cut(name, "/") // only an id may contain another slash
		sequences, err := cursor.ParseRuns(runs)
		if err != nil {
			return err
		}
		a := m.aggregate(typ, id)
		for _, sequence := range sequences {
			m.remember(a, sequence, until)
			a.top = max(a.top, sequence)
		}
	}
	return nil
}

func (m *memory) forgetTops() {
	for _, a := range m.young {
		a.top = 0
	}
	for _, a := range m.old {
		a.top = 0
	}
}
