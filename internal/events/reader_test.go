package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is where the tests' clock starts: after the newest recorded event.
// (The clock of testing/synctest starts in 2000, before any ZITADEL.)
var epoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// world is a look-alike and readers of it, all on one fake clock.
type world struct {
	t        *testing.T
	store    *zitadeltest.Store
	server   *zitadeltest.Server
	client   Client
	settings config.Settings
	started  time.Time

	mu    sync.Mutex
	out   []string // ids in the order of emission
	state cursor.State
	log   bytes.Buffer
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
	return nil
}

func (w *world) reader() *Reader {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(&syncWriter{w: &w.log}, nil))
	r, err := NewReader(w.client, w.settings, w.state, log, w.now)
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

type syncWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

func TestRecordedLogComesOutOnce(t *testing.T) {
	for _, size := range []int{100, 600, 1000} {
		t.Run(fmt.Sprint("page size ", size), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
				w.settings.PageSize = size
				r := w.readFor(time.Minute)
				w.wantAll()
				if n := r.Stats().Events.Load(); n != 2881 {
					t.Errorf("%d events, want 2881", n)
				}
				if calls := r.Stats().Calls.Load(); calls > 150 {
					t.Errorf("%d calls for 2,881 events", calls)
				}
				t.Log("calls:", r.Stats().Calls.Load(), "duplicates:", r.Stats().Duplicates.Load())
			})
		})
	}
}

// Law 2: what becomes visible after younger events were read comes out too.
func TestLaw2LateEventComesOut(t *testing.T) {
	inWorld(t, func(w *world) {
		base := w.now()
		w.add(base.Add(-time.Hour), 3)
		r := w.reader()
		stop := w.run(r)
		for i := range 60 {
			time.Sleep(time.Second)
			at := w.now()
			w.add(at, 2)
			late := userEvent(fmt.Sprint("late", i), at.Add(-time.Millisecond))
			late.VisibleFrom = at.Add(time.Duration(i%10) * time.Second)
			w.store.Append(late)
		}
		time.Sleep(time.Minute)
		stop()
		w.wantAll()
		if r.Stats().Late.Load() == 0 {
			t.Error("no event was late: the test tests nothing")
		}
	})
}

// Law 2, beyond the overlap: a hole in the aggregate's sequence shows what is
// missing, however late it comes.
func TestLaw2HoleIsFilledLongAfter(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Minute)
		for i := range 10 {
			e := userEvent("a", at.Add(time.Duration(i)*time.Second))
			if i == 4 || i == 5 {
				e.VisibleFrom = w.now().Add(5 * time.Minute)
			}
			w.store.Append(e)
		}
		r := w.reader()
		stop := w.run(r)
		time.Sleep(2 * time.Minute)
		stop()
		if n := len(w.out); n != 8 {
			t.Fatalf("%d events before the late ones, want 8", n)
		}
		if len(w.state.Holes) != 1 || w.state.Holes[0].First != 5 || w.state.Holes[0].Last != 6 {
			t.Errorf("holes in the state: %+v, want 5-6", w.state.Holes)
		}
		// The hole outlives a restart.
		r = w.reader()
		stop = w.run(r)
		time.Sleep(20 * time.Minute)
		stop()
		w.wantAll()
		if s := r.Stats(); s.HolesFilled.Load() != 2 || len(w.state.Holes) != 0 {
			t.Errorf("filled %d, open %v; want 2 and none", s.HolesFilled.Load(), w.state.Holes)
		}
	})
}

func TestHoleThatNeverFillsIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, seq := range []uint64{1, 2, 5} {
			e := userEvent("a", w.now().Add(-time.Minute))
			e.Sequence = seq
			w.store.Append(e)
		}
		r := w.readFor(3 * holeWait)
		w.wantAll()
		if n := r.Stats().HolesGivenUp.Load(); n != 1 {
			t.Errorf("%d holes given up, want 1", n)
		}
		if log := w.log.String(); strings.Count(log, "never came") != 1 || !strings.Contains(log, "first=3 last=4") {
			t.Errorf("log: %s", log)
		}
		// Asked about twelve times in an hour, not at every poll.
		if calls := r.Stats().Calls.Load(); calls > 3*3600/5+200 {
			t.Errorf("%d calls", calls)
		}
	})
}

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
		"one aggregate, 5000 events":     aggregates(1, 5000, "user.human.changed"),
		"3 aggregates, 7500 events":      aggregates(3, 2500, "user.human.changed", "user.locked"),
		"500 aggregates of 10 types":     aggregates(500, 10, "user.human.added", "user.locked", "user.unlocked", "user.human.changed", "user.human.email.changed", "user.human.phone.changed", "user.deactivated", "user.reactivated", "user.removed", "user.human.mfa.otp.added"),
		"1500 aggregates, type repeated": aggregates(1500, 2, "user.locked"),
		"unregistered types":             aggregates(2, 1500, "user.brand.new", "user.brand.newer"),
	} {
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

// Law 4: the cost of an event does not depend on how many the store holds.
func TestLaw4CostDoesNotGrowWithTheStore(t *testing.T) {
	cost := func(n int) (rows, calls float64) {
		inWorld(t, func(w *world) {
			for i := range n / 2 {
				w.add(epoch.Add(-time.Duration(n/2-i)*7*time.Second), 2)
			}
			w.server.ResetCounts()
			w.settings.End = epoch.Add(-time.Second)
			if err := w.reader().Run(context.Background(), w.emit); err != nil {
				t.Fatal(err)
			}
			if len(w.out) != n {
				t.Fatalf("%d events, want %d", len(w.out), n)
			}
			c := w.server.Count("ListEvents")
			rows, calls = float64(c.Rows)/float64(n), float64(c.Calls)/float64(n)
		})
		return rows, calls
	}
	smallRows, smallCalls := cost(5_000)
	bigRows, bigCalls := cost(50_000)
	t.Logf("per event: 5,000 in the store %.3f rows, %.5f calls; 50,000: %.3f rows, %.5f calls", smallRows, smallCalls, bigRows, bigCalls)
	if bigRows > 1.1*smallRows || bigCalls > 1.1*smallCalls {
		t.Error("the cost per event grows with the store")
	}
}

func TestSilenceCostsAHandfulOfCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC), 3)
		w.add(w.now().Add(-time.Minute), 3)
		r := w.reader()
		stop := w.run(r)
		time.Sleep(time.Second)
		if calls := r.Stats().Calls.Load(); calls > 30 {
			t.Errorf("%d calls for six years of silence", calls)
		}
		time.Sleep(100 * w.settings.PollInterval)
		stop()
		w.wantAll()
		if calls := r.Stats().Calls.Load(); calls > 30+3*100 {
			t.Errorf("%d calls after 100 quiet polls", calls)
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

// Law 1 and 2: a crash after any batch repeats at most what was not
// acknowledged.
func TestCrashAfterAnyBatchLosesNothing(t *testing.T) {
	recorded := zitadeltest.FromProto(zitadeltest.Recorded()...)
	for crash := range 12 {
		inWorld(t, func(w *world) {
			w.store.Append(recorded...)
			w.settings.PageSize = 300
			batches := 0
			ctx, cancel := context.WithCancel(context.Background())
			err := w.reader().Run(ctx, func(ctx context.Context, b Batch) error {
				if batches == crash {
					cancel()
					return errors.New("killed") // this batch is not acknowledged
				}
				batches++
				return w.emit(ctx, b)
			})
			if err == nil || ctx.Err() == nil {
				t.Fatalf("not killed: %v", err)
			}
			w.readFor(time.Minute)
			w.wantAll()
		})
	}
}

func TestStopErrorEndsRunAndRunGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
		w.settings.PageSize = 200
		r := w.reader()
		n := 0
		err := r.Run(context.Background(), func(ctx context.Context, b Batch) error {
			if n++; n == 4 {
				w.server.Update(func(f *zitadeltest.Faults) { f.BeforeQuery = noPermission })
			}
			return w.emit(ctx, b)
		})
		var e *zitadel.Error
		if !errors.As(err, &e) || e.Class != zitadel.Stop {
			t.Fatalf("Run: %v, want a Stop error", err)
		}
		w.server.Update(func(f *zitadeltest.Faults) { f.BeforeQuery = nil })
		stop := w.run(r)
		time.Sleep(time.Minute)
		stop()
		w.wantAll()
	})
}

func noPermission(context.Context, string, proto.Message) error {
	return status.Error(codes.PermissionDenied, "No matching permissions found (AUTH-5mWD2)")
}

func TestOutageIsSatOut(t *testing.T) {
	for name, fault := range map[string]func(*zitadeltest.Faults, bool){
		"database down": func(f *zitadeltest.Faults, on bool) { f.DatabaseDown = on },
		"starting":      func(f *zitadeltest.Faults, on bool) { f.Starting = on },
		"blocked":       func(f *zitadeltest.Faults, on bool) { f.Blocked = on },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
				r := w.reader()
				w.settings.PageSize = 100
				stop := w.run(r)
				for range 5 {
					w.server.Update(func(f *zitadeltest.Faults) { fault(f, true) })
					w.add(w.now(), 5)
					time.Sleep(10 * time.Minute)
					w.server.Update(func(f *zitadeltest.Faults) { fault(f, false) })
					time.Sleep(6 * time.Minute)
				}
				stop()
				w.wantAll()
				if calls := r.Stats().Calls.Load(); calls > 2000 {
					t.Errorf("%d calls in 80 minutes: no backoff", calls)
				}
				// An outage is a few lines, not one a try.
				if lines := strings.Count(w.log.String(), "\n"); lines > 20 {
					t.Errorf("%d log lines:\n%s", lines, w.log.String())
				}
			})
		})
	}
}

