package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Status is this member's own view, without a request to the store.
type Status struct {
	Name    string
	Held    []string // sorted
	Waiting int      // sources that a Hold waits for
	// Certain tells whether the lease certainly stands, and Until for how long.
	Certain bool
	Until   time.Duration
	// Met tells whether the store has granted this process a lease since its start.
	Met bool
	// Err is why the store does not answer, or that it went back. Nil if all is well.
	Err   error
	Since time.Time // of Err; zero if the store went back
}

// loop is one of the two that ask the store. Each has an outage of its own: a lease can be renewed in
// a store that is of no other use, for example because a right is missing.
type loop int

const (
	renews loop = iota
	balances
	loops
)

// troubled notes the outcome of a request of one loop. The caller has m.mu.
func (m *Member) troubled(of loop, err error) {
	m.trouble[of] = err
	switch why := m.troubles(); {
	case why == nil:
		if lasted, ended := m.away.Worked(); ended {
			m.o.Log.Info("the store can be used again", "after", lasted.Round(time.Second))
		}
	case err == nil || !m.away.Failed(why):
	case m.met:
		m.o.Log.Warn("the store cannot be used: reading goes on until the lease ends, and waits then", "err", why)
	default:
		m.o.Log.Warn("the store cannot be used: reading begins when it can", "err", why)
	}
}

// troubles is why the store does not answer. The caller has m.mu.
func (m *Member) troubles() error { return cmp.Or(m.trouble[renews], m.trouble[balances]) }

// Status is for /health and metrics.
func (m *Member) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{
		Name: m.o.Name, Held: slices.Sorted(maps.Keys(m.held)), Waiting: len(m.waiting),
		Certain: m.certain(m.lease), Met: m.met, Err: m.troubles(),
	}
	if s.Certain {
		s.Until = m.until.Sub(m.o.now())
	}
	switch {
	case m.back != nil:
		s.Err = m.back
	case s.Err != nil:
		_, s.Since = m.away.Current()
	}
	return s
}

// MemberStatus is one member as the store sees it.
type MemberStatus struct {
	Name    string
	Held    []string // sorted
	Waiting int
	List    string // names its list of sources; members balance only while they have the same one
}

// Members joins what [Store.Look] and [Store.Holders] say: who holds what, sorted by name.
func Members(view View, holders map[string]string) []MemberStatus {
	byLease := map[string][]string{}
	for instance, lease := range holders {
		byLease[lease] = append(byLease[lease], instance)
	}
	var out []MemberStatus
	for _, v := range view.Members {
		slices.Sort(byLease[v.Lease])
		out = append(out, MemberStatus{Name: v.Note.Name, Held: byLease[v.Lease], Waiting: v.Note.Waiting, List: v.Note.Sources})
	}
	slices.SortStableFunc(out, func(a, b MemberStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
