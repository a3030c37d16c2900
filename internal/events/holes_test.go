package events

import (
	"strings"
	"testing"
	"time"
)

// Law 2, beyond the overlap: a hole in the aggregate's sequence shows what is
// missing, however late it comes.
func TestLaw2HoleIsFilledLongAfter(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Minute)
		for i := range 10 {
			e := userEvent("a", at.Add(time.Duration(i)*time.Second))
			if i == 4 || i == 5 {
				e.VisibleFrom = w.now().Add(5 * time.Minute)
			}
			w.store.Append(e)
		}
		r := w.reader()
		stop := w.run(r)
		time.Sleep(2 * time.Minute)
		stop()
		if n := len(w.out); n != 8 {
			t.Fatalf("%d events before the late ones, want 8", n)
		}
		if len(w.state.Holes) != 1 || w.state.Holes[0].First != 5 || w.state.Holes[0].Last != 6 {
			t.Errorf("holes in the state: %+v, want 5-6", w.state.Holes)
		}
		// The hole outlives a restart.
		r = w.reader()
		stop = w.run(r)
		time.Sleep(20 * time.Minute)
		stop()
		w.wantAll()
		if s := r.Stats(); s.HolesFilled.Load() != 2 || len(w.state.Holes) != 0 {
			t.Errorf("filled %d, open %v; want 2 and none", s.HolesFilled.Load(), w.state.Holes)
		}
	})
}

func TestHoleThatNeverFillsIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, seq := range []uint64{1, 2, 5} {
			e := userEvent("a", w.now().Add(-time.Minute))
			e.Sequence = seq
			w.store.Append(e)
		}
		r := w.readFor(3 * holeWait)
		w.wantAll()
		if n := r.Stats().HolesGivenUp.Load(); n != 1 {
			t.Errorf("%d holes given up, want 1", n)
		}
		if log := w.log.String(); strings.Count(log, "did not appear, and are given up") != 1 || !strings.Contains(log, "first=3 last=4") {
			t.Errorf("log: %s", log)
		}
		// Asked about twelve times in an hour, not at every poll.
		if calls := r.Stats().Calls.Load(); calls > 3*3600/5+200 {
			t.Errorf("%d calls", calls)
		}
	})
}
