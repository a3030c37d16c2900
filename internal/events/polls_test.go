package events

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
)

// endless is a log without end that takes no memory: its events follow from their
// date. Once an interval a transaction writes to one aggregate that lives on, and
// to fresh ones that nobody writes to again; now and then one lacks a sequence.
type endless struct {
	began    time.Time
	interval time.Duration
	fresh    int       // aggregates a transaction
	upTo     time.Time // was asked for
	poll     func()    // at each question for something newer
}

func (l *endless) EventTypes(context.Context) ([]string, error)     { return nil, nil }
func (l *endless) AggregateTypes(context.Context) ([]string, error) { return nil, nil }

func (l *endless) ListEvents(_ context.Context, req *adminpb.ListEventsRequest) (page []*eventpb.Event, err error) {
	if req.GetAggregateId() != "" {
		return nil, nil // what is missing never comes
	}
	since, until := req.GetRange().GetSince().AsTime(), req.GetRange().GetUntil().AsTime()
	if until.After(l.upTo) {
		l.upTo = until
		l.poll()
	}
	for n := max(0, int(since.Sub(l.began)/l.interval)); len(page) < int(req.GetLimit()); n++ {
		date := l.began.Add(time.Duration(n) * l.interval)
		if !date.Before(until) {
			return page, nil
		}
		if date.After(since) {
			page = append(page, l.transaction(n, date)...)
		}
	}
	return page[:req.GetLimit()], nil
}

func (l *endless) transaction(n int, date time.Time) []*eventpb.Event {
	event := func(aggregateType string, id, sequence int) *eventpb.Event {
		return &eventpb.Event{
			Aggregate:    &eventpb.Aggregate{Id: strconv.Itoa(id), Type: &eventpb.AggregateType{Type: aggregateType}},
			Type:         &eventpb.EventType{Type: aggregateType + ".changed"},
			Sequence:     uint64(sequence),
			CreationDate: timestamppb.New(date),
		}
	}
	events := []*eventpb.Event{event("instance", 1, n+1)}
	for i := range l.fresh {
		events = append(events, event("user", n*l.fresh+i, 1))
	}
	if n%100 == 0 {
		events = append(events, event("user", n*l.fresh, 3))
	}
	return events
}

// What the reader remembers is bounded, in aggregates, keys and holes. What is
// bounded goes up and down, so halves are compared and not moments.
func TestManyPollsHoldNoMoreThanFew(t *testing.T) {
	total := leaktest.Polls(t, 20_000)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const fresh = 4
		// Read before the first poll: more aggregates than are remembered.
		backlog := 3 * maxAggregates / 2 / fresh * w.settings.PollInterval
		log := &endless{began: epoch.Add(-backlog), interval: w.settings.PollInterval, fresh: fresh, upTo: epoch}
		ctx, stop := context.WithCancel(t.Context())
		polls := 0
		var first, second leaktest.Usage // the most of each half
		log.poll = func() {
			switch polls++; {
			case polls > total:
				stop()
			case polls < total/10 || polls%(total/50) > 0:
			case polls <= total/2:
				first = first.Max(leaktest.Self(t))
			default:
				second = second.Max(leaktest.Self(t))
			}
		}
		r, err := NewReader(log, w.settings, w.state, Options{Log: slog.New(slog.DiscardHandler), Now: w.now})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(ctx, func(context.Context, Batch) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if least := uint64(total * fresh); r.stats.Events.Load() < least || r.stats.HolesGivenUp.Load() == 0 {
			t.Errorf("%d events, %d holes given up: the log did not go on", r.stats.Events.Load(), r.stats.HolesGivenUp.Load())
		}
		t.Logf("%d polls in %v of the reader's time, %d events, %d holes: first half %v, second half %v",
			total, time.Since(w.started).Round(time.Hour), r.stats.Events.Load(), r.stats.HolesFound.Load(), first, second)
		if !second.Within(first, leaktest.Usage{Descriptors: 1, Tasks: 1, KiB: 1024}) {
			t.Error("the second half held more than the first")
		}
	})
}
