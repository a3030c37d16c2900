package events

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// busy appends an event every ten seconds, each in an aggregate of its own.
func (w *world) busy(d time.Duration) {
	for range int(d / (10 * time.Second)) {
		w.add(w.now(), 1)
		time.Sleep(10 * time.Second)
	}
}

// apart keeps the dates of late events apart from those of [world.busy]. Events of one
// microsecond are not told from each other.
const apart = 1234567 * time.Microsecond

// late appends a transaction of n events, created at a date and visible from another on. Nothing
// follows in their aggregates.
func (w *world) late(name string, n int, at, visible time.Time) {
	at = at.Add(apart)
	events := make([]zitadeltest.Event, n)
	for i := range events {
		events[i] = userEvent(fmt.Sprint(name, i), at)
		events[i].VisibleFrom = visible
	}
	w.store.Append(events...)
}

func (w *world) want(r *Reader, found, repeated, missing uint64) {
	w.t.Helper()
	s := r.Stats()
	if s.SweepFound.Load() != found || s.SweepRepeated.Load() != repeated || s.SweepMissing.Load() != missing {
		w.t.Errorf("found %d, repeated %d, missing %d; want %d, %d, %d\n%s", s.SweepFound.Load(), s.SweepRepeated.Load(), s.SweepMissing.Load(),
			found, repeated, missing, w.log.String())
	}
}

// Late beyond the overlap, nothing follows, whatever the size is. With and without restarts.
func TestLaw2SweepFindsWhatNothingElseShows(t *testing.T) {
	for name, restarts := range map[string]int{"one reader": 1, "restarts": 20} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				now := w.now()
				w.late("one", 1, now.Add(5*time.Minute), now.Add(6*time.Minute))
				w.late("more", 7, now.Add(10*time.Minute), now.Add(69*time.Minute))
				w.late("many", 1800, now.Add(20*time.Minute), now.Add(50*time.Minute))
				for i := range 4 { // several in one minute
					w.late(fmt.Sprint("near", i, "-"), 3, now.Add(30*time.Minute+time.Duration(i)*time.Second), now.Add(40*time.Minute))
				}
				go w.busy(100 * time.Minute)
				var found, repeated uint64
				for range restarts {
					r := w.readFor(150 * time.Minute / time.Duration(restarts))
					found, repeated = found+r.stats.SweepFound.Load(), repeated+r.stats.SweepRepeated.Load()
				}
				w.wantAll()
				if found != 1+7+1800+12 || repeated > 0 {
					t.Errorf("found %d, repeated %d\n%s", found, repeated, w.log.String())
				}
			})
		})
	}
}

// Off, the event is lost: this is what the test above is about.
func TestWithoutASweepTheHoleIsThere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Sweep = 0
		w.late("one", 1, w.now().Add(5*time.Minute), w.now().Add(6*time.Minute))
		go w.busy(100 * time.Minute)
		w.readFor(150 * time.Minute)
		if n := w.store.Len() - len(w.out); n != 1 {
			t.Errorf("%d events are missing, want 1", n)
		}
		if w.state.Sweep != nil {
			t.Error("the state has a sweep")
		}
	})
}

// Five transactions in one minute are more than the sums can tell. All events of this minute
// come once more, and no other.
func TestSweepRepeatsNoMoreThanOneSpan(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now().Truncate(time.Minute)
		for i := range lateDates + 1 {
			w.late(fmt.Sprint("late", i, "-"), 2, now.Add(10*time.Minute+time.Duration(i)*time.Second), now.Add(11*time.Minute))
		}
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		seen, repeated := map[string]int{}, 0
		for _, id := range w.out {
			if seen[id]++; seen[id] > 1 {
				repeated++
			}
		}
		if len(seen) != w.store.Len() || repeated != 6 { // an event every ten seconds
			t.Errorf("%d of %d events, %d repeated; want 6", len(seen), w.store.Len(), repeated)
		}
		w.want(r, 2*(lateDates+1), 6, 0)
	})
}

// A gap shows a part of a late transaction, and only the sweep the rest.
func TestSweepDoesNotRepeatWhatFilledAHole(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(5*time.Minute + apart)
		both := []zitadeltest.Event{userEvent("goes-on", at), userEvent("ends", at)}
		for i := range both {
			both[i].VisibleFrom = at.Add(time.Minute)
		}
		w.store.Append(userEvent("goes-on", w.now().Add(-time.Minute)))
		w.store.Append(both...)
		w.store.Append(userEvent("goes-on", at.Add(2*time.Minute)))
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll()
		if r.stats.HolesFilled.Load() != 1 {
			t.Errorf("%d holes filled", r.stats.HolesFilled.Load())
		}
		w.want(r, 1, 0, 0)
	})
}

