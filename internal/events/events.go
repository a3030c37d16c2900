// Package events reads ZITADEL's Events API so that no event is lost.
//
// The API has no cursor: an answer has neither a position nor an id, all events
// of a transaction share one creation date, and an event can become visible after
// a newer one was read. So the reader asks for bounded windows of time and proves
// that each is complete. It reads the last overlap again at every poll and drops
// known events by their key. And it asks for the sequences that are missing in an
// aggregate.
//
// What it promises: every event that ZITADEL committed and shows to this user is
// emitted at least once, and exactly once between two crashes. What it cannot
// promise: events that ZITADEL hides (retention) or cannot decode, and the middle
// of a very large group of one date. docs/delivery.md has the limits.
package events

import (
	"context"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Client is what the reader needs of a client; [zitadel.Client] is the real one.
// Errors are *zitadel.Error, or the error of the context.
type Client interface {
	ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error)
	AggregateTypes(ctx context.Context) ([]string, error)
	EventTypes(ctx context.Context) ([]string, error)
}

// Batch is one step of the cursor.
type Batch struct {
	// Records are not yet redacted, and in the order in which ZITADEL gave them
	// (the parts of a date one after the other, where it had to be read in
	// parts). They may be empty: only the state has moved on.
	Records []record.Record
	// Newest is the newest creation date of the events in Records; zero without.
	Newest time.Time
	// State is the cursor once all records of this batch, and those of every
	// earlier one, are acknowledged.
	State cursor.State
	// Done, if not nil, is called once State is stored.
	Done func()
}

func (b *Batch) add(e *record.Event) {
	b.Records = append(b.Records, e)
	b.Newest = maxTime(b.Newest, e.Time)
}

// Emit takes a batch over. It may block; reading waits then. Returning nil is no
// acknowledgement. An error ends Run.
type Emit func(context.Context, Batch) error
