package events

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// sweepPhase is a run with one length of the sweep.
type sweepPhase struct{ sweep, runs time.Duration }

// covers is how late an event of a date may become visible so that the sweep has to find it: less
// than the first age at which it is as old as the length that is valid then. It is zero if the
// sweep is off meanwhile, or if the run ends before the span of the event is due.
func covers(phases []sweepPhase, at time.Duration) time.Duration {
	const spanEnds = 4 * time.Minute // a span of 2h, the pause before a read, and settle
	begin := time.Duration(0)
	for _, p := range phases {
		end := begin + p.runs
		if end > at {
			due := max(at+p.sweep, begin)
			switch {
			case p.sweep == 0:
				return 0
			case due+spanEnds < end:
				return due - at
			case due < end:
				return 0 // the next length may be longer, and the one after it 0s
			}
		}
		begin = end
	}
	return 0
}

// changeSweep runs the phases one after the other with one state, among late events that have to
// be found, each in a span of its own or near others.
func (w *world) changeSweep(phases []sweepPhase, seed uint64) {
	w.t.Helper()
	r := rand.New(rand.NewPCG(seed, 19))
	total := time.Duration(0)
	for _, p := range phases {
		total += p.runs
	}
	start := w.now()
	for at, i := 30*time.Second, 0; at < total; at, i = at+time.Duration(1+r.IntN(600))*time.Second, i+1 {
		most := covers(phases, at+apart)
		if most < 40*time.Second {
			continue
		}
		late := time.Duration(float64(most-20*time.Second) * r.Float64())
		w.late(fmt.Sprint("late", i, "-"), 1+r.IntN(3), start.Add(at), start.Add(at+apart+late))
	}
	go w.busy(total)
	found, repeated, calls, polls := uint64(0), uint64(0), uint64(0), uint64(0)
	for _, p := range append(phases, sweepPhase{phases[len(phases)-1].sweep, 3 * time.Hour}) {
		w.settings.Sweep = p.sweep
		reader := w.readFor(p.runs)
		found, repeated = found+reader.stats.SweepFound.Load(), repeated+reader.stats.SweepRepeated.Load()
		calls, polls = calls+reader.stats.Calls.Load(), polls+uint64(p.runs/w.settings.PollInterval)
		if err := throughDisk(&w.state); err != nil {
			w.t.Fatal(err)
		}
		if s := w.state.Sweep; (s == nil) != (p.sweep == 0) || s != nil && len(s.Spans) > maxSpans {
			w.t.Errorf("sweep %v: state %v", p.sweep, s)
		}
	}
	w.wantAll()
	if found == 0 || repeated > 0 {
		w.t.Errorf("found %d, repeated %d", found, repeated)
	}
	if calls > 2*polls { // the live end makes one call a poll; it is not quiet
		w.t.Errorf("%d calls in %d polls", calls, polls)
	}
}

// Law 2: the length changes between runs. Late events that the lengths cover come, once, and there
// is no flood of requests.
func TestLaw2SweepWhoseLengthChangesBetweenRuns(t *testing.T) {
	lengths := []time.Duration{time.Hour, 10 * time.Minute, 2 * time.Hour, 0, time.Hour, time.Minute}
	for _, runs := range []time.Duration{25 * time.Minute, 40 * time.Minute, 130 * time.Minute} {
		t.Run(runs.String(), func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				var phases []sweepPhase
				for _, sweep := range lengths {
					phases = append(phases, sweepPhase{sweep, runs})
				}
				w.changeSweep(phases, uint64(runs))
			})
		})
	}
	seeds := uint64(12)
	if testkit.Race {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				r := rand.New(rand.NewPCG(seed, 15))
				phases := []sweepPhase{{time.Hour, time.Hour}}
				for range 8 {
					phases = append(phases, sweepPhase{lengths[r.IntN(len(lengths))], time.Duration(1+r.IntN(90)) * time.Minute})
				}
				w.changeSweep(phases, seed)
			})
		})
	}
}

// once is a run of cron with --once. Its limit is the pause between two of them.
func (w *world) once(limit time.Duration) *Reader {
	w.t.Helper()
	w.settings.End = w.now()
	begin := w.now()
	r, err := w.life(limit, w.emit)
	if err != nil {
		w.t.Fatalf("a run has not ended after %v: %v\n%s", w.now().Sub(begin), err, w.log.String())
	}
	if err := throughDisk(&w.state); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Law 2 with --once every five minutes, and events that are committed up to 59 minutes late.
func TestLaw2SweepOfRunsByCron(t *testing.T) {
	const every = 5 * time.Minute
	inWorldThatEnds(t, func(w *world) {
		start := w.now()
		for i := range 40 {
			at := start.Add(10*time.Minute + time.Duration(i)*151*time.Second)
			w.late(fmt.Sprint("late", i, "-"), 1+i%3, at, at.Add(apart+time.Duration(i*90)*time.Second))
		}
		go w.busy(5 * time.Hour)
		found, repeated := uint64(0), uint64(0)
		for i := range int(5 * time.Hour / every) {
			time.Sleep(start.Add(time.Duration(i+1) * every).Sub(w.now()))
			r := w.once(every)
			found, repeated = found+r.stats.SweepFound.Load(), repeated+r.stats.SweepRepeated.Load()
			if took := w.now().Sub(w.settings.End); took > 30*time.Second {
				t.Fatalf("run %d took %v", i, took)
			}
		}
		time.Sleep(every)
		w.once(every)
		w.wantAll()
		if found < 60 || repeated > 0 {
			t.Errorf("found %d, repeated %d", found, repeated)
		}
	})
}

// refusing is a client that does not answer the sweep for a while. It knows its reads by their age.
type refusing struct {
	Client
	w      *world
	until  time.Time
	refuse func(context.Context) error
}

func (c *refusing) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	if until := req.GetRange().GetUntil().AsTime(); until.After(epoch) && until.Before(c.w.now().Add(-30*time.Minute)) && c.w.now().Before(c.until) {
		return nil, c.refuse(ctx)
	}
	return c.Client.ListEvents(ctx, req)
}

// ZITADEL refuses only the reads of the sweep for an hour, or does not answer them at all. Runs of
// cron end even so, and what they left comes later.
func TestLaw2RunsByCronEndThoughTheSweepIsRefused(t *testing.T) {
	const every = 5 * time.Minute
	for name, refuse := range map[string]func(context.Context) error{
		"refused": func(context.Context) error {
			return &zitadel.Error{Class: zitadel.Throttled, Code: codes.ResourceExhausted, Message: "refused"}
		},
		"no answer": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorldThatEnds(t, func(w *world) {
				start := w.now()
				w.late("late", 3, start.Add(20*time.Minute), start.Add(50*time.Minute))
				w.client = &refusing{w.client, w, start.Add(2 * time.Hour), refuse}
				go w.busy(4 * time.Hour)
				for i := range int(4 * time.Hour / every) {
					time.Sleep(start.Add(time.Duration(i+1) * every).Sub(w.now()))
					w.once(every)
					if took := w.now().Sub(w.settings.End); took > lastRead+30*time.Second {
						t.Errorf("a run took %v", took)
					}
				}
				time.Sleep(every)
				w.once(every)
				w.wantAll()
				// From an hour after the start on, until it is answered.
				if n := strings.Count(w.log.String(), "reading stops without it"); n < 11 || n > 13 {
					t.Errorf("told %d times", n)
				}
			})
		})
	}
}
