package enrich

import (
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"strings"
)

// hot is a cache. It keeps decoded the entries that were looked up last, and the ids that
// have no entry. A lookup that finds its id here needs one hash, reads neither the index nor
// the ring, and allocates nothing.
//
// A set has two slots. A new id replaces the one that was used less recently. An id without
// an entry counts as used only when it is asked for a second time. So a flood of such ids
// takes only one slot of each set, and the other one stays with a known id.
type hot struct {
	seed maphash.Seed
	sets [hotSets]hotSet
	id   []byte // scratch
}

// hotSets take 800 KiB. More would not fit into the cache of a processor.
const hotSets = 1024

type hotSet struct {
	hash  [2]uint64
	last  uint8 // was asked for last
	slots [2]hotSlot
}

type hotSlot struct {
	unknown bool // there is no such entry
	// asked is set if the id was looked up since the hand of the ring passed its entry.
	asked bool
	// epoch is the epoch of the store in which this slot was last checked. In a later one the login
	// name may be wrong, or the entry forgotten with its organisation or project.
	epoch    uint64
	login    string
	hasLogin bool
	e        entry // of kind 0: none
}

// spread tells the kinds of one id apart: 2^64 divided by the golden ratio.
const spread = 0x9e3779b97f4a7c15

func (h *hot) hash(k kind, id string) uint64 { return maphash.String(h.seed, id) ^ uint64(k)*spread }

func (h *hot) set(hash uint64) *hotSet { return &h.sets[hash%hotSets] }

// get returns the slot of an id, or nil if the cache does not have it.
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

// take returns the slot for a new id, and empties it.
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

// spare reports whether the entry of a key was looked up since the last call for it. If it
// was not, the entry leaves the cache, because the ring evicts it now.
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

// find returns the entry of an id. The entry is valid until the next call of find or
// [Store.Learn]. Its strings stay valid.
func (s *Store) find(k kind, id string) (e *entry, ok bool) {
	slot := s.look(k, id)
	return &slot.e, !slot.unknown
}

// nothing is returned for an id that is too long to have an entry.
var nothing = hotSlot{unknown: true}

// look does the work of find, and returns the slot of the entry.
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

// warm puts the entry of an id into a slot. It does not remember that an organisation has no
// policy: that is asked for only when a user enters the cache, and few organisations have one.
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
