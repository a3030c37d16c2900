package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// scenario is what the model test draws before it runs: a log as it comes to
// be, and the moments at which the reader is killed.
type scenario struct {
	pageSize int
	life     time.Duration // of a reader that is not killed by its emits
	rest     time.Duration // the last reader reads that long
	// repeats, if not nil, counts events that came twice for two more reasons: the sweep could
	// not tell them from late ones; or the reader had restarted, and forgotten what came before
	// a gap.
	repeats *atomic.Int64
	txs     []modelTx
	crashes []crash
}

type modelTx struct {
	at     time.Duration // creation date, after the epoch
	late   time.Duration // how long it stays invisible, at most the overlap
	placed bool          // its position is that of its commit (releases of 2026-09)
	size   int
	first  int  // aggregate of its first event
	spread int  // step from one event's aggregate to the next one's
	apart  bool // its aggregates are its own
	// push is how long after the commit its events come by push as well; 0: never.
	push time.Duration
}

// crash ends a reader at its n-th emit; the batches before it that were not
// acknowledged yet are lost.
type crash struct {
	emits, unacknowledged int
	pause                 time.Duration
}

func drawScenario(t *rapid.T) scenario {
	seconds := func(t *rapid.T, name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most*1000).Draw(t, name)) * time.Millisecond
	}
	s := scenario{life: 30 * time.Second, rest: 3 * time.Minute, pageSize: rapid.SampledFrom([]int{1, 2, 3, 7, 20, 100, 1000}).Draw(t, "page size")}
	for range rapid.IntRange(1, 40).Draw(t, "transactions") {
		tx := modelTx{
			at:     seconds(t, "at", 100) - 40*time.Second,
			placed: rapid.Bool().Draw(t, "placed"),
			size:   rapid.SampledFrom([]int{1, 1, 1, 2, 5, 30}).Draw(t, "size"),
			first:  rapid.IntRange(0, 5).Draw(t, "aggregate"),
			spread: rapid.IntRange(0, 3).Draw(t, "spread"),
		}
		if rapid.IntRange(0, 2).Draw(t, "is late") == 0 {
			tx.late = seconds(t, "late", 10)
		}
		if rapid.Bool().Draw(t, "is pushed") {
			tx.push = seconds(t, "push", 30) + time.Millisecond
		}
		s.txs = append(s.txs, tx)
	}
	for range rapid.IntRange(0, 4).Draw(t, "crashes") {
		s.crashes = append(s.crashes, crash{
			emits:          rapid.IntRange(0, 12).Draw(t, "emits"),
			unacknowledged: rapid.IntRange(0, 3).Draw(t, "unacknowledged"),
			pause:          seconds(t, "pause", 20),
		})
	}
	return s
}

