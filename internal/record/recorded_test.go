package record_test

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// readAt stands for the time of reading, so that records compare.
var readAt = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

const restPages = "testdata/events-rest-asc-limit1000-page00%c.response.json.gz"

// recordedREST returns the 2,881 events of the recorded REST pages.
func recordedREST(tb testing.TB) (events []*eventpb.Event) {
	tb.Helper()
	for _, page := range "123" {
		events = append(events, recordedPage(tb, strings.Replace(restPages, "%c", string(page), 1))...)
	}
	if len(events) != 2881 {
		tb.Fatalf("recorded pages hold %d events, want 2881", len(events))
	}
	return events
}

func recordedPage(tb testing.TB, path string) []*eventpb.Event {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(zip)
	if err != nil {
		tb.Fatal(err)
	}
	var page admin.ListEventsResponse
	if strings.HasSuffix(path, ".pb.gz") {
		err = proto.Unmarshal(body, &page)
	} else {
		err = protojson.Unmarshal(body, &page)
	}
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return page.GetEvents()
}

func recordedRecords(tb testing.TB) (records []record.Event) {
	tb.Helper()
	for _, e := range recordedREST(tb) {
		records = append(records, events.FromEvent(e, "demo", readAt))
	}
	return records
}
