package events

import (
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Acknowledged returns a function that reports whether an event is acknowledged by state. The
// reader that goes on from state emits the others. It does not know of an event that only the sweep
// will find: such an event counts as acknowledged.
func Acknowledged(state cursor.State) (func(e *record.Event) bool, error) {
	seen := newMemory()
	if err := seen.restore(state.Seen, maxTime(state.Updated, state.Watermark)); err != nil {
		return nil, fmt.Errorf("state of %s: %w", state.Instance, err)
	}
	holes := newHoles(state.Holes, state.Updated)
	pushed := restorePushed(state.Pushed)
	return func(e *record.Event) bool {
		k, date := aggregateKey{e.AggregateType, e.AggregateID}, e.Time.Truncate(tick)
		if p, ok := pushed[pushKey{k, e.Sequence}]; ok && p.is(date, e.Type) {
			return true
		}
		if date.After(state.Watermark) {
			return seen.hasKey(k, e.Sequence)
		}
		return !holes.missing(k, e.Sequence)
	}, nil
}

// AcknowledgedUpTo returns a date after which state acknowledges only what was pushed. Of a log with
// a backlog, that is long before the state was written: a reader that is far behind looks ahead, and
// its watermark then follows what it reads by the overlap.
func AcknowledgedUpTo(state cursor.State, overlap time.Duration) time.Time {
	return minTime(maxTime(state.Updated, state.Watermark), state.Watermark.Add(overlap+farBehind)).Add(ClockSlack)
}

// ClockSlack is how far ZITADEL's clock, as a reader knows it, may be wrong: its answers have whole
// seconds, and a skew of less than two is none.
const ClockSlack = 3 * time.Second
