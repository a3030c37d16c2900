package events

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Law 3: any number of events on one date.
func TestLaw3GroupOfOneDateIsReadWhole(t *testing.T) {
	aggregates := func(n, each int, types ...string) func(*world, time.Time) {
		return func(w *world, at time.Time) {
			var events []zitadeltest.Event
			for i := range n {
				for j := range each {
					e := userEvent(fmt.Sprint("g", i), at)
					e.Type = types[j%len(types)]
					events = append(events, e)
				}
			}
			w.store.Append(events...)
		}
	}
	// The API can show that a group is whole, or, of more than 2,000 events of
	// one type, not; they come out either way, as far as it can show them.
	proved := map[string]bool{"999 aggregates": true, "1000 aggregates": true, "1001 aggregates": true, "1999 aggregates": true, "500 aggregates of 10 types": true}
	for name, fill := range map[string]func(*world, time.Time){
		"999 aggregates":                 aggregates(999, 1, "user.human.added"),
		"1000 aggregates":                aggregates(1000, 1, "user.human.added"),
		"1001 aggregates":                aggregates(1001, 1, "user.human.added"),
		"1999 aggregates":                aggregates(1999, 1, "user.human.added"),
		"one aggregate, 3000 events":     aggregates(1, 3000, "user.human.changed"),
		"3 aggregates, 4200 events":      aggregates(3, 1400, "user.human.changed", "user.locked"),
		"500 aggregates of 10 types":     aggregates(500, 10, "user.human.added", "user.locked", "user.unlocked", "user.human.changed", "user.human.email.changed", "user.human.phone.changed", "user.deactivated", "user.reactivated", "user.removed", "user.human.mfa.otp.added"),
		"1500 aggregates, type repeated": aggregates(1500, 2, "user.locked"),
		"unregistered types":             aggregates(2, 1500, "user.brand.new", "user.brand.newer"),
	} {
		if testkit.Race && !strings.HasSuffix(name, " aggregates") && name != "unregistered types" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				at := w.now().Add(-time.Hour)
				w.add(at.Add(-time.Second), 10)
				fill(w, at)
				w.add(at.Add(tick), 3)
				w.add(at.Add(time.Second), 10)
				r := w.readFor(time.Minute)
				w.wantAll()
				if n := r.Stats().Unproved.Load(); proved[name] && n != 0 {
					t.Errorf("%d groups not proved whole", n)
				}
				t.Log("calls:", r.Stats().Calls.Load())
			})
		})
	}
}

// What the API cannot show is told, not skipped in silence.
func TestLaw3GroupBeyondTheAPIIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Hour), 2500) // one type, 2,500 aggregates
		r := w.readFor(time.Minute)
		if len(w.out) != 2000 {
			t.Errorf("%d events, want the first and the last 1,000", len(w.out))
		}
		if r.Stats().Unproved.Load() != 1 || !strings.Contains(w.log.String(), "more events share one creation date") {
			t.Errorf("not told: %s", w.log.String())
		}
	})
}

func TestPoisonedEventIsIsolatedAndNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Hour)
		w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
		w.add(at, 20)
		var tx []zitadeltest.Event
		for i := range 7 {
			e := userEvent("p", at.Add(time.Second))
			e.Poison = i == 3
			tx = append(tx, e)
		}
		w.store.Append(tx...)
		w.add(at.Add(2*time.Second), 20)
		r := w.readFor(10 * time.Minute)
		w.wantAll("test/user/p/4")
		if n := r.Stats().Unreadable.Load(); n != 1 {
			t.Errorf("%d events unreadable, want 1", n)
		}
		if log := w.log.String(); !strings.Contains(log, "aggregate_id=p sequence=4") {
			t.Errorf("not named: %s", log)
		}
		t.Log("calls:", r.Stats().Calls.Load())
	})
}

func TestTwoPoisonedEventsOfOneDateLeaveTheOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Hour)
		var tx []zitadeltest.Event
		for i := range 30 {
			e := userEvent("p", at)
			e.Type = []string{"user.human.added", "user.locked"}[i%2]
			e.Poison = i == 10 || i == 15
			tx = append(tx, e)
		}
		w.store.Append(tx...)
		r := w.readFor(10 * time.Minute)
		w.wantAll("test/user/p/11", "test/user/p/16")
		if n := r.Stats().Unreadable.Load(); n != 2 {
			t.Errorf("%d events unreadable, want 2\n%s", n, w.log.String())
		}
	})
}

func TestPageTooLargeIsAskedForInParts(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Hour)
		big := strings.Repeat("x", 30<<10)
		var events []zitadeltest.Event
		for i := range 200 {
			e := userEvent(fmt.Sprint("big", i), at.Add(time.Duration(i/50)*time.Second))
			e.Payload.Fields["metadata"] = structpb.NewStringValue(big)
			events = append(events, e)
		}
		w.store.Append(events...)
		w.server.Update(func(f *zitadeltest.Faults) { f.MaxMessage = 1 << 20 })
		r := w.readFor(time.Minute)
		w.wantAll()
		if r.Stats().Errors()["ResourceExhausted"] == 0 {
			t.Error("no page was too large: the test tests nothing")
		}
	})
}
