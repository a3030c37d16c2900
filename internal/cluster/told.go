package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// tellEvery is how often moves of sources are logged, at most: a member may take thousands.
	tellEvery = 10 * time.Second
	// toldNames is how many sources, or members, a line names.
	toldNames = 5
)

// tally collects sources for one line of the log.
type tally struct {
	n     int
	names []string  // the first of them
	since time.Time // of the first
	seen  int       // n at the last look
	told  time.Time // when the last line was written
}

func (t *tally) add(instance string, now time.Time) {
	if t.n == 0 {
		t.since = now
	}
	if t.n++; t.n <= toldNames {
		t.names = append(t.names, instance)
	}
}

// take empties t and returns what is to be logged: once nothing is added any more, or after a
// while.
func (t *tally) take(now time.Time) (n int, names string) {
	grows := t.n > t.seen
	t.seen = t.n
	if t.n == 0 || grows && now.Sub(t.since) < tellEvery || !t.told.IsZero() && now.Sub(t.told) < tellEvery {
		return 0, ""
	}
	n, names = t.n, some(t.names, t.n)
	*t = tally{told: now}
	return n, names
}

// some shows the first of n names.
func some(names []string, n int) string {
	text := strings.Join(names[:min(len(names), toldNames)], ", ")
	if more := n - min(len(names), toldNames); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// tellMoves logs which sources were taken and given up since the last line.
func (m *Member) tellMoves() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.now()
	if n, names := m.passed.take(now); n > 0 {
		m.o.Log.Info("sources were given up: another member has fewer", "given_up", n, "held", len(m.held), "sources", names)
	}
	if n, names := m.taken.take(now); n > 0 {
		m.o.Log.Info("sources were taken", "taken", n, "held", len(m.held), "sources", names)
	}
}

// listWatch remembers how the lists of sources differ.
type listWatch struct {
	differ string    // the lists; empty: all members have the same one
	since  time.Time // of that
	told   string    // the lists that the last warning was about
}

// listsMayDiffer is how long members may have different lists without a warning: they are changed one
// after the other, and an update of all takes less.
const listsMayDiffer = quiet

// compareLists warns, once for each difference, that members have different lists: they do not
// balance then, and nothing else shows it.
func (m *Member) compareLists(v View, lease string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lists, others := []string{m.sources}, []string(nil)
	for _, other := range v.Members {
		if other.Lease != lease && other.Note.Sources != m.sources {
			lists, others = append(lists, other.Note.Sources), append(others, other.Note.Name)
		}
	}
	differ := ""
	if len(others) > 0 {
		slices.Sort(lists)
		differ = strings.Join(slices.Compact(lists), " ")
	}
	w, now := &m.lists, m.o.now()
	if w.differ != differ {
		w.differ, w.since = differ, now
	}
	switch {
	case differ == "" && w.told != "":
		m.o.Log.Info("all members have the same list of sources again")
		w.told = ""
	case differ != w.told && now.Sub(w.since) >= listsMayDiffer: // not again after a command that was a member for a moment
		w.told = differ
		slices.Sort(others)
		m.o.Log.Warn("other members have another list of sources: no source moves to the member that has fewer", "members", some(others, len(others)), "fix", "give all members the same configuration")
	}
}
