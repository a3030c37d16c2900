package parser

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

// writeDocument writes what appendRecord writes of a login.
func writeDocument(d *document.Doc, scratch []byte, r *Record) []byte {
	t := r.Time
	if t.IsZero() {
		t = r.Read
	}
	d.Event(t)
	d.Map("")
	d.Map("event")
	d.Text("type", r.EventType())
	scratch = r.AppendID(scratch[:0])
	d.TextBytes("id", scratch)
	d.TimeNano("time", r.Time)
	d.TimeNano("read_at", r.Read)
	d.Some("level", r.Level)
	d.End()
	writeLogin(d, "login", &r.Login)
	writeLogin(d, "unverified", &r.Unverified)
	if r.Cut {
		d.Bool("cut", true)
	}
	d.Text("format", r.Format.String())
	d.Text("trust", r.Trust.String())
	d.Some("action_id", r.ActionID)
	d.Some("instance", r.Instance)
	d.Text("source", Source)
	d.End()
	return scratch
}

func writeLogin(d *document.Doc, key string, l *Login) {
	d.Optional(key)
	for i := range loginFields {
		d.Some(loginFields[i].name, *loginFields[i].of(l))
	}
	d.End()
}

func recordedLogins(tb testing.TB) (all []Record) {
	tb.Helper()
	names, err := filepath.Glob("testdata/recorded/*.stderr")
	if err != nil || len(names) < 50 {
		tb.Fatal(len(names), err)
	}
	p := New(Options{})
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var r Record
			if p.Parse(line, &r) && r.EventType() == "action.login" {
				all = append(all, r)
			}
		}
	}
	return all
}

func TestDocument_IsWhatTheWalkWrites(t *testing.T) {
	var d document.Doc
	logins := recordedLogins(t)
	for _, r := range logins {
		d.Reset(nil, encode.Msgpack)
		writeDocument(&d, nil, &r)
		if got, want := d.Bytes(), AppendMsgpack(nil, &r, 0, nil); !bytes.Equal(got, want) {
			t.Fatalf("msgpack:\n%q\n%q", got, want)
		}
		d.Reset(nil, encode.JSON)
		writeDocument(&d, nil, &r)
		if got, want := d.Bytes(), AppendJSON(nil, &r); !bytes.Equal(got, want) {
			t.Fatalf("JSON:\n%s\n%s", got, want)
		}
	}
	if len(logins) < 50 {
		t.Errorf("%d logins", len(logins))
	}
}

// The document beside the walk, over the recorded logins.
func BenchmarkRaw(b *testing.B) {
	logins := recordedLogins(b)
	buf := make([]byte, 0, 1<<20)
	var d document.Doc
	var scratch []byte
	b.Run("walk", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			buf = AppendMsgpack(buf[:0], &logins[i%len(logins)], 0, nil)
		}
	})
	b.Run("document", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			d.Reset(buf[:0], encode.Msgpack)
			scratch = writeDocument(&d, scratch, &logins[i%len(logins)])
			buf = d.Bytes()
		}
	})
}