func TestSweepDoesNotRepeatWhatWasPushed(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(5*time.Minute + apart)
		e := userEvent("late", at)
		e.VisibleFrom = at.Add(20 * time.Minute)
		w.store.Append(e)
		spool := &modelSpool{}
		spool.add(w, at.Add(5*time.Second), []zitadeltest.Event{e})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w.pushes = spool.feed(ctx, w)
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll()
		w.want(r, 0, 0, 0)
		if r.stats.Pushed.Load() != 1 {
			t.Errorf("%d pushed", r.stats.Pushed.Load())
		}
	})
}

// A state of a version without a sweep, with keys of the overlap: nothing comes twice.
func TestSweepBeginsInAnOldState(t *testing.T) {
	inWorld(t, func(w *world) {
		go w.busy(200 * time.Minute)
		w.settings.Sweep = 0
		w.readFor(20 * time.Minute)
		w.state.Version = 1
		w.settings.Sweep = time.Hour
		at := w.now().Add(5 * time.Minute)
		w.late("late", 2, at, at.Add(30*time.Minute))
		r := w.readFor(150 * time.Minute)
		w.want(r, 2, 0, 0)
		w.settings.Sweep = 0 // and off again
		w.readFor(10 * time.Minute)
		if w.state.Sweep != nil {
			t.Error("the state still has a sweep")
		}
		w.settings.Sweep = 10 * time.Minute
		w.readFor(40 * time.Minute)
		w.wantAll()
	})
}

// The read that is to emit gets an empty answer, after the one that compared.
func TestSweepDoesNotBelieveAnEmptyAnswerWhenItEmits(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("late", 1, now.Add(5*time.Minute), now.Add(6*time.Minute))
		reads := 0
		w.empty(now.Add(time.Hour), now.Add(24*time.Hour), func(r *adminpb.ListEventsRequest) bool {
			if until := r.GetRange().GetUntil().AsTime(); !until.Equal(now.Add(6*time.Minute + tick)) {
				return false
			}
			reads++
			return reads == 2
		})
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll()
		w.want(r, 1, 0, 0)
		if reads < 3 {
			t.Errorf("%d reads", reads)
		}
	})
}

// What a filter left out does not come when the filter changes; what is late comes by the new one.
func TestSweepAndAChangedFilter(t *testing.T) {
	for _, tc := range []struct {
		name        string
		was, is     []string // event_types
		exclude     []string // before the change
		late, left  int      // events that come and that do not come after it
		beginsAgain bool
	}{
		// Applied here: the sums stay.
		{name: "no longer excluded", exclude: []string{"user.human.changed"}, late: 2},
		// Applied by ZITADEL: what was asked for then cannot be compared.
		{name: "fewer types", is: []string{"user.human.added"}, left: 2, beginsAgain: true},
		{name: "more types", was: []string{"user.human.added"}, left: 2, beginsAgain: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.EventTypes, w.settings.ExcludeEventTypes = tc.was, tc.exclude
				now := w.now()
				for i := range 30 {
					e := userEvent(fmt.Sprint("other", i), now.Add(time.Duration(i)*time.Minute))
					e.Type = "user.human.changed"
					w.store.Append(e, userEvent(fmt.Sprint("added", i), e.CreatedAt))
				}
				for i, typ := range []string{"user.human.added", "user.human.changed"} {
					e := userEvent(fmt.Sprint("late", i), now.Add(10*time.Minute+apart))
					e.Type, e.VisibleFrom = typ, now.Add(50*time.Minute)
					w.store.Append(e)
				}
				w.readFor(40 * time.Minute)
				before := len(w.out)
				w.settings.EventTypes, w.settings.ExcludeEventTypes = tc.is, nil
				go w.busy(100 * time.Minute)
				w.readFor(150 * time.Minute)
				late := 0
				for _, id := range w.out[before:] {
					if strings.Contains(id, "other") {
						t.Fatalf("%s was left out before, and came", id)
					}
					if strings.Contains(id, "late") {
						late++
					}
				}
				if late != tc.late {
					t.Errorf("%d late events, want %d\n%s", late, tc.late, w.log.String())
				}
				if again := strings.Contains(w.log.String(), "the sweep begins again"); again != tc.beginsAgain {
					t.Errorf("begins again: %v", again)
				}
			})
		})
	}
}

