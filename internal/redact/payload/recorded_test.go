package payload_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

var update = flag.Bool("update", false, "write the golden file anew")

var readAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// allRecorded returns every recorded event, of REST and of gRPC.
func allRecorded(tb testing.TB) []*eventpb.Event {
	return recorded.Events(tb, "../../record/testdata/events-*.gz", 5)
}

// markers are made-up secrets of the recorded instance and shapes of secrets.
var markers = []string{
	"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf.Token",
	"$2a$", "Crypted", "code=ey",
}

// secretValues collects what stands under the secret keys of an event, by the
// catalogue and not by the code under test.
func secretValues(v *structpb.Value, path string, secret map[string]bool, into map[string]bool) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, v := range kind.StructValue.GetFields() {
			below := strings.TrimPrefix(path+"."+key, ".")
			if secret[path] || key == "Crypted" { // a member of a secret object
				below = path
				if strings.EqualFold(key, "CryptoType") || key == "Algorithm" || key == "KeyID" || key == "user-agent" {
					continue
				}
				if key == "Crypted" {
					into[v.GetStringValue()] = true
				}
			}
			secretValues(v, below, secret, into)
		}
	case *structpb.Value_ListValue:
		for _, v := range kind.ListValue.GetValues() {
			secretValues(v, path, secret, into)
		}
	case *structpb.Value_StringValue:
		if secret[path] {
			into[kind.StringValue] = true
		}
	}
}

// Law 6, on everything that a real ZITADEL answered.
func TestRecorded_NoSecretSurvives(t *testing.T) {
	secretPaths := map[string]map[string]bool{}
	for _, typ := range catalogue(t) {
		secretPaths[typ.Type] = map[string]bool{}
		for _, key := range typ.Keys {
			if key.Sensitive == "secret" {
				secretPaths[typ.Type][key.Name] = true
			}
		}
	}
	rawMarkers, rawValues, removed := map[string]int{}, 0, 0
	for _, e := range allRecorded(t) {
		r := events.FromEvent(e, "demo", readAt)
		values := map[string]bool{}
		if r.Payload != nil {
			secretValues(structpb.NewStructValue(r.Payload), "", secretPaths[r.Type], values)
		}
		raw := string(record.AppendJSON(nil, &r))
		for _, m := range markers {
			rawMarkers[m] += strings.Count(raw, m)
		}
		rawValues += len(values)

		n := payload.Record(&r)
		if len(values) > 0 && n == 0 {
			t.Errorf("%s %s: %d secrets, none counted as removed", r.Type, r.ID(), len(values))
		}
		removed += n
		for name, out := range map[string]string{
			"json": string(record.AppendJSON(nil, &r)), "msgpack": string(record.AppendMsgpack(nil, &r)),
		} {
			for _, m := range markers {
				if strings.Contains(out, m) {
					t.Errorf("%s %s as %s still holds %q", r.Type, r.ID(), name, m)
				}
			}
		}
		if again := payload.Record(&r); again != 0 {
			t.Errorf("%s %s: %d more removed the second time", r.Type, r.ID(), again)
		}
		left := map[string]bool{}
		if r.Payload != nil {
			allStrings(structpb.NewStructValue(r.Payload), left)
		}
		for v := range values {
			if left[v] && v != "" {
				t.Errorf("%s %s: the secret %q is still a value", r.Type, r.ID(), v)
			}
			if len(v) > 6 && strings.Contains(string(record.AppendJSON(nil, &r)), v) {
				t.Errorf("%s %s: the secret %q is still there", r.Type, r.ID(), v)
			}
		}
	}
	// Without redaction this test would fail: the raw records do hold them.
	if rawMarkers["$2a$"] < 200 || rawMarkers["Crypted"] < 200 || rawValues < 700 {
		t.Errorf("the recorded events hold too few secrets to prove anything: %v, %d values", rawMarkers, rawValues)
	}
	t.Logf("markers in the raw records: %v; %d secret values; %d removed", rawMarkers, rawValues, removed)
}

func allStrings(v *structpb.Value, into map[string]bool) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for _, v := range kind.StructValue.GetFields() {
			allStrings(v, into)
		}
	case *structpb.Value_ListValue:
		for _, v := range kind.ListValue.GetValues() {
			allStrings(v, into)
		}
	case *structpb.Value_StringValue:
		into[kind.StringValue] = true
	}
}

// What is no secret stays: of the recorded events every string that is gone or
// changed stood under a key that the catalogue calls secret.
func TestRecorded_NothingElseIsRemoved(t *testing.T) {
	secretPaths := map[string]map[string]bool{}
	for _, typ := range catalogue(t) {
		secretPaths[typ.Type] = map[string]bool{}
		for _, key := range typ.Keys {
			secretPaths[typ.Type][key.Name] = key.Sensitive == "secret"
		}
	}
	for _, e := range allRecorded(t) {
		r := events.FromEvent(e, "demo", readAt)
		if r.Payload == nil {
			continue
		}
		before := proto.Clone(r.Payload).(*structpb.Struct)
		payload.Record(&r)
		compare(t, &r, "", structpb.NewStructValue(before), structpb.NewStructValue(r.Payload), secretPaths[r.Type])
	}
}

func compare(t *testing.T, r *record.Event, path string, before, after *structpb.Value, secret map[string]bool) {
	t.Helper()
	if secret[path] {
		return
	}
	switch kind := before.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, v := range kind.StructValue.GetFields() {
			compare(t, r, strings.TrimPrefix(path+"."+key, "."), v, after.GetStructValue().GetFields()[key], secret)
		}
	case *structpb.Value_ListValue:
		values := after.GetListValue().GetValues()
		if len(values) != len(kind.ListValue.GetValues()) {
			t.Errorf("%s: %s has another length", r.Type, path)
			return
		}
		for i, v := range kind.ListValue.GetValues() {
			compare(t, r, path, v, values[i], secret)
		}
	default:
		if !proto.Equal(before, after) {
			t.Errorf("%s: %s was %v, is %v", r.Type, path, before, after)
		}
	}
}

// One event of every recorded type that lost something, as users see it.
func TestRecord_Golden(t *testing.T) {
	const path = "testdata/golden.jsonl"
	var got []byte
	seen := map[string]bool{}
	for _, e := range allRecorded(t) {
		r := events.FromEvent(e, "demo", readAt)
		if payload.Record(&r) > 0 && !seen[r.Type] {
			seen[r.Type] = true
			got = append(record.AppendJSON(got, &r), '\n')
		}
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

type eventType struct {
	Type string
	Keys []struct {
		Name      string
		GoType    string `json:"go_type"`
		Sensitive any
	}
}

func catalogue(tb testing.TB) (types []eventType) {
	tb.Helper()
	if err := json.Unmarshal(recorded.Unzip(tb, "testdata/events.json.gz"), &types); err != nil {
		tb.Fatal(err)
	}
	if len(types) != 560 {
		tb.Fatalf("catalogue has %d event types, want 560", len(types))
	}
	return types
}
