package payload_test

import (
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

// What one recorded event costs from the decoded message to msgpack. Redaction
// changes its payload, so that each round starts from copies, untimed.
func BenchmarkRecord(b *testing.B) {
	list := allRecorded(b)
	records := make([]record.Event, len(list))
	size := 0
	fresh := func() {
		for i, e := range list {
			records[i] = events.FromEvent(e, "demo", readAt)
			if e.GetPayload() != nil {
				records[i].Payload = proto.Clone(e.GetPayload()).(*structpb.Struct)
			}
		}
	}
	fresh()
	buf := make([]byte, 0, 1<<20)
	for i := range records {
		size += len(record.AppendMsgpack(buf, &records[i]))
	}
	for _, c := range []struct {
		name string
		run  func(*record.Event)
	}{
		{"redact", func(r *record.Event) { payload.Record(r) }},
		{"msgpack", func(r *record.Event) { buf = record.AppendMsgpack(buf[:0], r) }},
		{"redact+msgpack", func(r *record.Event) { payload.Record(r); buf = record.AppendMsgpack(buf[:0], r) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(size / len(records)))
			b.ReportAllocs()
			for i := range b.N {
				if i%len(records) == 0 {
					b.StopTimer()
					fresh()
					b.StartTimer()
				}
				c.run(&records[i%len(records)])
			}
		})
	}
}

// A string without a secret, against the regular expression that a user would
// write for a part of the shapes.
func BenchmarkText(b *testing.B) {
	pattern := regexp.MustCompile(`\$2[abxy]\$[./A-Za-z0-9$]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?i)bearer \S+|(?:code|token|password)=[^&\s]+`)
	for name, s := range map[string]string{
		"id":         "400712317102197798",
		"user-agent": "Mozilla/5.0 (X11; Linux x86_64) lab-login-driver/1.0",
		"url":        "http://localhost:18080/ui/console/auth/callback",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				redact.String(s)
			}
		})
		b.Run(name+"/regexp", func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				pattern.ReplaceAllString(s, redact.Redacted)
			}
		})
	}
}
