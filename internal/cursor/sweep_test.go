package cursor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Who turns the sweep off can go back to a program that knows none.
func TestStateWithoutASweepIsOfVersion1(t *testing.T) {
	without := example
	without.Sweep = nil
	b, err := Encode(without)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"version": 1,`)) || bytes.Contains(b, []byte("sweep")) {
		t.Errorf("%s", b)
	}
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	commit(t, store(t, f, without))
	if s := reread(t, path); s.Version != 1 || s.Sweep != nil || s.Events != example.Events {
		t.Errorf("%+v", s)
	}
}

func TestSpansOutOfOrderAreRefused(t *testing.T) {
	good, err := Encode(example)
	if err != nil {
		t.Fatal(err)
	}
	first := example.Sweep.Spans[0]
	text, _ := first.MarshalText()
	for name, change := range map[string]func(string) string{
		"version": func(s string) string { return strings.Replace(s, `"version": 2`, `"version": 1`, 1) },
		"number":  func(s string) string { return strings.Replace(s, " 7 ", " 7a ", 1) },
		"none":    func(s string) string { return strings.Replace(s, " 7 ", " 0 ", 1) },
		"sums":    func(s string) string { return strings.Replace(s, " 7 ", " 7 A", 1) },
		"fields":  func(s string) string { return strings.Replace(s, " 7 ", " 7  ", 1) },
		"date":    func(s string) string { return strings.Replace(s, "2026-11-22T08:36:00Z", "2026-11-22T25:36:00Z", 1) },
		"order":   func(s string) string { return strings.Replace(s, "2026-11-22T08:36:00Z", "2026-11-22T08:35:00Z", 1) },
		"behind next": func(s string) string {
			return strings.Replace(s, `"next": "2026-11-22T09:37:00Z"`, `"next": "2026-11-22T09:36:59Z"`, 1)
		},
		"twice":          func(s string) string { return strings.Replace(s, `"spans": [`, `"spans": [ "`+string(text)+`",`, 1) },
		"unknown member": func(s string) string { return strings.Replace(s, `"spans": [`, `"span": 1, "spans": [`, 1) },
	} {
		bad := change(string(good))
		at := strings.Index(bad, `"checksum": "`) + len(`"checksum": "`)
		bad = bad[:at] + bad[at+8:] // edited by hand
		if bad == string(good) {
			t.Fatalf("%s: nothing changed", name)
		}
		if s, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%s: accepted as %+v", name, s.Sweep)
		} else if name != "unknown member" && name != "version" && !strings.Contains(err.Error(), sweepFix) {
			t.Errorf("%s: %v does not say how to go on", name, err)
		}
	}
}

// Law 5: a damaged sweep is an error that says how to go on, and that way works.
func TestLaw5StateGoesOnWithoutADamagedSweep(t *testing.T) {
	good, err := Encode(example)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(good, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "sweep")
	members["checksum"] = ""
	mended, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Decode(mended)
	if err != nil {
		t.Fatal(err)
	}
	want := example
	want.Sweep, want.Version, want.Checksum = nil, s.Version, ""
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

// Whatever stands in a span, what is accepted is written back with the same meaning.
func FuzzSpan(f *testing.F) {
	for _, span := range example.Sweep.Spans {
		text, _ := span.MarshalText()
		f.Add(text)
	}
	f.Add([]byte("9999-12-31T23:59:59Z 9999-12-31T23:59:59-23:59"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var span, again Span
		if span.UnmarshalText(text) != nil {
			return
		}
		written, err := span.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalText(written); err != nil {
			t.Fatal(err)
		}
		if span != again {
			t.Errorf("%+v became %+v", span, again)
		}
	})
}

// What the sweep adds to a state: at most 61 spans. Beside it, the keys of an overlap of ten
// seconds at ten events per second.
func BenchmarkState(b *testing.B) {
	state := example
	state.Seen = map[string]string{}
	for i := range 100 {
		state.Seen[fmt.Sprint("user/", 400712690076486694+i)] = "1-3"
	}
	with := state
	with.Sweep = &Sweep{Next: state.Watermark}
	for i := range 61 {
		at := state.Watermark.Truncate(time.Minute).Add(time.Duration(i-61) * time.Minute)
		span := Span{Since: at, UpTo: at.Add(time.Minute), Events: 600}
		for j := range span.Sums {
			span.Sums[j] = 1<<61 - 1 - uint64(i*j)
		}
		with.Sweep.Spans = append(with.Sweep.Spans, span)
	}
	state.Sweep = nil
	for name, s := range map[string]State{"without": state, "with 61 spans": with} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				text, err := Encode(s)
				if err != nil {
					b.Fatal(err)
				}
				size = len(text)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
