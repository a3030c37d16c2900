package enrich

import "math/bits"

// index finds the place of an entry by the hash of its key: a table with open addressing
// and linear probing, 5 bytes a slot. A tag of 8 bits rejects nearly all wrong entries
// without a look into the ring.
type index struct {
	places []uint32 // place + 1, 0 is a free slot
	tags   []uint8
	count  int
	max    int // most slots
}

const (
	minSlots = 1 << 10
	slotSize = 5
	// A table is at most 4/5 full, and is made 4/3 as large.
	fullOf, fullAt     = 5, 4
	growthOf, growthBy = 3, 4
)

// slotsFor returns how many slots n entries need.
func slotsFor(n int) int { return max(minSlots, n*fullOf/fullAt+1) }

func home(hash uint64, slots int) int {
	hi, _ := bits.Mul64(hash, uint64(slots))
	return int(hi)
}

// free returns the first free slot for a hash.
func (x *index) free(hash uint64) (slot int) {
	for slot = home(hash, len(x.places)); x.places[slot] != 0; {
		if slot++; slot == len(x.places) {
			slot = 0
		}
	}
	return slot
}

// slotOf returns the slot of a place. The place must be in the index.
func (x *index) slotOf(hash uint64, place uint32) (slot int) {
	for slot = home(hash, len(x.places)); x.places[slot] != place+1; {
		if slot++; slot == len(x.places) {
			slot = 0
		}
	}
	return slot
}

func (x *index) set(slot int, hash uint64, place uint32) {
	x.places[slot], x.tags[slot] = place+1, uint8(hash)
	x.count++
}

// remove empties a slot, and moves back the entries that had been displaced by it.
func (x *index) remove(slot int, hashAt func(place uint32) uint64) {
	n := len(x.places)
	x.count--
	for next := slot; ; {
		if next++; next == n {
			next = 0
		}
		p := x.places[next]
		if p == 0 {
			break
		}
		at := home(hashAt(p-1), n)
		if (next-at+n)%n < (next-slot+n)%n {
			continue // it may not stand before its home
		}
		x.places[slot], x.tags[slot] = p, x.tags[next]
		slot = next
	}
	x.places[slot] = 0
}

// grow makes room for one more.
func (x *index) grow(hashAt func(place uint32) uint64) {
	if (x.count+1)*fullOf <= len(x.places)*fullAt {
		return
	}
	n := max(minSlots, min(len(x.places)*growthBy/growthOf, x.max))
	old := x.places
	x.places, x.tags, x.count = make([]uint32, n), make([]uint8, n), 0
	for _, p := range old {
		if p == 0 {
			continue
		}
		hash := hashAt(p - 1)
		x.set(x.free(hash), hash, p-1)
	}
}
