package pipe

import (
	"testing"
	"testing/synctest"
	"time"
)

// next calls as a host without an append does, once a second, n times.
func (r *rig) next(h *host, n int) {
	for range n {
		synctest.Wait()
		if data := r.Next(); data != nil {
			h.add("", data, 0)
			r.Done()
		}
		time.Sleep(time.Second)
	}
}

func TestNext_KeepsOrderAndSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 10_000, batch: 600, padding: 1000}
		r := start(t, l.from, &memory{})
		defer r.stop()
		h := &host{}
		for range 12 {
			synctest.Wait()
			data := r.Next()
			if len(data) > maxChunk {
				t.Fatalf("%d bytes at once", len(data))
			}
			h.add("", data, 0)
			r.Done()
			time.Sleep(time.Second)
		}
		wantSequences(t, h.taken, l.total)
		if r.cursor.events() != l.total || r.UnderWay() != 0 {
			t.Errorf("cursor at %d, %d bytes under way", r.cursor.events(), r.UnderWay())
		}
	})
}

func TestNext_IsOfferedAgainUntilDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 10, batch: 10}
		r := start(t, l.from, &memory{})
		defer r.stop()
		synctest.Wait()
		if a, b := r.Next(), r.Next(); len(a) == 0 || string(a) != string(b) {
			t.Errorf("first %q, then %q", a, b)
		}
		if r.cursor.commits != 0 {
			t.Error("committed before Done")
		}
		h := &host{}
		r.next(h, 2)
		wantSequences(t, h.taken, l.total)
	})
}

func TestDelay_CommitsLateAndInOrder(t *testing.T) {
	for name, call := range map[string]func(*rig, *host, int){"append": (*rig).drain, "returned bytes": (*rig).next} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := eventLog{total: 8, batch: 1, padding: 1_900_000}
				r := start(t, l.from, &memory{}, func(o *Options) { o.BufferSize = 3_000_000 })
				defer r.stop()
				r.Delay(5 * time.Second)
				h := &host{}
				for i := 1; len(h.taken) < int(l.total); i++ {
					taken := len(h.taken)
					call(r, h, 1)
					if i <= 5 && r.cursor.commits > 0 {
						t.Fatalf("committed after %d s", i)
					}
					if n := r.cursor.events(); n > uint64(taken) {
						t.Fatalf("cursor at %d with %d taken a moment ago", n, taken)
					}
				}
				call(r, h, 7)
				wantSequences(t, h.taken, l.total)
				if r.cursor.events() != l.total {
					t.Errorf("cursor at %d, want %d", r.cursor.events(), l.total)
				}
			})
		})
	}
}

// A paused Fluent Bit keeps what it has in memory for as long as the pause is.
func TestDelay_APauseDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 1, batch: 1}
		r := start(t, l.from, &memory{})
		defer r.stop()
		r.Delay(5 * time.Second)
		h := &host{}
		r.drain(h, 1)
		time.Sleep(time.Hour)
		r.drain(h, 3)
		if r.cursor.commits != 0 {
			t.Error("the pause counted")
		}
		r.drain(h, 3)
		if r.cursor.commits != 1 {
			t.Error("never committed")
		}
	})
}
