package events

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func pushOf(aggregateID string, sequence uint64, at time.Time) Push {
	return Push{Event: &eventpb.Event{
		Aggregate: &eventpb.Aggregate{Id: aggregateID, Type: &eventpb.AggregateType{Type: "user"}, ResourceOwner: "org"},
		Type:      &eventpb.EventType{Type: "user.human.added"},
		Sequence:  sequence, CreationDate: timestamppb.New(at),
	}}
}

// pushing runs a reader for as long as f takes; f gives what is pushed, and
// every batch is kept.
func (w *world) pushing(f func(pushes chan<- Push)) (batches []Batch) {
	w.t.Helper()
	pushes := make(chan Push, pushTogether)
	w.pushes = pushes
	r := w.reader()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.Run(ctx, func(ctx context.Context, b Batch) error {
			w.mu.Lock()
			batches = append(batches, b)
			w.mu.Unlock()
			return w.emit(ctx, b)
		})
	}()
	synctest.Wait()
	f(pushes)
	cancel()
	<-done
	return batches
}

func TestPush_ComesAtOnceAndNotAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		batches := w.pushing(func(pushes chan<- Push) {
			time.Sleep(time.Second)
			w.add(w.now(), 1)
			k := w.store.Keys()[0]
			pushes <- pushOf(k.AggregateID, k.Sequence, w.now())
			synctest.Wait()
			w.mu.Lock()
			if len(w.out) != 1 {
				t.Errorf("%d events came before the next poll", len(w.out))
			}
			w.mu.Unlock()
			time.Sleep(time.Minute)
		})
		w.wantAll()
		for _, b := range batches {
			for _, r := range b.Records {
				r := r.(*record.Event)
				if r.Source != record.SourceWebhook {
					t.Errorf("%s came by %s first", r.ID(), r.Source)
				}
			}
		}
	})
}

// Webhooks leave gaps by design: pulling fills them, nobody asks for holes.
func TestPush_OpensNoHole(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pushing(func(pushes chan<- Push) {
			time.Sleep(time.Second)
			for range 9 {
				w.store.Append(userEvent("one", w.now()))
			}
			pushes <- pushOf("one", 9, w.now())
			pushes <- pushOf("one", 4, w.now())
			time.Sleep(time.Minute)
		})
		w.wantAll()
		if n := w.state.Holes; len(n) > 0 {
			t.Errorf("holes: %v", n)
		}
	})
}

// Law 7: who holds the key of a target can send any event, and still cannot make the
// reader pass over one: not of a key to come, not one that is missing, not after a restart.
func TestLaw7_APushHidesNoTrueEvent(t *testing.T) {
	for _, restart := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.store.Append(userEvent("victim", w.now()), userEvent("other", w.now()))
			forge := func(pushes chan<- Push) {
				time.Sleep(2 * time.Second)
				for _, seq := range []uint64{1, 2, 3, 1_000_000} {
					pushes <- pushOf("victim", seq, w.now().Add(-time.Millisecond))
				}
				for _, ahead := range []time.Duration{pushFuture - time.Second, pushFuture + time.Second, 1000 * time.Hour} {
					pushes <- pushOf("other", 1_000_000+uint64(ahead), w.now().Add(ahead))
				}
				synctest.Wait()
			}
			// Sequence 2 of each aggregate is committed long after 3: only the hole shows it.
			truth := func() {
				for _, id := range []string{"victim", "other"} {
					late := userEvent(id, w.now())
					late.VisibleFrom = w.now().Add(50 * time.Second)
					w.store.Append(late, userEvent(id, w.now().Add(time.Second)))
				}
			}
			if restart {
				w.pushing(forge)
				w.pushing(func(chan<- Push) { truth(); time.Sleep(3 * time.Minute) })
			} else {
				w.pushing(func(pushes chan<- Push) { forge(pushes); truth(); time.Sleep(3 * time.Minute) })
			}
			came := map[string]int{}
			for _, id := range w.out {
				came[id]++
			}
			for id := range w.ids() {
				if came[id] == 0 {
					t.Errorf("restart %v: %s is lost", restart, id)
				}
			}
			// Of the forged ones those come that are of about now; victim/1 is not known yet.
			if n := len(w.out) - w.store.Len(); n != 5 {
				t.Errorf("restart %v: %d forged events came: %v", restart, n, w.out)
			}
		})
	}
}

