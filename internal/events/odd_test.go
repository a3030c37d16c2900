package events

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// readRecords reads what there is and returns the records by type.
func readRecords(w *world) map[string]record.Event {
	records := make(map[string]record.Event)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.reader().Run(ctx, func(_ context.Context, b Batch) error {
		for _, r := range b.Records {
			e := r.(*record.Event)
			records[e.Type] = *e
		}
		return nil
	})
	return records
}

// Law 8: what nobody knows, or is oddly made, comes out as it is.
func TestLaw8UnknownTypesAndOddPayloadsPassThrough(t *testing.T) {
	nested := structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"": structpb.NewNullValue()}})
	inWorld(t, func(w *world) {
		at := w.now().Add(-time.Hour)
		odd := map[string]zitadeltest.Event{
			"brand.new.type":     {AggregateType: "brand", AggregateID: "1", Type: "brand.new.type"},
			"user.human.added":   {AggregateType: "user", AggregateID: "", Type: "user.human.added"},
			"user.locked":        {AggregateType: "user", AggregateID: "a/b", Type: "user.locked", Payload: &structpb.Struct{}},
			"user.human.changed": {AggregateType: "user", AggregateID: "c", Type: "user.human.changed", Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"x": nested, "y": structpb.NewListValue(&structpb.ListValue{})}}},
		}
		for _, e := range odd {
			e.CreatedAt = at
			at = at.Add(time.Second)
			w.store.Append(e)
		}
		got := readRecords(w)
		for typ, e := range odd {
			r, ok := got[typ]
			if !ok || r.AggregateID != e.AggregateID || r.AggregateType != e.AggregateType || len(r.Payload.GetFields()) != len(e.Payload.GetFields()) {
				t.Errorf("%s came out as %+v", typ, r)
			}
		}
	})
}

// Law 9: the time of an event is ZITADEL's, to the microsecond; that of
// reading stands beside it.
func TestLaw9OriginalTimeIsKept(t *testing.T) {
	inWorld(t, func(w *world) {
		at := w.now().Add(-30*24*time.Hour + 123456*time.Microsecond)
		w.store.Append(userEvent("a", at))
		before := w.now()
		r := readRecords(w)["user.human.added"]
		if !r.Time.Equal(at) {
			t.Errorf("time %s, want %s", r.Time, at)
		}
		if r.Read.Before(before) || r.Read.After(w.now()) {
			t.Errorf("read at %s, want between %s and %s", r.Read, before, w.now())
		}
	})
}
