package output

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

func TestLaw8_UnwantedKindsAreCounted(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Parser.Kinds = parser.KindsOf("log") })
	lines := recorded(t, "001*.stderr")
	w.flush(t, OK, chunkOf(t, lines...))
	c, sum := w.Counts(), uint64(0)
	for _, n := range c.Kinds {
		sum += n
	}
	if sum != uint64(len(lines)) || c.Sent != c.Kinds[parser.Log] || c.Sent == 0 || c.Sent == sum || uint64(len(w.Records())) != c.Sent {
		t.Errorf("%d lines, counts %+v", len(lines), c)
	}
}

// Beside good records too, and for as long as it goes on.
func TestLaw8_WhatIsNotSentIsToldOnceAMinute(t *testing.T) {
	now := time.Now()
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Now = func() time.Time { return now } })
	chunk := chunkOf(t, "x")
	chunk = appendEvent(t, chunk, nil, map[string]any{"msg": "x", "log": int64(5)})
	chunk = msgp.AppendInt(chunk, 7)
	chunk = appendEvent(t, chunk, nil, map[string]any{"source": "action_log", "trust": "full", "event": map[string]any{"id": "1/action_log/2/3"}})
	for range 3 {
		for range 10 {
			w.flush(t, OK, chunk)
		}
		now = now.Add(time.Minute)
	}
	for _, text := range []string{"`line_keys`", "not records", "`tag_prefix: parsed.`"} {
		var told []string
		for line := range strings.Lines(w.log.String()) {
			if _, n, ok := strings.Cut(line, "s="); ok && strings.Contains(line, text) {
				told = append(told, strings.Fields(n)[0])
			}
		}
		if diff := cmp.Diff([]string{"1", "10", "10"}, told); diff != "" {
			t.Errorf("%s (-want +got):\n%s%s", text, diff, w.log)
		}
	}
	if c := w.Counts(); c.NoLine != 30 || c.Odd != 30 || c.Loops != 30 || c.Sent != 30 || c.Records != 120 {
		t.Errorf("counts %+v", c)
	}
}

// The reading stands in for a time that is none.
func TestLaw8_ARecordWithoutATimeIsARecord(t *testing.T) {
	now := time.Unix(1_760_000_000, 5).UTC()
	w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Now = func() time.Time { return now } })
	times := []any{int64(-7), uint64(1) << 63, "2026", nil, true, -1.5, map[string]any{"a": "b"}}
	var chunk []byte
	for _, at := range times {
		for _, metadata := range []bool{false, true} {
			b := msgp.AppendArrayHeader(nil, 2)
			if metadata {
				b = appendAny(t, appendAny(t, msgp.AppendArrayHeader(b, 2), at), map[string]any{"k": "v"})
			} else {
				b = appendAny(t, b, at)
			}
			chunk = append(chunk, appendAny(t, b, map[string]any{"log": "x"})...)
		}
	}
	w.flush(t, OK, chunk)
	if n := len(w.Records()); n != 2*len(times) {
		t.Errorf("%d records, counts %+v", n, w.Counts())
	}
	for i, r := range w.Records() {
		if !r.Time.Equal(now) || (r.Body["metadata"] != nil) != (i%2 == 1) {
			t.Errorf("got %v", r)
		}
	}
}