func TestRetentionIsAWarningNotEmptiness(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 40 {
			for range 3 {
				w.store.Append(userEvent(fmt.Sprint("r", i), w.now().Add(-2*time.Hour)))
			}
			w.store.Append(userEvent(fmt.Sprint("r", i), w.now().Add(-time.Minute)))
		}
		w.server.Update(func(f *zitadeltest.Faults) { f.Retention = time.Hour })
		r := w.readFor(time.Minute)
		if len(w.out) != 40 {
			t.Errorf("%d events, want the 40 that are shown", len(w.out))
		}
		if n := r.Stats().Hidden.Load(); n != 120 || !strings.Contains(w.log.String(), "hides older events") {
			t.Errorf("hidden %d, want 120; log: %s", n, w.log.String())
		}
		if calls := r.Stats().Calls.Load(); calls > 80 {
			t.Errorf("%d calls: every beginning is chased", calls)
		}
	})
}

func TestEmptyLogIsAWarning(t *testing.T) {
	inWorld(t, func(w *world) {
		w.readFor(time.Minute)
		if n := strings.Count(w.log.String(), "no event at all"); n != 1 {
			t.Errorf("told %d times: %s", n, w.log.String())
		}
	})
}

func TestEndStopsThere(t *testing.T) {
	inWorld(t, func(w *world) {
		end := w.now().Add(time.Minute)
		w.settings.End = end
		r := w.reader()
		done := make(chan error, 1)
		go func() { done <- r.Run(context.Background(), w.emit) }()
		inside := 0
		for range 40 {
			time.Sleep(5 * time.Second)
			if w.now().Before(end) {
				inside += 2
			}
			w.add(w.now(), 2)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal("still reading two minutes after the end")
		}
		if len(w.out) != inside {
			t.Errorf("%d events, want the %d before the end", len(w.out), inside)
		}
		if !strings.Contains(w.log.String(), "`end` is reached") {
			t.Errorf("not told: %s", w.log.String())
		}
	})
}

func TestStartDecidesWhereReadingBegins(t *testing.T) {
	for name, tc := range map[string]struct {
		start config.Start
		want  int
	}{
		"beginning": {config.Start{Beginning: true}, 30},
		"now":       {config.Start{Now: true}, 0},
		"back":      {config.Start{Back: 90 * time.Minute}, 20},
		"at":        {config.Start{At: epoch.Add(-time.Hour)}, 20}, // inclusive
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for i := range 3 {
					w.add(epoch.Add(time.Duration(i-2)*time.Hour-time.Hour*0), 10)
				}
				w.settings.Start = tc.start
				w.readFor(time.Second)
				got := len(w.out)
				// The third group is created now and not settled yet.
				if want := tc.want - 10; tc.want > 0 && got != want || tc.want == 0 && got != 0 {
					t.Errorf("%d events at first, want %d", got, want)
				}
				// A crash before the first event does not move the start.
				w.readFor(time.Minute)
				want := max(tc.want, 10)
				if len(w.out) != want {
					t.Errorf("%d events, want %d", len(w.out), want)
				}
			})
		})
	}
}

