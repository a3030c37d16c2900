package record_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

func TestFromEvent_TakesEveryField(t *testing.T) {
	created := time.Date(2026, 11, 22, 9, 19, 13, 380434000, time.UTC)
	payload := &structpb.Struct{}
	e := &eventpb.Event{
		Editor:       &eventpb.Editor{UserId: "u", DisplayName: "Lab Admin", Service: "zitadel"},
		Aggregate:    &eventpb.Aggregate{Id: "a", ResourceOwner: "o", Type: &eventpb.AggregateType{Type: "user"}},
		Sequence:     math.MaxUint64,
		CreationDate: timestamppb.New(created),
		Payload:      payload,
		Type:         &eventpb.EventType{Type: "user.locked"},
	}
	got := events.FromEvent(e, "demo", readAt)
	if got.Payload != payload {
		t.Error("the payload is not the event's own")
	}
	got.Payload = nil
	want := record.Event{
		Key:           record.Key{Instance: "demo", AggregateType: "user", AggregateID: "a", Sequence: math.MaxUint64},
		Time:          created,
		Read:          readAt,
		Type:          "user.locked",
		ResourceOwner: "o",
		Editor:        record.Editor{ID: "u", Name: "Lab Admin", Service: "zitadel"},
		Source:        record.SourceEventsAPI,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFromEvent_AbsentPartsAreEmpty(t *testing.T) {
	for name, e := range map[string]*eventpb.Event{
		"nil event":               nil,
		"empty event":             {},
		"empty parts":             {Editor: &eventpb.Editor{}, Aggregate: &eventpb.Aggregate{}, Type: &eventpb.EventType{}},
		"empty aggregate type":    {Aggregate: &eventpb.Aggregate{Type: &eventpb.AggregateType{}}},
		"timestamp out of range":  {CreationDate: &timestamppb.Timestamp{Seconds: math.MaxInt64}},
		"nanoseconds of no clock": {CreationDate: &timestamppb.Timestamp{Nanos: -1}},
	} {
		got := events.FromEvent(e, "demo", readAt)
		want := record.Event{Key: record.Key{Instance: "demo"}, Read: readAt, Source: record.SourceEventsAPI}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		check(t, &got)
	}
}

// One decoding path: the two transports give the same bytes.
func TestFromEvent_RESTAndGRPCAreOne(t *testing.T) {
	rest := recordedREST(t)
	for i, e := range recorded.Events(t, "testdata/events-grpc-page001.response.pb.gz", 1) {
		a := events.FromEvent(rest[i], "demo", readAt)
		b := events.FromEvent(e, "demo", readAt)
		if diff := cmp.Diff(string(record.AppendJSON(nil, &a)), string(record.AppendJSON(nil, &b))); diff != "" {
			t.Fatalf("event %d: %s", i, diff)
		}
	}
}
