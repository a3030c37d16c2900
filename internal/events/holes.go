package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// maxHoles limits the holes that are asked for at the same time. A healthy log has holes
	// only for seconds. A log that retention cuts has one for each aggregate. They take about
	// 150 bytes each, in memory and in the state file.
	maxHoles = 4096
	// manyHoles is the number from which holes are asked for before the end of the pass.
	manyHoles = 64
	// holeWait is how long a missing event is asked for. It is longer than any open
	// transaction, which delays an event by minutes at most.
	holeWait = time.Hour
	// holeFirstWait is the pause after the first ask; it doubles.
	holeFirstWait = time.Second
	// enoughMisses: if so many aggregates in a row begin after sequence 1 and have nothing
	// before, older events are hidden, and the reader stops asking for them.
	enoughMisses = 8
)

// hole is a run of missing sequences that is being asked for.
type hole struct {
	cursor.Hole
	first  bool // the aggregate's beginning is missing, found at first sight
	asked  bool
	giveUp time.Time // these two on the monotonic clock: a wall clock may jump
	next   time.Time
	wait   time.Duration
}

// holes are open ones by aggregate, each list sorted and disjoint.
type holes struct {
	open  map[aggregateKey][]hole
	count int
}

// newHoles takes over the holes of a state that was written at a time.
func newHoles(saved []cursor.Hole, written time.Time) *holes {
	h := &holes{open: make(map[aggregateKey][]hole)}
	for _, s := range saved {
		k := aggregateKey{s.AggregateType, s.AggregateID}
		left := holeWait - min(max(written.Sub(s.Found), 0), holeWait)
		h.open[k] = append(h.open[k], hole{Hole: s, giveUp: time.Now().Add(left), wait: holeFirstWait})
		h.count++
	}
	return h
}

// add opens a hole; false when there are too many already.
func (h *holes) add(k aggregateKey, first, last uint64, atFirstSight bool, now time.Time) bool {
	if h.count >= maxHoles {
		return false
	}
	h.open[k] = append(h.open[k], hole{
		Hole:   cursor.Hole{AggregateType: k.typ, AggregateID: k.id, First: first, Last: last, Found: now.UTC().Truncate(time.Microsecond)},
		first:  atFirstSight,
		giveUp: time.Now().Add(holeWait),
		wait:   holeFirstWait,
	})
	h.count++
	return true
}

// fill removes one sequence from the aggregate's holes. It reports whether the sequence was in a
// hole, and whether that hole was asked for. A hole that closes within a pass was only an
// effect of the order of transactions.
func (h *holes) fill(k aggregateKey, sequence uint64) (filled, asked bool) {
	list := h.open[k]
	i := slices.IndexFunc(list, func(o hole) bool { return o.First <= sequence && sequence <= o.Last })
	if i < 0 {
		return false, false
	}
	o := list[i]
	var rest []hole
	if o.First < sequence {
		left := o
		left.Last = sequence - 1
		rest = append(rest, left)
	}
	if sequence < o.Last {
		right := o
		right.First = sequence + 1
		rest = append(rest, right)
	}
	h.count += len(rest) - 1
	list = slices.Replace(list, i, i+1, rest...)
	if len(list) == 0 {
		delete(h.open, k)
	} else {
		h.open[k] = list
	}
	return true, o.asked
}

// missing reports whether a sequence is in a hole.
func (h *holes) missing(k aggregateKey, sequence uint64) bool {
	return slices.ContainsFunc(h.open[k], func(o hole) bool { return o.First <= sequence && sequence <= o.Last })
}

// drop gives up the part of the aggregate's holes between first and last.
func (h *holes) drop(k aggregateKey, first, last uint64) {
	var kept []hole
	for _, o := range h.open[k] {
		if o.First < first {
			left := o
			left.Last = min(o.Last, first-1)
			kept = append(kept, left)
		}
		if o.Last > last {
			right := o
			right.First = max(o.First, last+1)
			kept = append(kept, right)
		}
	}
	h.count += len(kept) - len(h.open[k])
	if len(kept) == 0 {
		delete(h.open, k)
	} else {
		h.open[k] = kept
	}
}

// snapshot returns all holes in a stable order for the state file.
func (h *holes) snapshot() []cursor.Hole {
	if h.count == 0 {
		return nil
	}
	out := make([]cursor.Hole, 0, h.count)
	for _, list := range h.open {
		for _, o := range list {
			out = append(out, o.Hole)
		}
	}
	slices.SortFunc(out, func(a, b cursor.Hole) int {
		return cmp.Or(cmp.Compare(a.AggregateType, b.AggregateType), cmp.Compare(a.AggregateID, b.AggregateID), cmp.Compare(a.First, b.First))
	})
	return out
}

