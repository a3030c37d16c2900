package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

const (
	overlap  = 6 * time.Second // of every reader
	mostLate = 4 * time.Second // of every transaction; the rest is for slow machines
)

// writer writes on and on: transactions that commit at once, seconds late, or
// holding the lock that readers wait for, some with one creation date, some
// rolled back, and now and then a large one.
type writer struct {
	log    *txLog
	store  *zitadeltest.Store
	shapes *zitadeltest.Writer
	rand   *rand.Rand
	failed chan<- error
	before time.Time      // creation date of the transaction before
	open   sync.WaitGroup // transactions
}

// run writes about perSecond events a second until ctx ends.
func (w *writer) run(ctx context.Context, perSecond float64) {
	const step = 20 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	due := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due += perSecond * step.Seconds(); due >= 1; {
			due -= float64(w.begin())
		}
	}
}

// once writes one transaction. Nothing else may be writing.
func (w *writer) once() {
	now := time.Now().Truncate(time.Microsecond)
	w.end(w.store.Begin(now), now, w.shapes.Next())
}

// begin begins one transaction and returns how many events it will have.
func (w *writer) begin() int {
	created := time.Now().Truncate(time.Microsecond)
	if w.rand.IntN(5) == 0 && created.Sub(w.before) < time.Second {
		created = w.before // two transactions of one creation date
	}
	w.before = created
	events := w.shapes.Next()
	if w.rand.IntN(2000) == 0 {
		events = w.large()
		w.before = time.Time{} // two of them with one date are more than the API can show
	}
	if w.rand.IntN(3) == 0 {
		placeAtCommit(events)
	}
	tx := w.store.Begin(created)
	var wait, locked time.Duration
	switch n := w.rand.IntN(100); {
	case n < 60: // at once
	case n < 90: // late, unseen by readers
		wait = time.Duration(w.rand.Int64N(int64(mostLate * 3 / 4)))
	case n < 93: // readers wait
		locked = time.Duration(w.rand.Int64N(int64(300 * time.Millisecond)))
	case n < 95:
		tx.Rollback()
		return len(events)
	}
	if wait+locked == 0 {
		w.end(tx, created, events)
		return len(events)
	}
	w.open.Add(1)
	time.AfterFunc(wait, func() {
		if locked > 0 {
			tx.Push()
		}
		time.AfterFunc(locked, func() {
			w.end(tx, created, events)
			w.open.Done()
		})
	})
	return len(events)
}

func (w *writer) end(tx *zitadeltest.Tx, created time.Time, events []zitadeltest.Event) {
	done, err := w.log.commit(created, events, mostLate, func(numbered []zitadeltest.Event) {
		tx.Push(numbered...)
		tx.Commit()
	})
	if err != nil {
		w.failed <- err
	}
	if !done {
		tx.Rollback()
	}
}

// large is a transaction that no page holds.
func (w *writer) large() []zitadeltest.Event {
	payload, err := structpb.NewStruct(map[string]any{"userName": "many"})
	if err != nil {
		panic(err) // text is always good
	}
	batch := fmt.Sprintf("9%08d", w.rand.IntN(1e8))
	events := make([]zitadeltest.Event, 1000+w.rand.IntN(300))
	for i := range events {
		events[i] = zitadeltest.Event{AggregateType: "user", AggregateID: fmt.Sprintf("%s%06d", batch, i/2), ResourceOwner: "org",
			Type: "user.human.added", EditorID: "admin", Payload: payload}
	}
	return events
}
