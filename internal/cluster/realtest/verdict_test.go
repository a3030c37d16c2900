package realtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// verdict judges a run by the laws.
type verdict struct {
	t       testing.TB
	f       *fleet
	faults  []*fault
	history history
	at      time.Time // of the history
	ledger  *ledger
}

// scheduling is how much longer than the law allows something may take on a busy machine.
const scheduling = time.Second

// judge judges everything, after the end.
func (v *verdict) judge() {
	v.t.Helper()
	v.takeAll()
	if ids := v.ledger.lost(); len(ids) > 0 {
		v.t.Errorf("lost: %s", some(ids))
	}
	if ids := v.ledger.foreign(); len(ids) > 0 {
		v.t.Errorf("came, and nobody committed them: %s", some(ids))
	}
	v.t.Logf("after %s:", v.counts())
	v.wantFewRepeated()
	v.wantHolders()
}

func (v *verdict) takeAll() {
	for _, m := range v.f.sidecars {
		v.ledger.take(m.name, m.receiver.Messages())
	}
}

// wantFewRepeated: nobody but the holder commits, and each hold that was lost repeats one step at most, the one that
// was emitted and not committed.
func (v *verdict) wantFewRepeated() {
	v.t.Helper()
	v.takeAll()
	holds, violations := v.history.holds()
	for _, violation := range violations {
		v.t.Error(violation)
	}
	lost, total := v.lostHolds(holds), 0
	for _, list := range holds {
		total += len(list)
	}
	events, repeated := v.ledger.repeated()
	for instance, n := range repeated {
		if n > lost[instance] {
			v.t.Errorf("%s: %d steps were repeated, and %d holds were lost", instance, n, lost[instance])
		}
	}
	v.t.Logf("%d commits of %d holds, %d of them were lost; %d events in %d messages: %d repeated, of %d steps",
		v.commits(), total, sum(lost), len(v.ledger.seen), len(v.ledger.arrivals), events, sum(repeated))
}

// lostHolds counts for each source the holds that ended in another way than by a sidecar that could
// commit all it had emitted.
func (v *verdict) lostHolds(holds map[string][]hold) map[string]int {
	n := map[string]int{}
	for instance, list := range holds {
		for _, h := range list {
			if !h.to.IsZero() && (h.end != released || v.harmedBefore(h)) {
				n[instance]++
			}
		}
	}
	return n
}

// harmedBefore tells whether the holder may have been unable to commit when it gave the source up.
func (v *verdict) harmedBefore(h hold) bool {
	return slices.ContainsFunc(v.faults, func(f *fault) bool {
		return f.kind.takesHolds && (f.sidecar == nil || f.sidecar.name == h.member) &&
			f.from.Before(h.to) && h.to.Before(f.to.Add(2*v.f.o.lease))
	})
}

// wantHolders: after a holder has gone, or cannot reach the store any more, another one holds the
// source within two leases. A restart of the store adds a lease to its own time: after it, the store
// gives every lease its whole length again.
func (v *verdict) wantHolders() {
	v.t.Helper()
	holds, _ := v.history.holds()
	var longest, restarted time.Duration
	for _, s := range v.f.o.sources {
		for i, h := range holds[s.instance] {
			gone, next := v.goneAt(h), hold{from: v.at, member: "nobody"} // until now
			if i+1 < len(holds[s.instance]) {
				next = holds[s.instance][i+1]
			} else if h.to.IsZero() {
				continue
			}
			gap, more := next.from.Sub(gone), v.restarts(gone, next.from)
			if more == 0 {
				longest = max(longest, gap)
			} else {
				restarted = max(restarted, gap)
			}
			if gap > 2*v.f.o.lease+more+scheduling {
				v.t.Errorf("%s: nobody could read it for %s, from %s (%s) until %s took it", s.instance, gap.Round(time.Millisecond), gone.Format("15:04:05.000"), h.member, next.member)
			}
		}
	}
	v.t.Logf("longest time without a holder: %s, with a restart of the store meanwhile %s; the lease is %s",
		longest.Round(10*time.Millisecond), restarted.Round(10*time.Millisecond), v.f.o.lease)
}

// restarts is how much longer a source may be without a holder because of restarts of the store.
func (v *verdict) restarts(from, to time.Time) (more time.Duration) {
	for _, f := range v.faults {
		if f.kind.store && f.from.Before(to) && f.to.After(from) {
			more += min(f.to.Sub(f.from), mostAway) + v.f.o.lease
		}
	}
	return more
}

// mostAway is how long a restart may keep the store from ending leases, beyond a lease: that of
// PostgreSQL; or the election of etcd, whose new leader also adds its election timeout of 1 s to each
// lease. etcd answers again long before its third member is back.
const mostAway = 4 * time.Second

// goneAt is when the holder could not read any more: at the end of its hold, or earlier if a fault led to
// that end.
func (v *verdict) goneAt(h hold) time.Time {
	at := h.to
	for _, f := range v.faults {
		if f.sidecar != nil && f.sidecar.name == h.member && f.kind.takesHolds && f.from.After(h.from) && f.from.Before(at) &&
			(f.kind.kills || h.to.Before(f.to.Add(v.f.o.lease))) {
			at = f.from
		}
	}
	return at
}

func (v *verdict) commits() (n int) {
	by := map[string]int{}
	for _, c := range v.history.changes {
		if c.kind == committed {
			by[c.instance]++
		}
	}
	return sum(by)
}

// counts are the faults by kind.
func (v *verdict) counts() string {
	n := map[string]int{}
	for _, f := range v.faults {
		n[f.kind.name]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[name], name))
	}
	return strings.Join(parts, ", ")
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}
