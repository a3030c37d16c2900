package zitadeltest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

//go:embed data/events-asc-limit1000.jsonl.gz
var recordedGZ []byte

var recorded = sync.OnceValue(func() []*eventpb.Event {
	events, err := decodeEvents(bytes.NewReader(recordedGZ))
	if err != nil { // the file is embedded
		panic("zitadeltest: recorded events: " + err.Error())
	}
	return events
})

// Recorded returns the 2,881 events of 206 types that a real ZITADEL had written,
// oldest first, as its Events API returned them. The events are copies.
func Recorded() []*eventpb.Event {
	events := make([]*eventpb.Event, len(recorded()))
	for i, e := range recorded() {
		events[i] = proto.CloneOf(e)
	}
	return events
}

var recordedEvents = sync.OnceValue(func() []Event {
	events := FromProto(recorded()...)
	for i := range events {
		events[i].encode()
	}
	return events
})

// RecordedEvents are the recorded events to store, moved in time so that the newest
// was created at newest. A zero newest keeps the recorded times. The payloads are
// shared: replace one, never change it.
func RecordedEvents(newest time.Time) []Event {
	events := slices.Clone(recordedEvents())
	if newest.IsZero() {
		return events
	}
	shift := newest.Sub(events[len(events)-1].CreatedAt)
	for i := range events {
		events[i].CreatedAt = events[i].CreatedAt.Add(shift)
	}
	return events
}

// decodeEvents reads gzipped lines of JSON, one event each.
func decodeEvents(r io.Reader) ([]*eventpb.Event, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	var events []*eventpb.Event
	lines := bufio.NewScanner(zr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e := new(eventpb.Event)
		if err := protojson.Unmarshal(lines.Bytes(), e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(events)+1, err)
		}
		events = append(events, e)
	}
	return events, lines.Err()
}
