package output

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// wantLines checks that the records are those of the lines, each once.
func wantLines(t *testing.T, records []forwardtest.Record, lines []string) {
	t.Helper()
	want := map[string]int{}
	p := parser.New(parser.Options{Kinds: parser.AllKinds})
	var r parser.Record
	for _, line := range lines {
		if p.Parse([]byte(line), &r) {
			want[r.EventType()+" "+r.ID()]++
		}
	}
	got := map[string]int{}
	for _, r := range records {
		event, _ := r.Body["event"].(map[string]any)
		id, _ := event["id"].(string)
		if event["time"] == nil && strings.Contains(id, "/1750000000123000000/") {
			id = "" // it is made of the time of reading, and of what a split line's part is
		}
		got[fmt.Sprint(event["type"], " ", id)]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-) and records (+):\n%.2000s", diff)
	}
}

func TestFlush_EveryRecordedLineOnceWithItsTimeAndItsNeighbours(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	lines := append(recorded(t, "0*.stderr"), recorded(t, "mixed.stderr.gz")...)
	w.flush(t, OK, chunkOf(t, lines...))
	wantLines(t, w.Records(), lines)
	for _, m := range w.Messages() {
		if m.Tag != "kube.zitadel" || m.Bytes > 1<<20 {
			t.Errorf("message of %d bytes with tag %q", m.Bytes, m.Tag)
		}
	}
	for _, r := range w.Records() {
		event := r.Body["event"].(map[string]any)
		if r.Body["stream"] != "stderr" || r.Body["source"] != parser.Source {
			t.Fatalf("got %v", r.Body)
		}
		if said, _ := event["time"].(string); said == "" {
			if !r.Time.Equal(incoming) {
				t.Fatalf("time %v of a line that tells none", r.Time)
			}
		} else if said != r.Time.Format("2006-01-02T15:04:05.000000000Z") || event["read_at"] != "2025-06-15T15:06:40.123000000Z" {
			t.Fatalf("record of %v has the event %v", r.Time, event)
		}
	}
	c := w.Counts()
	if c.Records != uint64(len(lines)) || c.Sent != c.Records {
		t.Errorf("counts %+v of %d lines", c, len(lines))
	}
}

