package events

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// TestAcknowledged_IsWhatTheNextReaderDoesNotEmit: of any state, also of events that become visible
// late, or so late that only a gap leads to them. Those that only the sweep finds are not tested.
func TestAcknowledged_IsWhatTheNextReaderDoesNotEmit(t *testing.T) {
	late := 0
	for seed := range uint64(30) {
		inWorld(t, func(w *world) {
			rng := rand.New(rand.NewPCG(seed, 1))
			w.settings.Sweep = 0
			var written []record.Event
			last := map[string]uint64{}
			write := func(id string, late time.Duration) {
				e := userEvent(id, w.now())
				e.VisibleFrom = e.CreatedAt.Add(late)
				last[id]++
				written = append(written, record.Event{Key: record.Key{Instance: "test", AggregateType: "user", AggregateID: id, Sequence: last[id]}, Type: e.Type, Time: e.CreatedAt})
				w.store.Append(e)
			}
			reading, wrote := time.Duration(rng.IntN(150))*time.Second, make(chan struct{})
			go func() {
				defer close(wrote)
				for range 200 {
					most := []int{1, 1, 1, 8}[rng.IntN(4)]
					if rng.IntN(20) == 0 {
						most = 300
					}
					write(fmt.Sprint("u", rng.IntN(5)), time.Duration(rng.IntN(most))*time.Second)
					time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
				}
				for i := range 5 { // the last event of an aggregate shows the gaps before it
					write(fmt.Sprint("u", i), 0)
				}
			}()
			w.readFor(reading)
			known, err := Acknowledged(w.state)
			if err != nil {
				t.Fatal(err)
			}
			before := map[string]bool{}
			for _, id := range w.out {
				before[id] = true
			}
			state, watermark := w.state, w.state.Watermark
			w.out = nil
			w.readFor(30 * time.Minute)
			after := map[string]bool{}
			for _, id := range w.out {
				after[id] = true
			}
			<-wrote
			for _, e := range written {
				id := e.ID()
				if known(&e) && after[id] || !known(&e) && before[id] {
					t.Errorf("seed %d: %s of %s: acknowledged %t, comes %t; the watermark is %s", seed, id, e.Time, known(&e), after[id], watermark)
				}
				if after[id] && e.Time.Before(watermark) {
					late++
				}
				if upTo := AcknowledgedUpTo(state, w.settings.Overlap); known(&e) && e.Time.After(upTo) {
					t.Errorf("seed %d: %s of %s is acknowledged after %s", seed, id, e.Time, upTo)
				}
			}
		})
	}
	if late == 0 {
		t.Error("no event came after the watermark had passed it: gaps were not tested")
	}
}

// TestAcknowledged_APushIs: its event is met in the log later, and dropped then. A forged one is
// another event.
func TestAcknowledged_APushIs(t *testing.T) {
	key := record.Key{AggregateType: "user", AggregateID: "u", Sequence: 7}
	known, err := Acknowledged(cursor.State{Watermark: epoch, Pushed: []cursor.Pushed{{AggregateType: "user", AggregateID: "u", Sequence: 7, Created: epoch.Add(time.Second), Type: "user.locked"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []record.Event{
		{Key: key, Time: epoch.Add(time.Second), Type: "user.locked"},
		{Key: key, Time: epoch.Add(time.Second), Type: "user.unlocked"},
		{Key: key, Time: epoch.Add(2 * time.Second), Type: "user.locked"},
	} {
		if got, want := known(&e), e.Time.Equal(epoch.Add(time.Second)) && e.Type == "user.locked"; got != want {
			t.Errorf("%s of %s: %t", e.Type, e.Time, got)
		}
	}
	if _, err := Acknowledged(cursor.State{Instance: "lab", Seen: map[string]string{"user/u": "x"}}); err == nil {
		t.Error("a damaged state is none")
	}
}

// TestReady_ComesAfterAnAnswerAndBeforeReading: in each Run; its error ends Run.
func TestReady_ComesAfterAnAnswerAndBeforeReading(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now(), 3)
		time.Sleep(time.Minute)
		r := w.reader()
		refused := errors.New("not yet")
		calls := 0
		r.ready = func(_ context.Context, now time.Time) error {
			calls++
			if r.Stats().LastSuccess().IsZero() || len(w.out) > 0 || !now.Equal(w.now()) {
				t.Errorf("called at %s, after %d events", now, len(w.out))
			}
			if calls == 1 {
				return refused
			}
			return nil
		}
		if err := r.Run(w.t.Context(), w.emit); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		stop := w.run(r)
		time.Sleep(time.Minute)
		_ = stop()
		if calls != 2 {
			t.Errorf("%d calls", calls)
		}
		w.wantAll()
	})
}