func TestFilters(t *testing.T) {
	recorded := zitadeltest.Recorded()
	var manyTypes, manyAggregates []string
	byType, byAggregate := make(map[string]int), make(map[string]int)
	for _, e := range recorded {
		byType[e.GetType().GetType()]++
		byAggregate[e.GetAggregate().GetType().GetType()]++
	}
	manyTypes = slices.Sorted(maps.Keys(byType))[:60]
	manyAggregates = slices.Sorted(maps.Keys(byAggregate))[:14]
	for name, set := range map[string]func(*config.Settings){
		"one event type":          func(s *config.Settings) { s.EventTypes = []string{"user.human.added"} },
		"unregistered event type": func(s *config.Settings) { s.EventTypes = []string{"user.human.added", "no.such.type"} },
		"60 event types":          func(s *config.Settings) { s.EventTypes = manyTypes },
		"60 event types excluded": func(s *config.Settings) { s.ExcludeEventTypes = manyTypes },
		"one aggregate type":      func(s *config.Settings) { s.AggregateTypes = []string{"user"} },
		"14 aggregate types":      func(s *config.Settings) { s.AggregateTypes = manyAggregates },
		"one aggregate":           func(s *config.Settings) { s.AggregateIDs = []string{recorded[0].GetAggregate().GetId()} },
		"two aggregates": func(s *config.Settings) {
			s.AggregateIDs = []string{recorded[0].GetAggregate().GetId(), recorded[2000].GetAggregate().GetId()}
		},
		"one owner": func(s *config.Settings) {
			s.ResourceOwners = []string{recorded[1500].GetAggregate().GetResourceOwner()}
		},
		"two editors": func(s *config.Settings) { s.EditorUserIDs = []string{"LOGIN", recorded[1500].GetEditor().GetUserId()} },
		"aggregate and event types": func(s *config.Settings) {
			s.AggregateTypes, s.EventTypes = []string{"user"}, []string{"user.locked", "org.added"}
		},
		"page size 50, one aggregate": func(s *config.Settings) {
			s.PageSize, s.AggregateIDs = 50, []string{recorded[0].GetAggregate().GetId()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(recorded...)...)
				set(&w.settings)
				f := newFilter(&w.settings, nil)
				f.types = nil
				var without []string
				for _, e := range recorded {
					if !f.passes(e) {
						a := e.GetAggregate()
						without = append(without, fmt.Sprintf("test/%s/%s/%d", a.GetType().GetType(), a.GetId(), e.GetSequence()))
					}
				}
				if len(without) == 0 || len(without) == len(recorded) {
					t.Fatal("the filter tests nothing")
				}
				r := w.readFor(time.Minute)
				w.wantAll(without...)
				if strings.Contains(w.log.String(), "level=WARN") {
					t.Errorf("log: %s", w.log.String())
				}
				t.Log("calls:", r.Stats().Calls.Load(), "filtered here:", r.Stats().Filtered.Load())
			})
		})
	}
}

func TestChangedFilterIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Minute), 3)
		w.readFor(time.Minute)
		w.settings.EventTypes = []string{"user.locked"}
		w.readFor(time.Minute)
		if !strings.Contains(w.log.String(), "filter has changed") {
			t.Errorf("log: %s", w.log.String())
		}
	})
}

// Law 10.
func TestPanicWhileReadingIsAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		w.client = panicking{w.client}
		err := w.reader().Run(context.Background(), w.emit)
		if err == nil || !strings.Contains(err.Error(), "panic: boom") {
			t.Errorf("Run: %v", err)
		}
	})
}

type panicking struct{ Client }

func (p panicking) ListEvents(context.Context, *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	panic("boom")
}

// Two events for every token: a session of the user without a login, and the
// token in it, which names nobody.
func TestExcludeOwnLeavesOutOwnTokensOnlyAndCountsThem(t *testing.T) {
	session := func(id, user, login string, at time.Time) []zitadeltest.Event {
		payload, err := structpb.NewStruct(map[string]any{"userID": user, "sessionID": login})
		if err != nil {
			t.Fatal(err)
		}
		return []zitadeltest.Event{
			{AggregateType: "oidc_session", AggregateID: id, Type: "oidc_session.added", CreatedAt: at, Payload: payload},
			{AggregateType: "oidc_session", AggregateID: id, Type: "oidc_session.access_token.added", CreatedAt: at},
		}
	}
	for _, exclude := range []bool{false, true} {
		inWorld(t, func(w *world) {
			at := w.now().Add(-time.Minute)
			w.store.Append(session("own", "me", "", at)...)
			w.store.Append(session("own-login", "me", "V1_1", at.Add(time.Second))...)
			w.store.Append(session("other", "you", "", at.Add(2*time.Second))...)
			w.client = named{w.client}
			w.settings.ExcludeOwn = exclude
			r := w.readFor(time.Minute)
			if !exclude {
				w.wantAll()
				return
			}
			w.wantAll("test/oidc_session/own/1", "test/oidc_session/own/2")
			if n := r.Stats().Own.Load(); n != 2 {
				t.Errorf("%d own events counted, want 2", n)
			}
		})
	}
}

type named struct{ Client }

func (named) OwnUserID(context.Context) (string, error) { return "me", nil }

// A clock of this machine that is wrong changes when events are read, not
// whether.
func TestWrongClockLosesNothing(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"an hour fast": time.Hour, "an hour slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.add(w.now().Add(-2*time.Hour), 20)
				log := slog.New(slog.NewTextHandler(&syncWriter{w: &w.log}, nil))
				r, err := NewReader(w.client, w.settings, w.state, log, func() time.Time { return w.now().Add(wrong) })
				if err != nil {
					t.Fatal(err)
				}
				stop := w.run(r)
				for i := range 30 {
					time.Sleep(time.Second)
					w.add(w.now(), 3)
					late := userEvent(fmt.Sprint("late", i), w.now())
					late.VisibleFrom = w.now().Add(time.Duration(i%10) * time.Second)
					w.store.Append(late)
				}
				time.Sleep(2 * time.Hour) // a slow clock reads an hour later
				stop()
				w.wantAll()
			})
		})
	}
}
