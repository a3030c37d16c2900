package events

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"golang.org/x/sys/unix"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// What the sweep adds to each event: noting it when it is read, and comparing it when it is read
// again. Beside it, what the reader does with an event without a sweep: admit.
func BenchmarkSweepEvent(b *testing.B) {
	reader := func(sweep time.Duration) *Reader {
		s := benchSettings
		s.Sweep = sweep
		r, err := NewReader(nil, s, cursor.State{}, Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		r.evidence.see(epoch)
		r.noteRead(time.Now(), time.Time{})
		r.sweep.spans.reach(epoch, time.Now())
		return r
	}
	store := zitadeltest.NewStore()
	for i := range 1000 {
		store.Append(userEvent(fmt.Sprint("u", i), epoch.Add(-time.Duration(i)*time.Second)))
	}
	page, err := zitadeltest.NewServer(store, zitadeltest.Options{}).Direct().ListEvents(b.Context(), all())
	if err != nil || len(page) != 1000 {
		b.Fatal(len(page), err)
	}
	for _, every := range []time.Duration{0, time.Hour} {
		r := reader(every)
		b.Run(fmt.Sprintf("admit, sweep %v", every), func(b *testing.B) {
			b.ReportAllocs()
			now := time.Now()
			for i := 0; b.Loop(); i++ {
				if i%len(page) == 0 {
					clear(r.mem.seen)
				}
				r.admit(page[i%len(page)], false, now)
			}
		})
	}
	b.Run("compare", func(b *testing.B) {
		b.ReportAllocs()
		var s sums
		for i := 0; b.Loop(); i++ {
			s.add(dateHash(created(page[i%len(page)])))
		}
	})
}

// all asks for one page of everything.
func all() *adminpb.ListEventsRequest { return &adminpb.ListEventsRequest{Asc: true, Limit: 1000} }

// A million events a day, for an hour of fake time, and the sweep of them: requests and CPU with and without the
// sweep, the look-alike's included.
func TestSweepOfAMillionEventsADay(t *testing.T) {
	const events = 1_000_000 / 24
	if testkit.Race {
		t.Skip("it counts requests, rows and CPU time: the run without the race detector does")
	}
	measure := func(sweep time.Duration) (calls, rows int64, cpu time.Duration) {
		inWorld(t, func(w *world) {
			w.settings.Sweep = sweep
			const every = 24 * time.Hour / 1_000_000 * 3
			w.store.Fill(zitadeltest.Synthetic{Events: events, From: w.now(), Every: every, PerTransaction: 3})
			var before, after unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
			w.readFor(130 * time.Minute)
			_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
			c := w.server.Count("ListEvents")
			calls, rows = c.Calls, c.Rows
			cpu = time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
			if len(w.out) != events {
				t.Errorf("%d events", len(w.out))
			}
		})
		return calls, rows, cpu
	}
	offCalls, offRows, offCPU := measure(0)
	calls, rows, cpu := measure(time.Hour)
	t.Logf("in 130 minutes: %d requests, %d rows and %v of CPU; without a sweep %d, %d and %v", calls, rows, cpu.Round(time.Millisecond), offCalls, offRows, offCPU.Round(time.Millisecond))
	if calls > offCalls+130+20 {
		t.Errorf("%d requests more: more than one a minute", calls-offCalls)
	}
	if rows > offRows+events+1000 {
		t.Errorf("%d rows more: events are read more than once more", rows-offRows)
	}
}
