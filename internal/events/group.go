package events

import (
	"context"
	"slices"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// group reads all events of one creation date, which no window can divide. The API shows the
// first and the last 1,000 events of an answer. Those between them are requested in parts: by
// aggregate type, by event type, by aggregate. The same parts isolate an event that cannot be
// read.
//
// It cannot reach the events between the first and the last 1,000 of one type and one date if
// nothing else of their aggregates and that date is visible. This is reported.
type group struct {
	r        *Reader
	date     time.Time
	endsOnly bool // the middle was read before
	inParts  bool // the ends were not the whole group
	again    bool // the sweep reads it

	events     []*eventpb.Event
	keys       map[eventKey]bool
	unproved   []string  // parts that may have more events than were read
	unreadable []culprit // events that cannot be read

	aggregateTypes, eventTypes []string // ZITADEL's catalogue, requested once
}

type eventKey struct {
	typ, id  string
	sequence uint64
}

func keyOf(e *eventpb.Event) eventKey {
	a := e.GetAggregate()
	return eventKey{a.GetType().GetType(), a.GetId(), e.GetSequence()}
}

func (g *group) read(ctx context.Context) error {
	g.keys = make(map[eventKey]bool)
	req := g.r.filter.request()
	setRange(req, g.date.Add(-tick), g.date.Add(tick))
	req.Limit = apiLimit
	return g.cover(ctx, req)
}

// report logs and counts the events that could not be read.
func (g *group) report() {
	for _, c := range g.unreadable {
		g.r.reportUnreadable(c, g.date, g.again)
	}
	if g.again {
		return // reportUnproved follows if the group is late; otherwise it was reported at the first time
	}
	g.reportUnproved()
}

// reportUnproved logs and counts the parts that may have more events than were read.
func (g *group) reportUnproved() {
	text := "more events share one creation date than the API can show; some may be missing"
	if len(g.unreadable) > 0 {
		text = "events of the same date, type and sequence as one that cannot be read may be missing"
	}
	for _, part := range g.unproved {
		g.r.stats.Unproved.Add(1)
		g.r.log.Error(text, "created", g.date, "event_type", part, "read", len(g.events), "fix", "compare these events with ZITADEL's database (table eventstore.events2)")
	}
}

// cover collects the events that match req, in parts if necessary.
func (g *group) cover(ctx context.Context, req *adminpb.ListEventsRequest) error {
	first, err := g.ask(ctx, req, true)
	if isClass(err, zitadel.TooLarge) && req.Limit > 1 {
		smaller := proto.CloneOf(req)
		smaller.Limit /= 2
		return g.cover(ctx, smaller)
	}
	bad := unreadablePage(err)
	if err != nil && !bad {
		return err
	}
	if !bad {
		g.add(first)
		if len(first) < int(req.Limit) {
			return nil
		}
		last, err := g.ask(ctx, req, false)
		if err == nil {
			meet := meeting(first, last)
			slices.Reverse(last)
			g.add(last)
			// Two aggregates with one id can have equal sequences: then the order proves nothing.
			if meet && (!g.r.filter.tiedOrder || len(req.AggregateTypes) == 1) {
				return nil
			}
		} else if unreadablePage(err) {
			bad = true
		} else {
			return err
		}
	}
	if g.endsOnly {
		if bad { // a late event may be beside the one that cannot be read
			return g.ends(ctx, req)
		}
		return nil
	}
	g.inParts = true
	return g.split(ctx, req, bad)
}

// meeting reports whether two answers share an event.
func meeting(first, last []*eventpb.Event) bool {
	keys := make(map[eventKey]bool, len(first))
	for _, e := range first {
		keys[keyOf(e)] = true
	}
	return slices.ContainsFunc(last, func(e *eventpb.Event) bool { return keys[keyOf(e)] })
}

// split covers req in smaller parts. The catalogue has every type that ZITADEL registers, and the
// types of this group that ZITADEL does not register.
func (g *group) split(ctx context.Context, req *adminpb.ListEventsRequest, bad bool) error {
	found := len(g.unreadable)
	if err := g.parts(ctx, req, bad); err != nil || !bad || len(g.unreadable) > found {
		return err
	}
	// No part failed: the culprit has a type that is not in the catalogue.
	return g.around(ctx, req)
}

func (g *group) parts(ctx context.Context, req *adminpb.ListEventsRequest, bad bool) error {
	if err := g.catalogue(ctx); err != nil {
		return err
	}
	switch {
	case len(req.AggregateTypes) == 0:
		return g.splitBy(ctx, req, g.aggregateTypes, maxAggregateTypes, setAggregateTypes)
	case len(req.AggregateTypes) > 1:
		return g.splitBy(ctx, req, req.AggregateTypes, (len(req.AggregateTypes)+1)/2, setAggregateTypes)
	case len(req.EventTypes) == 0:
		return g.splitBy(ctx, req, g.eventTypes, maxEventTypes, setEventTypes)
	case len(req.EventTypes) > 1:
		return g.splitBy(ctx, req, req.EventTypes, (len(req.EventTypes)+1)/2, setEventTypes)
	case !bad && req.AggregateId != "":
		return g.aggregate(ctx, req)
	default:
		return g.byAggregate(ctx, req)
	}
}

func setAggregateTypes(req *adminpb.ListEventsRequest, types []string) { req.AggregateTypes = types }
func setEventTypes(req *adminpb.ListEventsRequest, types []string)     { req.EventTypes = types }

func (g *group) splitBy(ctx context.Context, req *adminpb.ListEventsRequest, values []string, size int, set func(*adminpb.ListEventsRequest, []string)) error {
	for part := range slices.Chunk(values, size) {
		sub := proto.CloneOf(req)
		sub.Limit = apiLimit
		set(sub, part)
		if err := g.cover(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// aggregate reads the events of one aggregate, which come in order of their
// sequence and can therefore be paged.
func (g *group) aggregate(ctx context.Context, req *adminpb.ListEventsRequest) error {
	req = proto.CloneOf(req)
	for {
		page, err := g.ask(ctx, req, true)
		switch {
		case unreadablePage(err) && req.Limit > 1:
			req.Limit /= 2
			continue
		case unreadablePage(err):
			return g.behind(ctx, req)
		case err != nil:
			return err
		}
		g.add(page)
		if len(page) < int(req.Limit) {
			return nil
		}
		req.Sequence = page[len(page)-1].GetSequence()
	}
}

// byAggregate reads the events of one type, aggregate by aggregate. The API cannot list
// aggregates. They are found at the ends of the answers, including answers to requests for only
// low or only high sequences.
func (g *group) byAggregate(ctx context.Context, req *adminpb.ListEventsRequest) error {
	read := make(map[string]bool)
	for before := -1; before < len(g.events); {
		before = len(g.events)
		whole, err := g.bySequence(ctx, req)
		if unreadablePage(err) {
			if err := g.around(ctx, req); err != nil {
				return err
			}
		} else if err != nil || whole {
			return err
		}
		for _, e := range slices.Clone(g.events) {
			id := e.GetAggregate().GetId()
			if read[id] || e.GetAggregate().GetType().GetType() != req.AggregateTypes[0] {
				continue
			}
			read[id] = true
			sub := proto.CloneOf(req)
			sub.AggregateId, sub.Limit = id, apiLimit
			if err := g.aggregate(ctx, sub); err != nil {
				return err
			}
		}
	}
	g.unproved = append(g.unproved, req.EventTypes[0])
	return nil
}

// bySequence asks for the ends above and below every known sequence. whole is true if one cut has
// less than a page on both sides.
func (g *group) bySequence(ctx context.Context, req *adminpb.ListEventsRequest) (whole bool, err error) {
	if len(g.cuts(req)) == 0 {
		_, err := g.ask(ctx, req, true)
		return false, err
	}
	for _, seq := range g.cuts(req) {
		above, below := proto.CloneOf(req), proto.CloneOf(req)
		above.Sequence, below.Sequence = seq, seq+1
		high, err := g.ask(ctx, above, true) // sequence > seq
		if err != nil {
			return false, err
		}
		low, err := g.ask(ctx, below, false) // sequence < seq+1
		if err != nil {
			return false, err
		}
		g.add(high)
		g.add(low)
		if len(high) < int(req.Limit) && len(low) < int(req.Limit) {
			return true, nil
		}
	}
	return false, nil
}

// cuts returns at most 16 sequences of the type, spread evenly. This limits the calls.
func (g *group) cuts(req *adminpb.ListEventsRequest) []uint64 {
	var all []uint64
	for _, e := range g.events {
		if e.GetType().GetType() == req.EventTypes[0] {
			all = append(all, e.GetSequence())
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	const most = 16
	if len(all) <= most {
		return all
	}
	out := make([]uint64, 0, most)
	for i := range most {
		out = append(out, all[i*len(all)/most])
	}
	return out
}

func (g *group) ask(ctx context.Context, req *adminpb.ListEventsRequest, asc bool) ([]*eventpb.Event, error) {
	req = proto.CloneOf(req)
	req.Asc = asc
	return g.r.askFor(ctx, req, g.again)
}

func (g *group) add(events []*eventpb.Event) {
	for _, e := range events {
		if k := keyOf(e); !g.keys[k] {
			g.keys[k] = true
			g.events = append(g.events, e)
		}
	}
}

// catalogue asks ZITADEL for its types, once, and adds those of this group.
func (g *group) catalogue(ctx context.Context) error {
	if g.aggregateTypes == nil {
		var err error
		if g.aggregateTypes, err = g.r.list(ctx, g.r.client.AggregateTypes); err != nil {
			return err
		}
		if g.eventTypes, err = g.r.list(ctx, g.r.client.EventTypes); err != nil {
			return err
		}
	}
	for _, e := range g.events {
		if t := e.GetAggregate().GetType().GetType(); !slices.Contains(g.aggregateTypes, t) {
			g.aggregateTypes = append(g.aggregateTypes, t)
		}
		if t := e.GetType().GetType(); !slices.Contains(g.eventTypes, t) {
			g.eventTypes = append(g.eventTypes, t)
		}
	}
	return nil
}
