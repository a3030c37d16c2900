package events

import (
	"fmt"

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
