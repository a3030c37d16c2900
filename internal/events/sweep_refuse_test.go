package events

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// A receiver that takes nothing for a while holds up a batch of the sweep, and what comes after
// it. Nothing is lost, nothing comes twice, and then the live end has caught up.
func TestLaw2SweptBatchWaitsForAFullPipe(t *testing.T) {
	for _, full := range []time.Duration{time.Minute, 100 * time.Minute} {
		t.Run(full.String(), func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				at := w.now().Add(10 * time.Minute)
				w.late("late", 7, at, at.Add(30*time.Minute))
				w.late("late-too", 2, at.Add(5*time.Minute), at.Add(30*time.Minute))
				go w.busy(5 * time.Hour)
				waited := false
				r, err := w.life(4*time.Hour, func(ctx context.Context, b Batch) error {
					if hasLate(b) && !waited {
						waited = true
						if err := retry.Sleep(ctx, full); err != nil {
							return err
						}
					}
					return w.emit(ctx, b)
				})
				if !errors.Is(err, context.DeadlineExceeded) || !waited {
					t.Fatal(err, waited)
				}
				if behind := w.now().Sub(r.Stats().ReadUpTo()); behind > 10*time.Second {
					t.Errorf("the live end is %v behind", behind)
				}
				if behind := w.now().Sub(r.Stats().Swept()); behind > 75*time.Minute {
					t.Errorf("the sweep is %v behind", behind)
				}
				w.readFor(3 * time.Hour)
				w.wantAll()
			})
		})
	}
}

// A receiver that refuses the batches of the sweep for an hour, and takes all others. A source
// makes a new reader after each refusal: the live end goes on, and the batch is not forgotten.
func TestLaw2SweptBatchIsRefusedAndTheLiveEndGoesOn(t *testing.T) {
	inWorldThatEnds(t, func(w *world) {
		at := w.now().Add(10 * time.Minute)
		w.late("late", 7, at, at.Add(30*time.Minute))
		w.late("late-too", 2, at.Add(5*time.Minute), at.Add(30*time.Minute))
		go w.busy(4 * time.Hour)
		errFull := errors.New("the pipe is full")
		opens := w.now().Add(130 * time.Minute)
		refused, end := 0, w.now().Add(4*time.Hour)
		calls, worst := uint64(0), time.Duration(0)
		for w.now().Before(end) {
			r, err := w.life(end.Sub(w.now()), func(ctx context.Context, b Batch) error {
				if hasLate(b) {
					if w.now().Before(opens) {
						refused++
						return errFull
					}
				} else if len(b.Records) > 0 && refused > 0 {
					worst = max(worst, w.now().Sub(b.Newest))
				}
				return w.emit(ctx, b)
			})
			calls += r.stats.Calls.Load()
			if !errors.Is(err, errFull) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			if err := throughDisk(&w.state); err != nil {
				t.Fatal(err)
			}
		}
		w.readFor(2 * time.Hour)
		w.wantAll()
		if refused < 100 || worst > 20*time.Second {
			t.Errorf("refused %d times; a live event came %v after its date", refused, worst)
		}
		if calls > 4*3600/5*4 {
			t.Errorf("%d calls", calls)
		}
	})
}

// The reader is down for a day: the events that became visible meanwhile, and lie before the stop,
// come soon after the start, in a log that went on and in one that was quiet.
func TestLaw2SweepAfterADayOff(t *testing.T) {
	for name, tc := range map[string]struct{ goesOn, found time.Duration }{
		"the log goes on":           {goesOn: 26 * time.Hour, found: 2 * time.Minute},
		"the log was quiet":         {goesOn: 90 * time.Minute, found: 61 * time.Minute},
		"it is quiet from the stop": {goesOn: time.Hour, found: 61 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				stop := w.now().Add(time.Hour)
				for i := range 5 { // one a span, and in the last one before the stop
					at := stop.Add(-time.Duration(i)*11*time.Minute - 25*time.Second)
					w.late([]string{"late-a", "late-b", "late-c", "late-d", "late-e"}[i], 3, at, stop.Add(time.Duration(1+i)*time.Minute))
				}
				go w.busy(tc.goesOn)
				w.readFor(time.Hour)
				if err := throughDisk(&w.state); err != nil {
					t.Fatal(err)
				}
				time.Sleep(24 * time.Hour)
				r := w.readFor(tc.found)
				w.want(r, 15, 0, 0)
				// A poll of a log that has been quiet for a day looks for a recent event, with two calls.
				if calls := r.stats.Calls.Load(); calls > uint64(tc.found/(5*time.Second))*3+300 {
					t.Errorf("%d calls", calls)
				}
				w.readFor(2 * time.Hour)
				w.wantAll()
			})
		})
	}
}
