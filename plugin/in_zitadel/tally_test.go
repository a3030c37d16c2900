package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// end waits until the cursor is at the end and no storage holds anything: what
// has not come out of out by then never will. Then it counts.
func (s *scene) end(sender *fluentBit, of source, storage string, out *fluentBit) {
	s.Helper()
	sender.Until("the cursor at the end", func() bool {
		return committed(s.T, filepath.Join(sender.Dir, of.state)) >= uint64(s.store.Len())
	})
	out.Until("everything to leave storage", func() bool {
		return !stored(s.T, storage) && !stored(s.T, filepath.Join(out.Dir, "storage"))
	})
	missing, strange, repeats := compare(s.store, of.instance, out.ids(of.file))
	same := out.sameLines(of.file)
	s.events += s.store.Len()
	s.lost, s.strange = s.lost+missing, s.strange+strange
	s.ours, s.theirs = s.ours+repeats-same, s.theirs+same
	if s.way.threaded == "off" {
		s.excuse(of, repeats-same, readAgain(out.came(of.file), s.kills))
	}
}

// readAgain counts the events that were read before, by the number of kills
// before that.
func readAgain(events []came, kills []kill) map[int]int {
	readings := map[string][]time.Time{}
	for _, e := range events {
		if !slices.ContainsFunc(readings[e.ID], e.ReadAt.Equal) {
			readings[e.ID] = append(readings[e.ID], e.ReadAt)
		}
	}
	after := map[int]int{}
	for _, at := range readings {
		slices.SortFunc(at, time.Time.Compare)
		for _, again := range at[1:] {
			n, _ := slices.BinarySearchFunc(kills, again, func(k kill, t time.Time) int { return k.at.Compare(t) })
			after[n]++
		}
	}
	return after
}

// excuse wants that every repeat follows a kill, and is of the step that was
// under way.
func (s *scene) excuse(of source, repeats int, after map[int]int) {
	s.Helper()
	for n, again := range after {
		repeats -= again
		switch {
		case n == 0:
			s.Errorf("%d events of %s were read again before any kill", again, of.state)
		case again > s.kills[n-1].excused[of]:
			s.Errorf("%d events of %s were read again after kill %d, which excuses %d", again, of.state, n, s.kills[n-1].excused[of])
		default:
			s.Logf("kill %d came between append and rename: %d events of %s were read again, of a step of %d",
				n, again, of.state, s.kills[n-1].excused[of])
		}
	}
	if repeats != 0 {
		s.Errorf("%d repeats of %s differ in more than the time of reading", repeats, of.state)
	}
}

// stored reports whether a storage holds records. A write that a full disk
// refused leaves a chunk behind that holds none.
func stored(t *testing.T, dir string) bool {
	t.Helper()
	chunks, err := filepath.Glob(filepath.Join(dir, "*", "*.flb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range chunks {
		b, err := os.ReadFile(chunk)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("read_at")) {
			return true
		}
	}
	return false
}

func (s *scene) judge(mayLose bool) {
	s.Helper()
	if s.events == 0 || s.strange > 0 {
		s.Errorf("%d events, %d came out that are none", s.events, s.strange)
	}
	if s.lost > 0 && (s.way.threaded == "off" || !mayLose) {
		s.Errorf("%d of %d events are lost", s.lost, s.events)
	}
}
