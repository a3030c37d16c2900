package record

import (
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
)

// FromEvent turns an event of the Events API into a record. gRPC and REST both
// arrive as this message, so that one path decodes them. Whatever is absent in
// e, e itself too, is empty in the record. The record shares e's payload.
//
// instance is the configured label of the ZITADEL instance, which the answer
// does not hold; read is when the answer came.
func FromEvent(e *eventpb.Event, instance string, read time.Time) Event {
	// The getters of generated code accept nil receivers.
	aggregate, editor, typ := e.GetAggregate(), e.GetEditor(), e.GetType()
	r := Event{
		Key: Key{
			Instance:      instance,
			AggregateType: aggregate.GetType().GetType(),
			AggregateID:   aggregate.GetId(),
			Sequence:      e.GetSequence(),
		},
		Read:          read,
		Type:          typ.GetType(),
		LocalizedType: typ.GetLocalized().GetLocalizedMessage(),
		ResourceOwner: aggregate.GetResourceOwner(),
		Editor: Editor{
			ID:      editor.GetUserId(),
			Name:    editor.GetDisplayName(),
			Service: editor.GetService(),
		},
		Payload: e.GetPayload(),
		Source:  SourceEventsAPI,
	}
	// A timestamp out of range would turn into a wrong time: leave it out.
	if created := e.GetCreationDate(); created.IsValid() {
		r.Time = created.AsTime()
	}
	return r
}
