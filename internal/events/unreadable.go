package events

import (
	"context"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"
)

// culprit is what is known about an event that cannot be read.
type culprit struct {
	aggregateType string
	aggregateID   string // empty: not known yet; its hole will show it
	eventType     string // empty: not known
	sequence      uint64
	date          time.Time // zero: not known
}

// reportUnreadable counts and logs an event that cannot be read. One that was
// isolated by its date before is counted once. again means that the sweep met it.
func (r *Reader) reportUnreadable(c culprit, date time.Time, again bool) {
	c.date = date
	r.namelessMu.Lock()
	known := false
	for _, n := range r.nameless {
		known = known || n.aggregateType == c.aggregateType && n.sequence == c.sequence &&
			(n.date.IsZero() || c.date.IsZero() || n.date.Equal(c.date)) && (n.aggregateID == "" || n.aggregateID == c.aggregateID)
	}
	const most = 1024 // of them are remembered
	if !known && len(r.nameless) < most {
		r.nameless = append(r.nameless, c)
	}
	r.namelessMu.Unlock()
	if !known {
		r.stats.Unreadable.Add(1)
	}
	if known && again {
		return
	}
	r.log.Error("zitadel cannot return this event: it is left out",
		"aggregate_type", c.aggregateType, "aggregate_id", c.aggregateID, "sequence", c.sequence, "event_type", c.eventType, "created", date,
		"fix", "look at it in ZITADEL's database (table eventstore.events2)")
}

// behind reads the events of an aggregate around the last event that cannot be read: upwards from
// it, and downwards to the event before it.
func (g *group) behind(ctx context.Context, req *adminpb.ListEventsRequest) error {
	sub := proto.CloneOf(req)
	sub.Limit = apiLimit
	c, err := g.identify(ctx, sub)
	if err != nil {
		return err
	}
	g.addUnreadable(c)
	for _, asc := range []bool{true, false} {
		sub := proto.CloneOf(req)
		sub.Sequence, sub.Limit = c.sequence, apiLimit
		if req.AggregateId == "" {
			if err := g.longest(ctx, sub, asc); err != nil {
				return err
			}
			continue
		}
		for {
			page, bad, err := g.try(ctx, sub, asc)
			if err != nil {
				return err
			}
			if bad {
				if sub.Limit /= 2; sub.Limit == 0 {
					g.unproved = append(g.unproved, c.eventType)
					break
				}
				continue
			}
			g.add(page)
			if len(page) < int(sub.Limit) || !asc && page[len(page)-1].GetSequence() <= req.Sequence+1 {
				break
			}
			sub.Sequence = page[len(page)-1].GetSequence()
		}
	}
	return nil
}

func (g *group) addUnreadable(c culprit) {
	for i, k := range g.unreadable {
		if k.aggregateType == c.aggregateType && k.sequence == c.sequence && (k.aggregateID == "" || k.aggregateID == c.aggregateID || c.aggregateID == "") {
			if k.aggregateID == "" {
				g.unreadable[i] = c
			}
			return
		}
	}
	g.unreadable = append(g.unreadable, c)
}

// around reads the events before and behind an event of one type that cannot be read, and finds
// its key.
func (g *group) around(ctx context.Context, req *adminpb.ListEventsRequest) error {
	if err := g.ends(ctx, req); err != nil {
		return err
	}
	return g.behind(ctx, req)
}

// ends adds what can be read from both ends.
func (g *group) ends(ctx context.Context, req *adminpb.ListEventsRequest) error {
	if err := g.longest(ctx, req, true); err != nil {
		return err
	}
	return g.longest(ctx, req, false)
}

// longest adds the longest readable answer.
func (g *group) longest(ctx context.Context, req *adminpb.ListEventsRequest, asc bool) error {
	for good, bad := 0, apiLimit+1; good < bad-1; {
		sub := proto.CloneOf(req)
		sub.Limit = uint32((good + bad) / 2)
		page, isBad, err := g.try(ctx, sub, asc)
		if err != nil {
			return err
		}
		if isBad {
			bad = int(sub.Limit)
			continue
		}
		good = int(sub.Limit)
		g.add(page)
		if len(page) < good {
			break
		}
	}
	return nil
}

// identify finds the sequence of the event that cannot be read. Requests for sequences above s
// fail if s is below that sequence, and succeed otherwise. The aggregate is found if another event
// of this date belongs to it.
func (g *group) identify(ctx context.Context, req *adminpb.ListEventsRequest) (culprit, error) {
	c := culprit{aggregateID: req.AggregateId}
	if len(req.AggregateTypes) == 1 {
		c.aggregateType = req.AggregateTypes[0]
	}
	if len(req.EventTypes) == 1 {
		c.eventType = req.EventTypes[0]
	}
	const most = uint64(1) << 40 // no aggregate has that many events
	below, from := req.Sequence, most
	for from-below > 1 {
		sub := proto.CloneOf(req)
		sub.Sequence = below + (from-below)/2
		_, bad, err := g.try(ctx, sub, true)
		if err != nil {
			return c, err
		}
		if bad {
			below = sub.Sequence
		} else {
			from = sub.Sequence
		}
	}
	if from < most { // otherwise the failure does not depend on the sequence
		c.sequence = from
	}
	asked := make(map[string]bool)
	for _, e := range g.events {
		id := e.GetAggregate().GetId()
		if c.aggregateID != "" || asked[id] || c.aggregateType != "" && e.GetAggregate().GetType().GetType() != c.aggregateType {
			continue
		}
		asked[id] = true
		sub := proto.CloneOf(req)
		sub.AggregateId = id
		_, bad, err := g.try(ctx, sub, true)
		if err != nil {
			return c, err
		}
		if bad {
			c.aggregateID = id
		}
	}
	return c, nil
}

// try asks for a page that may have an event that cannot be read.
func (g *group) try(ctx context.Context, req *adminpb.ListEventsRequest, asc bool) (page []*eventpb.Event, bad bool, err error) {
	page, err = g.ask(ctx, req, asc)
	if unreadablePage(err) {
		return nil, true, nil
	}
	return page, false, err
}
