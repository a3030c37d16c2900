package events

import (
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// maxAggregates bounds the aggregates whose highest sequence is remembered, to
// see a jump in it. About 180 bytes each, so some 6 MB. An aggregate that was
// forgotten is known again from its next event on.
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

// memory knows the keys that were emitted lately, since they are read again,
// and the highest sequence of recent aggregates.
type memory struct {
	// Two generations: lookups promote into young; when that is full, old is
	// dropped and young takes its place. Simpler than a list, and as good.
	young, old map[aggregateKey]*aggregate
	room       int  // young is full at this size
	forgot     bool // an aggregate was dropped

	// holes are the open ones: their aggregates are never forgotten, else an
	// answer would be taken for the top, and what stands above it asked for again.
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

// rotate forgets the old generation, but for aggregates that seen points to.
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
	// What is pinned does not count: else every call would rotate.
	m.room = maxAggregates/2 + len(kept)
}

func (m *memory) has(a *aggregate, sequence uint64) bool {
	_, ok := m.seen[seenKey{a, sequence}]
	return ok
}

// hasKey is has for an aggregate that may be unknown, and stays so.
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
		// The highest one was emitted too, if maybe created before the date.
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
		typ, id := splitName(name)
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

// splitName cuts "type/id" at the first slash: only an id may hold one.
func splitName(name string) (typ, id string) {
	for i := range len(name) {
		if name[i] == '/' {
			return name[:i], name[i+1:]
		}
	}
	return name, ""
}
