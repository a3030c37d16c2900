package output

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// requests returns the lines of the first n recorded requests, and makes each one a request
// of its own. Each has three lines: access record, request log, activity or gateway.
func requestsOf(t *testing.T) (lines []string) {
	t.Helper()
	p := parser.New(parser.Options{Kinds: parser.AllKinds})
	var r parser.Record
	for _, line := range recorded(t, "mixed.stderr.gz") {
		if p.Parse([]byte(line), &r); r.Kind == parser.Access || r.Kind == parser.Served {
			lines = append(lines, line)
		}
	}
	return lines
}

// told counts the records by type and join.
func told(records []forwardtest.Record) map[string]int {
	m := map[string]int{}
	for _, r := range records {
		event, _ := r.Body["event"].(map[string]any)
		m[fmt.Sprint(event["type"], " ", r.Body["join"])]++
	}
	return m
}

func onlyRequests(o *Options) { o.Parser.Kinds = parser.KindsOf("request") }

// One record for each request of a chunk.
func TestRequests_OneRecordWhereBothHalvesAreInOneChunk(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, onlyRequests)
	lines := requestsOf(t)
	w.flush(t, OK, chunkOf(t, lines[:2]...)) // the stream begins
	w.flush(t, OK, chunkOf(t, lines...))
	got := told(w.Records())
	if got["request trace_id"] < len(lines)/2-1 || got["access none"] > 2 { // the first request began before the stream was known
		t.Errorf("%d lines are %v", len(lines), got)
	}
}

// Law 1: nothing that was acknowledged is only in memory. A chunk that ends between the halves
// sends the first one by itself, and the second one, in the next chunk, is complete.
func TestLaw1_AChunkHoldsBackNoHalf(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, onlyRequests)
	lines := requestsOf(t)[:40]
	w.flush(t, OK, chunkOf(t, lines[:2]...))
	before := len(w.Records())
	for i, line := range lines[2:] {
		w.flush(t, OK, chunkOf(t, line))
		if n := len(w.Records()) - before; n != i+1 {
			t.Fatalf("%d records of %d lines that are acknowledged", n, i+1)
		}
	}
	got := told(w.Records()[before:])
	if got["access none"] != 19 || got["request trace_id"] != 19 {
		t.Errorf("got %v", got)
	}
}

// A chunk that is tried again sends the same records with the same ids.
func TestRequests_ARetrySendsTheSame(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, onlyRequests)
	lines := requestsOf(t)
	first, second := chunkOf(t, lines[:101]...), chunkOf(t, lines[101:202]...)
	ids := func(records []forwardtest.Record) (all []string) {
		for _, r := range records {
			event, _ := r.Body["event"].(map[string]any)
			all = append(all, fmt.Sprint(event["id"], r.Body["join"], r.Body["access"]))
		}
		return all
	}
	w.flush(t, OK, first)
	one := ids(w.Records())
	w.flush(t, OK, second)
	two := ids(w.Records())[len(one):]
	w.flush(t, OK, first)
	w.flush(t, OK, second)
	again := ids(w.Records())[len(one)+len(two):]
	want := append(one, two...)
	if len(again) != len(want) {
		t.Fatalf("%d records, then %d", len(want), len(again))
	}
	for i := range want {
		if want[i] != again[i] && i > 0 { // the first request began before the stream was known
			t.Errorf("record %d\nfirst %s\nagain %s", i, want[i], again[i])
		}
	}
}

// Of several workers, nobody knows which chunk was read first: only what is in one chunk is
// joined.
func TestRequests_WithSeveralWorkersAChunkIsAStreamOfItsOwn(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, onlyRequests)
	w.mixed.Store(true)
	lines := requestsOf(t)[:60]
	for _, line := range lines {
		w.flush(t, OK, chunkOf(t, line))
	}
	if got := told(w.Records()); got["request none"] != 30 || got["access none"] != 30 {
		t.Errorf("got %v", got)
	}
}

// Law 7: lines of a chunk that failed are not known, and younger chunks come before it is tried
// again. A request whose access record is among them does not get that of another request.
func TestLaw7_NoRequestGetsTheHalfOfAnotherAfterAChunkFailed(t *testing.T) {
	lines := requestsOf(t)
	withoutTrace := strings.NewReplacer("traceparent", "tracepareno")
	access, served := withoutTrace.Replace(lines[len(lines)-2]), lines[len(lines)-1]
	fails := func(w *world, chunk []byte) {
		send := w.opts.Send
		w.opts.Send = func(context.Context, string, []byte, int) error { return errors.New("away") }
		w.flush(t, Retry, chunk)
		w.opts.Send = send
	}
	for name, fail := range map[string]func(w *world, chunk []byte) (again bool){
		"the receiver is away": func(w *world, chunk []byte) bool { fails(w, chunk); return true },
		"and given up":         func(w *world, chunk []byte) bool { fails(w, chunk); return false },
		"twice":                func(w *world, chunk []byte) bool { fails(w, chunk); fails(w, chunk); return true },
		"cut":                  func(w *world, chunk []byte) bool { w.flush(t, Error, chunk[:len(chunk)-10]); return false },
	} {
		w := newWorld(t, forwardtest.Options{}, func(o *Options) { onlyRequests(o); o.ChunkSize = 1 })
		w.flush(t, OK, chunkOf(t, lines[0], lines[1]))
		own := chunkOf(t, lines[2], lines[3], lines[4], lines[5], access) // sending fails before the last one
		again := fail(w, own)
		before := len(w.Records())
		other := strings.Replace(access, "127.0.0.1", "127.0.0.2", 1) // of somebody who is not answered yet
		w.flush(t, OK, chunkOf(t, other))
		w.flush(t, OK, chunkOf(t, served))
		if again {
			w.flush(t, OK, own)
		}
		for _, r := range w.Records()[before:] {
			if event, _ := r.Body["event"].(map[string]any); event["type"] == "request" && r.Body["join"] == "only_candidate" {
				t.Errorf("%s: got the half of another request", name)
			}
		}
		before = len(w.Records())
		w.flush(t, OK, chunkOf(t, lines...)) // afterwards it joins as ever
		if got := told(w.Records()[before:]); again && got["request trace_id"] < len(lines)/2-5 {
			t.Errorf("%s: afterwards %v", name, got)
		}
	}
}

// With access records wanted for themselves, they come as ever, and requests are joined too.
func TestRequests_AccessRecordsComeToo(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Parser.Kinds = parser.KindsOf("request", "access") })
	lines := requestsOf(t)[:60]
	w.flush(t, OK, chunkOf(t, lines...))
	if got := told(w.Records()); got["access <nil>"] != 30 || got["request trace_id"] < 28 {
		t.Errorf("got %v", got)
	}
}
