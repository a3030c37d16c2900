package enrich

// recent keeps entries that were looked up last, decoded, so that what is asked for again
// costs no allocation.
type recent struct {
	slots [recentSlots]recentSlot
}

// recentSlots make 700 KiB.
const recentSlots = 2048

type recentSlot struct {
	hash uint64
	e    entry // of kind 0: none
}

func (r *recent) slot(hash uint64) *recentSlot { return &r.slots[hash%recentSlots] }

func (r *recent) drop(hash uint64) {
	if slot := r.slot(hash); slot.hash == hash {
		slot.e.kind = 0
	}
}

var unknown entry

// find returns what is known under an id. The entry holds until the next call of find or
// [Store.Learn]; its strings hold for ever.
func (s *Store) find(k kind, id string) (e *entry, ok bool) {
	if len(id) > maxID || id == "" && k != kindPolicy {
		return &unknown, false
	}
	r, hash := s.address(k, id)
	body, ok := r.get(s.key, hash)
	if !ok {
		return &unknown, false
	}
	slot := s.recent.slot(hash)
	if e = &slot.e; slot.hash != hash || e.kind != k || e.id != id {
		slot.hash = hash
		if e.read(k, id, body, s); e.forgotten || e.order == [maxGroups]uint64{} {
			e.kind = 0 // its id may be a part of something larger
			return &unknown, false
		}
	}
	if s.leaving.left(e) {
		r.remove(s.key, hash)
		e.kind = 0
		return &unknown, false
	}
	return e, true
}
