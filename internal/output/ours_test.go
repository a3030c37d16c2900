package output

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func formatOf(t *testing.T, name string) *format.Format {
	t.Helper()
	f, err := format.Open(config.FormatSettings{Format: name, Tier: "noise", OCSFVersion: config.OCSF18})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// In every format, whatever the format of the output that gets them back.
func TestFlush_OurOwnRecordsDoNotGoRound(t *testing.T) {
	lines := recorded(t, "00*.stderr")
	names := []string{"raw", "ecs", "ocsf", "cef", "leef"}
	for _, name := range names {
		w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Format = formatOf(t, name) })
		w.flush(t, OK, chunkOf(t, lines...))
		var back []byte
		for _, r := range w.Records() {
			back = appendEvent(t, back, nil, r.Body)
		}
		if len(w.Records()) != len(lines) {
			t.Fatalf("%s: %d records", name, len(w.Records()))
		}
		w.flush(t, OK, back)
		w.flush(t, OK, back)
		if c := w.Counts(); c.Loops != uint64(2*len(lines)) || len(w.Records()) != len(lines) {
			t.Errorf("%s: %d records, counts %+v", name, len(w.Records()), c)
		}
		if n := strings.Count(w.log.String(), "`tag_prefix: parsed.`"); n != 1 {
			t.Errorf("%s: log: %s", name, w.log)
		}
		for _, other := range names {
			w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Format = formatOf(t, other) })
			w.flush(t, OK, back)
			if c := w.Counts(); c.Loops != uint64(len(lines)) || len(w.Records()) != 0 {
				t.Errorf("records in %s, output in %s: counts %+v", name, other, c)
			}
		}
	}
}

// Records of the input plugin have a message, which is no line.
func TestFlush_EventsOfTheInputAreNoLines(t *testing.T) {
	e := &record.Event{
		Key: record.Key{Instance: "demo", AggregateType: "user", AggregateID: "1", Sequence: 2}, Type: "user.locked",
		Time: time.Unix(1_760_000_000, 0), Read: time.Unix(1_760_000_001, 0), Editor: record.Editor{ID: "3"}, Source: record.SourceEventsAPI,
	}
	for _, name := range []string{"ecs", "ocsf", "cef", "leef"} {
		w := newWorld(t, forwardtest.Options{}, nil)
		w.flush(t, OK, formatOf(t, name).Msgpack()(nil, e))
		if c := w.Counts(); c.Loops != 1 || len(w.Records()) != 0 {
			t.Errorf("%s: counts %+v", name, c)
		}
	}
}

// What only resembles a record of ours is none.
func TestLaw8_ALineIsNotLostForKeysOfOtherFormatsBesideIt(t *testing.T) {
	line := recorded(t, "001*.stderr")[1]
	ecs := map[string]any{
		"event": map[string]any{"dataset": "zitadel.log", "module": "zitadel", "id": "1"}, "ecs": map[string]any{"version": "8.0"}, "zitadel": map[string]any{"tier": "core"},
	}
	ocsf := map[string]any{
		"metadata": map[string]any{"log_name": "zitadel.log", "uid": "1", "event_code": "x"}, "class_uid": int64(3002), "unmapped": map[string]any{"tier": "core"},
	}
	syslog := map[string]any{"app": "zitadel", "host": "h", "msgid": "-", "severity": int64(6)}
	with := func(m map[string]any, key string, v any) map[string]any {
		m = maps.Clone(m)
		m[key] = v
		return m
	}
	without := func(m map[string]any, key string) map[string]any {
		m = with(m, "message", line)
		delete(m, key)
		return m
	}
	for _, name := range []string{"raw", "ecs", "ocsf", "cef", "leef"} {
		w := newWorld(t, forwardtest.Options{}, func(o *Options) { o.Format = formatOf(t, name) })
		bodies := []map[string]any{
			with(ecs, "log", line), with(ocsf, "log", line), with(syslog, "log", "CEF:0|ZITADEL|ZITADEL|1|"), // under another key than ours
			with(syslog, "message", line), with(map[string]any{}, "message", "CEF:0|ZITADEL|ZITADEL|1|"),
		}
		for key := range ecs {
			bodies = append(bodies, without(ecs, key))
		}
		for key := range ocsf {
			bodies = append(bodies, without(ocsf, key))
		}
		var chunk []byte
		for _, body := range bodies {
			chunk = appendEvent(t, chunk, nil, body)
		}
		w.flush(t, OK, chunk)
		if c := w.Counts(); c.Loops != 0 || len(w.Records()) != len(bodies) {
			t.Errorf("%s: %d records of %d, counts %+v", name, len(w.Records()), len(bodies), c)
		}
	}
}
