package realtest

import (
	"fmt"
	"time"
)

// history is all that happened to the sources of a store, as the store itself tells it: by a trigger in
// PostgreSQL, by a watch in etcd.
type history struct {
	names   map[string]string // lease -> member
	changes []change          // those of one source in their order
}

// change is one change of a source.
type change struct {
	at            time.Time
	instance      string
	kind          kind
	lease         string // that takes, or held before
	by            string // the member that made a commit, as far as the store knows
	fence, number uint64
}

type kind int

const (
	taken kind = iota
	committed
	released
	over // with the lease
)

// hold is a source under one fencing number.
type hold struct {
	lease, member string
	fence         uint64
	from, to      time.Time // to is zero: it stands
	end           kind      // taken: again by the same lease
}

// holds are those of each source. A violation of a law of the store is one of faults.
func (h history) holds() (holds map[string][]hold, faults []string) {
	holds = map[string][]hold{}
	numbers := map[string]uint64{}
	for _, c := range h.changes {
		list := holds[c.instance]
		var last hold
		if len(list) > 0 {
			last = list[len(list)-1]
		}
		held := len(list) > 0 && last.to.IsZero()
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Sprintf("%s at %s: ", c.instance, c.at.Format("15:04:05.000"))+fmt.Sprintf(format, args...))
		}
		switch c.kind {
		case taken:
			if held && c.lease != last.lease {
				fault("%s took what %s held", h.names[c.lease], last.member)
			}
			if c.fence <= last.fence {
				fault("fencing number %d after %d", c.fence, last.fence)
			}
			if held {
				list[len(list)-1].to, list[len(list)-1].end = c.at, taken
			}
			holds[c.instance] = append(list, hold{lease: c.lease, member: h.names[c.lease], fence: c.fence, from: c.at})
		case committed:
			switch {
			case !held:
				fault("%s committed number %d, and nobody held it", c.by, c.number)
			case c.fence != last.fence:
				fault("commit of fencing number %d, held under %d by %s", c.fence, last.fence, last.member)
			case c.by != "" && c.by != last.member:
				fault("%s committed number %d, and %s held it", c.by, c.number, last.member)
			}
			if c.number <= numbers[c.instance] {
				fault("commit number %d after %d", c.number, numbers[c.instance])
			}
			numbers[c.instance] = c.number
		case released, over:
			if held {
				list[len(list)-1].to, list[len(list)-1].end = c.at, c.kind
			}
		}
	}
	return holds, faults
}
