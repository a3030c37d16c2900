package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// The benchmarks read the recorded lines with the official script's text, one after the
// other, beside two ways that a user would write: see baseline_test.go.

// unwanted returns the recorded lines that DefaultKinds leave out.
func unwanted(tb testing.TB) (lines [][]byte) {
	tb.Helper()
	for _, rec := range recordings(tb) {
		for _, line := range rec.lines {
			if k := decodeReference(line).kind; !bytes.HasPrefix(line, []byte("\x1b")) && (k == parser.Other || k == parser.Access) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// each runs f on one line after the other, and reports bytes and lines.
func each(b *testing.B, lines [][]byte, f func(line []byte)) {
	b.Helper()
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	b.SetBytes(int64(size / len(lines)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f(lines[i%len(lines)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkParse is a line to a record.
func BenchmarkParse(b *testing.B) {
	p := parser.New(parser.Options{})
	var r parser.Record
	each(b, benchLines(b), func(line []byte) {
		if !p.Parse(line, &r) {
			b.Fatal("not wanted")
		}
	})
}

// BenchmarkParseAndEncode is a line to Fluent Bit's msgpack.
func BenchmarkParseAndEncode(b *testing.B) {
	p := parser.New(parser.Options{})
	var r parser.Record
	var out []byte
	each(b, benchLines(b), func(line []byte) {
		if !p.Parse(line, &r) {
			b.Fatal("not wanted")
		}
		out = parser.AppendMsgpack(out[:0], &r, 0, nil)
	})
}

// BenchmarkEncode is a record to msgpack and to JSON, beside encoding/json on the same
// record, which is what a user would write first.
func BenchmarkEncode(b *testing.B) {
	p := parser.New(parser.Options{})
	var records []parser.Record
	for _, line := range benchLines(b) {
		var r parser.Record
		if !p.Parse(line, &r) {
			b.Fatal("not wanted")
		}
		records = append(records, r)
	}
	var out []byte
	for _, c := range []struct {
		name   string
		encode func(*parser.Record)
	}{
		{"msgpack", func(r *parser.Record) { out = parser.AppendMsgpack(out[:0], r, 0, nil) }},
		{"json", func(r *parser.Record) { out = parser.AppendJSON(out[:0], r) }},
		{"encoding-json", func(r *parser.Record) { out, _ = json.Marshal(r) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.encode(&records[i%len(records)])
			}
		})
	}
}

// BenchmarkParseWrapped is BenchmarkParse of the lines as Docker and Kubernetes keep them.
func BenchmarkParseWrapped(b *testing.B) {
	for _, w := range wrappings {
		if w.name != "Docker" && w.name != "CRI" {
			continue
		}
		b.Run(w.name, func(b *testing.B) {
			var lines [][]byte
			for _, line := range benchLines(b) {
				lines = append(lines, w.wrap(line))
			}
			p := parser.New(parser.Options{})
			var r parser.Record
			each(b, lines, func(line []byte) { p.Parse(line, &r) })
		})
	}
}

// BenchmarkUnwanted is what a line costs that nobody asked for.
func BenchmarkUnwanted(b *testing.B) {
	for _, kind := range []parser.Kind{parser.Other, parser.Access} {
		b.Run(kind.String(), func(b *testing.B) {
			var lines [][]byte
			for _, line := range unwanted(b) {
				if decodeReference(line).kind == kind {
					lines = append(lines, line)
				}
			}
			p := parser.New(parser.Options{})
			var r parser.Record
			each(b, lines, func(line []byte) {
				if p.Parse(line, &r) {
					b.Fatal("wanted")
				}
			})
		})
	}
}

// BenchmarkMixed is the log as it really looks: most lines are not wanted.
func BenchmarkMixed(b *testing.B) {
	lines := splitLines(readFile(b, "testdata/recorded/mixed.stderr.gz"))
	p := parser.New(parser.Options{})
	var r parser.Record
	each(b, lines, func(line []byte) { p.Parse(line, &r) })
}

// BenchmarkBaseline is what a user would write instead, on the same lines.
func BenchmarkBaseline(b *testing.B) {
	for _, base := range baselines {
		b.Run(base.name, func(b *testing.B) {
			each(b, benchLines(b), func(line []byte) {
				if _, ok := base.parse(line); !ok {
					b.Fatal("no official line")
				}
			})
		})
	}
}

// requestLines are the recorded lines of some kinds.
func requestLines(tb testing.TB, kinds ...parser.Kind) (lines [][]byte) {
	tb.Helper()
	for _, rec := range recordings(tb) {
		for _, line := range rec.lines {
			if k := decodeReference(line).kind; slices.Contains(kinds, k) && !bytes.HasPrefix(line, []byte("\x1b")) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// BenchmarkRequest is a line of the request log, of the activity log and of the access log
// to a record, beside the official script's line in BenchmarkParse.
func BenchmarkRequest(b *testing.B) {
	for _, kind := range []parser.Kind{parser.Served, parser.Gateway, parser.Activity, parser.Access} {
		b.Run(kind.String(), func(b *testing.B) {
			p := parser.New(parser.Options{Kinds: parser.AllKinds})
			var r parser.Record
			each(b, requestLines(b, kind), func(line []byte) { p.Parse(line, &r) })
		})
	}
}

// BenchmarkJoin is what a joiner adds to a record that is parsed: both halves of each
// request, with a full memory.
func BenchmarkJoin(b *testing.B) {
	p := parser.New(parser.Options{Kinds: parser.AllKinds})
	var records []parser.Record
	for _, line := range requestLines(b, parser.Served, parser.Access) {
		var r parser.Record
		p.Parse(line, &r)
		records = append(records, r)
	}
	// Requests that are all different: more of them than the joiner remembers.
	var ids [2 * parser.JoinRequests / 1000][]string
	for round := range ids {
		for _, r := range records {
			id := r.Access.TraceID + r.Access.RequestID // of Access, one of the two
			switch {
			case r.Served.Protocol == "http":
				id = r.Served.ID
			case r.Kind == parser.Served:
				id = r.Served.TraceID
			}
			ids[round] = append(ids[round], fmt.Sprintf("%02d", round)+id[2:])
		}
	}
	j := parser.NewJoiner()
	j.Begin(1)
	n, joined := 0, 0
	join := func() {
		r := records[n%len(records)]
		round := n / len(records)
		id := ids[round%len(ids)][n%len(records)]
		n++
		r.Time = r.Time.Add(time.Duration(round) * time.Hour)
		if r.Kind == parser.Access {
			if r.Access.RequestID != "" {
				r.Access.RequestID = id
			} else {
				r.Access.TraceID = id
			}
			j.Access(1, &r, parser.Place{})
			return
		}
		r.Served.ID, r.Served.TraceID = id, id
		if _, ok := j.Served(1, &r); ok {
			joined++
		}
	}
	for range len(ids) * len(records) { // the memory fills
		join()
	}
	joined = 0
	b.ReportAllocs()
	for b.Loop() {
		join()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(2*float64(joined)/float64(b.N), "joined")
}
