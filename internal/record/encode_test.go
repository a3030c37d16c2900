package record_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

var update = flag.Bool("update", false, "write the golden file anew")

// check holds both encodings of r against each other and returns the JSON.
func check(tb testing.TB, r *record.Event) []byte {
	tb.Helper()
	line := record.AppendJSON(nil, r)
	if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsAny(line, "\n\r") {
		tb.Fatalf("not one line of JSON: %q", line)
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var fromJSON any
	if err := decoder.Decode(&fromJSON); err != nil {
		tb.Fatal(err)
	}
	_, fromMsgpack := decode(tb, record.AppendMsgpack(nil, r))
	// Not cmp.Diff: its cost is exponential in the depth of nested lists.
	if a, b := plainNumbers(fromJSON), plainNumbers(fromMsgpack); !reflect.DeepEqual(a, b) {
		tb.Fatalf("JSON and msgpack differ:\n%v\n%v", a, b)
	}
	return line
}

// decode reads one Fluent Bit event.
func decode(tb testing.TB, b []byte) (time.Time, map[string]any) {
	tb.Helper()
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n != 2 {
		tb.Fatalf("event is no array of two: %d, %v", n, err)
	}
	if len(b) < 10 || b[0] != 0xd7 || b[1] != 0 {
		tb.Fatalf("no EventTime: % x", b[:min(len(b), 10)])
	}
	at := time.Unix(int64(binary.BigEndian.Uint32(b[2:])), int64(binary.BigEndian.Uint32(b[6:]))).UTC()
	fields, rest, err := msgp.ReadMapStrIntfBytes(b[10:], nil)
	if err != nil || len(rest) != 0 {
		tb.Fatalf("map: %v, %d bytes behind it", err, len(rest))
	}
	return at, fields
}

// plainNumbers brings the two decoders' numbers to one form: an integer stays
// apart from a float of the same value.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = plainNumbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = plainNumbers(x)
		}
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			f, _ := v.Float64()
			return f
		}
		return "integer " + v.String()
	case int64:
		return "integer " + strconv.FormatInt(v, 10)
	case uint64:
		return "integer " + strconv.FormatUint(v, 10)
	}
	return v
}

func withPayload(fields map[string]any) *record.Event {
	payload, err := structpb.NewStruct(fields)
	if err != nil {
		panic(err)
	}
	return &record.Event{Payload: payload}
}

func payloadJSON(tb testing.TB, r *record.Event) string {
	tb.Helper()
	var line struct{ Payload json.RawMessage }
	if err := json.Unmarshal(check(tb, r), &line); err != nil {
		tb.Fatal(err)
	}
	return string(line.Payload)
}

func TestEncoders_NeverDifferOnRecordedEvents(t *testing.T) {
	for _, r := range recordedRecords(t) {
		check(t, &r)
	}
}

