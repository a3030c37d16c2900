package parser_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every recorded line comes out as it did when somebody last looked at it.
func TestGoldenRecordsOfRecordedLines(t *testing.T) {
	for _, rec := range recordings(t) {
		name := "testdata/recorded/" + strings.TrimSuffix(rec.name, ".stderr") + ".golden"
		if strings.HasPrefix(rec.name, "mixed") {
			name += ".gz"
		}
		got := goldenOf(rec)
		if *update {
			writeFile(t, name, got)
			continue
		}
		want := readFile(t, name)
		if bytes.Equal(got, want) {
			continue
		}
		gotLines, wantLines := splitLines(got), splitLines(want)
		if len(gotLines) != len(wantLines) || len(wantLines) != len(rec.lines) {
			t.Errorf("%s: %d lines, golden %d, recorded %d", name, len(gotLines), len(wantLines), len(rec.lines))
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d bytes, golden %d", name, len(got), len(want))
		}
		for i, shown := 0, 0; i < min(len(gotLines), len(wantLines)) && shown < 3; i++ {
			if !bytes.Equal(gotLines[i], wantLines[i]) {
				shown++
				t.Errorf("%s:%d (-update writes it)\n got %s\nwant %s", name, i+1, gotLines[i], wantLines[i])
			}
		}
	}
}

// goldenOf is one line of JSON for each line of rec.
func goldenOf(rec recording) (out []byte) {
	p := everything()
	for _, line := range rec.lines {
		var r parser.Record
		if p.Parse(line, &r) {
			out = parser.AppendJSON(out, &r)
		}
		out = append(out, '\n')
	}
	return out
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a valid one
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		b = packed.Bytes()
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
