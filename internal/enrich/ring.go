package enrich

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// ring holds encoded entries in a bounded number of segments, without a pointer or an
// allocation for each:
//
//	2 bytes   size of all, and two flags
//	...       key, see appendKey
//	...       body
//
// A changed entry is written anew, and its old bytes are dead. When no segment is free, the
// one with the most dead bytes is packed and filled again. If too few bytes are dead, a hand
// goes round and evicts the entries that were not used since it passed them last (second
// chance). An entry never lies in two segments.
type ring struct {
	seed       maphash.Seed
	shift      uint // of a segment's size, a power of two
	segSize    int
	maxSegs    int
	maxEntries int
	segs       []segment
	current    int // is being filled
	hand       int // segment of the hand
	handAt     int // and where in it
	index      index
	evicted    uint64
	// spare reports whether an entry was used without the ring, by the cache in front of it.
	// If it returns false, the entry is evicted.
	spare func(key []byte) bool
}

type segment struct {
	b    []byte // written part
	dead int
}

const (
	used     = 1 << 15 // since the hand came by
	dead     = 1 << 14
	sizeMask = dead - 1
	headSize = 2

	maxEntry   = 4 << 10 // no encoded entry is longer
	minSegment = 2 * maxEntry
	maxSegment = 256 << 10
	// packAt is the dead part of a segment from which it is packed: a quarter. Then at most
	// three bytes are moved for each byte that is written.
	packAt = 4
)

// newRing makes a ring that takes at most maxBytes, index included.
func newRing(maxBytes, maxEntries int) *ring {
	slots := slotsFor(maxEntries)
	room := max(maxBytes-slots*slotSize, 2*minSegment)
	shift := uint(bits.Len(uint(min(max(room/16, minSegment), maxSegment))) - 1)
	size := 1 << shift
	r := &ring{
		seed: maphash.MakeSeed(), shift: shift, segSize: size, maxSegs: room / size, maxEntries: maxEntries,
		index: index{max: slots}, spare: func([]byte) bool { return false },
	}
	r.index.grow(r.hashAt)
	return r
}

func (r *ring) bytes() int { return len(r.segs)*r.segSize + len(r.index.places)*slotSize }

func (r *ring) hash(key []byte) uint64 { return maphash.Bytes(r.seed, key) }

// at returns the bytes from a place on. An entry begins there.
func (r *ring) at(place uint32) []byte {
	return r.segs[place>>r.shift].b[place&(1<<r.shift-1):]
}

func (r *ring) keyAt(place uint32) []byte {
	b := r.at(place)[headSize:]
	return b[:keyLen(b)]
}

func (r *ring) hashAt(place uint32) uint64 { return r.hash(r.keyAt(place)) }

// find returns the slot of a key.
func (r *ring) find(key []byte, hash uint64) (slot int, ok bool) {
	x, tag := &r.index, uint8(hash)
	for slot = home(hash, len(x.places)); ; {
		p := x.places[slot]
		if p == 0 {
			return slot, false
		}
		if x.tags[slot] == tag && bytes.HasPrefix(r.at(p - 1)[headSize:], key) {
			return slot, true
		}
		if slot++; slot == len(x.places) {
			slot = 0
		}
	}
}

// get returns the body under key. It is valid until the ring changes.
func (r *ring) get(key []byte, hash uint64) (body []byte, ok bool) {
	slot, ok := r.find(key, hash)
	if !ok {
		return nil, false
	}
	b := r.at(r.index.places[slot] - 1)
	head := binary.LittleEndian.Uint16(b)
	binary.LittleEndian.PutUint16(b, head|used)
	return b[headSize+len(key) : head&sizeMask], true
}

