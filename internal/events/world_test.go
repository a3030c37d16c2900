package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is where the tests' clock starts: after the newest recorded event.
// (The clock of testing/synctest starts in 2000, before any ZITADEL.)
var epoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// world is a fake ZITADEL server and readers of it, all on one fake clock.
type world struct {
	t        *testing.T
	store    *zitadeltest.Store
	server   *zitadeltest.Server
	client   Client
	settings config.Settings
	started  time.Time
	pushes   <-chan Push // of the next reader

	mu    sync.Mutex
	out   []string // ids in the order of emission
	state cursor.State
	log   testkit.Text
}

// inWorld runs f in a bubble of fake time.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: zitadeltest.NewStore(), started: time.Now()}
	w.store.SetClock(w.now)
	w.server = zitadeltest.NewServer(w.store, zitadeltest.Options{Now: w.now})
	w.client = w.server.Direct()
	w.settings = config.Settings{
		Instance:     "test",
		Start:        config.Start{Beginning: true},
		PollInterval: 5 * time.Second,
		Settle:       2 * time.Second,
		Overlap:      10 * time.Second,
		Sweep:        time.Hour,
		PageSize:     1000,
	}
	return w
}

func (w *world) now() time.Time { return epoch.Add(time.Since(w.started)) }

// emit acknowledges at once.
func (w *world) emit(_ context.Context, b Batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range b.Records {
		w.out = append(w.out, r.ID())
	}
	w.state = b.State
	if b.Done != nil {
		b.Done()
	}
	return nil
}

func (w *world) reader() *Reader {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	r, err := NewReader(w.client, w.settings, w.state, Options{Log: log, Now: w.now, Pushes: w.pushes})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// run starts a reader in the background; stop ends it and returns Run's error.
func (w *world) run(r *Reader) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, w.emit) }()
	return func() error {
		cancel()
		return <-done
	}
}

// readFor lets a reader run for d of the fake time.
func (w *world) readFor(d time.Duration) *Reader {
	w.t.Helper()
	r := w.reader()
	stop := w.run(r)
	time.Sleep(d)
	if err := stop(); !errors.Is(err, context.Canceled) {
		w.t.Fatalf("Run: %v", err)
	}
	return r
}

// wantAll checks that every event of the store, but those with a key in
// without, came out exactly once.
func (w *world) wantAll(without ...string) {
	w.t.Helper()
	got := make(map[string]int)
	for _, id := range w.out {
		got[id]++
	}
	want := w.ids()
	for _, id := range without {
		if !want[id] {
			w.t.Errorf("%s is not in the store", id)
		}
		delete(want, id)
	}
	var missing, twice, foreign []string
	for id := range want {
		if got[id] == 0 {
			missing = append(missing, id)
		}
	}
	for id, n := range got {
		if n > 1 {
			twice = append(twice, id)
		}
		if !want[id] {
			foreign = append(foreign, id)
		}
	}
	if len(missing)+len(twice)+len(foreign) > 0 {
		w.t.Errorf("of %d events %d are missing %v, %d came twice %v, %d are not wanted %v", len(want), len(missing), few(missing), len(twice), few(twice), len(foreign), few(foreign))
	}
}

func (w *world) ids() map[string]bool {
	ids := make(map[string]bool)
	for _, e := range w.store.Keys() {
		ids[fmt.Sprintf("test/%s/%s/%d", e.AggregateType, e.AggregateID, e.Sequence)] = true
	}
	return ids
}

func few(ids []string) []string {
	slices.Sort(ids)
	return ids[:min(len(ids), 5)]
}

// add appends one transaction of n events of n aggregates.
func (w *world) add(at time.Time, n int) {
	events := make([]zitadeltest.Event, n)
	for i := range events {
		events[i] = userEvent(fmt.Sprintf("u%d-%d", at.UnixMicro(), i), at)
	}
	w.store.Append(events...)
}

func userEvent(id string, at time.Time) zitadeltest.Event {
	return zitadeltest.Event{AggregateType: "user", AggregateID: id, ResourceOwner: "org", Type: "user.human.added", EditorID: "admin", CreatedAt: at,
		Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"userName": structpb.NewStringValue(id)}}}
}
