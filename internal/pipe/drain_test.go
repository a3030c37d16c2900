package pipe

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain_RefusalKeepsAndRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 5_000, batch: 500, padding: 5_000}
		r := start(t, l.from, &memory{})
		defer r.stop()
		n := 0
		h := &host{refuse: func() bool { n++; return n%3 != 0 }} // two of three
		r.drain(h, 60)
		wantSequences(t, h.taken, l.total)
		if r.Stats.Refused.Load() == 0 {
			t.Error("nothing was refused: the test tests nothing")
		}
	})
}

func TestDrain_CommitsOnlyAfterTheLastChunkOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 9, batch: 9, types: []string{"a", "b", "c"}}
		r := start(t, l.from, &memory{}, tagByType)
		defer r.stop()
		h := &host{}
		for taken := range 3 {
			h.refuse = func() bool { return h.chunks > taken }
			r.drain(h, 2)
			if h.chunks != taken+1 {
				t.Fatalf("host has %d chunks, want %d", h.chunks, taken+1)
			}
			if committed := r.cursor.commits > 0; committed != (taken == 2) {
				t.Fatalf("after %d of 3 chunks: committed %v", taken+1, committed)
			}
		}
		if want := []string{"zitadel.b", "zitadel.c", "zitadel.a"}; !slices.Equal(h.tags, want) {
			t.Errorf("tags %q, want %q", h.tags, want)
		}
	})
}

func TestDrain_IsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 40, batch: 1, padding: 1_900_000}
		r := start(t, l.from, &memory{}, func(o *Options) { o.BufferSize = 1 << 30 })
		defer r.stop()
		h := &host{}
		r.drain(h, 1)
		if n := len(h.taken); n != 17 {
			t.Errorf("%d chunks of 1.9 MB in one call, want 17: about 32 MB", n)
		}
		synctest.Wait()
		began := time.Now()
		r.Drain(func(tag string, data []byte, _ int) bool {
			time.Sleep(20 * time.Millisecond) // a slow disk
			return h.add(tag, data, 0)
		})
		if d := time.Since(began); d != 60*time.Millisecond {
			t.Errorf("one call took %v, want the three chunks that begin within 50 ms", d)
		}
	})
}

func TestDrain_WaitsForNoDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 10, batch: 10}
		m := &memory{prepareBy: func(uint64) error { time.Sleep(time.Hour); return nil }}
		r := start(t, l.from, m)
		synctest.Wait()
		began := time.Now()
		r.Drain((&host{}).add)
		if d := time.Since(began); d != 0 {
			t.Errorf("the host waited %v for the state to be written", d)
		}
		r.stop()
	})
}

func TestDrain_FailedCommitIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		m := &memory{commitBy: func() error {
			if fail {
				return errDisk
			}
			return nil
		}}
		l := eventLog{total: 10, batch: 5}
		r := start(t, l.from, m)
		defer r.stop()
		h := &host{}
		r.drain(h, 10)
		if n := strings.Count(r.log.String(), errDisk.Error()); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, r.log)
		}
		if !r.Owes() {
			t.Error("nothing is owed: nobody would try again while nothing comes")
		}
		fail = false
		r.drain(h, 1)
		if r.Owes() {
			t.Error("a commit is owed that was done")
		}
		if m.events() != l.total {
			t.Errorf("cursor at %d, want %d", m.events(), l.total)
		}
		wantSequences(t, h.taken, l.total)
	})
}

func TestDrain_LongRefusalIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 10, batch: 10}
		r := start(t, l.from, &memory{})
		defer r.stop()
		h := &host{refuse: func() bool { return true }}
		r.drain(h, 25)
		if s := r.log.String(); s != "" {
			t.Errorf("a short pause was logged: %s", s)
		}
		r.drain(h, 120)
		if n := strings.Count(r.log.String(), "refuses records"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, r.log)
		}
		h.refuse = nil
		r.drain(h, 1)
		if !strings.Contains(r.log.String(), "are taken again") {
			t.Errorf("the end of it is not logged:\n%s", r.log)
		}
	})
}
