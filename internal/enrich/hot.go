package enrich

import (
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"strings"
)

// hot keeps the entries that were looked up last, decoded, and the ids of which nothing is
// known. A lookup that finds its id here needs one hash, reads neither the index nor the
// ring, and allocates nothing.
//
// A set has two places. What comes in takes the place of the one that was not asked for
// last. An id of which nothing is known counts only once it is asked for again: a flood of
// such ids leaves one place of each set to what is known.
type hot struct {
	seed maphash.Seed
	sets [hotSets]hotSet
	id   []byte // scratch
}

// hotSets make 800 KiB: more does not fit the cache of a processor.
const hotSets = 1024

type hotSet struct {
	hash  [2]uint64
	last  uint8 // was asked for last
	slots [2]hotSlot
}

type hotSlot struct {
	unknown bool // there is no such entry
	// asked: since the hand of the ring came by.
	asked bool
	// epoch is the one of the store for which the entry is not forgotten with its
	// organisation or project, and login, where there is one, is right.
	epoch    uint64
	login    string
	hasLogin bool
	e        entry // of kind 0: none
}

// spread tells the kinds of one id apart: 2^64 divided by the golden ratio.
const spread = 0x9e3779b97f4a7c15

func (h *hot) hash(k kind, id string) uint64 { return maphash.String(h.seed, id) ^ uint64(k)*spread }

func (h *hot) set(hash uint64) *hotSet { return &h.sets[hash%hotSets] }

// get returns the slot of an id, and nil where it is not hot.
func (h *hot) get(hash uint64, k kind, id string) *hotSlot {
	set := h.set(hash)
	i := 0
	if set.hash[0] != hash {
		if i = 1; set.hash[1] != hash {
			return nil
		}
	}
	s := &set.slots[i]
	if s.e.kind != k || s.e.id != id {
		return nil
	}
	set.last, s.asked = uint8(i), true
	return s
}

// take empties the slot that an id gets.
func (h *hot) take(hash uint64) *hotSlot {
	set := h.set(hash)
	i := 1 - set.last
	for n, of := range set.hash { // of the id itself, or of nothing
		if of == hash || set.slots[n].e.kind == 0 {
			i = uint8(n)
			break
		}
	}
	s := &set.slots[i]
	set.last, set.hash[i] = i, hash
	s.unknown, s.asked, s.epoch, s.e.kind = false, false, 0, 0
	return s
}

// spare reports whether the entry of a key was asked for since it was spared last.
// Otherwise it is no longer hot: it is about to be evicted.
func (h *hot) spare(key []byte) bool {
	k := kind(key[0] &^ numeric)
	if key[0]&numeric != 0 {
		h.id = strconv.AppendUint(h.id[:0], binary.BigEndian.Uint64(key[1:]), 10)
	} else {
		h.id = append(h.id[:0], key[2:]...)
	}
	hash := maphash.Bytes(h.seed, h.id) ^ uint64(k)*spread
	set := h.set(hash)
	for i := range set.slots {
		s := &set.slots[i]
		if set.hash[i] != hash || s.e.kind != k || s.e.id != string(h.id) {
			continue
		}
		if s.asked {
			s.asked = false
			return true
		}
		s.e.kind = 0
	}
	return false
}

// find returns what is known under an id. The entry holds until the next call of find or
// [Store.Learn]; its strings hold for ever.
func (s *Store) find(k kind, id string) (e *entry, ok bool) {
	slot := s.look(k, id)
	return &slot.e, !slot.unknown
}

// nothing is what is known of an id that no entry can have.
var nothing = hotSlot{unknown: true}

// look is find, and returns the slot of the entry.
func (s *Store) look(k kind, id string) *hotSlot {
	if len(id) > maxID || id == "" && k != kindPolicy {
		return &nothing
	}
	hash := s.hot.hash(k, id)
	slot := s.hot.get(hash, k, id)
	if slot == nil {
		if slot = s.warm(hash, k, id); slot == nil {
			return &nothing
		}
	}
	if slot.epoch != s.epoch {
		if !slot.unknown && s.leaving.left(&slot.e) {
			r, at := s.address(k, id)
			r.remove(s.key, at)
			slot.empty(k, strings.Clone(id))
		}
		slot.epoch, slot.hasLogin = s.epoch, false
	}
	return slot
}

// warm brings what is known into a slot. That an organisation has no policy is not kept: it
// is asked for when a user becomes hot, and few have one.
func (s *Store) warm(hash uint64, k kind, id string) *hotSlot {
	r, at := s.address(k, id)
	body, ok := r.get(s.key, at)
	if !ok && k == kindPolicy {
		return nil
	}
	slot := s.hot.take(hash)
	if ok {
		if slot.e.read(k, id, body, s); !slot.e.hidden() {
			return slot
		}
	}
	slot.empty(k, strings.Clone(id)) // an id may be a part of something larger
	s.hot.set(hash).last ^= 1        // what comes next takes this place
	return slot
}

func (s *hotSlot) empty(k kind, id string) {
	s.unknown, s.e = true, entry{kind: k, id: id}
}
