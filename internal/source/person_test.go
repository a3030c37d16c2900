package source

import (
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// person is an event that names a user.
func person(id, name string) *record.Event {
	return &record.Event{
		Key: record.Key{Instance: "lab", AggregateType: "user", AggregateID: id, Sequence: 1}, Time: time.Now(), Type: "user.human.added", ResourceOwner: "org",
		Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"userName": structpb.NewStringValue(name)}},
	}
}
