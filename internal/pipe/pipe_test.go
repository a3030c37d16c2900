package pipe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func TestPipe_KeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 25_000, batch: 600}
		r := start(t, l.from, &memory{})
		defer r.stop()
		h := &host{}
		r.drain(h, 3)
		wantSequences(t, h.taken, l.total)
		if r.cursor.events() != l.total {
			t.Errorf("cursor at %d, want %d", r.cursor.events(), l.total)
		}
		if n := r.Stats.Taken.Load(); n != l.total {
			t.Errorf("counted %d as taken", n)
		}
		if n := r.UnderWay(); n != 0 {
			t.Errorf("%d bytes under way after all is taken", n)
		}
	})
}

// The process dies at every step of the handing over in turn: before and after
// the host takes a chunk, before and after a commit. The next process goes on
// from the committed state.
func TestLaw1_CursorNeverPassesWhatTheHostHasNotTaken(t *testing.T) {
	t.Run("tag_by", func(t *testing.T) { crashEverywhere(t, tagByType) })
	t.Run("limited chunks", func(t *testing.T) {
		crashEverywhere(t, func(o *Options) { o.Limit, o.BaseTag = chunks.Limit{Records: 1}, "zitadel" })
	})
}

func crashEverywhere(t *testing.T, option func(*Options)) {
	l := eventLog{total: 12, batch: 3, padding: 900_000, types: []string{"a", "b"}}
	crashed := true
	for crashAt := 1; crashed; crashAt++ {
		synctest.Test(t, func(t *testing.T) {
			h, m := &host{}, &memory{}
			step, dead := 0, false
			die := func() bool { // reports whether the process is gone
				step++
				dead = dead || step == crashAt
				return dead
			}
			m.commitBy = func() error {
				if die() {
					return errors.New("dead")
				}
				return nil
			}
			r := start(t, l.from, m, option)
			for range 10 {
				synctest.Wait()
				r.Drain(func(tag string, data []byte, _ int) bool {
					if die() {
						return false
					}
					h.add(tag, data, 0)
					die()
					if n := m.events(); n > uint64(len(h.taken)) {
						t.Fatalf("cursor is at %d, the host has %d", n, len(h.taken))
					}
					return true
				})
				time.Sleep(time.Second)
			}
			r.stop()
			crashed = dead
			if !crashed && crashAt < 20 {
				t.Errorf("only %d steps: one group, the test shows little", crashAt)
			}
			before := len(h.taken)

			m.commitBy = nil
			committed := m.events()
			r = start(t, l.from, m, option)
			defer r.stop()
			r.drain(h, 5)
			got := slices.Clone(h.taken)
			slices.Sort(got)
			if got = slices.Compact(got); uint64(len(got)) != l.total {
				t.Fatalf("crash at step %d: %d of %d events came out", crashAt, len(got), l.total)
			}
			if repeats := len(h.taken) - int(l.total); repeats != before-int(committed) {
				t.Errorf("crash at step %d: %d repeats, want the %d that were taken and not committed", crashAt, repeats, before-int(committed))
			}
			if !crashed && before != int(l.total) {
				t.Errorf("without a crash %d of %d events were handed over", before, l.total)
			}
		})
	}
}

func TestPipe_MemoryIsBoundedAndReadingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const buffer, batch = 4_000_000, 1000 * 110
		l := eventLog{total: 80_000, batch: 1000, padding: 100}
		r := start(t, l.from, &memory{}, func(o *Options) { o.BufferSize = buffer })
		defer r.stop()
		h := &host{refuse: func() bool { return true }}
		r.drain(h, 10)
		if n := r.UnderWay(); n < buffer || n > buffer+2*batch {
			t.Errorf("%d bytes under way, want about %d", n, buffer)
		}
		read := r.Stats.Read.Load()
		r.drain(h, 10)
		if r.Stats.Read.Load() != read {
			t.Error("reading went on though the buffer is full")
		}
		h.refuse = nil
		r.drain(h, 30)
		wantSequences(t, h.taken, l.total)
	})
}

// A trickle of single events while the host is paused must not fill the disk
// with prepared states, nor the memory.
func TestPipe_ManySmallBatchesShareFewStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 5_000, batch: 1}
		r := start(t, l.from, &memory{})
		defer r.stop()
		synctest.Wait()
		if n := r.cursor.prepared; n > maxPrepared+1 {
			t.Errorf("%d states prepared while the host takes nothing, want at most %d", n, maxPrepared+1)
		}
		h := &host{}
		r.drain(h, 3)
		wantSequences(t, h.taken, l.total)
	})
}

func TestPipe_BatchWithoutRecordsMovesTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(uint64) Read {
			return func(ctx context.Context, emit Emit) error {
				for n := range uint64(10_000) {
					if err := emit(ctx, Batch{State: count(n)}); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			}
		}, &memory{})
		defer r.stop()
		h := &host{}
		r.drain(h, 2)
		if r.cursor.events() != 9_999 || h.chunks != 0 {
			t.Errorf("cursor at %d, %d chunks", r.cursor.events(), h.chunks)
		}
	})
}

func TestPipe_ChunksAreAbout2MBOfWholeEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 100, batch: 100, padding: 300_000}
		r := start(t, l.from, &memory{}, func(o *Options) { o.BufferSize = 1 << 30 })
		defer r.stop()
		synctest.Wait()
		var sizes []int
		var got []uint64
		r.Drain(func(_ string, data []byte, _ int) bool {
			sizes = append(sizes, len(data))
			got = append(got, sequences(data)...)
			return true
		})
		wantSequences(t, got, l.total)
		for _, n := range sizes[:len(sizes)-1] {
			if n > maxChunk || n < maxChunk-300_010 {
				t.Errorf("a chunk of %d bytes, want about %d", n, maxChunk)
			}
		}
	})
}

// A state that cannot be written holds back the records, not the host.
func TestPipe_HandsOverNothingWhoseStateIsNotOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, tries := true, 0
		m := &memory{}
		m.prepareBy = func(uint64) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if tries++; full {
				return errDisk
			}
			return nil
		}
		l := eventLog{total: 10, batch: 10}
		r := start(t, l.from, m)
		defer r.stop()
		h := &host{}
		r.drain(h, 100)
		if len(h.taken) != 0 {
			t.Fatal("records were handed over though their state is nowhere")
		}
		if n := strings.Count(r.log.String(), errDisk.Error()); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, r.log)
		}
		m.mu.Lock()
		if tries < 5 || tries > 12 {
			t.Errorf("%d tries in 100 s", tries)
		}
		full = false
		m.mu.Unlock()
		r.drain(h, 40)
		wantSequences(t, h.taken, l.total)
	})
}

func TestClose_DropsWhatWasNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 1000, batch: 10}
		m := &memory{}
		r := start(t, l.from, m)
		synctest.Wait()
		r.stop()
		h := &host{}
		r.Drain(h.add)
		if b := r.Next(); b != nil || len(h.taken) != 0 || m.events() != 0 {
			t.Error("a stopped pipe hands over")
		}
		r = start(t, l.from, m)
		defer r.stop()
		r.drain(h, 2)
		wantSequences(t, h.taken, l.total)
	})
}

// How long something waits is not how long ago something was taken: between the
// two may lie a night without events.
func TestPipe_WaitingBeginsWithWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan Batch)
		r := start(t, func(uint64) Read {
			return func(ctx context.Context, emit Emit) error {
				for {
					select {
					case b := <-more:
						if err := emit(ctx, b); err != nil {
							return err
						}
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			}
		}, &memory{})
		defer r.stop()
		l := eventLog{padding: maxStep} // each event is a group
		give := func(seq uint64, records ...record.Record) time.Time {
			more <- Batch{Records: records, State: count(seq)}
			synctest.Wait()
			return time.Now()
		}
		want := func(what string, since time.Time) {
			t.Helper()
			if got := r.WaitingSince(); !got.Equal(since) {
				t.Errorf("%s: waits since %v, want %v", what, got, since)
			}
		}
		h := &host{}
		want("nothing was read", time.Time{})
		first := give(1, l.record(1))
		time.Sleep(time.Hour)
		give(2, l.record(2))
		want("a second one joins", first)
		h.refuse = func() bool { return h.chunks == 1 }
		r.Drain(h.add)
		want("one of them was taken", time.Now())
		h.refuse = nil
		r.Drain(h.add)
		want("all is taken", time.Time{})
		time.Sleep(time.Hour)
		want("after a quiet hour", give(3, l.record(3)))
		r.Drain(h.add)

		time.Sleep(time.Hour)
		want("a state alone", give(4))
		time.Sleep(time.Minute)
		h.refuse = func() bool { return true }
		r.Drain(h.add)
		want("a state alone was stored", time.Time{})
	})
}