// due marks and returns the holes whose time to ask has come, oldest first.
// fresh is the number of those that were not asked for before.
func (h *holes) due(now time.Time) (due []hole, fresh int) {
	for _, list := range h.open {
		for i := range list {
			if list[i].next.After(now) {
				continue
			}
			if !list[i].asked {
				list[i].asked = true
				fresh++
			}
			due = append(due, list[i])
		}
	}
	slices.SortFunc(due, func(a, b hole) int { return a.Found.Compare(b.Found) })
	return due, fresh
}

// reschedule sets the next time to ask for the holes of k.
func (h *holes) reschedule(k aggregateKey, now time.Time) {
	list := h.open[k]
	for i := range list {
		list[i].next = now.Add(list[i].wait)
		list[i].wait *= 2
	}
}

// fillHoles asks for the missing events that are due, emits those that came, and gives up old
// holes.
func (r *Reader) fillHoles(ctx context.Context, emit Emit) error {
	changed := false
	due, fresh := r.holes.due(time.Now())
	r.stats.HolesFound.Add(uint64(fresh))
	for _, o := range due {
		k := aggregateKey{o.AggregateType, o.AggregateID}
		if !r.chaseBeginnings && o.first {
			r.holes.drop(k, o.First, o.Last)
			r.stats.Hidden.Add(o.Last - o.First + 1)
			changed = true
			continue
		}
		if _, open := r.holes.open[k]; !open {
			continue // filled by an answer to another one
		}
		found, unreadable, err := r.askHole(ctx, o.Hole)
		if err != nil {
			return err
		}
		for _, seq := range unreadable {
			r.reportUnreadable(culprit{aggregateType: k.typ, aggregateID: k.id, sequence: seq}, time.Time{}, false)
			r.holes.drop(k, seq, seq)
			changed = true
		}
		if len(found) > 0 {
			if err := r.accept(ctx, stretch{events: found, onlyHoles: true}, emit); err != nil {
				return err
			}
		}
		changed = r.settleHole(k, o, len(found) > 0) || changed
	}
	r.stats.HolesOpen.Store(int64(r.holes.count))
	if changed {
		return emit(ctx, Batch{State: r.state()})
	}
	return nil
}

// settleHole decides what becomes of a hole that was just asked for, and
// reports whether it was dropped.
func (r *Reader) settleHole(k aggregateKey, o hole, found bool) (dropped bool) {
	switch {
	case found:
		r.misses = 0
	case o.first:
		// There is nothing before the first visible event. Such an event is old, so one
		// request is enough.
		r.holes.drop(k, o.First, o.Last)
		r.stats.Hidden.Add(o.Last - o.First + 1)
		if r.misses++; r.misses == enoughMisses {
			r.chaseBeginnings = false
		}
		return true
	}
	if time.Now().After(o.giveUp) {
		r.stats.HolesGivenUp.Add(1)
		r.log.Warn("missing events did not appear, and are given up",
			"aggregate_type", k.typ, "aggregate_id", k.id, "first", o.First, "last", o.Last, "asked_for", holeWait,
			"fix", "they were removed, or audit-log retention or the reader's role hides them")
		r.holes.drop(k, o.First, o.Last)
		return true
	}
	r.holes.reschedule(k, time.Now())
	return false
}

// askHole reads an aggregate's sequences First to Last, some 10,000 at a time.
// Sequences that ZITADEL cannot decode come back apart.
func (r *Reader) askHole(ctx context.Context, o cursor.Hole) (found []*eventpb.Event, unreadable []uint64, err error) {
	after := o.First - 1
	limit := uint32(apiLimit)
	for after < o.Last && len(found) < 10*apiLimit {
		req := r.filter.request()
		req.AggregateTypes, req.AggregateId = []string{o.AggregateType}, o.AggregateID
		req.Sequence, req.Asc = after, true
		req.Limit = uint32(min(uint64(limit), o.Last-after))
		page, err := r.ask(ctx, req)
		switch {
		case unreadablePage(err) && req.Limit > 1:
			limit = req.Limit / 2
			continue
		case unreadablePage(err):
			// The next existing event cannot be read. It is the one behind `after` if a
			// request downwards from there fails too.
			req.Sequence, req.Asc = after+2, false
			if _, err := r.ask(ctx, req); unreadablePage(err) {
				unreadable = append(unreadable, after+1)
			} else if err != nil {
				return nil, nil, fmt.Errorf("missing events of %s/%s: %w", o.AggregateType, o.AggregateID, err)
			}
			after++
			limit = apiLimit
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("missing events of %s/%s: %w", o.AggregateType, o.AggregateID, err)
		}
		for _, e := range page {
			if e.GetSequence() > o.Last {
				return found, unreadable, nil
			}
			found = append(found, e)
			after = max(after, e.GetSequence())
		}
		if len(page) < int(req.Limit) {
			break
		}
	}
	return found, unreadable, nil
}

func isClass(err error, classes ...zitadel.Class) bool {
	e, ok := errors.AsType[*zitadel.Error](err)
	return ok && slices.Contains(classes, e.Class)
}