// put writes the body under key. It replaces an earlier one.
func (r *ring) put(key []byte, hash uint64, body []byte) {
	size := headSize + len(key) + len(body)
	if slot, ok := r.find(key, hash); ok {
		place := r.index.places[slot] - 1
		b := r.at(place)
		if int(binary.LittleEndian.Uint16(b)&sizeMask) == size {
			copy(b[headSize+len(key):], body)
			return
		}
		r.drop(slot)
	}
	for r.index.count >= r.maxEntries {
		r.evict()
	}
	r.room(size)
	seg := &r.segs[r.current]
	place := uint32(r.current*r.segSize + len(seg.b))
	seg.b = binary.LittleEndian.AppendUint16(seg.b, uint16(size))
	seg.b = append(append(seg.b, key...), body...)
	r.index.grow(r.hashAt)
	r.index.set(r.index.free(hash), hash, place)
}

// drop removes the entry of a slot.
func (r *ring) drop(slot int) {
	place := r.index.places[slot] - 1
	b := r.at(place)
	head := binary.LittleEndian.Uint16(b)
	binary.LittleEndian.PutUint16(b, head|dead)
	r.segs[place>>r.shift].dead += int(head & sizeMask)
	r.index.remove(slot, r.hashAt)
}

func (r *ring) remove(key []byte, hash uint64) {
	if slot, ok := r.find(key, hash); ok {
		r.drop(slot)
	}
}

// room makes a segment with size free bytes the current one.
func (r *ring) room(size int) {
	for {
		if r.current < len(r.segs) && len(r.segs[r.current].b)+size <= r.segSize {
			return
		}
		if len(r.segs) < r.maxSegs {
			r.current = len(r.segs)
			r.segs = append(r.segs, segment{b: make([]byte, 0, r.segSize)})
			return
		}
		most := 0
		for i := range r.segs {
			if r.segs[i].dead > r.segs[most].dead {
				most = i
			}
		}
		if r.segs[most].dead >= max(size, r.segSize/packAt) {
			r.pack(most)
			r.current = most
			return
		}
		r.evict()
	}
}

// pack moves the entries of a segment together.
func (r *ring) pack(i int) {
	seg := &r.segs[i]
	to := 0
	for at := 0; at < len(seg.b); {
		head := binary.LittleEndian.Uint16(seg.b[at:])
		size := int(head & sizeMask)
		if head&dead == 0 {
			if at != to {
				from := uint32(i*r.segSize + at)
				r.index.places[r.index.slotOf(r.hashAt(from), from)] = uint32(i*r.segSize+to) + 1
				copy(seg.b[to:], seg.b[at:at+size])
			}
			to += size
		}
		at += size
	}
	seg.b, seg.dead = seg.b[:to], 0
	if r.hand == i { // what stayed was looked at, and what comes is new
		r.nextSegment()
	}
}

func (r *ring) nextSegment() {
	r.hand, r.handAt = (r.hand+1)%len(r.segs), 0
}

// evict drops one entry. The ring must not be empty.
func (r *ring) evict() {
	for {
		seg := &r.segs[r.hand]
		if r.handAt >= len(seg.b) {
			r.nextSegment()
			continue
		}
		b := seg.b[r.handAt:]
		head := binary.LittleEndian.Uint16(b)
		place := uint32(r.hand*r.segSize + r.handAt)
		r.handAt += int(head & sizeMask)
		switch {
		case head&dead != 0:
		case head&used != 0:
			binary.LittleEndian.PutUint16(b, head&^used)
		default:
			if r.spare(r.keyAt(place)) {
				continue
			}
			r.drop(r.index.slotOf(r.hashAt(place), place))
			r.evicted++
			return
		}
	}
}

// all yields the entries in the order in which the hand reaches them.
func (r *ring) all(yield func(key, body []byte) bool) {
	for n := range r.segs {
		i := (r.hand + n) % len(r.segs)
		b := r.segs[i].b
		for len(b) > 0 {
			head := binary.LittleEndian.Uint16(b)
			e := b[headSize : head&sizeMask]
			b = b[head&sizeMask:]
			if head&dead != 0 {
				continue
			}
			n := keyLen(e)
			if !yield(e[:n], e[n:]) {
				return
			}
		}
	}
}
