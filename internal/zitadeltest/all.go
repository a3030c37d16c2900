package zitadeltest

// Key identifies an event of a store, within its instance.
type Key struct {
	AggregateType, AggregateID string
	Sequence                   uint64
}

// Keys returns the keys of all committed events, hidden ones too, in the order
// in which they were stored.
func (s *Store) Keys() []Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := make([]Key, len(s.rows))
	for i := range s.rows {
		r := &s.rows[i]
		keys[i] = Key{r.aggregate.typ, r.aggregate.id, r.sequence}
	}
	return keys
}
