package detect

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Past is a part of the time before a moment, and the event types of which correlations have to
// know the events in it.
type Past struct {
	From, To time.Duration // before the moment; From is longer ago
	Types    []string      // nil: all
}

// Past returns what has to be read of the time before a moment, but not of the time longer ago
// than most, so that the correlations know then what they would know if they had read all events.
// The parts are in the order of time. types are all event types, and limit is how many of them a
// part can name. Records that are no events are in none.
func (s *Set) Past(types []string, limit int, most time.Duration) (parts []Past) {
	reach := map[time.Duration][]string{}
	for _, r := range s.Rules {
		if r.Correlation == nil {
			continue
		}
		if list := s.Actions(r, types); len(list) > 0 {
			d := min(r.Correlation.reach()+Lateness, most)
			reach[d] = append(reach[d], list...)
		}
	}
	starts := slices.SortedFunc(maps.Keys(reach), func(a, b time.Duration) int { return cmp.Compare(b, a) })
	var needed []string // by the correlations that reach as far back as the part, or farther
	for i, from := range starts {
		needed = append(needed, reach[from]...)
		slices.Sort(needed)
		needed = slices.Compact(needed)
		part := Past{From: from, Types: slices.Clone(needed)}
		if len(needed) > limit {
			part.Types = nil
		}
		if i+1 < len(starts) {
			part.To = starts[i+1]
		}
		if n := len(parts); n > 0 && slices.Equal(parts[n-1].Types, part.Types) {
			parts[n-1].To = part.To
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// Longest is the longest timespan of a correlation.
func (s *Set) Longest() (d time.Duration) {
	for _, r := range s.Rules {
		if r.Correlation != nil {
			d = max(d, r.Correlation.Timespan)
		}
	}
	return d
}

// reach is how far back an event can be that decides whether one of now makes an alert: the alert
// before it mutes the correlation for a timespan, and its events are up to a timespan older.
func (c *Correlation) reach() (d time.Duration) {
	for _, part := range c.Rules {
		if part.Correlation != nil {
			d = max(d, part.Correlation.reach())
		}
	}
	return d + 2*c.Timespan
}
