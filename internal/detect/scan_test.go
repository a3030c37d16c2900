package detect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decoded is what encoding/json finds at a path, through lists, as texts.
func decoded(v any, path []string) (all []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if _, list := e.([]any); !list {
				all = append(all, decoded(e, path)...)
			}
		}
	case map[string]any:
		if len(path) == 0 {
			return []string{"{}"}
		}
		if e, ok := v[path[0]]; ok {
			all = decoded(e, path[1:])
		}
	case nil:
		if len(path) == 0 {
			return []string{"null"}
		}
	default:
		if len(path) == 0 {
			return []string{fmt.Sprint(v)}
		}
	}
	return all
}

func scanned(f *fields, slot int) (all []string) {
	for _, v := range f.values[slot] {
		switch v.kind {
		case isObject:
			all = append(all, "{}")
		case isNull:
			all = append(all, "null")
		default:
			all = append(all, v.s)
		}
	}
	return all
}

var scanPaths = []string{"a", "a.b", "a.b.c", "b", "c.a"}

func scanSlots() *slots {
	s := newSlots()
	for _, p := range scanPaths {
		s.slot(p)
	}
	return s
}

// TestTheScannerAgreesWithEncodingJSON on random values with hostile texts and keys.
func TestTheScannerAgreesWithEncodingJSON(t *testing.T) {
	s := scanSlots()
	var any1 func(t *rapid.T, depth int) any
	key := rapid.SampledFrom([]string{"a", "b", "c", "d", `e"`, `f\`, "g\n", "", "ü", "a]", "b}"})
	word := rapid.SampledFrom([]string{"", "x", `"`, `\`, `\\"`, `\"},{"a":"b"}`, "\n\t", "\u2028", "ü", "]", "}", `{"a":1}`, "\x00"})
	any1 = func(t *rapid.T, depth int) any {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0, 1:
			if depth == 0 {
				return nil
			}
			m := map[string]any{}
			for range rapid.IntRange(0, 4).Draw(t, "keys") {
				m[key.Draw(t, "key")] = any1(t, depth-1)
			}
			return m
		case 2:
			if depth == 0 {
				return true
			}
			l := []any{}
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				l = append(l, any1(t, depth-1))
			}
			return l
		case 3:
			return json.Number(fmt.Sprint(rapid.IntRange(-5, 1_000_000).Draw(t, "number")))
		case 4:
			return nil
		}
		return word.Draw(t, "text")
	}
	rapid.Check(t, func(t *rapid.T) {
		m := map[string]any{"a": any1(t, 4), "b": any1(t, 2), "c": any1(t, 3)}
		line, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "spaced") {
			if line, err = json.MarshalIndent(m, " ", "\t"); err != nil {
				t.Fatal(err)
			}
		}
		var f fields
		if err := f.read(s, string(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, p := range scanPaths {
			want := decoded(m, strings.Split(p, "."))
			if got := scanned(&f, s.slot(p)); !slices.Equal(got, want) {
				t.Fatalf("%s of %s: %q, want %q", p, line, got, want)
			}
		}
	})
}

func TestAKeyMayBeAPath(t *testing.T) {
	s := scanSlots()
	var f fields
	if err := f.read(s, `{"a.b":"1","a":{"b.c":"2"},"c.a":["3","4"]}`); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{"a.b": {"1"}, "a.b.c": {"2"}, "c.a": {"3", "4"}} {
		if got := scanned(&f, s.slot(path)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestWhatIsNoObjectIsMalformed(t *testing.T) {
	s := scanSlots()
	for _, line := range []string{"", " ", "x", "[]", `"a"`, "1", "{", `{"a"`, `{"a":`, `{"a":"b"`, `{"a":"b}`, `{"a":[1}`, `{"a":1}}`, `{"a":1} x`, `{"a" 1}`, `{"a":tru}`, `{,}`, `{"a":1,}`,
		"CEF:0|ZITADEL|", strings.Repeat(`{"a":`, 100_000), strings.Repeat(`{"a":[`, 100_000)} {
		var f fields
		if f.read(s, line) == nil {
			t.Errorf("%.40q is taken for a record", line)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, line := range append(stream(10), []byte(`{"event.action":"a","a":["\u00e9\"",null,{"b":{"c":1e5}}]}`), []byte(`{"a":[[[`)) {
		f.Add(string(line))
	}
	set, err := load(f, chained)
	if err != nil {
		f.Fatal(err)
	}
	s := scanSlots()
	f.Fuzz(func(t *testing.T, line string) {
		New(set, Options{}).Record([]byte(line), start)
		var v map[string]any
		if json.Unmarshal([]byte(line), &v) != nil || v == nil {
			return
		}
		var values fields
		if err := values.read(s, line); err != nil && strings.Count(line, "[")+strings.Count(line, "{") < maxNested {
			t.Errorf("%q is an object, and not taken for a record", line)
		}
	})
}