// Laws 1 and 2 on any log: every event comes out at least once, and a second
// time only if the batch that held it was not acknowledged before a crash.
func TestLaw2ModelEveryEventOnceButForCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScenario(rt)
		var err error
		synctest.Test(t, func(t *testing.T) { err = s.run(newWorld(t)) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func (s scenario) run(w *world) error {
	// A sequence is taken at the commit, not when the creation date is.
	slices.SortStableFunc(s.txs, func(a, b modelTx) int { return cmp.Compare(a.at+a.late, b.at+b.late) })
	pushed := &modelSpool{}
	for _, tx := range s.txs {
		var events []zitadeltest.Event
		for i := range tx.size {
			id := (tx.first + i*tx.spread) % 6
			if tx.apart {
				id = tx.first + i*tx.spread
			}
			e := userEvent(fmt.Sprint("a", id), epoch.Add(tx.at))
			e.VisibleFrom = e.CreatedAt.Add(tx.late)
			if tx.placed {
				e.Position = e.VisibleFrom
			}
			events = append(events, e)
		}
		w.store.Append(events...)
		if tx.push > 0 {
			pushed.add(w, epoch.Add(tx.at+tx.late+tx.push), events)
		}
	}
	pushed.sort()
	w.settings.PageSize = s.pageSize
	seen := make(map[string]int)
	mayRepeat := make(map[string]bool)
	errKilled := errors.New("killed")
	repeated := uint64(0) // events that the sweep could not tell from late ones
	for _, c := range s.crashes {
		ctx, cancel := context.WithTimeout(context.Background(), s.life)
		var batches []Batch
		stored := w.state
		w.pushes = pushed.feed(ctx, w)
		reader := w.reader()
		err := reader.Run(ctx, func(_ context.Context, b Batch) error {
			if len(batches) == c.emits {
				return errKilled
			}
			batches = append(batches, b)
			return nil
		})
		cancel()
		repeated += reader.stats.SweepRepeated.Load()
		if !errors.Is(err, errKilled) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		acknowledged := max(0, len(batches)-c.unacknowledged)
		w.state = stored
		for i, b := range batches {
			if i < acknowledged {
				w.state = b.State
				if b.Done != nil {
					b.Done()
				}
			}
			for _, r := range b.Records {
				seen[r.ID()]++
				mayRepeat[r.ID()] = mayRepeat[r.ID()] || i >= acknowledged
			}
		}
		if err := throughDisk(&w.state); err != nil {
			return err
		}
		time.Sleep(c.pause)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.pushes = pushed.feed(ctx, w)
	repeated += w.readFor(s.rest).stats.SweepRepeated.Load()
	cancel()
	if n := pushed.left(); n > 0 {
		return fmt.Errorf("%d pushes were never acknowledged", n)
	}
	for _, id := range w.out {
		seen[id]++
	}
	for id := range w.ids() {
		switch {
		case seen[id] == 0:
			return fmt.Errorf("%s is lost; log: %s", id, w.log.String())
		case seen[id] > 1 && !mayRepeat[id] && (s.repeats == nil || repeated == 0 && len(s.crashes) == 0):
			return fmt.Errorf("%s came %d times, and every batch with it was acknowledged; log: %s", id, seen[id], w.log.String())
		case seen[id] > 1 && !mayRepeat[id]:
			s.repeats.Add(1)
		}
	}
	if len(seen) != w.store.Len() {
		return fmt.Errorf("%d different events of %d", len(seen), w.store.Len())
	}
	return nil
}

// modelSpool keeps pushes until they are done, and pushes them again to the
// next reader.
type modelSpool struct {
	entries []modelPush
	mu      sync.Mutex
	done    int // of entries
}

type modelPush struct {
	at    time.Time
	event *eventpb.Event
}

// add takes the events that the store appended last.
func (s *modelSpool) add(w *world, at time.Time, events []zitadeltest.Event) {
	keys := w.store.Keys()
	for i, k := range keys[len(keys)-len(events):] {
		s.entries = append(s.entries, modelPush{at, &eventpb.Event{
			Aggregate:    &eventpb.Aggregate{Id: k.AggregateID, Type: &eventpb.AggregateType{Type: k.AggregateType}, ResourceOwner: "org"},
			Type:         &eventpb.EventType{Type: events[i].Type},
			Sequence:     k.Sequence,
			CreationDate: timestamppb.New(events[i].CreatedAt),
		}})
	}
}

func (s *modelSpool) sort() {
	slices.SortStableFunc(s.entries, func(a, b modelPush) int { return a.at.Compare(b.at) })
}

func (s *modelSpool) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries) - s.done
}

// feed pushes what is not done, each at its time, until ctx ends.
func (s *modelSpool) feed(ctx context.Context, w *world) <-chan Push {
	pushes := make(chan Push)
	s.mu.Lock()
	first := s.done
	s.mu.Unlock()
	go func() {
		for i := first; i < len(s.entries); i++ {
			if retry.Sleep(ctx, s.entries[i].at.Sub(w.now())) != nil {
				return
			}
			done := func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.done = max(s.done, i+1)
			}
			select {
			case pushes <- Push{Event: s.entries[i].event, Done: done}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return pushes
}

// throughDisk gives a state the shape it has in the state file.
func throughDisk(s *cursor.State) error {
	for name, runs := range s.Seen {
		sequences, err := cursor.ParseRuns(runs)
		if err != nil {
			return err
		}
		s.Seen[name] = cursor.FormatRuns(sequences)
	}
	if s.Sweep != nil {
		b, err := json.Marshal(s.Sweep)
		if err != nil {
			return err
		}
		s.Sweep = new(cursor.Sweep)
		return json.Unmarshal(b, s.Sweep)
	}
	return nil
}
