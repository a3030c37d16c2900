package events

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// This machine's clock is wrong, and answers do not tell ZITADEL's.
func TestSweepDoesNotTrustThisMachinesClock(t *testing.T) {
	for _, wrong := range []time.Duration{-3 * time.Hour, -10 * time.Minute, 10 * time.Minute, 3 * time.Hour, 23 * time.Hour} {
		t.Run(wrong.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				at := w.now().Add(max(0, -wrong) + 10*time.Minute)
				w.late("late", 2, at, at.Add(30*time.Minute))
				go w.busy(max(0, -wrong) + 100*time.Minute)
				for range 3 {
					log := slog.New(slog.NewTextHandler(&w.log, nil))
					r, err := NewReader(w.client, w.settings, w.state, Options{Log: log, Now: func() time.Time { return w.now().Add(wrong) }})
					if err != nil {
						t.Fatal(err)
					}
					stop := w.run(r)
					time.Sleep(max(0, -wrong)*2/3 + 60*time.Minute)
					if err := stop(); !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
				w.readFor(time.Minute) // with a right clock, which shows what a late clock hid
				w.wantAll()
			})
		})
	}
}

// Law 10, and 2: a panic in a read of the sweep ends this reader, and the next one goes on.
func TestLaw10PanicInTheSweep(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("late", 2, now.Add(10*time.Minute), now.Add(30*time.Minute))
		panicked := false
		w.server.Update(func(f *zitadeltest.Faults) {
			f.BeforeQuery = func(_ context.Context, _ string, req proto.Message) error {
				r, ok := req.(*adminpb.ListEventsRequest)
				if until := r.GetRange().GetUntil().AsTime(); ok && !panicked && until.After(now) && until.Before(w.now().Add(-30*time.Minute)) {
					panicked = true
					panic("in the sweep")
				}
				return nil
			}
		})
		go w.busy(100 * time.Minute)
		err := w.reader().Run(context.Background(), w.emit)
		if _, ok := errors.AsType[*fault.Error](err); !ok || !panicked {
			t.Fatal(err)
		}
		w.readFor(100 * time.Minute)
		w.wantAll()
	})
}

// Odd settings lose and repeat nothing.
func TestSweepOfOddLengths(t *testing.T) {
	for _, tc := range []struct{ sweep, overlap time.Duration }{
		{10 * time.Minute, 10 * time.Minute}, {5 * time.Minute, 10 * time.Minute}, {time.Second, 10 * time.Second}, {time.Microsecond, 0}, {6 * time.Hour, 10 * time.Second}, {time.Minute, 0},
	} {
		t.Run(tc.sweep.String()+" "+tc.overlap.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.Sweep, w.settings.Overlap = tc.sweep, tc.overlap
				at := w.now().Add(10 * time.Minute)
				w.late("late", 2, at, at.Add(max(tc.sweep, tc.overlap)-max(tc.sweep, tc.overlap)/10))
				go w.busy(60 * time.Minute)
				for range 4 {
					w.readFor(15*time.Minute + tc.sweep/2)
				}
				if tc.sweep >= time.Minute {
					w.wantAll()
				} else if n := w.store.Len() - len(w.out); n > 2 || strings.Contains(w.log.String(), "again, with the same") {
					t.Errorf("%d of %d events\n%s", len(w.out), w.store.Len(), w.log.String())
				}
				if n := len(w.state.Sweep.Spans); n > maxSpans {
					t.Errorf("%d spans", n)
				}
			})
		})
	}
}

// The length may change between two runs.
func TestSweepOfChangingLength(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(10 * time.Minute)
		w.late("late", 2, at, at.Add(55*time.Minute))
		go w.busy(200 * time.Minute)
		for _, sweep := range []time.Duration{time.Hour, 24 * time.Hour, 2 * time.Hour, time.Hour, 90 * time.Minute} {
			w.settings.Sweep = sweep
			w.readFor(55 * time.Minute)
		}
		w.wantAll()
	})
}