// Retention hides what has to be read again: nothing comes twice, and it is told once.
func TestSweepAndRetention(t *testing.T) {
	for _, retention := range []time.Duration{20 * time.Minute, 60*time.Minute + 30*time.Second} {
		t.Run(retention.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.server.Update(func(f *zitadeltest.Faults) { f.Retention = retention })
				go w.busy(200 * time.Minute)
				r := w.readFor(250 * time.Minute)
				w.wantAll()
				if n := strings.Count(w.log.String(), "no longer shows all"); n != 1 || r.stats.SweepMissing.Load() < 500 {
					t.Errorf("told %d times, %d missing", n, r.stats.SweepMissing.Load())
				}
				if behind := w.now().Sub(r.stats.Swept()); behind > 90*time.Minute {
					t.Errorf("the sweep is %v behind", behind)
				}
			})
		})
	}
}

// proxy answers an empty page to some requests.
type proxy struct {
	Client
	empty func(*adminpb.ListEventsRequest) bool
	times int
}

func (p *proxy) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	page, err := p.Client.ListEvents(ctx, req)
	if err == nil && len(page) > 0 && p.empty(req) {
		p.times++
		return nil, nil
	}
	return page, err
}

// empty puts a proxy before ZITADEL that answers empty pages between two times.
func (w *world) empty(from, to time.Time, which func(*adminpb.ListEventsRequest) bool) *proxy {
	p := &proxy{Client: w.client, empty: func(req *adminpb.ListEventsRequest) bool {
		return w.now().After(from) && w.now().Before(to) && which(req)
	}}
	w.client = p
	return p
}

// A proxy that answers {} looks like a log without events. The sweep finds them.
func TestLaw2SweepFindsWhatEmptyAnswersHid(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		p := w.empty(now.Add(10*time.Minute), now.Add(15*time.Minute), func(*adminpb.ListEventsRequest) bool { return true })
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		seen := map[string]bool{}
		for _, id := range w.out {
			seen[id] = true
		}
		// In the last minute, some were hidden and some were not.
		if repeated := len(w.out) - len(seen); len(seen) != w.store.Len() || repeated > 6 || uint64(repeated) != r.stats.SweepRepeated.Load() {
			t.Errorf("%d of %d events, %d repeated\n%s", len(seen), w.store.Len(), repeated, w.log.String())
		}
		if p.times == 0 || r.stats.SweepFound.Load() < 20 {
			t.Errorf("%d empty answers, the sweep found %d", p.times, r.stats.SweepFound.Load())
		}
	})
}

func TestSweepDoesNotBelieveOneEmptyAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		now := w.now()
		w.late("late", 1, now.Add(5*time.Minute), now.Add(6*time.Minute))
		// From the first answer of the sweep about this time on, for ten seconds.
		var first time.Time
		w.empty(now, now.Add(24*time.Hour), func(r *adminpb.ListEventsRequest) bool {
			until := r.GetRange().GetUntil().AsTime()
			if !until.After(now.Add(5*time.Minute)) || until.After(now.Add(7*time.Minute)) || w.now().Before(now.Add(time.Hour)) {
				return false
			}
			if first.IsZero() {
				first = w.now()
			}
			return w.now().Sub(first) < 10*time.Second
		})
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll()
		w.want(r, 1, 0, 0)
		if first.IsZero() {
			t.Error("no answer was emptied")
		}
	})
}

// An event of the future, which came through a hole, opens no spans up to its date.
func TestSweepAndAnEventOfTheFuture(t *testing.T) {
	inWorld(t, func(w *world) {
		for i, at := range []time.Duration{-time.Minute, 2 * time.Hour, -20 * time.Second} {
			e := userEvent("a", w.now().Add(at))
			e.Sequence = uint64(i + 1)
			w.store.Append(e)
		}
		go w.busy(100 * time.Minute)
		w.readFor(200 * time.Minute)
		w.wantAll()
		if n := len(w.state.Sweep.Spans); n > 2*spanParts {
			t.Errorf("%d spans", n)
		}
	})
}

// Groups that the API can only show in parts, and events that it cannot show, are read again as
// they were read first, and told once.
func TestSweepOfGroupsAndUnreadableEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(5 * time.Minute)
		w.late("group", 1800, at, at)
		bad := userEvent("bad", at.Add(time.Minute+apart))
		bad.Poison = true
		w.store.Append(bad)
		go w.busy(100 * time.Minute)
		r := w.readFor(150 * time.Minute)
		w.wantAll("test/user/bad/1")
		w.want(r, 0, 0, 0)
		if r.stats.Unreadable.Load() != 1 {
			t.Errorf("%d unreadable", r.stats.Unreadable.Load())
		}
	})
}
