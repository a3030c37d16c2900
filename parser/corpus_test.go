package parser_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// recording is one recorded file, line by line, without the newlines. A
// terminal's carriage returns stay.
type recording struct {
	name  string
	lines [][]byte
}

// recordings reads every file of testdata/recorded, in order.
func recordings(tb testing.TB) []recording {
	tb.Helper()
	readRecordings.Do(func() { recorded = allRecordings(tb) })
	if len(recorded) == 0 {
		tb.Fatal("the recordings cannot be read, see the test that read them first")
	}
	return recorded
}

var (
	readRecordings sync.Once
	recorded       []recording
)

func allRecordings(tb testing.TB) []recording {
	tb.Helper()
	names, err := filepath.Glob("testdata/recorded/*.stderr*")
	if err != nil {
		tb.Fatal(err)
	}
	if len(names) < 90 {
		tb.Fatalf("only %d recorded files: testdata is incomplete", len(names))
	}
	all := make([]recording, 0, len(names))
	for _, name := range names {
		all = append(all, recording{strings.TrimSuffix(filepath.Base(name), ".gz"), splitLines(readFile(tb, name))})
	}
	return all
}

// readFile reads a file, unpacked where it ends in .gz.
func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		tb.Fatal(err)
	}
	return b
}

// splitLines splits at newlines; an empty last line is none.
func splitLines(b []byte) [][]byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if len(b) == 0 {
		return nil
	}
	return bytes.Split(b, []byte("\n"))
}

// everything is a parser that wants all it can have.
func everything() *parser.Parser {
	return parser.New(parser.Options{Kinds: parser.AllKinds, Raw: true})
}

// parse is one line through a new parser, all kinds wanted.
func parse(tb fataler, line []byte) *parser.Record {
	tb.Helper()
	var r parser.Record
	if !everything().Parse(line, &r) {
		tb.Fatalf("Parse with AllKinds refuses %.200q", line)
	}
	return &r
}

// fataler is what testing.TB and rapid.T have in common and is used here.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// recordedOfficial returns the recorded lines with the official script's text.
func recordedOfficial(tb testing.TB) (lines [][]byte) {
	tb.Helper()
	for _, rec := range recordings(tb) {
		for _, line := range rec.lines {
			if ref := decodeReference(line); ref.kind == parser.Log && ref.official() {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) < 40 {
		tb.Fatalf("only %d recorded official lines", len(lines))
	}
	return lines
}
