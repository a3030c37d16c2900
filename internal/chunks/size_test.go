package chunks

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// event is a Fluent Bit event with one field.
func event(v any) []byte {
	b := append(msgp.AppendArrayHeader(nil, 2), 0xd7, 0, 0, 0, 0, 1, 0, 0, 0, 2)
	b, err := msgp.AppendIntf(msgp.AppendString(msgp.AppendMapHeader(b, 1), "k"), v)
	if err != nil {
		panic(err)
	}
	return b
}

// escaped is the JSON of the longest kind: every character beyond ASCII as \uXXXX, and what
// is no character as U+FFFD.
func escaped(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range string(data) {
		switch {
		case r > 0xffff:
			b.WriteString(`\ud800\udc00`)
		case r > 0x7e:
			b.WriteString(`\u0000`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestSize_IsNeverBelowTheJSON(t *testing.T) {
	for _, v := range []any{
		"", "plain", "\x00\x01\x1f\x7f", "\"\\\n\r\t\b\f", "é漢😀", strings.Repeat("\x00", 1000),
		int64(math.MinInt64), uint64(math.MaxUint64), 0.1, -math.MaxFloat64 / 1e300, true, false, nil,
		map[string]any{"a": []any{1, "b", map[string]any{}}, "": nil}, []any{}, []any{[]any{[]any{}}},
	} {
		if size, is := Size(event(v)), len(escaped(t, map[string]any{"k": v})); size < is {
			t.Errorf("%#v: %d, the JSON has %d bytes", v, size, is)
		}
	}
	if size := Size(event("\xff\xfe")); size < len(`{"k":""}`)+2*len("\ufffd") {
		t.Errorf("two invalid bytes: %d", size)
	}
	if size := Size(event(1e308)); size < 309 { // Fluent Bit writes %.1f
		t.Errorf("1e308: %d", size)
	}
}

// A limit is of use only if it is not far from what is sent.
func TestSize_OfRealRecordsIsClose(t *testing.T) {
	var size, is int
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, "i", time.Now())
		size += Size(record.AppendMsgpack(nil, &r))
		is += len(record.AppendJSON(nil, &r))
	}
	t.Logf("%d bytes of JSON, counted as %d", is, size)
	if size < is || size > is*5/4 {
		t.Errorf("%d bytes of JSON, counted as %d", is, size)
	}
}

func TestSize_AllocatesNothing(t *testing.T) {
	b := event(map[string]any{"a": []any{1, "b", 2.5}})
	if n := testing.AllocsPerRun(100, func() { Size(b) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSize(f *testing.F) {
	f.Add(event("a"))
	f.Add(event(map[string]any{"a": []any{1.5, nil}})[:20])
	f.Add(append(event(1), 0xc1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if size := Size(b); len(b) > 0 && size <= 0 {
			t.Errorf("%d for %d bytes", size, len(b))
		}
	})
}

// What the limit costs for each record, on the recorded events.
func BenchmarkSize(b *testing.B) {
	var records []byte
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, "i", time.Now())
		records = record.AppendMsgpack(records, &r)
	}
	b.SetBytes(int64(len(records)))
	b.ReportAllocs()
	for b.Loop() {
		Size(records)
	}
}
