package events

import (
	"context"
	"errors"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// apiLimit is the most events of one answer. The API silently lowers a higher
// limit.
const apiLimit = 1000

// A restart of ZITADEL takes seconds, so the first waits are short. A quota
// lasts until its period ends, so throttling waits longer.
const (
	retryFirst    = 500 * time.Millisecond
	retryMost     = time.Minute
	throttleFirst = 10 * time.Second
	throttleMost  = 5 * time.Minute
	// suspectAfter is the number of internal errors in a row after which the page itself may
	// be the cause; see pageIsAtFault.
	suspectAfter = 5
)

// ask lists events, and retries after errors that may pass. Its error is that of the context, or
// one of class Stop, TooLarge or Undecodable.
func (r *Reader) ask(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	return r.askFor(ctx, req, false)
}

// askFor is ask for the live end or for the sweep. The sweep has an outage of its own: if ZITADEL
// refuses only its reads, the live end still works, and each answer to it would end the outage.
func (r *Reader) askFor(ctx context.Context, req *adminpb.ListEventsRequest, sweep bool) ([]*eventpb.Event, error) {
	again, throttled := newBackoff(), retry.New(throttleFirst, throttleMost)
	internal := 0
	for {
		r.stats.Calls.Add(1)
		events, err := r.client.ListEvents(ctx, req)
		if err == nil {
			err = checkAnswer(req, events)
		}
		if err == nil {
			r.answeredTo(sweep)
			if len(events) > 0 {
				r.good.Store(req)
			}
			return events, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.stats.countCode(err)
		if !sweep {
			r.stats.setTrouble(err, r.clock())
		}
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
			wait = again.Next()
		case zitadel.Throttled:
			wait = throttled.Next()
		default:
			return nil, err
		}
		wait = max(wait, e.RetryAfter)
		if sweep {
			r.sweepFailed(err, wait)
		} else {
			r.failed(err, wait)
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pageIsAtFault reports whether ZITADEL can repeat an earlier answer or, if there was none, answer
// for a time without events. Then the requested events cause the internal error, and a retry does
// not help.
func (r *Reader) pageIsAtFault(ctx context.Context) bool {
	req := r.good.Load()
	if req == nil {
		req = emptyPage()
	}
	r.stats.Calls.Add(1)
	_, err := r.client.ListEvents(ctx, req)
	return err == nil
}

// emptyPage is a request for a time before the first ZITADEL.
func emptyPage() *adminpb.ListEventsRequest {
	req := &adminpb.ListEventsRequest{Asc: true, Limit: 1}
	setRange(req, effective(time.Time{}), logBegins)
	return req
}

// failed counts a failure, and logs it unless the one before had the same text.
func (r *Reader) failed(err error, wait time.Duration) {
	r.stats.Retries.Add(1)
	if r.outages.Failed(err) {
		r.log.Warn("zitadel does not answer, asking again", "error", err.Error(), "wait", wait.Round(time.Millisecond))
	}
}

// answeredTo ends an outage of the live end or of the sweep.
func (r *Reader) answeredTo(sweep bool) {
	if !sweep {
		r.answered()
	} else if lasted, ended := r.sweep.outages.Worked(); ended {
		r.log.Info("zitadel answers the sweep again", "after", lasted.Round(time.Second))
	}
}

// sweepFailed is failed for the sweep.
func (r *Reader) sweepFailed(err error, wait time.Duration) {
	r.stats.Retries.Add(1)
	if r.sweep.outages.Failed(err) {
		r.log.Warn("zitadel does not answer the sweep, asking again; new events are not affected", "error", err.Error(), "wait", wait.Round(time.Millisecond))
	}
}

// answered ends an outage.
func (r *Reader) answered() {
	r.stats.setLastSuccess(r.now())
	if lasted, ended := r.outages.Worked(); ended {
		r.log.Info("zitadel answers again", "after", lasted.Round(time.Second))
	}
}

func newBackoff() *retry.Backoff { return retry.New(retryFirst, retryMost) }

// setRange asks for events created after since and before until, both
// exclusive as in the API.
func setRange(req *adminpb.ListEventsRequest, since, until time.Time) {
	req.CreationDateFilter = &adminpb.ListEventsRequest_Range{Range: &adminpb.ListEventsRequestCreationDateRange{
		Since: timestamppb.New(since),
		Until: timestamppb.New(until),
	}}
}

// list asks for one of ZITADEL's lists, and retries like ask.
func (r *Reader) list(ctx context.Context, call func(context.Context) ([]string, error)) ([]string, error) {
	again := newBackoff()
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
		r.stats.countError(err, r.clock())
		if isClass(err, zitadel.Stop) {
			return nil, err
		}
		wait := again.Next()
		var e *zitadel.Error
		if errors.As(err, &e) {
			wait = max(wait, e.RetryAfter)
		}
		r.failed(err, wait)
		if err := retry.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// unreadablePage reports whether ZITADEL has the page but cannot return it.
func unreadablePage(err error) bool { return isClass(err, zitadel.TooLarge, zitadel.Undecodable) }
