package schema_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// What the format raw makes of every recorded event, line and webhook, of a synthetic
// event of each type, of a heartbeat and of odd records stays the same, byte by byte,
// in msgpack and in JSON. testdata/raw.sums has one line for each event type: how many
// records, and the sum of both encodings.
func TestRaw_BytesNeverChange(t *testing.T) {
	sums := sums{}
	for _, r := range recordedEvents(t) {
		sums.add("recorded "+r.Type, r)
	}
	pushed := recordedWebhooks(t)
	for _, r := range slices.Concat(pushed.Events, pushed.Calls) {
		sums.add("webhook "+r.Type, r)
	}
	for _, r := range pushed.Logins {
		login := *r
		login.Read = readAt // the signature that holds it is new in each run
		sums.add("webhook "+r.EventType(), &login)
	}
	for _, r := range recordedLines(t) {
		sums.add("line "+r.EventType(), r)
	}
	keys := payloadKeys(t)
	for _, row := range load(t).Rows() {
		r := synthetic(row.Type, keys[row.Type])
		sums.add("synthetic", &r)
	}
	sums.add("heartbeat", &pipe.Heartbeat{Snapshot: metric.Snapshot{At: readAt, Instance: "demo",
		List: []metric.Metric{{Name: "events", Value: 17}, {Name: "lag_seconds", Value: 0.25}}, Errors: map[string]uint64{"refused": 2, "Unavailable": 1, "a\"\n\xff": 1 << 63}}})
	for _, r := range oddRecords() {
		sums.add("odd", r)
	}

	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&got, "%s %d %.8x\n", name, sums[name].n, sums[name].Sum(nil))
	}
	const file = "testdata/raw.sums"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(readFile(t, file)), "\n")
	for _, line := range strings.Split(got.String(), "\n") {
		if !slices.Contains(want, line) {
			t.Errorf("%s is not in %s", line, file)
		}
	}
	if n := strings.Count(got.String(), "\n") + 1; n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
}

// sums is the sum of the encodings of records, by name.
type sums map[string]*sum

type sum struct {
	hash.Hash
	n int
}

func (s sums) add(name string, r record.Record) {
	if s[name] == nil {
		s[name] = &sum{Hash: sha256.New()}
	}
	s[name].n++
	s[name].Write(record.AppendMsgpack(nil, r))
	s[name].Write(record.AppendLine(nil, r))
	if line, ok := r.(*parser.Record); ok {
		s[name].Write(parser.AppendMsgpack(nil, line, 1, []byte("\xa1k\xa1v")))
	}
}

// oddRecords reach every branch of the encoders that recorded ones do not.
func oddRecords() (all []record.Record) {
	chain := structpb.NewStringValue("innermost")
	for i := range 100 {
		if i%2 == 0 {
			chain = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{chain}})
		} else {
			chain = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"k": chain}})
		}
	}
	for _, n := range []int{0, 1, 15, 16, 17, 300, 65535, 65536} {
		fields, list := map[string]*structpb.Value{}, &structpb.ListValue{}
		for i := range n {
			fields[fmt.Sprint(i)] = structpb.NewNumberValue(float64(i))
			list.Values = append(list.Values, structpb.NewBoolValue(i%2 == 0))
		}
		fields["list"] = structpb.NewListValue(list)
		all = append(all, &record.Event{Type: "wide", Payload: &structpb.Struct{Fields: fields}})
	}
	odd := map[string]*structpb.Value{"deep": chain, "nil": nil, "no kind": {}, "null": structpb.NewNullValue()}
	for i, v := range []float64{0, math.Copysign(0, -1), -1, 1 << 53, 1<<53 + 2, -1e300, 1e-7, 0.5, math.NaN(), math.Inf(1), math.Inf(-1)} {
		odd[fmt.Sprint("number ", i)] = structpb.NewNumberValue(v)
	}
	for i, s := range []string{"", "\x00\x1f\x7f\u0080\u200b\u202e\u2028\"\\\n\r\t", "\xff\xfe", "é日本", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("é", 40000)} {
		odd[fmt.Sprint("text ", i)], odd[s] = structpb.NewStringValue(s), structpb.NewStringValue("key")
		all = append(all,
			&record.Event{Key: record.Key{Instance: s, AggregateType: s, AggregateID: s, Sequence: math.MaxUint64}, Time: time.Date(-1, 1, 1, 0, 0, 0, 1, time.UTC), Read: time.Date(10000, 1, 1, 0, 0, 0, 1, time.UTC), Type: s, LocalizedType: s, ResourceOwner: s, Source: s, Editor: record.Editor{ID: s}},
			&record.Event{Read: readAt, Editor: record.Editor{Name: s, Service: s}, Payload: &structpb.Struct{}},
			&parser.Record{Kind: parser.Log, Time: readAt, Read: readAt, Level: s, Instance: s, Message: s, Raw: s, Cut: true, ActionID: s, Login: parser.Login{UserName: s}, Unverified: parser.Login{Error: s}},
			&parser.Record{Kind: parser.RunFailed, Took: -1, Error: s},
			&parser.Record{Kind: parser.Access, Read: time.Unix(1<<40, 5), Access: parser.Request{Status: -1, Protocol: s, URL: s, Host: s, Domain: s, ProjectID: s, UserAgent: s, ForwardedFor: s}},
		)
	}
	return append(all, &record.Event{Payload: &structpb.Struct{Fields: odd}})
}