// A push makes nothing known: neither an aggregate nor whose session it is.
func TestLaw7_APushLeavesTheMemoryAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		pushes := make(chan Push, pushTogether)
		w.pushes = pushes
		w.settings.ExcludeOwn = true
		r := w.reader()
		stop := w.run(r)
		time.Sleep(time.Second)
		for i := range 3 * pushTogether {
			p := pushOf(fmt.Sprint("u", i), 1, w.now())
			if i%2 == 0 {
				p.Event.Aggregate.Type.Type = "oidc_session"
			}
			pushes <- p
		}
		synctest.Wait()
		_ = stop()
		if n := len(r.mem.young) + len(r.mem.old) + len(r.mem.seen); n != 0 {
			t.Errorf("%d things are known from pushes", n)
		}
		if len(w.out) != 3*pushTogether/2 {
			t.Errorf("%d came: sessions may be the reader's own, and wait for the log", len(w.out))
		}
	})
}

// More pushes than can be remembered: the rest comes when the reader meets it.
func TestPush_IsBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Settle = 10 * time.Minute // the reader meets nothing for a while
		w.pushing(func(pushes chan<- Push) {
			time.Sleep(time.Second)
			for i := range maxPushed + 500 {
				if i%100 == 0 {
					time.Sleep(time.Millisecond) // a date of one type has its limits
				}
				id := fmt.Sprint("u", i)
				w.store.Append(userEvent(id, w.now()))
				pushes <- pushOf(id, 1, w.now())
			}
			synctest.Wait()
			w.mu.Lock()
			if n := len(w.out); n != maxPushed {
				t.Errorf("%d were emitted at once", n)
			}
			w.mu.Unlock()
			time.Sleep(20 * time.Minute)
		})
		w.wantAll()
	})
}

// note is a record that is no event.
type note string

func (n note) EventType() string           { return "note" }
func (n note) ID() string                  { return string(n) }
func (n note) Timestamp() time.Time        { return epoch }
func (n note) WriteFields(d *document.Doc) { d.Text("note", string(n)) }

func TestPush_OtherThingsPassAndAreDoneInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		var done []int
		w.settings.Start = config.Start{Now: true}
		batches := w.pushing(func(pushes chan<- Push) {
			for i := range 5 {
				p := pushOf("old", 1, epoch.Add(-time.Hour)) // known by the look of its date
				if i%2 == 0 {
					p = Push{Record: note(fmt.Sprint(i))}
				}
				p.Done = func() { done = append(done, i) }
				pushes <- p
				synctest.Wait()
			}
		})
		others := ""
		for _, b := range batches {
			for _, r := range b.Records {
				if n, ok := r.(note); ok {
					others += string(n)
				} else {
					t.Errorf("an old event came: %v", r)
				}
			}
		}
		if others != "024" || fmt.Sprint(done) != "[0 1 2 3 4]" {
			t.Errorf("others %s, done %v", others, done)
		}
	})
}

// At the end pushes are emitted without ZITADEL, and noted in the state: what is known does not come
// again, now or later.
func TestTakePushes_EmitsWhatIsNewAndNotesIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Minute), 3)
		w.pushing(func(chan<- Push) { time.Sleep(time.Second) })
		before := w.state
		before.Updated = w.now().Add(time.Hour) // by a clock that was an hour ahead of this one
		keys := w.store.Keys()
		pushes := make(chan Push, 3)
		pushes <- pushOf(keys[2].AggregateID, keys[2].Sequence, w.now().Add(-time.Minute))
		pushes <- pushOf("new", 1, w.now())
		pushes <- pushOf("new", 1, w.now())
		close(pushes)
		r, err := NewReader(nil, w.settings, before, Options{Log: slog.New(slog.DiscardHandler), Now: w.now, Pushes: pushes})
		if err != nil {
			t.Fatal(err)
		}
		var last Batch
		came := 0
		if err := r.TakePushes(context.Background(), func(_ context.Context, b Batch) error { last = b; came += len(b.Records); return nil }); err != nil {
			t.Fatal(err)
		}
		if came != 1 || len(last.State.Pushed) != 1 || last.State.Pushed[0].AggregateID != "new" || !last.State.Watermark.Equal(before.Watermark) || !last.State.Updated.Equal(before.Updated) {
			t.Errorf("%d came, the state has %v, of %s", came, last.State.Pushed, last.State.Updated)
		}
	})
}
