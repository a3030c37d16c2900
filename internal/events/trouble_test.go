package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

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

// Law 10.
func TestPanicWhileReadingIsAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		w.client = panicking{w.client}
		err := w.reader().Run(context.Background(), w.emit)
		if err == nil || !strings.Contains(err.Error(), "panic of type string") || strings.Contains(err.Error(), "boom") {
			t.Errorf("Run: %v", err)
		}
	})
}

type panicking struct{ Client }

func (p panicking) ListEvents(context.Context, *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	panic("boom")
}

// A clock of this machine that is wrong changes when events are read, not
// whether.
func TestWrongClockLosesNothing(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"an hour fast": time.Hour, "an hour slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.add(w.now().Add(-2*time.Hour), 20)
				log := slog.New(slog.NewTextHandler(&w.log, nil))
				r, err := NewReader(w.client, w.settings, w.state, Options{Log: log, Now: func() time.Time { return w.now().Add(wrong) }})
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

// A server that ignores a bound would be read for ever, twice or past events.
func TestAnswerOutsideTheRequestIsAStopError(t *testing.T) {
	for name, change := range map[string]func(*adminpb.ListEventsRequest){
		"range":        func(req *adminpb.ListEventsRequest) { req.CreationDateFilter = nil },
		"limit":        func(req *adminpb.ListEventsRequest) { req.Limit = 0 },
		"aggregate id": func(req *adminpb.ListEventsRequest) { req.AggregateId = "" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
				w.settings.PageSize = 100
				w.settings.AggregateIDs = []string{zitadeltest.Recorded()[0].GetAggregate().GetId()}
				w.client = deaf{w.client, change}
				err := w.reader().Run(context.Background(), w.emit)
				var e *zitadel.Error
				if !errors.As(err, &e) || e.Class != zitadel.Stop || !strings.Contains(err.Error(), "not asked") {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

// deaf does not hear a part of each request.
type deaf struct {
	Client
	change func(*adminpb.ListEventsRequest)
}

func (d deaf) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	req = proto.CloneOf(req)
	d.change(req)
	return d.Client.ListEvents(ctx, req)
}

// A program that can decode nothing must not leave the whole log out, one
// event after the other.
func TestNothingDecodableIsWaitedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.Append(zitadeltest.FromProto(zitadeltest.Recorded()...)...)
		w.server.Update(func(f *zitadeltest.Faults) {
			f.BeforeAnswer = func(_ context.Context, _ string, _, resp proto.Message) error {
				if page, ok := resp.(*adminpb.ListEventsResponse); ok && len(page.GetEvents()) > 0 {
					return status.Error(codes.Internal, "Errors.Internal (ADMIN-eaimD)")
				}
				return nil
			}
		})
		r := w.reader()
		stop := w.run(r)
		time.Sleep(time.Hour)
		if calls := r.Stats().Calls.Load(); calls > 2000 {
			t.Errorf("%d calls in an hour: no backoff", calls)
		}
		w.server.Update(func(f *zitadeltest.Faults) { f.BeforeAnswer = nil })
		time.Sleep(10 * time.Minute)
		stop()
		if n := r.Stats().Unreadable.Load(); n > 1 {
			t.Errorf("%d events were left out", n)
		}
		t.Log(len(w.out), r.Stats().Calls.Load())
	})
}
