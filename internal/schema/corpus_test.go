package schema_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var readAt = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

// What is read once for all tests: nothing changes it.
var (
	recordedEventsOnce []*record.Event
	recordedLinesOnce  []*parser.Record
	webhooksOnce       recorded.Pushed
	payloadKeysOnce    map[string][]recorded.Key
)

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	if strings.HasSuffix(name, ".gz") {
		return recorded.Unzip(tb, name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// recordedEvents are those of the recorded pages, redacted as the pipe does.
func recordedEvents(testing.TB) []*record.Event {
	if recordedEventsOnce == nil {
		recordedEventsOnce = recorded.Records(readAt)
	}
	return recordedEventsOnce
}

// recordedLines are the records of all recorded lines, of every kind.
func recordedLines(tb testing.TB) []*parser.Record {
	tb.Helper()
	if recordedLinesOnce == nil {
		recordedLinesOnce = recorded.Lines(tb, readAt)
	}
	return recordedLinesOnce
}

// recordedWebhooks are the records of the recorded requests, bodies included.
func recordedWebhooks(tb testing.TB) recorded.Pushed {
	tb.Helper()
	if webhooksOnce.Events == nil {
		webhooksOnce = recorded.Webhooks(tb, readAt)
	}
	return webhooksOnce
}

// payloadKeys are the keys of the payloads by type, as ZITADEL's source has them.
func payloadKeys(tb testing.TB) map[string][]recorded.Key {
	tb.Helper()
	if payloadKeysOnce == nil {
		payloadKeysOnce = map[string][]recorded.Key{}
		for _, t := range recorded.Catalogue(tb) {
			payloadKeysOnce[t.Type] = t.Keys
		}
	}
	return payloadKeysOnce
}

// synthetic makes an event of a type with all the keys that its payload may have.
func synthetic(typ string, keys []recorded.Key) record.Event {
	top := map[string]any{}
	for _, k := range keys {
		m, path := top, strings.Split(strings.ReplaceAll(k.Name, "[]", ""), ".")
		for _, p := range path[:len(path)-1] {
			next, ok := m[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[p] = next
			}
			m = next
		}
		m[path[len(path)-1]] = sample(k)
	}
	fields, err := structpb.NewStruct(top)
	if err != nil {
		panic(typ + ": " + err.Error())
	}
	aggregate, _, _ := strings.Cut(typ, ".")
	switch {
	case strings.HasPrefix(typ, "user.grant."):
		aggregate = "usergrant"
	case aggregate == "schemauser":
		aggregate = "user"
	}
	r := record.Event{
		Key:  record.Key{Instance: "demo", AggregateType: aggregate, AggregateID: "400712689875160102", Sequence: 7},
		Time: readAt.Add(-time.Minute), Read: readAt, Type: typ, ResourceOwner: "400712683113942054",
		Editor: record.Editor{ID: "400712317102787622", Name: "Minnie Mouse", Service: "zitadel"}, Payload: fields, Source: record.SourceEventsAPI,
	}
	payload.Record(&r)
	return r
}

func sample(k recorded.Key) any {
	last := k.Name[strings.LastIndexByte(k.Name, '.')+1:]
	switch t := strings.TrimPrefix(k.GoType, "*"); {
	case t == "bool" || strings.HasSuffix(t, ".Boolean"):
		return true
	case strings.HasPrefix(t, "[]domain.UserAuthMethodType"):
		return []any{4.0, 1.0}
	case strings.HasPrefix(t, "[]domain.") || strings.HasPrefix(t, "[]int"):
		return []any{1.0}
	case t == "domain.TokenReason":
		return "auth_request"
	case strings.HasPrefix(t, "[]"):
		return []any{last + "-1", last + "-2"}
	case t == "net.IP":
		return "203.0.113.7"
	case strings.HasPrefix(t, "domain.") && !strings.HasPrefix(t, "domain.Encrypted"), strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"), t == "time.Duration", t == "quota.Unit":
		return 1.0
	case t == "time.Time":
		return "2026-11-22T09:00:00Z"
	}
	switch last {
	case "remoteIP", "ip":
		return "203.0.113.7"
	case "userAgent", "description":
		return "Mozilla/5.0 (X11; Linux x86_64)"
	case "email", "userName":
		return "mickey@example.com"
	case "displayName":
		return "Mickey Mouse"
	}
	return last + "-1"
}
