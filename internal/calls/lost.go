package calls

import (
	"slices"
	"time"
)

// span is a time in which a call may be missing, in Unix microseconds.
type span struct{ from, to int64 }

// Lost notes that a webhook with a valid signature came and cannot be read. It may have
// been a request or a response of any user, so no event gets an address that was created
// while its call may have been in flight.
func (s *Store) Lost(signed time.Time) {
	at, around := signed.UnixMicro(), (Longest + Slack).Microseconds()
	lost := span{at - around, at + second + around}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(s.now())
	// Spans that touch become one. Without that, a flood of such webhooks would fill memory.
	s.lost = slices.DeleteFunc(s.lost, func(other span) bool {
		if other.to < lost.from || other.from > lost.to {
			return false
		}
		lost.from, lost.to = min(lost.from, other.from), max(lost.to, other.to)
		return true
	})
	s.lost = append(s.lost, lost)
}

// missing reports whether a call that was in flight at a date may be missing. s.mu is held.
func (s *Store) missing(date int64) bool {
	return date <= s.horizon || slices.ContainsFunc(s.lost, func(l span) bool { return l.from <= date && date <= l.to })
}

// forgetLost drops spans that are as old as the calls that were forgotten. s.mu is held.
func (s *Store) forgetLost(now time.Time) {
	until := now.Add(-maxAge - 2*(Longest+Slack)).UnixMicro()
	s.lost = slices.DeleteFunc(s.lost, func(l span) bool {
		if l.to >= until {
			return false
		}
		s.horizon = max(s.horizon, l.to)
		return true
	})
}
