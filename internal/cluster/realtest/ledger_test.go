package realtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

// ledger compares what came out of all sidecars with what was committed.
type ledger struct {
	sources  []*source
	read     map[string]int // messages of each sidecar
	arrivals []arrival
	seen     map[string]bool // event.id
}

// arrival is one message: one step of a source, of which the state moves after the acknowledgement. A
// step is more than one message only above 2 MB, which the tests do not reach.
type arrival struct {
	at       time.Time
	sidecar  string
	instance string
	ids      []string
}

func newLedger(sources []*source) *ledger {
	return &ledger{sources: sources, read: map[string]int{}, seen: map[string]bool{}}
}

// take takes those messages of a sidecar that are new.
func (l *ledger) take(sidecar string, messages []forwardtest.Message) {
	for _, m := range messages[l.read[sidecar]:] {
		a := arrival{at: m.At, sidecar: sidecar}
		for _, r := range m.Records {
			event, _ := r.Body["event"].(map[string]any)
			id, _ := event["id"].(string)
			a.ids = append(a.ids, id)
			l.seen[id] = true
		}
		a.instance, _, _ = strings.Cut(a.ids[0], "/")
		l.arrivals = append(l.arrivals, a)
	}
	l.read[sidecar] = len(messages)
}

// lost are the events that were committed and did not come.
func (l *ledger) lost() (ids []string) {
	for _, s := range l.sources {
		for id := range s.ids() {
			if !l.seen[id] {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// foreign are the events that came and that nobody committed.
func (l *ledger) foreign() (ids []string) {
	committed := map[string]bool{}
	for _, s := range l.sources {
		for id := range s.ids() {
			committed[id] = true
		}
	}
	for id := range l.seen {
		if !committed[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// repeated are the events that came more than once, and for each source the fewest messages of which
// it is enough that they were not committed to explain all of them.
func (l *ledger) repeated() (events int, messages map[string]int) {
	slices.SortStableFunc(l.arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
	last := map[string]int{}              // event.id -> the last message with it
	pairs := map[string]map[[2]int]bool{} // by source, of messages with a common event
	for i, a := range l.arrivals {
		for _, id := range a.ids {
			if before, ok := last[id]; ok {
				events++
				if pairs[a.instance] == nil {
					pairs[a.instance] = map[[2]int]bool{}
				}
				pairs[a.instance][[2]int{before, i}] = true
			}
			last[id] = i
		}
	}
	messages = map[string]int{}
	for instance, left := range pairs {
		for ; len(left) > 0; messages[instance]++ {
			most := mostCommon(left)
			for pair := range left {
				if pair[0] == most || pair[1] == most {
					delete(left, pair)
				}
			}
		}
	}
	return events, messages
}

// mostCommon is the message that is in most pairs, and the earliest of several.
func mostCommon(pairs map[[2]int]bool) (message int) {
	count := map[int]int{}
	for pair := range pairs {
		count[pair[0]]++
		count[pair[1]]++
	}
	for i, n := range count {
		if c := cmp.Compare(n, count[message]); c > 0 || c == 0 && i < message {
			message = i
		}
	}
	return message
}

// some shows a few of them.
func some(ids []string) string {
	return fmt.Sprintf("%d, such as %q", len(ids), ids[:min(len(ids), 5)])
}