func TestFlush_NeighboursSurviveAndReservedOnesMove(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	kubernetes := map[string]any{
		"pod_name": "zitadel-0", "namespace_name": "iam", "container_hash": "ghcr.io/zitadel/zitadel@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"labels": map[string]any{"app": "zitadel", "pod-template-hash": "6c9f7b"}, "ports": []any{int64(8080), true, nil, 1.5},
	}
	body := map[string]any{
		"log": recorded(t, "001*.stderr")[0], "message": "beside", "kubernetes": kubernetes, "time": "2026-01-01T00:00:00Z", "offset": int64(12345678),
		"source": "mine", "event": "mine", "input": "mine", "metadata": "mine", "trust": "full",
	}
	w.flush(t, OK, appendEvent(t, nil, map[string]any{"otlp": map[string]any{"severity": "info"}}, body))
	got := w.Records()[0].Body
	want := map[string]any{
		"kubernetes": kubernetes, "time": body["time"], "offset": body["offset"], "metadata": map[string]any{"otlp": map[string]any{"severity": "info"}},
		"input": map[string]any{"source": "mine", "event": "mine", "input": "mine", "metadata": "mine", "trust": "full", "message": "beside"},
	}
	for key, v := range want {
		if diff := cmp.Diff(v, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if got["source"] != parser.Source {
		t.Error("a key of the input decides a field of the record (law 7)")
	}
}

func TestFlush_EveryShapeOfAnEvent(t *testing.T) {
	line := recorded(t, "001*.stderr")[0]
	body := func(b []byte) []byte { return appendAny(t, b, map[string]any{"message": line}) }
	head := func() []byte { return msgp.AppendArrayHeader(nil, 2) }
	group := func(s uint32) []byte {
		return appendAny(t, appendAny(t, eventTime8(msgp.AppendArrayHeader(head(), 2), s, 0), map[string]any{}), map[string]any{"log": "of a group"})
	}
	ext8 := append(head(), 0xc7, 8, 0, 0, 0, 0, 9, 0, 0, 0, 1)
	bin := msgp.AppendMapHeader(eventTime8(head(), 5, 0), 1)
	bin = msgp.AppendBytes(msgp.AppendString(bin, "log"), []byte(line))
	var chunk []byte
	for _, event := range [][]byte{
		group(0xffffffff),
		body(eventTime8(head(), 5, 0)),
		body(msgp.AppendInt(head(), 5)),
		body(msgp.AppendUint64(head(), 5)),
		body(msgp.AppendFloat64(head(), 5.5)),
		body(msgp.AppendFloat32(head(), 5.5)),
		body(ext8),
		bin,
		group(0xfffffffe),
		msgp.AppendInt(nil, 7),                           // no event
		msgp.AppendString(eventTime8(head(), 5, 0), "x"), // no map
		body(append(msgp.AppendArrayHeader(nil, 3), 1)[:2]),
	} {
		chunk = append(chunk, event...)
	}
	// The last one promises three elements and has two: it eats the next.
	chunk = append(chunk, 0xc0)
	w := newWorld(t, forwardtest.Options{}, nil)
	w.flush(t, OK, chunk)
	if c := w.Counts(); len(w.Records()) != 7 || c.Odd != 3 || c.Records != 10 {
		t.Errorf("%d records, counts %+v", len(w.Records()), c)
	}
}

func TestFlush_ABrokenChunkIsAnErrorOnlyBehindWhatWasSent(t *testing.T) {
	lines := recorded(t, "001*.stderr")
	chunk := chunkOf(t, lines...)
	for _, broken := range [][]byte{append(chunkOf(t, lines...), 0xc1), chunk[:len(chunk)-1]} {
		w := newWorld(t, forwardtest.Options{}, nil)
		w.flush(t, Error, broken)
		if n := len(w.Records()); n < len(lines)-1 || n > len(lines) {
			t.Errorf("%d of %d records", n, len(lines))
		}
		if log := w.log.String(); !strings.Contains(log, "cannot be decoded") || !strings.Contains(log, fmt.Sprint(" of=", len(broken))) {
			t.Errorf("log: %s", log)
		}

		w = newWorld(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Hangup }}, nil)
		w.flush(t, Retry, broken)
	}
}

func TestFlush_AnythingMayStandInAChunk(t *testing.T) {
	chunk := chunkOf(t, recorded(t, "001*.stderr")...)
	w := newWorld(t, forwardtest.Options{Forget: true}, nil)
	for i := 0; i < len(chunk); i += 13 {
		cut := chunk[:i]
		w.Flush(t.Context(), "t", cut)
		flipped := append([]byte(nil), chunk...)
		flipped[i] ^= 0xff
		w.Flush(t.Context(), "t", flipped)
	}
	deep := append(eventTime8(msgp.AppendArrayHeader(nil, 2), 5, 0), 0x82, 0xa3, 'l', 'o', 'g', 0xa1, 'x', 0xa1, 'd')
	for range 50_000 {
		deep = append(deep, 0x91)
	}
	w.Flush(t.Context(), "t", append(deep, 0xc0))
	if strings.Contains(w.log.String(), "panic") {
		t.Errorf("log: %s", w.log)
	}
}

