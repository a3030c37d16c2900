package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// lateGroup appends a transaction of n events of each of three types.
func (w *world) lateGroup(n int, at, visible time.Time) {
	var events []zitadeltest.Event
	for _, typ := range []string{"user.human.added", "user.human.changed", "user.locked"} {
		for i := range n {
			e := userEvent(fmt.Sprint("group", i), at.Add(apart))
			e.Type, e.VisibleFrom = typ, visible
			events = append(events, e)
		}
	}
	w.store.Append(events...)
}

// Laws 2 and 3: a group that has to be read in parts is whole at each read of the sweep, whether
// the group itself is late or another event of its minute.
func TestLaw3SweepReadsAGroupInPartsWholeEachTime(t *testing.T) {
	for name, late := range map[string]time.Duration{"late group": 30 * time.Minute, "beside a late event": 0} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				at := w.now().Add(20 * time.Minute)
				w.lateGroup(700, at, at.Add(apart+late))
				w.late("late", 2, at.Add(time.Second), at.Add(30*time.Minute))
				go w.busy(100 * time.Minute)
				r := w.readFor(150 * time.Minute)
				w.wantAll()
				found := uint64(2)
				if late > 0 {
					found += 2100
				}
				w.want(r, found, 0, 0)
			})
		})
	}
}

// What no client can read is told also if the group is late.
func TestLaw3SweepTellsOfALateGroupThatTheAPICannotShow(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("many", 4200, now.Add(20*time.Minute), now.Add(50*time.Minute))
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		if n := r.stats.Unproved.Load(); n != 1 || strings.Count(w.log.String(), "than the API can show") != 1 {
			t.Errorf("%d unproved\n%s", n, w.log.String())
		}
	})
}

// changing is a client whose answers to the sweep are changed. It knows them by their age.
type changing struct {
	Client
	w      *world
	change func(page []*eventpb.Event) ([]*eventpb.Event, error)
}

func (c *changing) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	page, err := c.Client.ListEvents(ctx, req)
	if until := req.GetRange().GetUntil().AsTime(); err == nil && until.After(epoch) && until.Before(c.w.now().Add(-30*time.Minute)) {
		return c.change(page)
	}
	return page, err
}

// A refusal of the sweep alone is told once, is no trouble of the live end, and makes no hot loop.
func TestSweepThatIsRefusedIsToldOnceAndIsNoTroubleOfTheLiveEnd(t *testing.T) {
	for _, class := range []zitadel.Class{zitadel.Throttled, zitadel.Retry} {
		inWorld(t, func(w *world) {
			calls, until := 0, w.now().Add(4*time.Hour)
			w.client = &changing{w.client, w, func(page []*eventpb.Event) ([]*eventpb.Event, error) {
				if w.now().After(until) {
					return page, nil
				}
				calls++
				return nil, &zitadel.Error{Class: class, Code: codes.ResourceExhausted, Message: "refused"}
			}}
			go w.busy(5 * time.Hour)
			r := w.reader()
			stop := w.run(r)
			time.Sleep(3*time.Hour + 7*time.Second)
			if _, err := r.Stats().Trouble(); err != nil {
				t.Errorf("trouble: %v", err)
			}
			time.Sleep(2 * time.Hour)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			w.wantAll()
			text := w.log.String()
			if refused, again, live := strings.Count(text, "does not answer the sweep"), strings.Count(text, "answers the sweep again"), strings.Count(text, "does not answer,"); refused != 1 || again != 1 || live != 0 {
				t.Errorf("told %d times, the end %d times, of the live end %d times", refused, again, live)
			}
			if calls == 0 || calls > 3*60+80 {
				t.Errorf("%d calls in three hours", calls)
			}
		})
	}
}

// Replicas of the database differ: the late event is in every second answer only.
func TestLaw2SweepFindsWhatOnlySomeAnswersShow(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("late", 1, now.Add(5*time.Minute), now.Add(6*time.Minute))
		answers := 0
		w.client = &changing{w.client, w, func(page []*eventpb.Event) ([]*eventpb.Event, error) {
			if i := slices.IndexFunc(page, func(e *eventpb.Event) bool { return e.GetAggregate().GetId() == "late0" }); i >= 0 {
				if answers++; answers%2 == 0 {
					return slices.Delete(page, i, i+1), nil
				}
			}
			return page, nil
		}}
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll()
		w.want(r, 1, 0, 0)
		if answers < 3 {
			t.Errorf("%d answers", answers)
		}
	})
}

