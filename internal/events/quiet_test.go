package events

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// After a restart in a log that was quiet for a day, and after a first start, nothing shows how far
// ZITADEL's clock is, so that the watermark stands still. A poll costs one request all the same.
func TestLaw4_AQuietLogCostsOneCallAPoll(t *testing.T) {
	for name, quiet := range map[string]time.Duration{"restart": 25 * time.Hour, "first start": 0} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.Sweep = 0
				w.server.Update(func(f *zitadeltest.Faults) { f.Latency = 3 * time.Millisecond })
				if quiet > 0 {
					w.add(w.now().Add(-time.Minute), 1)
					w.readFor(time.Minute)
					time.Sleep(quiet)
				} else {
					w.settings.Start = config.Start{Now: true}
				}
				stop := w.run(w.reader())
				time.Sleep(8 * time.Second) // the first two polls
				before := w.server.Count("ListEvents").Calls
				const polls = 20
				time.Sleep(polls * w.settings.PollInterval)
				if n := w.server.Count("ListEvents").Calls - before; n > polls+1 {
					t.Errorf("%d calls for %d polls", n, polls)
				}
				for range 2 { // what comes then comes out
					w.add(w.now(), 3)
					time.Sleep(time.Minute)
				}
				_ = stop()
				w.wantAll()
			})
		})
	}
}

func TestPhase_PollsKeepTheirPlaceInTheInterval(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Start = config.Start{Now: true}
		r := w.reader()
		r.phase = 0.4
		began, before := time.Now(), w.server.Count("ListEvents").Calls
		stop := w.run(r)
		const interval = 5 * time.Second
		time.Sleep(10 * interval)
		polls := w.server.Count("ListEvents").Calls - before
		_ = stop()
		if polls < 10 || polls > 13 { // two of them at the start
			t.Errorf("%d calls in ten intervals", polls)
		}
		for _, after := range []time.Duration{0, time.Second, 1900 * time.Millisecond, 2 * time.Second, 2100 * time.Millisecond, 4999 * time.Millisecond} {
			now := began.Truncate(interval).Add(after)
			pause := r.untilNextPoll(now)
			if pause < interval/8 || pause >= interval*9/8 {
				t.Errorf("%s after the beginning of an interval: a pause of %s", after, pause)
			}
			if at := time.Duration(now.Add(pause).UnixNano()) % interval; at != 2*time.Second {
				t.Errorf("%s after the beginning of an interval: the next poll is %s after one", after, at)
			}
		}
	})
}

// With a phase, the sweep asks later, by less than one span, and asks for the same.
func TestPhase_ASpanIsSweptLaterAndWhole(t *testing.T) {
	inWorld(t, func(w *world) {
		r := w.reader()
		r.phase = 0.99
		stop := w.run(r)
		for range 30 {
			w.add(w.now(), 1)
			time.Sleep(20 * time.Second)
		}
		late := w.now().Add(-5*time.Minute - 7*time.Second)
		time.Sleep(30 * time.Minute)
		w.add(late, 1) // became visible half an hour late
		time.Sleep(40 * time.Minute)
		_ = stop()
		w.wantAll()
		for _, p := range w.state.Sweep.Spans {
			if !p.UpTo.Equal(p.UpTo.Truncate(time.Minute)) {
				t.Errorf("a span ends at %s", p.UpTo)
			}
		}
		if found := r.Stats().SweepFound.Load(); found != 1 {
			t.Errorf("the sweep found %d", found)
		}
	})
}
