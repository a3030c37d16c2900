package events

import "time"

// reading says that the log was read up to done, inclusive, by calls after asked.
type reading struct{ done, asked time.Time }

// passed are the stretches of a pass, in order, that the watermark has not reached yet. It waits for
// each: a later stretch, which was asked for later, says nothing about events of an earlier one that
// became visible between the two.
type passed []reading

// upTo takes off what is complete, and returns up to where the log is. limit gives, for the time of
// a call, the date up to which no event can become visible after it.
func (p *passed) upTo(limit func(asked time.Time) time.Time) (date time.Time) {
	for len(*p) > 0 {
		first := (*p)[0]
		if most := limit(first.asked); most.Before(first.done) {
			return maxTime(date, most)
		}
		date = first.done
		*p = (*p)[1:]
	}
	return date
}