// Elasticsearch takes event.id for the id within event.
func TestLaw7_ADottedNeighbourIsNoFieldOfOurs(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	dotted := map[string]any{"event.id": "mine", "login.user_name": "root", "trust.x": "full", "input.x": "a", "input_cut.x": "a", "metadata.x": "a", "group.x.y": "a"}
	body := map[string]any{"log": recorded(t, "001*.stderr")[1], "app.kubernetes.io/name": "zitadel", "events.id": "kept"}
	for key, v := range dotted {
		body[key] = v
	}
	w.flush(t, OK, appendEvent(t, nil, nil, body))
	got := w.Records()[0].Body
	if diff := cmp.Diff(any(dotted), got["input"]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for key := range got {
		if dotted[key] != nil {
			t.Errorf("%s stands beside our fields", key)
		}
	}
	if got["app.kubernetes.io/name"] != "zitadel" || got["events.id"] != "kept" {
		t.Errorf("got %v", got)
	}
}

// Keys that a filter took out of a line (merge_log) may say anything. What has a line is
// parsed for it, and what only resembles a record of ours is none.
func TestLaw8_ALineIsNotLostForTheKeysBesideIt(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	line := recorded(t, "001*.stderr")[1]
	ours := map[string]any{"source": "action_log", "trust": "full", "event": map[string]any{"id": "1/action_log/2/3"}, "log": line}
	like := map[string]any{"source": "action_log", "trust": "full", "event": map[string]any{"id": "7"}, "message": line}
	w.flush(t, OK, appendEvent(t, appendEvent(t, nil, nil, ours), nil, like))
	wantLines(t, w.Records(), []string{line, line})
	for _, r := range w.Records() {
		if input, _ := r.Body["input"].(map[string]any); input["source"] != "action_log" {
			t.Errorf("got %v", r.Body)
		}
	}
	if c := w.Counts(); c.Loops != 0 || w.log.String() != "" {
		t.Errorf("counts %+v, log %s", c, w.log)
	}
}

// A record that no receiver takes would be tried for ever.
func TestLaw8_WhatIsTooLargeBesideALineIsCutAndSaysSo(t *testing.T) {
	line := recorded(t, "001*.stderr")[1]
	secrets := make([]any, 300_000) // each becomes [REDACTED]
	for name, body := range map[string]map[string]any{
		"one":     {"big": strings.Repeat("x", 2<<20)},
		"moved":   {"event": strings.Repeat("x", 2<<20), "trust": strings.Repeat("x", 100)},
		"all":     {"a": strings.Repeat("x", 600<<10), "b": strings.Repeat("x", 600<<10), "event.a": strings.Repeat("x", 600<<10)},
		"growing": {"form": map[string]any{"a": "b"}, "parsed": map[string]any{"headers": map[string]any{"x": secrets}}},
		"a key":   {strings.Repeat("k", 2<<20): "x"},
	} {
		for i := range secrets {
			secrets[i] = ""
		}
		w := newWorld(t, forwardtest.Options{}, nil)
		body["log"], body["stream"] = line, "stderr"
		metadata := map[string]any{"kept": "yes", "large": strings.Repeat("x", 2<<20)}
		if name != "one" {
			metadata = nil
		}
		w.flush(t, OK, appendEvent(t, nil, metadata, body))
		m := w.Messages()[0]
		if got := m.Records[0].Body; got["input_cut"] != true || got["stream"] != "stderr" && name != "all" || m.Bytes > parser.MaxLine+64<<10 {
			t.Errorf("%s: %d bytes, %.1000v", name, m.Bytes, got)
		}
	}
	w := newWorld(t, forwardtest.Options{}, nil)
	w.flush(t, OK, appendEvent(t, nil, nil, map[string]any{"log": line, "big": strings.Repeat("x", 1<<20-1000)}))
	if got := w.Records()[0].Body; got["input_cut"] != nil || got["big"] == nil {
		t.Error("cut though it fits")
	}
}

// What another container prints never becomes a part of a line.
func TestLaw7_PartsOfSeveralFilesStayApart(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	lines := recorded(t, "001*.stderr")
	const head = "2026-11-22T09:25:08.298807575Z stderr "
	var chunk []byte
	add := func(file, line string, offset int) {
		chunk = appendEvent(t, chunk, nil, map[string]any{"log": line, "file": file, "offset": int64(offset)})
	}
	names := make([]string, 2*maxFiles)
	for i := range names {
		names[i] = fmt.Sprint("pod-", i)
	}
	for i, name := range names[:maxFiles-1] {
		add(name, head+"P "+lines[i%len(lines)][:20], 1)
	}
	add("whole", head+"F "+lines[1], 2)
	for i, name := range names[:maxFiles-1] {
		add(name, head+"P "+lines[i%len(lines)][20:40], 3)
	}
	for i, name := range names[:maxFiles-1] {
		add(name, head+"F "+lines[i%len(lines)][40:], 4)
	}
	w.flush(t, OK, chunk)
	want := []string{lines[1]}
	for i := range names[:maxFiles-1] {
		want = append(want, lines[i%len(lines)])
	}
	wantLines(t, w.Records(), want)

	// More files than are joined at a time: fragments, of their own files, and
	// none is lost.
	chunk = nil
	for _, name := range names {
		add(name, head+"P "+name+" ", 1)
	}
	before := len(w.Records())
	w.flush(t, OK, chunk)
	if n := len(w.Records()) - before; n != len(names) {
		t.Errorf("%d records of %d fragments", n, len(names))
	}
}

func TestLaw10_APanicIsARetry(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, func(o *Options) {
		o.Send = func(context.Context, string, []byte, int) error { panic("s3cr3t of a record") }
	})
	w.flush(t, Retry, chunkOf(t, "x"))
	if log := w.log.String(); !strings.Contains(log, "panic of type string") || strings.Contains(log, "s3cr3t") {
		t.Errorf("log: %s", log)
	}
}

// A line that causes a panic costs itself, and not its chunk again and again.
func TestLaw10_APanicOfALineIsToldOnce(t *testing.T) {
	w := newWorld(t, forwardtest.Options{}, nil)
	for range 3 {
		w.Flusher.opts.Parser.Panicked("s3cr3t of a line")
	}
	if log := w.log.String(); strings.Count(log, "panic of type string") != 1 || strings.Contains(log, "s3cr3t") {
		t.Errorf("log: %s", log)
	}
}
