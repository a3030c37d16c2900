// Package recorded reads for tests what a real ZITADEL gave: answers of its Events API, webhooks,
// lines of its log, and the catalogue of its event types.
package recorded

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Events returns the events of all recorded pages that match pattern: JSON of REST, or
// protobuf of gRPC where the name ends in .pb.gz.
func Events(tb testing.TB, pattern string, pages int) (events []*eventpb.Event) {
	tb.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) != pages {
		tb.Fatalf("%d recorded pages match %s, want %d: %v", len(paths), pattern, pages, err)
	}
	for _, path := range paths {
		var page admin.ListEventsResponse
		body := Unzip(tb, path)
		if strings.HasSuffix(path, ".pb.gz") {
			err = proto.Unmarshal(body, &page)
		} else {
			err = protojson.Unmarshal(body, &page)
		}
		if err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		events = append(events, page.GetEvents()...)
	}
	return events
}

// Unzip returns what a compressed file holds.
func Unzip(tb testing.TB, path string) []byte {
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
	return body
}
