package record_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// What one record costs, on the recorded events; protojson on the event is
// what a user would write first.
func BenchmarkEncode(b *testing.B) {
	records, list := recordedRecords(b), recordedREST(b)
	for _, c := range []struct {
		name   string
		encode func(buf []byte, i int) []byte
	}{
		{"msgpack", func(buf []byte, i int) []byte { return record.AppendMsgpack(buf, &records[i]) }},
		{"json", func(buf []byte, i int) []byte { return record.AppendJSON(buf, &records[i]) }},
		{"protojson", func(buf []byte, i int) []byte {
			buf, _ = protojson.MarshalOptions{}.MarshalAppend(buf, list[i])
			return buf
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			buf := make([]byte, 0, 1<<20)
			size := 0
			for i := range records {
				size += len(c.encode(buf[:0], i))
			}
			b.SetBytes(int64(size / len(records)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				buf = c.encode(buf[:0], i%len(records))
			}
		})
	}
}

func BenchmarkFromEvent(b *testing.B) {
	list := recordedREST(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := events.FromEvent(list[i%len(list)], "demo", readAt); r.Type == "" {
			b.Fatal("no type")
		}
	}
}
