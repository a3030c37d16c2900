package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// recorded returns what a real ZITADEL wrote: 3,000 mixed lines, and those of
// every recorded login.
func recorded(t *testing.T) (lines []string) {
	t.Helper()
	for _, pattern := range []string{"mixed.stderr.gz", "0*.stderr"} {
		paths, err := filepath.Glob("../../parser/testdata/recorded/" + pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, path := range paths {
			for line := range bytes.Lines(read(t, path)) {
				lines = append(lines, string(bytes.TrimRight(line, "\n")))
			}
		}
	}
	return lines
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".gz" {
		return b
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return b
}

// expected counts the lines by what their record says of itself.
func expected(lines []string, kinds parser.Kinds) map[string]int {
	want := map[string]int{}
	p := parser.New(parser.Options{Kinds: kinds})
	var r parser.Record
	for _, line := range lines {
		if p.Parse([]byte(line), &r) {
			want[r.EventType()+" "+r.ID()]++
		}
	}
	return want
}

// wantOnce checks that events are those of the lines, each once.
func wantOnce(t *testing.T, lines, events []string) {
	t.Helper()
	got := map[string]int{}
	for _, event := range events {
		got[event]++
	}
	if diff := cmp.Diff(expected(lines, parser.AllKinds), got); diff != "" {
		t.Errorf("lines (-) and records (+):\n%.2000s", diff)
	}
}

func eventsOf(records []forwardtest.Record) (events []string) {
	for _, r := range records {
		event, _ := r.Body["event"].(map[string]any)
		id, _ := event["id"].(string)
		if event["time"] == nil && id != "" {
			id = "" // made of the time of reading, which nobody knows before
		}
		events = append(events, fmt.Sprint(event["type"], " ", id))
	}
	return events
}

// eventsOfJSON is eventsOf for the lines of Fluent Bit's file output.
func eventsOfJSON(t *testing.T, lines []string) []string {
	t.Helper()
	records := make([]forwardtest.Record, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &records[i].Body); err != nil {
			t.Fatalf("no record: %.200s: %v", line, err)
		}
	}
	return eventsOf(records)
}
