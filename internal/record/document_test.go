package record_test

import (
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/encode"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// rawDocument writes what record.AppendMsgpack and AppendJSON write.
func rawDocument(d *document.Doc, scratch []byte, r *record.Event) []byte {
	t := r.Time
	if t.IsZero() {
		t = r.Read
	}
	d.Event(t)
	d.Map("")
	d.Map("event")
	scratch = r.Key.AppendID(scratch[:0])
	d.TextBytes("id", scratch)
	d.Text("type", r.Type)
	d.Some("type_localized", r.LocalizedType)
	d.Uint("sequence", r.Sequence)
	d.Time("time", r.Time)
	d.Time("read_at", r.Read)
	d.End()
	d.Map("aggregate")
	d.Text("type", r.AggregateType)
	d.Text("id", r.AggregateID)
	d.Some("resource_owner", r.ResourceOwner)
	d.End()
	d.Optional("editor")
	d.Some("id", r.Editor.ID)
	d.Some("name", r.Editor.Name)
	d.Some("service", r.Editor.Service)
	d.End()
	d.Struct("payload", r.Payload)
	d.Text("instance", r.Instance)
	d.Text("source", r.Source)
	d.End()
	return scratch
}

func TestDocument_IsWhatTheWalkWrites(t *testing.T) {
	var d document.Doc
	var scratch []byte
	for _, r := range recordedRecords(t) {
		d.Reset(nil, encode.Msgpack)
		scratch = rawDocument(&d, scratch, &r)
		if got := d.Bytes(); string(got) != string(record.AppendMsgpack(nil, &r)) {
			t.Fatalf("msgpack of %s differs:\n%q\n%q", r.Key.ID(), got, record.AppendMsgpack(nil, &r))
		}
		d.Reset(nil, encode.JSON)
		scratch = rawDocument(&d, scratch, &r)
		if got := d.Bytes(); string(got) != string(record.AppendJSON(nil, &r)) {
			t.Fatalf("JSON of %s differs:\n%s", r.Key.ID(), got)
		}
	}
}

// The document beside the walk, over the recorded events.
func BenchmarkRaw(b *testing.B) {
	records := recordedRecords(b)
	buf := make([]byte, 0, 1<<20)
	var d document.Doc
	var scratch []byte
	for _, f := range []struct {
		name   string
		format encode.Format
		walk   func([]byte, *record.Event) []byte
	}{
		{"msgpack", encode.Msgpack, func(b []byte, e *record.Event) []byte { return record.AppendMsgpack(b, e) }},
		{"json", encode.JSON, func(b []byte, e *record.Event) []byte { return record.AppendJSON(b, e) }},
	} {
		b.Run(f.name+"/walk", func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				buf = f.walk(buf[:0], &records[i%len(records)])
			}
		})
		b.Run(f.name+"/document", func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				d.Reset(buf[:0], f.format)
				scratch = rawDocument(&d, scratch, &records[i%len(records)])
				buf = d.Bytes()
			}
		})
	}
}
