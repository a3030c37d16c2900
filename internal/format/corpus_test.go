package format_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

var readAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// recordedEvents are a real ZITADEL's, redacted. They are copies.
func recordedEvents(testing.TB) []*record.Event { return recorded.Records(readAt) }

// clone copies what an encoder with pseudonyms changes.
func clone(e *record.Event) *record.Event {
	c := *e
	if c.Payload != nil {
		c.Payload = proto.CloneOf(c.Payload)
	}
	return &c
}

// texts calls f with every text of v, and its path.
func texts(v *structpb.Value, path string, f func(path, text string)) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, v := range kind.StructValue.GetFields() {
			texts(v, strings.TrimPrefix(path+"."+key, "."), f)
		}
	case *structpb.Value_ListValue:
		for _, v := range kind.ListValue.GetValues() {
			texts(v, path, f)
		}
	case *structpb.Value_StringValue:
		f(path, kind.StringValue)
	}
}