func TestFlush_OKOnlyAfterEveryAck(t *testing.T) {
	t.Parallel()
	lines := recorded(t, "mixed.stderr.gz")
	for _, answer := range []forwardtest.Answer{forwardtest.Silence, forwardtest.WrongAck, forwardtest.Garbage, forwardtest.Hangup, forwardtest.Cut} {
		fail, ack := true, time.Minute
		if answer == forwardtest.Silence {
			ack = 3 * time.Second // all of it is waited for
		}
		w := newWorldThatWaits(t, ack, forwardtest.Options{Answer: func(n int) forwardtest.Answer {
			if n == 2 && fail {
				return answer
			}
			return forwardtest.Ack
		}}, func(o *Options) { o.ChunkSize = 64 << 10 })
		w.flush(t, Retry, chunkOf(t, lines...))
		before := len(w.Messages())
		if before != 2 {
			t.Fatalf("answer %d: %d messages acknowledged", answer, before)
		}
		fail = false
		w.flush(t, OK, chunkOf(t, lines...))
		if c := w.Counts(); c.Retries != 1 || c.Records != uint64(len(lines)) {
			t.Errorf("counts %+v", c)
		}
		// What came twice has the same ids.
		again := w.Messages()[before:]
		var records []forwardtest.Record
		for _, m := range again {
			records = append(records, m.Records...)
		}
		wantLines(t, records, lines)
		for i, r := range w.Messages()[0].Records {
			if diff := cmp.Diff(r, again[0].Records[i]); diff != "" {
				t.Fatalf("a repeat differs:\n%s", diff)
			}
		}
	}
}

func TestFlush_TroubleIsLoggedOnceAMinuteAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := errors.New("forward to x: no")
		w := &world{log: &testkit.Text{}}
		w.Flusher = New(Options{LineKeys: []string{"log"}, ChunkSize: 1 << 20, Log: newLog(w.log),
			Send: func(context.Context, string, []byte, int) error { return fail }})
		chunk := chunkOf(t, recorded(t, "001*.stderr")...)
		for range 3 {
			for range 10 {
				w.flush(t, Retry, chunk)
			}
			time.Sleep(time.Minute)
		}
		fail = nil
		w.flush(t, OK, chunk)
		w.flush(t, OK, chunk)
		for part, want := range map[string]int{"forward to x: no": 3, "acknowledged again": 1, "counts": 1} {
			if got := strings.Count(w.log.String(), part); got != want {
				t.Errorf("%q is logged %d times, want %d:\n%s", part, got, want, w.log)
			}
		}
	})
}