// A server whose every answer differs stops neither the sweep nor floods the receiver, and is told.
func TestSweepOfAnUnsteadyServerEndsAndIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		n := 0
		w.client = &changing{w.client, w, func(page []*eventpb.Event) ([]*eventpb.Event, error) {
			if len(page) > 1 && created(page[0]).Before(now.Add(10*time.Minute)) {
				n++
				at := n % len(page)
				return slices.Delete(page, at, at+1), nil
			}
			return page, nil
		}}
		w.late("late", 2, now.Add(20*time.Minute), now.Add(50*time.Minute))
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		if behind := w.now().Sub(r.Stats().Swept()); behind > 70*time.Minute {
			t.Errorf("the sweep is %v behind", behind)
		}
		if r.stats.SweepRepeated.Load() > 6*60 { // the events of ten minutes, six times
			t.Errorf("%d repeated of %d", r.stats.SweepRepeated.Load(), w.store.Len())
		}
		if found := r.stats.SweepFound.Load(); found < 2 {
			t.Errorf("found %d", found)
		}
	})
}

// Events that become visible one after the other while their minute is being read a second time
// do not make the whole minute come again and again.
func TestSweepOfAMinuteThatFillsUpRepeatsLittle(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Truncate(time.Minute).Add(10 * time.Minute)
		for i := range 500 {
			w.late(fmt.Sprint("late", i, "-"), 1, at.Add(time.Duration(i)*100*time.Millisecond), at.Add(61*time.Minute+time.Duration(i)*97*time.Millisecond))
		}
		go w.busy(100 * time.Minute)
		r := w.readFor(200 * time.Minute)
		// More than an hour late, they need not be found. It is about repeats.
		if found, again := r.stats.SweepFound.Load(), r.stats.SweepRepeated.Load(); found == 0 || again > 500 {
			t.Errorf("%d events, %d came: %d found, %d repeated", w.store.Len(), len(w.out), r.stats.SweepFound.Load(), r.stats.SweepRepeated.Load())
		}
	})
}

// The pauses before a span counts as thinned out are short enough for a short sweep.
func TestSweepShorterThanAnHourKeepsUpWithRetention(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Sweep = 10 * time.Minute
		w.server.Update(func(f *zitadeltest.Faults) { f.Retention = 5 * time.Minute })
		go w.busy(2 * time.Hour)
		r := w.readFor(2 * time.Hour)
		if behind := w.now().Sub(r.Stats().Swept()); behind > 13*time.Minute {
			t.Errorf("the sweep is %v behind\n%s", behind, w.log.String())
		}
		if n := strings.Count(w.log.String(), "no longer shows all"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// The clock of ZITADEL's database is set back by less than the sweep: what is dated before the
// watermark comes an hour later.
func TestLaw2SweepFindsWhatAClockThatWasSetBackDates(t *testing.T) {
	for _, back := range []time.Duration{5 * time.Minute, 30 * time.Minute, 55 * time.Minute} {
		inWorld(t, func(w *world) {
			go func() {
				for i := range 400 {
					at := w.now()
					if i > 120 {
						at = at.Add(apart - back)
					}
					w.add(at, 1)
					time.Sleep(10 * time.Second)
				}
			}()
			r := w.readFor(200 * time.Minute)
			seen := map[string]bool{}
			for _, id := range w.out {
				seen[id] = true
			}
			if lost := w.store.Len() - len(seen); lost > 0 || w.store.Len() != 400 {
				t.Errorf("back by %v: %d lost, found %d, repeated %d", back, lost, r.stats.SweepFound.Load(), r.stats.SweepRepeated.Load())
			}
			if n := strings.Count(w.log.String(), "cannot be told"); n > 2 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// This machine's clock is more than a day ahead. After the first pass, new events show that.
func TestLaw2SweepWorksWithAClockThatIsDaysAhead(t *testing.T) {
	inWorld(t, func(w *world) {
		const wrong = 400 * 24 * time.Hour
		at := w.now().Add(30 * time.Minute)
		w.late("late", 2, at, at.Add(30*time.Minute))
		w.add(w.now().Add(-time.Minute), 1)
		go w.busy(3 * time.Hour)
		ahead := func(d time.Duration) {
			log := slog.New(slog.NewTextHandler(&w.log, nil))
			r, err := NewReader(w.client, w.settings, w.state, Options{Log: log, Now: func() time.Time { return w.now().Add(wrong) }})
			if err != nil {
				t.Fatal(err)
			}
			stop := w.run(r)
			time.Sleep(d)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		ahead(20 * time.Minute)
		ahead(100 * time.Minute)
		if n := strings.Count(w.log.String(), "more than a day ahead"); n != 2 {
			t.Errorf("told %d times by two readers", n)
		}
		late := w.now().Add(5 * time.Minute) // after the clock was mended
		w.late("after", 2, late, late.Add(30*time.Minute))
		w.readFor(100 * time.Minute)
		w.wantAll()
	})
}
