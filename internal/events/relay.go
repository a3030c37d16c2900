package events

import (
	"context"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Relay emits what comes by push until the channel is closed or ctx ends, and reads no log:
// another process does, and emits the same events with the same ids. So Relay has no state, and
// cannot tell what that process has emitted. What the filters leave out does not come out here
// either.
func Relay(ctx context.Context, settings config.Settings, o Options, emit Emit) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	filter := newFilter(&settings, nil)
	for {
		select {
		case first, more := <-o.Pushes:
			if !more {
				return nil
			}
			b := relayed(first, &settings, &filter, o)
			if err := emit(ctx, b); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// relayed is the batch that begins with first. Its Newest stays zero: no lag can be told from
// it, because the log is read elsewhere.
func relayed(first Push, settings *config.Settings, filter *filter, o Options) (b Batch) {
	read := o.Now().UTC().Truncate(tick)
	b.Done = together(o.Pushes, first, func(p Push) {
		switch {
		case p.Event == nil && p.Record != nil:
			b.Records = append(b.Records, p.Record)
		case p.Event == nil: // an entry that cannot be read
		case settings.ExcludeOwn && p.Event.GetAggregate().GetType().GetType() == oidcSession:
			// Only the process that reads the log can tell whose session it is.
		case !filter.passes(p.Event):
			o.Stats.Filtered.Add(1)
		default:
			e := pushedRecord(p.Event, settings.Instance, read)
			b.Records = append(b.Records, &e)
			o.Stats.Events.Add(1)
			o.Stats.Pushed.Add(1)
		}
	})
	return b
}
