package events

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestRecordedLogComesOutOnce(t *testing.T) {
	for _, size := range []int{100, 600, 1000} {
		t.Run(fmt.Sprint("page size ", size), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
				w.settings.PageSize = size
				r := w.readFor(time.Minute)
				w.wantAll()
				if n := r.Stats().Events.Load(); n != 2881 {
					t.Errorf("%d events, want 2881", n)
				}
				if calls := r.Stats().Calls.Load(); calls > 150 {
					t.Errorf("%d calls for 2,881 events", calls)
				}
				t.Log("calls:", r.Stats().Calls.Load(), "duplicates:", r.Stats().Duplicates.Load())
			})
		})
	}
}

// Law 2: what becomes visible after newer events were read comes out too.
func TestLaw2LateEventComesOut(t *testing.T) {
	inWorld(t, func(w *world) {
		base := w.now()
		w.add(base.Add(-time.Hour), 3)
		r := w.reader()
		stop := w.run(r)
		for i := range 60 {
			time.Sleep(time.Second)
			at := w.now()
			w.add(at, 2)
			late := userEvent(fmt.Sprint("late", i), at.Add(-time.Millisecond))
			late.VisibleFrom = at.Add(time.Duration(i%10) * time.Second)
			w.store.Append(late)
		}
		time.Sleep(time.Minute)
		stop()
		w.wantAll()
		if r.Stats().Late.Load() == 0 {
			t.Error("no event was late: the test tests nothing")
		}
	})
}

// Law 4: the cost of an event does not depend on how many the store holds.
func TestLaw4CostDoesNotGrowWithTheStore(t *testing.T) {
	cost := func(n int) (rows, calls float64) {
		inWorld(t, func(w *world) {
			for i := range n / 2 {
				w.add(epoch.Add(-time.Duration(n/2-i)*7*time.Second), 2)
			}
			w.server.ResetCounts()
			w.settings.End = epoch.Add(-time.Second)
			if err := w.reader().Run(context.Background(), w.emit); err != nil {
				t.Fatal(err)
			}
			if len(w.out) != n {
				t.Fatalf("%d events, want %d", len(w.out), n)
			}
			c := w.server.Count("ListEvents")
			rows, calls = float64(c.Rows)/float64(n), float64(c.Calls)/float64(n)
		})
		return rows, calls
	}
	smallRows, smallCalls := cost(5_000)
	bigRows, bigCalls := cost(50_000)
	t.Logf("per event: 5,000 in the store %.3f rows, %.5f calls; 50,000: %.3f rows, %.5f calls", smallRows, smallCalls, bigRows, bigCalls)
	if bigRows > 1.1*smallRows || bigCalls > 1.1*smallCalls {
		t.Error("the cost per event grows with the store")
	}
}

func TestSilenceCostsAHandfulOfCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC), 3)
		w.add(w.now().Add(-time.Minute), 3)
		r := w.reader()
		stop := w.run(r)
		time.Sleep(time.Second)
		if calls := r.Stats().Calls.Load(); calls > 30 {
			t.Errorf("%d calls for six years of silence", calls)
		}
		time.Sleep(100 * w.settings.PollInterval)
		stop()
		w.wantAll()
		if calls := r.Stats().Calls.Load(); calls > 30+3*100 {
			t.Errorf("%d calls after 100 quiet polls", calls)
		}
	})
}

// Law 1 and 2: a crash after any batch repeats at most what was not
// acknowledged.
func TestCrashAfterAnyBatchLosesNothing(t *testing.T) {
	recorded := zitadeltest.FromProto(zitadeltest.Recorded()...)
	for crash := range 12 {
		inWorld(t, func(w *world) {
			w.store.Append(recorded...)
			w.settings.PageSize = 300
			batches := 0
			ctx, cancel := context.WithCancel(context.Background())
			err := w.reader().Run(ctx, func(ctx context.Context, b Batch) error {
				if batches == crash {
					cancel()
					return errors.New("killed") // this batch is not acknowledged
				}
				batches++
				return w.emit(ctx, b)
			})
			if err == nil || ctx.Err() == nil {
				t.Fatalf("not killed: %v", err)
			}
			w.readFor(time.Minute)
			w.wantAll()
		})
	}
}

func TestStartDecidesWhereReadingBegins(t *testing.T) {
	for name, tc := range map[string]struct {
		start config.Start
		want  int
	}{
		"beginning": {config.Start{Beginning: true}, 30},
		"now":       {config.Start{Now: true}, 0},
		"back":      {config.Start{Back: 90 * time.Minute}, 20},
		"at":        {config.Start{At: epoch.Add(-time.Hour)}, 20}, // inclusive
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for i := range 3 {
					w.add(epoch.Add(time.Duration(i-2)*time.Hour-time.Hour*0), 10)
				}
				w.settings.Start = tc.start
				w.readFor(time.Second)
				got := len(w.out)
				// The third group is created now and not settled yet.
				if want := tc.want - 10; tc.want > 0 && got != want || tc.want == 0 && got != 0 {
					t.Errorf("%d events at first, want %d", got, want)
				}
				// A crash before the first event does not move the start.
				w.readFor(time.Minute)
				want := max(tc.want, 10)
				if len(w.out) != want {
					t.Errorf("%d events, want %d", len(w.out), want)
				}
			})
		})
	}
}
