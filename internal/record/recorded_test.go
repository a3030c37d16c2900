package record_test

import (
	"testing"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// readAt stands for the time of reading, so that records compare.
var readAt = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

// recordedREST returns the 2,881 events of the recorded REST pages.
func recordedREST(tb testing.TB) (events []*eventpb.Event) {
	tb.Helper()
	events = recorded.Events(tb, "testdata/events-rest-asc-limit1000-page00?.response.json.gz", 3)
	if len(events) != 2881 {
		tb.Fatalf("recorded pages hold %d events, want 2881", len(events))
	}
	return events
}

func recordedRecords(tb testing.TB) (records []record.Event) {
	tb.Helper()
	for _, e := range recordedREST(tb) {
		records = append(records, events.FromEvent(e, "demo", readAt))
	}
	return records
}