// What a group says of its records stands in each of them, and in no other.
func TestFlush_TheMetadataOfAGroupIsKept(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	marker := func(b []byte, s uint32, metadata, body map[string]any) []byte {
		b = eventTime8(msgp.AppendArrayHeader(msgp.AppendArrayHeader(b, 2), 2), s, 0)
		return appendAny(t, appendAny(t, b, metadata), body)
	}
	resource := map[string]any{"resource": map[string]any{"attributes": map[string]any{"service.name": "zitadel", "token": "s3cr3t"}}}
	var chunk []byte
	for i, body := range []map[string]any{resource, {}} {
		chunk = marker(chunk, groupBegin, map[string]any{"schema": "otlp", "resource_id": int64(i)}, body)
		chunk = appendEvent(t, chunk, nil, map[string]any{"log": "x", "group": "staff"})
	}
	chunk = marker(chunk, groupEnd, map[string]any{}, map[string]any{})
	chunk = appendEvent(t, chunk, nil, map[string]any{"log": "x"})
	// A part is of its own group.
	const part = "2026-11-22T09:25:08.298807575Z stderr P a"
	chunk = marker(chunk, groupBegin, map[string]any{"resource_id": int64(3)}, map[string]any{})
	chunk = appendEvent(t, chunk, nil, map[string]any{"log": part})
	chunk = marker(chunk, groupBegin, map[string]any{"resource_id": int64(4)}, map[string]any{})
	chunk = appendEvent(t, chunk, nil, map[string]any{"log": strings.Replace(part, " P ", " F ", 1)})
	w.flush(t, OK, chunk)
	resource["resource"].(map[string]any)["attributes"].(map[string]any)["token"] = "[REDACTED]"
	want := []any{
		map[string]any{"metadata": map[string]any{"schema": "otlp", "resource_id": int64(0)}, "body": resource},
		map[string]any{"metadata": map[string]any{"schema": "otlp", "resource_id": int64(1)}},
		nil,
		map[string]any{"metadata": map[string]any{"resource_id": int64(4)}},
		map[string]any{"metadata": map[string]any{"resource_id": int64(3)}},
	}
	var got []any
	for _, r := range w.Records() {
		got = append(got, r.Body["group"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if input, _ := w.Records()[0].Body["input"].(map[string]any); input["group"] != "staff" {
		t.Errorf("got %v", w.Records()[0].Body)
	}
}

func TestFlush_OneHugeRecordIsNotKept(t *testing.T) {
	w := newWorld(t, forwardtest.Options{Forget: true}, nil)
	w.flush(t, OK, appendEvent(t, nil, nil, map[string]any{"log": strings.Repeat("x", 40<<20), "big": strings.Repeat("x", 40<<20)}))
	for range 10 {
		if kept := w.pool.Get().(*work); kept.size() > maxKept {
			t.Fatalf("%d bytes are kept", kept.size())
		}
	}
}

// Its chunk comes again at the next start: that is no news.
func TestFlush_AStopIsNoTrouble(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) {
		o.Send = func(ctx context.Context, _ string, _ []byte, _ int) error { return ctx.Err() }
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := w.Flush(ctx, "t", chunkOf(t, "x")); got != Retry || w.log.String() != "" {
		t.Errorf("got %v; log: %s", got, w.log)
	}
}

func TestFlush_PartialLinesAreJoined(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	line := recorded(t, "001*.stderr")[1]
	cri := func(flag, part string) string { return "2026-11-22T09:25:08.298807575Z stderr " + flag + " " + part }
	w.flush(t, OK, chunkOf(t, cri("P", line[:100]), cri("P", line[100:200]), cri("F", line[200:]), line))
	if got := w.Records(); len(got) != 2 || got[0].Body["event"].(map[string]any)["id"] != got[1].Body["event"].(map[string]any)["id"] {
		t.Errorf("got %v", got)
	}
	w.flush(t, OK, chunkOf(t, cri("P", line[:100])))
	w.flush(t, OK, chunkOf(t, cri("F", line)))
	if n := len(w.Records()); n != 4 {
		t.Errorf("%d records: a rest is kept for another chunk, or lost", n)
	}
}

func TestFlush_TagOption(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Tag = "parsed.zitadel" })
	w.flush(t, OK, chunkOf(t, "x"))
	if tag := w.Messages()[0].Tag; tag != "parsed.zitadel" {
		t.Errorf("tag %q", tag)
	}
}

func TestFlush_ManyWorkersAtOnce(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.ChunkSize = 64 << 10 })
	lines := recorded(t, "0*.stderr")
	var wg sync.WaitGroup
	for range 8 {
		chunk := chunkOf(t, lines...)
		wg.Go(func() {
			if got := w.Flush(t.Context(), "kube.zitadel", chunk); got != OK {
				t.Errorf("got %v", got)
			}
		})
	}
	wg.Wait()
	if c := w.Counts(); len(w.Records()) != 8*len(lines) || c.Sent != uint64(8*len(lines)) {
		t.Errorf("%d records, counts %+v", len(w.Records()), c)
	}
}

func TestFlush_CountsAreLoggedOnceAMinuteWhileTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &testkit.Text{}
		f := New(Options{LineKeys: []string{"log"}, ChunkSize: 1 << 20, Log: newLog(log),
			Send: func(context.Context, string, []byte, int) error { return nil }})
		chunk := chunkOf(t, "other")
		for range 61 {
			f.Flush(t.Context(), "t", chunk)
			time.Sleep(5 * time.Second)
		}
		f.Flush(t.Context(), "t", nil)
		time.Sleep(time.Hour)
		f.Flush(t.Context(), "t", nil)
		if n := strings.Count(log.String(), "counts records="); n != 5 {
			t.Errorf("%d times:\n%s", n, log)
		}
	})
}