// A handful of real events, word by word: the schema "raw" as users see it.
func TestAppendJSON_Golden(t *testing.T) {
	const path = "testdata/golden.jsonl"
	wanted := map[string]bool{
		"instance.added":                     true, // no editor id
		"instance.secret.generator.added":    true, // integers of 15 digits
		"user.human.phone.verified":          true, // no payload
		"session.added":                      true, // nested maps and lists
		"org.flow.trigger_actions.set":       true, // list
		"feature.instance.login_v2.set":      true, // empty map
		"user.human.password.check.failed":   true, // user agent and IP
		"permission.added":                   true,
		"user.human.profile.changed":         true,
		"oidc_session.access_token.added":    true,
		"project.application.oidc.key.added": true,
	}
	var got []byte
	for _, r := range recordedRecords(t) {
		if wanted[r.Type] {
			wanted[r.Type] = false
			got = append(record.AppendJSON(got, &r), '\n')
		}
	}
	for typ, missing := range wanted {
		if missing {
			t.Errorf("no recorded event of type %s", typ)
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

func TestAppendMsgpack_EventTimeIsTheTimeOfTheEvent(t *testing.T) {
	created := time.Date(2026, 11, 22, 9, 19, 13, 380434000, time.UTC)
	for _, c := range []struct {
		name       string
		time, read time.Time
		want       time.Time
	}{
		{"event's own", created, readAt, created},
		{"unknown: time of reading", time.Time{}, readAt, readAt},
		{"neither", time.Time{}, time.Time{}, time.Unix(0, 0).UTC()},
		{"before 1970", time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), readAt, time.Unix(0, 0).UTC()},
		{"beyond 32 bits", time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), readAt, time.Unix(math.MaxUint32, 0).UTC()},
	} {
		r := record.Event{Time: c.time, Read: c.read}
		if got, _ := decode(t, record.AppendMsgpack(nil, &r)); !got.Equal(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEncoders_TimesHaveSixDigits(t *testing.T) {
	zone := time.FixedZone("east", 2*60*60)
	r := record.Event{Time: time.Date(2026, 1, 2, 5, 4, 5, 0, zone), Read: time.Date(2026, 1, 2, 3, 4, 5, 999999999, time.UTC)}
	var line struct {
		Event struct {
			Time   string
			ReadAt string `json:"read_at"`
		}
	}
	if err := json.Unmarshal(check(t, &r), &line); err != nil {
		t.Fatal(err)
	}
	if line.Event.Time != "2026-01-02T03:04:05.000000Z" || line.Event.ReadAt != "2026-01-02T03:04:05.999999Z" {
		t.Errorf("got %+v", line.Event)
	}
}

func TestEncoders_IntegersStayIntegers(t *testing.T) {
	for v, want := range map[float64]string{
		0:                           "0",
		math.Copysign(0, -1):        "0",
		-1:                          "-1",
		127:                         "127",
		7776000000000000:            "7776000000000000",
		1 << 53:                     "9007199254740992",
		-(1 << 53):                  "-9007199254740992",
		1<<53 + 2:                   "9.007199254740994e+15",
		1e18:                        "1e+18",
		1e300:                       "1e+300",
		0.5:                         "0.5",
		-1234.25:                    "-1234.25",
		1e-7:                        "1e-07",
		math.MaxFloat64:             "1.7976931348623157e+308",
		math.Inf(1):                 `"Infinity"`,
		math.Inf(-1):                `"-Infinity"`,
		math.SmallestNonzeroFloat64: "5e-324",
	} {
		if got := payloadJSON(t, withPayload(map[string]any{"n": v})); got != `{"n":`+want+`}` {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	if got := payloadJSON(t, withPayload(map[string]any{"n": math.NaN()})); got != `{"n":"NaN"}` {
		t.Errorf("NaN: got %s", got)
	}
}

func TestEncoders_EscapeWhatWouldBreakALineOrATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                 `"plain"`,
		"<b>&amp;</b>":                          `"<b>&amp;</b>"`,
		"say \"hi\" \\ there":                   `"say \"hi\" \\ there"`,
		"a\nb\rc\td\x00e\x1bf\x7fg":             `"a\nb\rc\td\u0000e\u001bf\u007fg"`,
		"\u0085\u009b\u2028\u2029":              `"\u0085\u009b\u2028\u2029"`,
		"a\u200b\u200c\u200d\u200e\u200fb":      `"a\u200b\u200c\u200d\u200e\u200fb"`,
		"\u202a\u202b\u202c\u202d\u202etxt.exe": `"\u202a\u202b\u202c\u202d\u202etxt.exe"`,
		"\u2066\u2067\u2068\u2069":              `"\u2066\u2067\u2068\u2069"`,
		"\u200a\u2010\u2027\u202f\u2065\u206a":  "\"\u200a\u2010\u2027\u202f\u2065\u206a\"",
		"Søren 李小龍 🎉":                           `"Søren 李小龍 🎉"`,
		"cut \xe6\x9d rune \xff\xfe.":           "\"cut \uFFFD rune \uFFFD.\"",
	} {
		r := record.Event{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"s": structpb.NewStringValue(in)}}}
		if got := payloadJSON(t, &r); got != `{"s":`+want+`}` {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestEncoders_IDIsTheKeysWhateverItHolds(t *testing.T) {
	for _, aggregate := range []string{"400712317102197798", "a/b", `a"b\c`, "a\nb", "Søren", "cut\xe6", strings.Repeat("x", 300), strings.Repeat("x", 1<<17)} {
		for _, instance := range []string{"", "demo", "dé\x00mo"} {
			r := record.Event{Key: record.Key{Instance: instance, AggregateType: "user", AggregateID: aggregate, Sequence: 42}}
			var line struct{ Event struct{ ID string } }
			if err := json.Unmarshal(check(t, &r), &line); err != nil {
				t.Fatal(err)
			}
			if want := strings.ToValidUTF8(r.ID(), "\uFFFD"); line.Event.ID != want {
				t.Errorf("got %q, want %q", line.Event.ID, want)
			}
		}
	}
}

func TestEncoders_EmptyThingsStay(t *testing.T) {
	r := withPayload(map[string]any{"list": []any{}, "map": map[string]any{}, "null": nil, "text": ""})
	if got := payloadJSON(t, r); got != `{"list":[],"map":{},"null":null,"text":""}` {
		t.Error(got)
	}
	r = &record.Event{Payload: &structpb.Struct{}}
	if got := payloadJSON(t, r); got != `{}` {
		t.Error(got)
	}
	// Values that no decoder makes, but a caller may.
	r = &record.Event{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
		"a": nil, "b": {}, "c": structpb.NewListValue(nil), "d": structpb.NewStructValue(nil),
		"e": structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{nil, {}}}),
	}}}
	if got := payloadJSON(t, r); got != `{"a":null,"b":null,"c":[],"d":{},"e":[null,null]}` {
		t.Error(got)
	}
}

func TestEncoders_DepthIsBounded(t *testing.T) {
	for name, wrap := range map[string]func(*structpb.Value) *structpb.Value{
		"maps": func(v *structpb.Value) *structpb.Value {
			return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"m": v}})
		},
		"lists": func(v *structpb.Value) *structpb.Value {
			return structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
		},
	} {
		nested := func(levels int) *record.Event {
			v := structpb.NewStringValue("innermost")
			for range levels - 1 {
				v = wrap(v)
			}
			return &record.Event{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"m": v}}}
		}
		if got := string(check(t, nested(record.MaxDepth))); !strings.Contains(got, "innermost") || strings.Contains(got, record.TooDeep) {
			t.Errorf("%s: %d levels are cut", name, record.MaxDepth)
		}
		for _, levels := range []int{record.MaxDepth + 1, 100_000} {
			if got := string(check(t, nested(levels))); strings.Contains(got, "innermost") || !strings.Contains(got, record.TooDeep) {
				t.Errorf("%s: %d levels are not cut", name, levels)
			}
		}
	}
}

