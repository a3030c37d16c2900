package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestPoisonedEventInALargeGroupLeavesTheOthers(t *testing.T) {
	places := []int{5, 1300, 2495}
	if testkit.Race {
		places = places[:1]
	}
	for _, at := range places {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			inWorld(t, func(w *world) {
				var ev []zitadeltest.Event
				for i := range 2500 {
					e := userEvent("p", w.now().Add(-time.Hour))
					e.Type = "user.human.changed"
					e.Poison = i == at
					ev = append(ev, e)
				}
				w.store.Append(ev...)
				w.add(w.now().Add(-time.Minute), 3)
				r := w.reader()
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
				defer cancel()
				err := r.Run(ctx, w.emit)
				t.Log("Run:", err, "unproved", r.Stats().Unproved.Load(), "unreadable", r.Stats().Unreadable.Load())
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Run ended")
				}
				w.wantAll(fmt.Sprint("test/user/p/", at+1))
			})
		})
	}
}

func TestLargeGroupOfLargeEventsIsReadWhole(t *testing.T) {
	inWorld(t, func(w *world) {
		var ev []zitadeltest.Event
		size := 2500
		if testkit.Race {
			size = 1200
		}
		for i := range size {
			e := userEvent(fmt.Sprint("g", i%7), w.now().Add(-time.Hour))
			e.Type = "user.human.changed"
			if i > 100 && i < size-100 {
				e.Payload = &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewStringValue(strings.Repeat("x", 2000))}}
			}
			ev = append(ev, e)
		}
		w.store.Append(ev...)
		w.server.Update(func(f *zitadeltest.Faults) { f.MaxMessage = 1 << 19 })
		r := w.reader()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
		defer cancel()
		err := r.Run(ctx, w.emit)
		t.Log("Run:", err)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run ended")
		}
		w.wantAll()
	})
}

func TestTwoPoisonedEventsOfOneTypeAndDateLeaveTheOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		var ev []zitadeltest.Event
		for i := range 30 {
			e := userEvent(fmt.Sprint("p", i), w.now().Add(-time.Hour))
			e.Sequence = uint64(i + 1)
			e.Poison = i == 10 || i == 20
			ev = append(ev, e)
		}
		w.store.Append(ev...)
		w.settings.Start = config.Start{Back: 2 * time.Hour}
		r := w.readFor(10 * time.Minute)
		t.Log("unreadable", r.Stats().Unreadable.Load(), "unproved", r.Stats().Unproved.Load())
		w.wantAll("test/user/p10/11", "test/user/p20/21")
	})
}

func TestEveryPoisonedEventIsCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.add(w.now().Add(-time.Minute), 1)
		for i := range 5 {
			e := userEvent(fmt.Sprint("p", i), w.now().Add(-time.Hour+time.Duration(i)*time.Second))
			e.Poison = true
			w.store.Append(e)
		}
		r := w.readFor(10 * time.Minute)
		if n := r.Stats().Unreadable.Load(); n != 5 {
			t.Errorf("%d unreadable, want 5", n)
		}
	})
}

func TestPoisonedEventInAHoleDoesNotHideALateOne(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Minute)
		for i := range 8 {
			e := userEvent("a", at.Add(time.Duration(i)*time.Second))
			if i == 4 {
				e.VisibleFrom = w.now().Add(5 * time.Minute)
			}
			e.Poison = i == 5
			w.store.Append(e)
		}
		w.readFor(30 * time.Minute)
		t.Log(w.log.String())
		w.wantAll("test/user/a/6")
	})
}

func TestLateEventBesideAPoisonedOneOfItsDateComesOut(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now()
		p := userEvent("p", at)
		p.Poison = true
		l := userEvent("l", at)
		l.VisibleFrom = at.Add(6 * time.Second)
		w.store.Append(p)
		w.store.Append(l)
		w.readFor(30 * time.Minute)
		w.wantAll("test/user/p/1")
	})
}
