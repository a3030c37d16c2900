package events

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A window is final as of the moment it was asked for, not of when the sink has
// room for it.
func TestLaw2LateEventComesOutThoughTheSinkWasStuck(t *testing.T) {
	inWorld(t, func(w *world) {
		base := w.now()
		for i := range 40 {
			w.add(base.Add(-60*time.Second+time.Duration(i)*1400*time.Millisecond), 1)
		}
		late := userEvent("late", base.Add(-4*time.Second))
		late.VisibleFrom = base.Add(3 * time.Second)
		w.store.Append(late)
		w.settings.PageSize = 20
		r := w.reader()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		n := 0
		go func() {
			done <- r.Run(ctx, func(ctx context.Context, b Batch) error {
				if len(b.Records) > 0 {
					if n++; n == 1 {
						time.Sleep(time.Minute)
					}
				}
				return w.emit(ctx, b)
			})
		}()
		time.Sleep(3 * time.Minute)
		cancel()
		<-done
		w.wantAll()
	})
}

func TestLaw2LateEventComesOutThoughZitadelIsSlow(t *testing.T) {
	inWorld(t, func(w *world) {
		start := time.Now()
		w.server.Update(func(f *zitadeltest.Faults) {
			f.BeforeAnswer = func(ctx context.Context, m string, a, b proto.Message) error {
				if time.Since(start) > 20*time.Second && time.Since(start) < 50*time.Second {
					time.Sleep(7 * time.Second)
				}
				return nil
			}
		})
		r := w.reader()
		stop := w.run(r)
		for i := range 60 {
			time.Sleep(time.Second)
			at := w.now()
			w.add(at, 1)
			late := userEvent(fmt.Sprint("late", i), at.Add(-time.Millisecond))
			late.VisibleFrom = at.Add(8 * time.Second)
			w.store.Append(late)
		}
		time.Sleep(2 * time.Minute)
		stop()
		w.wantAll()
	})
}

func TestHoleFilledAfterARestartRepeatsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Minute)
		for i := range 10 {
			e := userEvent("a", at.Add(time.Duration(i)*time.Second))
			if i == 2 {
				e.VisibleFrom = w.now().Add(5 * time.Minute)
			}
			w.store.Append(e)
		}
		w.readFor(2 * time.Minute)
		w.add(w.now(), 1)
		w.readFor(2 * time.Minute)
		r := w.reader()
		stop := w.run(r)
		time.Sleep(10 * time.Minute)
		w.store.Append(userEvent("a", w.now()))
		time.Sleep(2 * time.Minute)
		stop()
		w.wantAll()
	})
}

func TestStartNowIsZitadelsNow(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Start = config.Start{Now: true}
		d := &dated{Client: w.client, w: w, wrong: time.Hour}
		r, _ := NewReader(d, w.settings, w.state, Options{Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.now().Add(time.Hour) }})
		stop := w.run(r)
		for range 30 {
			time.Sleep(10 * time.Second)
			w.add(w.now(), 1)
		}
		time.Sleep(3 * time.Hour)
		stop()
		w.wantAll()
	})
}

func TestEndIsByZitadelsClock(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.End = w.now().Add(10 * time.Minute)
		r, _ := NewReader(&dated{Client: w.client, w: w, wrong: time.Hour}, w.settings, w.state, Options{Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.now().Add(time.Hour) }})
		go func() {
			for range 30 {
				time.Sleep(10 * time.Second)
				w.add(w.now(), 1)
			}
		}()
		ctx, c := context.WithTimeout(context.Background(), time.Hour)
		defer c()
		s := time.Now()
		err := r.Run(ctx, w.emit)
		t.Log(err, time.Since(s))
		time.Sleep(10 * time.Minute)
		w.wantAll()
	})
}

// dated is a client whose answers tell ZITADEL's clock, while this machine's is
// wrong.
type dated struct {
	Client
	w     *world
	wrong time.Duration
	asked atomic.Bool
}

func (d *dated) ListEvents(ctx context.Context, r *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	d.asked.Store(true)
	return d.Client.ListEvents(ctx, r)
}

func (d *dated) ServerTime() (a, b time.Time, ok bool) {
	return d.w.now(), d.w.now().Add(d.wrong), d.asked.Load()
}

// A clock of ZITADEL's database that was set back leaves an event of the future
// behind. It comes through a hole, and must not pass for the present.
func TestLaw2EventOfTheFutureDoesNotEndTheOverlap(t *testing.T) {
	inWorld(t, func(w *world) {
		for i, at := range []time.Duration{-time.Minute, time.Hour, -20 * time.Second} {
			e := userEvent("a", w.now().Add(at))
			e.Sequence = uint64(i + 1)
			w.store.Append(e)
		}
		r := w.reader()
		stop := w.run(r)
		for range 12 {
			time.Sleep(5 * time.Second)
			late := userEvent(fmt.Sprint("late", w.now().UnixMicro()), w.now().Add(-5*time.Second))
			w.store.Append(late)
		}
		time.Sleep(2 * time.Hour)
		stop()
		w.wantAll()
	})
}