func TestEncoders_SameRecordSameBytes(t *testing.T) {
	fields := map[string]any{}
	for i := range 100 {
		fields[strconv.Itoa(i)] = map[string]any{"b": i, "a": i, "c": []any{map[string]any{"y": 1, "x": 2}}}
	}
	r := withPayload(fields)
	first, packed := record.AppendJSON(nil, r), record.AppendMsgpack(nil, r)
	for range 10 {
		if !bytes.Equal(first, record.AppendJSON(nil, r)) || !bytes.Equal(packed, record.AppendMsgpack(nil, r)) {
			t.Fatal("two encodings of one record differ")
		}
	}
	if !bytes.Contains(first, []byte(`{"a":0,"b":0,"c":[{"x":2,"y":1}]}`)) {
		t.Error("keys are not sorted")
	}
	check(t, r)
}

func TestEncoders_AllocateNothing(t *testing.T) {
	records := recordedRecords(t)
	buf := make([]byte, 0, 1<<20)
	for name, appendTo := range encoders {
		i := 0
		if n := testing.AllocsPerRun(len(records), func() {
			buf = appendTo(buf[:0], &records[i%len(records)])
			i++
		}); n != 0 {
			t.Errorf("%s: %v allocations per record", name, n)
		}
	}
}

var encoders = map[string]record.Encoder{"json": record.AppendJSON, "msgpack": record.AppendMsgpack}
