package schema_test

import (
	"syscall"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// cpu reports the processor time of an operation, which other work on the machine
// does not change as it does the time on the wall.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// Each format over the recorded events, beside raw: fill and write.
func BenchmarkEvents(b *testing.B) {
	table, events := load(b), recordedEvents(b)
	buf := make([]byte, 0, 1<<20)
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		defer cpu(b)()
		for i := range b.N {
			buf = record.AppendMsgpack(buf[:0], events[i%len(events)])
		}
	})
	for _, f := range formats {
		b.Run(f.String(), func(b *testing.B) {
			w := schema.NewWriter(schema.Options{Format: f})
			var a schema.Activity
			b.ReportAllocs()
			defer cpu(b)()
			for i := range b.N {
				table.Event(&a, events[i%len(events)])
				buf = w.AppendMsgpack(buf[:0], &a, 0, nil)
			}
		})
	}
}

// The same over the recorded logins of lines, without parsing.
func BenchmarkLogins(b *testing.B) {
	table := load(b)
	var lines []*parser.Record
	for _, r := range recordedLines(b) {
		if r.EventType() == "action.login" {
			lines = append(lines, r)
		}
	}
	buf := make([]byte, 0, 1<<20)
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		defer cpu(b)()
		for i := range b.N {
			buf = parser.AppendMsgpack(buf[:0], lines[i%len(lines)], 0, nil)
		}
	})
	for _, f := range formats {
		b.Run(f.String(), func(b *testing.B) {
			w := schema.NewWriter(schema.Options{Format: f})
			var a schema.Activity
			b.ReportAllocs()
			defer cpu(b)()
			for i := range b.N {
				table.Line(&a, lines[i%len(lines)])
				buf = w.AppendMsgpack(buf[:0], &a, 0, nil)
			}
		})
	}
}

// Filling and writing allocate nothing.
func TestWriters_AllocateNothing(t *testing.T) {
	table, events := load(t), recordedEvents(t)
	lines := recordedLines(t)
	buf := make([]byte, 0, 1<<20)
	for _, f := range formats {
		w := schema.NewWriter(schema.Options{Format: f})
		var a schema.Activity
		i := 0
		event := func() {
			table.Event(&a, events[i%len(events)])
			buf = w.AppendMsgpack(buf[:0], &a, 0, nil)
			i++
		}
		for range events { // the buffers grow once
			event()
		}
		if n := testing.AllocsPerRun(len(events), event); n != 0 {
			t.Errorf("%s: %v allocations per event", f, n)
		}
		line := func() {
			table.Line(&a, lines[i%len(lines)])
			buf = w.AppendMsgpack(buf[:0], &a, 0, nil)
			i++
		}
		for range lines {
			line()
		}
		if n := testing.AllocsPerRun(len(lines), line); n != 0 {
			t.Errorf("%s: %v allocations per line", f, n)
		}
	}
}

// An event of a type that only the rules know.
func BenchmarkUnknownType(b *testing.B) {
	table := load(b)
	r := synthetic("session.something.new", nil)
	w := schema.NewWriter(schema.Options{Format: schema.ECS})
	var a schema.Activity
	var buf []byte
	b.ReportAllocs()
	defer cpu(b)()
	for range b.N {
		table.Event(&a, &r)
		buf = w.AppendMsgpack(buf[:0], &a, 0, nil)
	}
}
