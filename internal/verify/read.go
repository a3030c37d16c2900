package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// patience is how long ZITADEL may be away before the run gives up. A person waits for it,
// where pull would wait for ever.
const patience = time.Minute

// read gives every event that was created from the first date on and before the second one to
// f, once, as the reader of pull has it. Redaction is applied as pull does.
func (v *run) read(ctx context.Context, from, to time.Time, f func(context.Context, *record.Event) error) error {
	x := v.o.Settings
	x.Start, x.End = config.Start{At: from}, to
	x.StatePath, x.PollInterval = "", time.Second
	x.Sweep = 0 // the span is settled: a second reading of it would only cost
	stats := new(events.Stats)
	reader, err := events.NewReader(v.o.Client, x, cursor.State{}, events.Options{Log: slog.New(warnings{v.o.Log.Handler()}), Now: v.o.Now, Stats: stats})
	if err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(reading, stats, stop)
	}()
	err = reader.Run(reading, func(ctx context.Context, b events.Batch) error {
		for _, r := range b.Records {
			e, ok := r.(*record.Event)
			if !ok {
				continue
			}
			if x.Redact {
				payload.Record(e)
			}
			if err := f(ctx, e); err != nil {
				return err
			}
		}
		if !b.Newest.IsZero() {
			v.progress.reached(b.Newest)
		}
		return nil
	})
	if cause := context.Cause(reading); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	stop(nil)
	<-watched
	z := &v.result.ZITADEL // a second reading meets a part of the first one again
	z.Unreadable, z.Unproved = max(z.Unreadable, stats.Unreadable.Load()), max(z.Unproved, stats.Unproved.Load())
	return err
}

// watch ends a reading that gets no answer any more.
func watch(ctx context.Context, stats *events.Stats, stop context.CancelCauseFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := stats.Trouble()
		if err == nil {
			began = time.Now()
		} else if time.Since(began) > patience {
			stop(fmt.Errorf("ZITADEL has not answered for %s, nothing is verified: %w", patience, err))
			return
		}
	}
}

// warnings leaves out what a reader tells of its own progress.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// horizon finds whether ZITADEL hides older events, and the date of the oldest one that it
// shows: every log begins with the first event of the instance itself.
func (v *run) horizon(ctx context.Context) (oldest time.Time, cut bool, err error) {
	for _, types := range [][]string{{"instance"}, nil} {
		page, err := v.ask(ctx, &adminpb.ListEventsRequest{Asc: true, Limit: 1, AggregateTypes: types})
		switch {
		case err != nil:
			return time.Time{}, false, err
		case len(page) == 0:
			oldest = v.now()
		default:
			oldest = page[0].GetCreationDate().AsTime()
		}
		if types != nil && len(page) > 0 && page[0].GetSequence() == 1 {
			return oldest, false, nil
		}
	}
	return oldest, true, nil
}

// ask lists events, and asks again for a while after errors that may pass.
func (v *run) ask(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	again, began := retry.New(500*time.Millisecond, 10*time.Second), time.Now()
	for {
		page, err := v.o.Client.ListEvents(ctx, req)
		e, _ := errors.AsType[*zitadel.Error](err)
		passes := e != nil && (e.Class == zitadel.Retry || e.Class == zitadel.Throttled)
		if err == nil || ctx.Err() != nil || !passes || time.Since(began) > patience {
			return page, err
		}
		if err := retry.Sleep(ctx, max(again.Next(), e.RetryAfter)); err != nil {
			return nil, err
		}
	}
}

// lookUp asks for one event by its key; nil if ZITADEL does not show it.
func (v *run) lookUp(ctx context.Context, k record.Key) (*eventpb.Event, error) {
	if k.Sequence == 0 || k.Sequence > math.MaxInt64 || !askable(k.AggregateType) || !askable(k.AggregateID) {
		return nil, nil
	}
	page, err := v.ask(ctx, &adminpb.ListEventsRequest{
		Asc: true, Limit: 1, AggregateTypes: []string{k.AggregateType}, AggregateId: k.AggregateID, Sequence: k.Sequence - 1,
	})
	if e, ok := errors.AsType[*zitadel.Error](err); ok && e.Code == codes.InvalidArgument {
		return nil, nil // no event has such a key
	}
	if err != nil || len(page) == 0 || page[0].GetSequence() != k.Sequence {
		return nil, err
	}
	return page[0], nil
}

// askable reports whether ZITADEL can have a part of a key. What it cannot store makes its
// database fail, which would look like an outage.
func askable(s string) bool {
	const most = 200 // runes, of the API
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// inScope reports whether the settings want an event, as far as its key and type say.
func inScope(s *config.Settings, k record.Key, typ string) bool {
	return (len(s.EventTypes) == 0 || typ == "" || matches(s.EventTypes, typ)) &&
		(typ == "" || !matches(s.ExcludeEventTypes, typ)) &&
		(len(s.AggregateTypes) == 0 || slices.Contains(s.AggregateTypes, k.AggregateType)) &&
		(len(s.AggregateIDs) == 0 || slices.Contains(s.AggregateIDs, k.AggregateID))
}

// wanted reports whether the settings want an event that ZITADEL has given.
func wanted(s *config.Settings, e *eventpb.Event) bool {
	return events.Passes(s, e) &&
		(!s.ExcludeOwn || e.GetAggregate().GetType().GetType() != "oidc_session") // which of them are the reader's own is not known here
}

func matches(items []string, typ string) bool {
	return slices.ContainsFunc(items, func(item string) bool { return config.Covers(item, typ) })
}
