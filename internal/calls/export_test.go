package calls

import "slices"

// TableMethods returns the methods of writes.txt.
func TableMethods() (list []string) {
	for m := range table().numbers {
		list = append(list, m)
	}
	slices.Sort(list)
	return list
}

// Limit makes the memory smaller.
func (s *Store) Limit(most int) { s.most = most }

// Callers counts the users in memory.
func (s *Store) Callers() int { return len(s.callers) }

// LostSpans counts the times in which calls may be missing.
func (s *Store) LostSpans() int { return len(s.lost) }
