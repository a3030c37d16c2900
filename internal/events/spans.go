package events

import (
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

const (
	// spanParts is how many spans an interval of the sweep has: 60 of a minute for 1h. More
	// of them make the state larger, and fewer make longer the time whose events come out
	// again if it cannot be told which of them are new.
	spanParts = 60
	// leastSpan keeps a short sweep from asking more often than the reader polls.
	leastSpan = 10 * time.Second
	// emptySpans is how many spans in a row without events are read as one.
	emptySpans = 10
	// maxSpans bounds memory and state if the sweep cannot keep up: 70 bytes each in memory,
	// 170 in the state. It is four times as many as are needed.
	maxSpans = 4 * spanParts
)

// span is a part of the log, after since and up to upTo, that has to be read a second time.
type span struct {
	since, upTo time.Time
	known       sums // of the events that were read, wanted or not
	// asked is before the first request whose answer had a part of it, on the monotonic
	// clock; zero after a restart.
	asked time.Time
}

// spans are in the order of time, and do not overlap. What lies between two of them was old
// already when it was read, and needs no second time.
type spans struct {
	list  []*span
	next  time.Time // no event after it is in a span
	width time.Duration
}

func newSpans(every time.Duration) spans {
	return spans{width: max(every/spanParts, min(leastSpan, every/2), tick)}
}

// skipTo makes new spans begin at a date or later.
func (s *spans) skipTo(date time.Time) { s.next = maxTime(s.next, date) }

// reach makes spans up to a date that the reader has reached with an answer to a request.
func (s *spans) reach(date, asked time.Time) {
	// Far behind the present, next may be years ago.
	s.skipTo(date.Add(-maxSpans * s.width))
	for s.next.Before(date) {
		upTo := s.next.Truncate(s.width).Add(s.width)
		if n := len(s.list); n > 0 {
			last := s.list[n-1]
			if last.known.n == 0 && last.upTo.Equal(s.next) && upTo.Sub(last.since) <= emptySpans*s.width {
				last.upTo, s.next = upTo, upTo
				continue
			}
		}
		s.list = append(s.list, &span{since: s.next, upTo: upTo, asked: asked})
		s.next = upTo
	}
}

// add notes an event that was read, if its date is in a span.
func (s *spans) add(date time.Time) {
	i, _ := slices.BinarySearchFunc(s.list, date, func(p *span, date time.Time) int { return p.upTo.Compare(date) })
	if i < len(s.list) && date.After(s.list[i].since) {
		s.list[i].known.add(dateHash(date))
	}
}

// prune drops the first spans for which old returns true.
func (s *spans) prune(old func(*span) bool) {
	n := 0
	for n < len(s.list) && old(s.list[n]) {
		n++
	}
	s.drop(n)
}

func (s *spans) drop(n int) { s.list = slices.Delete(s.list, 0, n) }

// upTo is the date up to which nothing has to be read a second time.
func (s *spans) upTo() time.Time {
	if len(s.list) == 0 {
		return s.next
	}
	return s.list[0].since
}

// snapshot returns the spans for the state file.
func (s *spans) snapshot() []cursor.Span {
	if len(s.list) == 0 {
		return nil
	}
	out := make([]cursor.Span, len(s.list))
	for i, p := range s.list {
		out[i] = cursor.Span{Since: p.since, UpTo: p.upTo, Events: p.known.n, Sums: p.known.power}
	}
	return out
}

// restore is the inverse of snapshot.
func (s *spans) restore(saved *cursor.Sweep) {
	s.next = saved.Next
	for _, p := range saved.Spans {
		restored := span{since: p.Since, upTo: p.UpTo, known: sums{n: p.Events}}
		for i, x := range p.Sums {
			restored.known.power[i] = reduce(x) // a state can be edited by hand
		}
		s.list = append(s.list, &restored)
	}
}
