package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// What is old when it is read first is not read again.
func TestSweepLeavesABackfillAlone(t *testing.T) {
	calls := func(sweep time.Duration) (n int64) {
		inWorld(t, func(w *world) {
			w.settings.Sweep = sweep
			for i := range 20_000 {
				w.store.Append(userEvent(fmt.Sprint("old", i), w.now().Add(-time.Duration(i)*time.Minute-2*time.Hour)))
			}
			w.readFor(10 * time.Minute)
			w.wantAll()
			n = w.server.Count("ListEvents").Calls
			if w.state.Sweep != nil && len(w.state.Sweep.Spans) > spanParts {
				t.Errorf("%d spans", len(w.state.Sweep.Spans))
			}
		})
		return n
	}
	if off, on := calls(0), calls(time.Hour); on > off+20 {
		t.Errorf("%d calls with the sweep, %d without", on, off)
	}
}

// Restarts during a backfill, and a log whose last event is old: no evidence of the clock.
func TestSweepLeavesABackfillWithRestartsAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 5000 {
			w.store.Append(userEvent(fmt.Sprint("old", i), w.now().Add(-time.Duration(i)*time.Minute-72*time.Hour)))
		}
		w.settings.PageSize = 100
		for emits := 1; emits < 60; emits += 7 {
			n := 0
			killed := errors.New("killed")
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			err := w.reader().Run(ctx, func(ctx context.Context, b Batch) error {
				if n++; n > emits {
					return killed
				}
				return w.emit(ctx, b)
			})
			cancel()
			if !errors.Is(err, killed) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		w.readFor(5 * time.Hour)
		w.wantAll()
		if strings.Contains(w.log.String(), "cannot keep up") {
			t.Error(w.log.String())
		}
	})
}

// An instance without traffic costs few requests more.
func TestSweepOfAQuietLogIsCheap(t *testing.T) {
	calls := func(sweep time.Duration) (n int64) {
		inWorld(t, func(w *world) {
			w.settings.Sweep = sweep
			w.add(w.now().Add(-time.Minute), 1)
			w.readFor(10 * time.Hour)
			n = w.server.Count("ListEvents").Calls
		})
		return n
	}
	off, on := calls(0), calls(time.Hour)
	t.Logf("%d requests in ten hours, %d without a sweep", on, off)
	if on > off+10*7 {
		t.Errorf("%d requests with the sweep, %d without: more than 7 an hour", on, off)
	}
}

// The live end does not wait for a request of the sweep.
func TestSweepDoesNotDelayTheLiveEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.server.Update(func(f *zitadeltest.Faults) {
			f.BeforeQuery = func(ctx context.Context, _ string, req proto.Message) error {
				r, ok := req.(*adminpb.ListEventsRequest)
				if ok && r.GetRange().GetUntil().AsTime().Before(w.now().Add(-30*time.Minute)) && r.GetRange().GetUntil().AsTime().After(epoch) {
					select { // a request about the past takes a minute
					case <-time.After(time.Minute):
					case <-ctx.Done():
					}
				}
				return nil
			}
		})
		go w.busy(3 * time.Hour)
		r := w.reader()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		var worst time.Duration
		go func() {
			done <- r.Run(ctx, func(ctx context.Context, b Batch) error {
				if len(b.Records) > 0 {
					worst = max(worst, w.now().Sub(b.Newest))
				}
				return w.emit(ctx, b)
			})
		}()
		time.Sleep(4 * time.Hour)
		cancel()
		<-done
		w.wantAll()
		if worst > 10*time.Second || r.stats.Swept().Before(epoch.Add(time.Hour)) {
			t.Errorf("an event came after %v; swept up to %v", worst, r.stats.Swept())
		}
	})
}

// Runs that end, such as those of cron with --once, do their part of the sweep.
func TestSweepOfRunsThatEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("late", 3, now.Add(5*time.Minute), now.Add(20*time.Minute))
		go w.busy(100 * time.Minute)
		for range 20 {
			w.settings.End = w.now()
			if err := w.reader().Run(context.Background(), w.emit); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}
		w.wantAll()
		// Without an event, nothing shows how late it is.
		w.add(w.now().Add(-time.Minute), 1)
		w.settings.End = w.now()
		if err := w.reader().Run(context.Background(), w.emit); err != nil {
			t.Fatal(err)
		}
		if n := len(w.state.Sweep.Spans); n > 2*emptySpans {
			t.Errorf("%d spans are left", n)
		}
	})
}

// Spans are bounded if the sweep never comes to its turn, and it is told.
func TestSweepThatCannotKeepUpIsBoundedAndTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.server.Update(func(f *zitadeltest.Faults) {
			f.BeforeQuery = func(ctx context.Context, _ string, req proto.Message) error {
				r, ok := req.(*adminpb.ListEventsRequest)
				if until := r.GetRange().GetUntil().AsTime(); ok && until.Before(w.now().Add(-50*time.Minute)) && until.After(epoch.Add(-time.Hour)) {
					<-ctx.Done()
				}
				return nil
			}
		})
		go w.busy(8 * time.Hour)
		w.readFor(8 * time.Hour)
		w.wantAll()
		if n := strings.Count(w.log.String(), "cannot keep up"); n != 1 || len(w.state.Sweep.Spans) > maxSpans {
			t.Errorf("told %d times, %d spans", n, len(w.state.Sweep.Spans))
		}
	})
}

// The state is bounded: what the sweep adds does not depend on the number of events.
func TestSweepStateIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, err := NewReader(w.client, w.settings, cursor.State{}, Options{Log: slog.New(slog.DiscardHandler), Now: w.now})
		if err != nil {
			t.Fatal(err)
		}
		r.evidence.see(epoch)
		r.noteRead(time.Now(), time.Time{})
		for n := range 300_000 { // in an hour
			date := epoch.Add(time.Duration(n) * 12 * time.Millisecond)
			r.evidence.see(date)
			r.note(date, time.Now())
		}
		saved := cursor.State{Version: cursor.Version, Instance: "test", Sweep: r.sweep.state()}
		size := 0
		for _, s := range saved.Sweep.Spans {
			text, _ := s.MarshalText()
			size += len(text) + 8
		}
		t.Logf("%d spans, %d bytes in the state", len(saved.Sweep.Spans), size)
		if size > 12_000 {
			t.Errorf("%d bytes", size)
		}
	})
}
