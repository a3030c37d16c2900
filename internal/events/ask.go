package events

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// apiLimit is the most events of one answer. The API silently lowers a higher
// limit.
const apiLimit = 1000

// Backoff. A restart of ZITADEL takes seconds, so the first waits are short; a
// quota lasts until its period ends, so throttling waits longer.
const (
	retryFirst    = 500 * time.Millisecond
	retryMost     = time.Minute
	throttleFirst = 10 * time.Second
	throttleMost  = 5 * time.Minute
	// suspectAfter failures in a row that ZITADEL calls internal, the page
	// itself is suspected: see pageIsAtFault.
	suspectAfter = 5
)

// ask lists events and outlasts every error that passes by itself. What it
// returns is the context's error, or one of class Stop, TooLarge or
// Undecodable.
func (r *Reader) ask(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	var retry, throttle backoff
	internal := 0
	for {
		r.stats.Calls.Add(1)
		events, err := r.client.ListEvents(ctx, req)
		if err == nil {
			err = checkAnswer(req, events)
		}
		if err == nil {
			r.answered()
			if len(events) > 0 {
				r.good.Store(req)
			}
			return events, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.stats.countError(err)
		var e *zitadel.Error
		if !errors.As(err, &e) {
			e = &zitadel.Error{Class: zitadel.Retry, Message: err.Error(), Err: err}
		}
		var wait time.Duration
		switch e.Class {
		case zitadel.Retry:
			if e.Code == codes.Internal || e.Code == codes.Unknown {
				internal++
			}
			if internal >= suspectAfter {
				if r.pageIsAtFault(ctx) {
					return nil, &zitadel.Error{Class: zitadel.Undecodable, Code: e.Code, HTTPStatus: e.HTTPStatus, Message: e.Message, Err: err}
				}
				internal = 0
			}
			wait = retry.next(retryFirst, retryMost)
		case zitadel.Throttled:
			wait = throttle.next(throttleFirst, throttleMost)
		default:
			return nil, err
		}
		wait = max(wait, e.RetryAfter)
		r.trouble(err, wait)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pageIsAtFault reports whether ZITADEL answers well what it answered before,
// or, where there is nothing of that kind, about a time without events. Then
// an internal error lies in the events asked for, and waiting would be for
// ever.
func (r *Reader) pageIsAtFault(ctx context.Context) bool {
	req := r.good.Load()
	if req == nil {
		req = emptyPage()
	}
	r.stats.Calls.Add(1)
	_, err := r.client.ListEvents(ctx, req)
	return err == nil
}

// emptyPage asks for a time in which there was no ZITADEL.
func emptyPage() *adminpb.ListEventsRequest {
	req := &adminpb.ListEventsRequest{Asc: true, Limit: 1}
	setRange(req, effective(time.Time{}), logBegins)
	return req
}

// trouble logs the first failure of a row, and again when its text changes, so
// that an outage of a night is a handful of lines.
func (r *Reader) trouble(err error, wait time.Duration) {
	r.stats.Retries.Add(1)
	text := err.Error()
	r.troubleMu.Lock()
	defer r.troubleMu.Unlock()
	if r.troubleText == text {
		return
	}
	if r.troubleText == "" {
		r.troubleSince = time.Now() // on the monotonic clock
	}
	r.troubleText = text
	r.log.Warn("zitadel does not answer, asking again", "error", text, "wait", wait.Round(time.Millisecond))
}

// answered ends a row of failures.
func (r *Reader) answered() {
	now := r.now()
	r.stats.setLastSuccess(now)
	r.troubleMu.Lock()
	defer r.troubleMu.Unlock()
	if r.troubleText == "" {
		return
	}
	r.troubleText = ""
	r.log.Info("zitadel answers again", "after", time.Since(r.troubleSince).Round(time.Second))
}

// backoff doubles from first to most, each wait shortened by a random part of
// up to a half, so that many readers do not come back at once.
type backoff struct{ n int }

func (b *backoff) next(first, most time.Duration) time.Duration {
	d := most
	if b.n < 16 {
		d = min(most, first<<b.n)
	}
	b.n++
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// setRange asks for events created after since and before until, both
// exclusive as in the API.
func setRange(req *adminpb.ListEventsRequest, since, until time.Time) {
	req.CreationDateFilter = &adminpb.ListEventsRequest_Range{Range: &adminpb.ListEventsRequestCreationDateRange{
		Since: timestamppb.New(since),
		Until: timestamppb.New(until),
	}}
}

// list asks for one of ZITADEL's lists, outlasting errors as ask does.
func (r *Reader) list(ctx context.Context, call func(context.Context) ([]string, error)) ([]string, error) {
	var retry backoff
	for {
		r.stats.Calls.Add(1)
		list, err := call(ctx)
		if err == nil {
			r.answered()
			return list, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.stats.countError(err)
		if isClass(err, zitadel.Stop) {
			return nil, err
		}
		wait := retry.next(retryFirst, retryMost)
		var e *zitadel.Error
		if errors.As(err, &e) {
			wait = max(wait, e.RetryAfter)
		}
		r.trouble(err, wait)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// unreadablePage: a page that ZITADEL has and cannot give.
func unreadablePage(err error) bool { return isClass(err, zitadel.TooLarge, zitadel.Undecodable) }
