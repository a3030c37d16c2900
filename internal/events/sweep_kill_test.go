package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// inWorldThatEnds is inWorld with a limit of real time. Fake time passes by itself as long as a
// reader polls, so a test that waits for what never comes would run until the limit of go test.
func inWorldThatEnds(t *testing.T, f func(w *world)) {
	t.Helper()
	guard := time.AfterFunc(40*time.Second, func() {
		fmt.Fprintf(os.Stderr, "%s hangs\n", t.Name())
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		os.Exit(2)
	})
	defer guard.Stop()
	inWorld(t, f)
}

var errKilled = errors.New("killed")

// life runs a new reader until emit ends it or d has passed, and returns it and Run's error.
func (w *world) life(d time.Duration, emit Emit) (*Reader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	r := w.reader()
	return r, r.Run(ctx, emit)
}

// hasLate reports whether a batch has an event of [world.late].
func hasLate(b Batch) bool {
	for _, r := range b.Records {
		if strings.Contains(r.ID(), "/late") {
			return true
		}
	}
	return false
}

// came returns how often each event came.
func (w *world) came() map[string]int {
	came := make(map[string]int)
	for _, id := range w.out {
		came[id]++
	}
	return came
}

// wantOnceButFor checks that all events came, and those of which mayRepeat is false once.
func (w *world) wantOnceButFor(mayRepeat func(id string) bool) {
	w.t.Helper()
	came := w.came()
	for id := range w.ids() {
		if n := came[id]; n == 0 || n > 1 && !mayRepeat(id) {
			w.t.Errorf("%s came %d times", id, n)
		}
	}
	if len(came) != w.store.Len() {
		w.t.Errorf("%d different events came of %d", len(came), w.store.Len())
	}
}

func lateID(id string) bool { return strings.Contains(id, "/late") }

// wantSpanOf checks that a state does not count the late events of a date as known.
func (w *world) wantSpanOf(state cursor.State, date time.Time, others uint64) {
	w.t.Helper()
	for _, p := range state.Sweep.Spans {
		if date.After(p.Since) && !date.After(p.UpTo) {
			if p.Events != others {
				w.t.Errorf("the span of %v has %d events, want %d", date, p.Events, others)
			}
			return
		}
	}
	w.t.Errorf("no span of the state has %v: %v", date, state.Sweep.Next)
}

// Laws 1 and 2: killed between a batch of the sweep and its commit, by whatever end. The stored
// position has not passed the events, and they come again.
func TestLaw1KillBetweenASweptBatchAndItsCommit(t *testing.T) {
	for name, end := range map[string]func(context.Context) error{
		"at the batch":           func(context.Context) error { return errKilled },
		"while the sink is full": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"in a panic":             func(context.Context) error { panic("in the sink") },
		"minutes later":          func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				at := w.now().Add(10 * time.Minute)
				w.late("late", 7, at, at.Add(30*time.Minute))
				go w.busy(3 * time.Hour)
				for range 3 { // it is killed there again and again
					stuck, handed := false, 0
					_, err := w.life(80*time.Minute, func(ctx context.Context, b Batch) error {
						if stuck = stuck || hasLate(b); stuck {
							for _, r := range b.Records {
								w.out = append(w.out, r.ID())
							}
							if handed += len(b.Records); handed > 100 {
								return errKilled
							}
							return end(ctx)
						}
						return w.emit(ctx, b)
					})
					if !stuck || err == nil {
						t.Fatalf("ended with %v before a batch of the sweep\n%s", err, w.log.String())
					}
					w.wantSpanOf(w.state, at.Add(apart), 6)
					if err := throughDisk(&w.state); err != nil {
						t.Fatal(err)
					}
				}
				accepted := len(w.out)
				w.readFor(2 * time.Hour)
				again := 0
				for _, id := range w.out[accepted:] {
					if lateID(id) {
						again++
					}
				}
				if again != 7 {
					t.Errorf("%d late events came after the last restart, want 7", again)
				}
				// What follows the batch of the sweep is not acknowledged either.
				w.wantOnceButFor(func(id string) bool { return lateID(id) || name == "minutes later" })
			})
		})
	}
}

// Law 2: late transactions of several pages, beside events of their dates that came in time. The
// reader is killed at each of its batches in turn, after the commit of those before.
func TestLaw2KillAtEachBatchOfASweptSpan(t *testing.T) {
	for _, dates := range []int{2, 4, 9} { // nine cannot be told from the others
		t.Run(fmt.Sprint(dates), func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				w.settings.PageSize = 20
				at := w.now().Truncate(time.Minute).Add(10 * time.Minute)
				for i := range dates {
					date := at.Add(time.Duration(i) * 3 * time.Second)
					w.late(fmt.Sprint("intime", i, "-"), i%3, date, date.Add(apart))
					w.late(fmt.Sprint("late", i, "-"), 1+25*i, date, at.Add(30*time.Minute))
				}
				go w.busy(3 * time.Hour)
				kills := 0
				for {
					handed := 0
					_, err := w.life(2*time.Hour, func(ctx context.Context, b Batch) error {
						if hasLate(b) {
							if handed++; handed > 1 {
								return errKilled
							}
						}
						return w.emit(ctx, b)
					})
					if !errors.Is(err, errKilled) {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Fatal(err)
						}
						break
					}
					if err := throughDisk(&w.state); err != nil {
						t.Fatal(err)
					}
					if kills++; kills == 12 {
						break
					}
				}
				w.readFor(2 * time.Hour)
				if kills == 0 {
					t.Error("the span had one batch only")
				}
				begin, end := at.UnixMicro(), at.Add(time.Minute).UnixMicro()
				w.wantOnceButFor(func(id string) bool {
					var date, n int64
					_, err := fmt.Sscanf(id, "test/user/u%d-%d/1", &date, &n)
					return err != nil || date >= begin && date <= end
				})
			})
		})
	}
}
