package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// checkAnswer returns an error if a page is not an answer to the request. The reader concludes
// progress and completeness from pages. If a server ignored a limit (an old version, or a cache on
// the way), the reader would read forever, read twice, or miss events.
func checkAnswer(req *adminpb.ListEventsRequest, page []*eventpb.Event) error {
	if limit := int(req.GetLimit()); limit > 0 && len(page) > limit {
		return notAsked("it gave %d events, asked for at most %d", len(page), limit)
	}
	rng := req.GetRange()
	for _, e := range page {
		agg, seq := e.GetAggregate(), e.GetSequence()
		if err := e.GetCreationDate().CheckValid(); err != nil {
			return notAsked("event %s/%s/%d has no valid creation date", agg.GetType().GetType(), agg.GetId(), seq)
		}
		date := created(e)
		switch {
		case rng.GetSince() != nil && !date.After(rng.GetSince().AsTime()),
			rng.GetUntil() != nil && !date.Before(rng.GetUntil().AsTime()):
			return notAsked("an event is of %s, asked for after %s and before %s",
				date.Format(time.RFC3339Nano), rng.GetSince().AsTime().Format(time.RFC3339Nano), rng.GetUntil().AsTime().Format(time.RFC3339Nano))
		case req.GetAggregateId() != "" && agg.GetId() != req.GetAggregateId(),
			len(req.GetAggregateTypes()) > 0 && !slices.Contains(req.GetAggregateTypes(), agg.GetType().GetType()):
			return notAsked("an event is of aggregate %s/%s", agg.GetType().GetType(), agg.GetId())
		case req.GetSequence() > 0 && req.GetAsc() && seq <= req.GetSequence(),
			req.GetSequence() > 0 && !req.GetAsc() && seq >= req.GetSequence():
			return notAsked("an event has sequence %d, asked for beyond %d", seq, req.GetSequence())
		}
	}
	return nil
}

func notAsked(format string, args ...any) error {
	return &zitadel.Error{
		Class:   zitadel.Stop,
		Message: "the server answers what was not asked: " + fmt.Sprintf(format, args...),
		Fix:     "update ZITADEL, and let nothing on the way cache or change its answers",
	}
}

// awaitDecodable returns when ZITADEL returns any event. Before that, an event that cannot be read
// must not be left out: maybe no event can be read by this program or over this transport.
func (r *Reader) awaitDecodable(ctx context.Context) error {
	again := newBackoff()
	for {
		probes := []*adminpb.ListEventsRequest{r.good.Load()}
		if probes[0] == nil {
			probes = []*adminpb.ListEventsRequest{r.filter.request(), r.filter.request()}
			for i, req := range probes {
				req.Limit, req.Asc = 1, i == 0
				setRange(req, effective(time.Time{}), r.now())
			}
		}
		for _, req := range probes {
			r.stats.Calls.Add(1)
			if page, err := r.client.ListEvents(ctx, req); err == nil && len(page) > 0 {
				r.good.Store(req)
				return nil
			}
		}
		wait := again.Next()
		r.failed(errors.New("no event at all can be decoded: update zitadel-siem, or set another transport"), wait)
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}
