package events

import (
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// FromEvent converts an event of the Events API to a record. gRPC and REST both use this
// message. Fields that e does not have are empty in the record; e may be nil. The record
// shares the payload of e.
//
// instance is the configured label of the ZITADEL instance, and read the time of the answer.
func FromEvent(e *eventpb.Event, instance string, read time.Time) record.Event {
	// The getters of generated code accept nil receivers.
	aggregate, editor, typ := e.GetAggregate(), e.GetEditor(), e.GetType()
	r := record.Event{
		Key: record.Key{
			Instance:      instance,
			AggregateType: aggregate.GetType().GetType(),
			AggregateID:   aggregate.GetId(),
			Sequence:      e.GetSequence(),
		},
		Read:          read,
		Type:          typ.GetType(),
		LocalizedType: typ.GetLocalized().GetLocalizedMessage(),
		ResourceOwner: aggregate.GetResourceOwner(),
		Editor: record.Editor{
			ID:      editor.GetUserId(),
			Name:    editor.GetDisplayName(),
			Service: editor.GetService(),
		},
		Payload: e.GetPayload(),
		Source:  record.SourceEventsAPI,
	}
	// A timestamp out of range would become a wrong time, so it is left out.
	if created := e.GetCreationDate(); created.IsValid() {
		r.Time = created.AsTime()
	}
	return r
}
