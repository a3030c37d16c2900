package schema_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// oddValue draws any value that JSON can hold, under keys that mean something too.
func oddValue(keys []string, depth int) *rapid.Generator[*structpb.Value] {
	return rapid.Custom(func(t *rapid.T) *structpb.Value {
		most := 7
		if depth == 0 {
			most = 5
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0:
			return structpb.NewNullValue()
		case 1:
			return structpb.NewBoolValue(rapid.Bool().Draw(t, "bool"))
		case 2:
			return structpb.NewNumberValue(rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(-2, 20), func(i int) float64 { return float64(i) })).Draw(t, "number"))
		case 3:
			return structpb.NewStringValue(rapid.SampledFrom([]string{"", "203.0.113.7", "::1", "1.2.3.4.5", "fe80::1%eth0", "a@b.c", "a@b", "[::1]:80", "LOGIN"}).Draw(t, "known text"))
		case 4, 5:
			return &structpb.Value{Kind: &structpb.Value_StringValue{StringValue: hostile().Draw(t, "text")}}
		case 6:
			return structpb.NewListValue(&structpb.ListValue{Values: rapid.SliceOfN(oddValue(keys, depth-1), 0, 3).Draw(t, "list")})
		default:
			return structpb.NewStructValue(oddStruct(keys, depth-1).Draw(t, "map"))
		}
	})
}

func oddStruct(keys []string, depth int) *rapid.Generator[*structpb.Struct] {
	return rapid.Map(rapid.MapOfN(rapid.OneOf(rapid.SampledFrom(keys), rapid.String()), oddValue(keys, depth), 0, 5), func(m map[string]*structpb.Value) *structpb.Struct {
		return &structpb.Struct{Fields: m}
	})
}

// Law 8: a payload of any shape gives a valid record in every format.
func TestLaw8_OddPayloadsGiveValidRecords(t *testing.T) {
	table, catalogue := load(t), payloadKeys(t)
	ocsf, ecs := loadOCSF(t, "ocsf-1.8.0.json.gz"), loadECS(t)
	ocsf19 := loadOCSF(t, "ocsf-1.8.0.json.gz", "ocsf-1.9.0-dev.json.gz")
	types := []string{"", "new.type", "api.request"}
	names := map[string]bool{"ip": true, "description": true, "fingerprint_id": true, "user_id": true, "method": true, "forwarded_for": true, "error": true}
	for _, r := range table.Rows() {
		types = append(types, r.Type)
		for _, k := range catalogue[r.Type] {
			names[k.Name] = true
		}
	}
	keys := slices.Sorted(maps.Keys(names))
	w := map[schema.Format]*schema.Writer{}
	for _, f := range formats {
		w[f] = schema.NewWriter(schema.Options{Format: f, KeepOriginal: true})
	}
	w19 := schema.NewWriter(schema.Options{Format: schema.OCSF, OCSF19: true})
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		own := slices.Clone(keys)
		if len(catalogue[typ]) > 0 && rapid.Bool().Draw(t, "own keys") {
			own = own[:0]
			for _, k := range catalogue[typ] {
				own = append(own, k.Name)
			}
		}
		aggregate, _, _ := strings.Cut(typ, ".")
		if strings.HasPrefix(typ, "api.") {
			aggregate = "webhook"
		}
		r := record.Event{
			Key:  record.Key{Instance: hostile().Draw(t, "instance"), AggregateType: aggregate, AggregateID: hostile().Draw(t, "id"), Sequence: 1},
			Time: readAt, Read: readAt, Type: typ, ResourceOwner: hostile().Draw(t, "owner"), Source: record.SourceEventsAPI, Payload: oddStruct(own, 3).Draw(t, "payload"),
			Editor: record.Editor{ID: hostile().Draw(t, "editor"), Name: hostile().Draw(t, "name")},
		}
		payload.Record(&r)
		var a schema.Activity
		table.Event(&a, &r)
		fail := func(what string, wrong any, line []byte) { t.Fatalf("%s: %v\n%q", what, wrong, line) }
		line := w[schema.ECS].AppendLine(nil, &a)
		if wrong := ecs.check(decodeLine(t, line)); len(wrong) > 0 {
			fail("ECS", wrong, line)
		}
		line = w[schema.OCSF].AppendLine(nil, &a)
		if wrong := ocsf.check(decodeLine(t, line)); len(wrong) > 0 {
			fail("OCSF", wrong, line)
		}
		line = w19.AppendLine(nil, &a)
		if wrong := ocsf19.check(decodeLine(t, line)); len(wrong) > 0 {
			fail("OCSF 1.9", wrong, line)
		}
		line = w[schema.CEF].AppendLine(nil, &a)
		if _, err := parseCEF(string(line)); err != nil {
			fail("CEF", err, line)
		}
		line = w[schema.LEEF].AppendLine(nil, &a)
		if _, err := parseLEEF(string(line)); err != nil {
			fail("LEEF", err, line)
		}
	})
}

// Whoever takes the targets of an execution away ends its webhooks: the record says that
// the list is empty, in every format.
func TestAnExecutionWithoutTargetsSaysSo(t *testing.T) {
	table := load(t)
	targets := structpb.NewListValue(&structpb.ListValue{})
	r := record.Event{
		Key:  record.Key{Instance: "i", AggregateType: "execution", AggregateID: "event", Sequence: 2},
		Time: readAt, Read: readAt, Type: "execution.v2.set", Source: record.SourceEventsAPI,
		Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"targets": targets}},
	}
	payload.Record(&r)
	var a schema.Activity
	table.Event(&a, &r)
	for _, f := range formats {
		if line := string(schema.NewWriter(schema.Options{Format: f}).AppendLine(nil, &a)); !strings.Contains(line, "targets=[]") && !strings.Contains(line, `targets\=[]`) {
			t.Errorf("%v: %s", f, line)
		}
	}
}
