package verify

import (
	"cmp"
	"fmt"
	"slices"
)

// entry is what is kept of an event: 24 bytes.
type entry struct {
	id uint64 // hash
	// content is the hash of the record; of an entry with spilled, the place of the last
	// record in the spill.
	content uint64
	second  uint32 // creation date, Unix seconds
	shape   uint16
	seen    uint8 // records of the copy, at most 255
	flags   flags
}

type flags uint8

const (
	required flags = 1 << iota // the copy must have it
	spilled                    // a record of the copy differs, or may differ
	handled                    // the second reading met it
)

// maxEvents bounds the events of one run: 24 bytes each, 480 MB in all.
const maxEvents = 20_000_000

const buckets = 256

// table finds events by the hash of their id. Its buckets grow one by one, so that no more
// than a small part of it is ever copied.
type table struct {
	bucket [buckets][]entry
	n      int
	most   int
}

func (t *table) add(e entry) error {
	if t.n >= t.most {
		return fmt.Errorf("the span has more than %d events, which is the most that one run compares: split it, with an earlier --to", t.most)
	}
	b := &t.bucket[e.id>>56]
	*b = append(*b, e)
	t.n++
	return nil
}

// sort makes find work. An event that was added twice is kept once.
func (t *table) sort() {
	t.n = 0
	for i := range t.bucket {
		b := t.bucket[i]
		slices.SortFunc(b, func(x, y entry) int { return cmp.Compare(x.id, y.id) })
		t.bucket[i] = slices.CompactFunc(b, func(x, y entry) bool { return x.id == y.id })
		t.n += len(t.bucket[i])
	}
}

// find returns the entry of an id, or nil. It is valid for good.
func (t *table) find(id uint64) *entry {
	b := t.bucket[id>>56]
	i, ok := slices.BinarySearchFunc(b, id, func(e entry, id uint64) int { return cmp.Compare(e.id, id) })
	if !ok {
		return nil
	}
	return &b[i]
}

func (t *table) each(f func(*entry)) {
	for i := range t.bucket {
		for k := range t.bucket[i] {
			f(&t.bucket[i][k])
		}
	}
}
