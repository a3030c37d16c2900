package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestACorrelationIsAPartOfAnother: it counts again at once, and gives alerts of its own only
// with generate, one a timespan.
func TestACorrelationIsAPartOfAnother(t *testing.T) {
	for _, generate := range []bool{false, true} {
		set := loaded(t, fmt.Sprintf(`
title: F
id: f
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: f}, condition: a}
---
title: Child
id: child
correlation: {type: value_count, rules: [f], group-by: [g], timespan: 1m, condition: {field: v, gte: 2}}
---
title: Parent
id: parent
correlation: {type: event_count, rules: [child], group-by: [v], timespan: 10m, condition: {gte: 3}, generate: %t}
`, generate))
		var got []string
		e := New(set, Options{Emit: func(a *Alert) { got = append(got, fmt.Sprint(a.Rule.ID, a.values, len(a.Events))) }})
		// Each record completes the child by itself: it has two values.
		for i := range 4 {
			at := start.Add(time.Duration(i) * 10 * time.Second)
			e.Record(fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"e%d","action":"f"},"g":"x","v":["1","2"]}`, at.Format(time.RFC3339), i), at)
		}
		want := []string{"parent[1] 3"}
		if generate {
			want = []string{"child[x] 1", "parent[1] 3"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("generate %t: %q, want %q", generate, got, want)
		}
	}
}

// TestAliasesJoinFieldsOfDifferentNames, and a record without the field belongs to no group.
func TestAliasesJoinFieldsOfDifferentNames(t *testing.T) {
	set := loaded(t, `
title: A
id: a
name: first
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: a}, condition: a}
---
title: B
id: b
name: second
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: b}, condition: a}
---
title: C
id: c
correlation:
  type: temporal
  rules: [first, second]
  aliases: {who: {first: user.id, second: user.target.id}}
  group-by: [who]
  timespan: 1m
`)
	alerts := 0
	e := New(set, Options{Emit: func(*Alert) { alerts++ }})
	for _, line := range []string{
		`{"event":{"id":"1","action":"a"},"user":{"id":"u1"}}`,
		`{"event":{"id":"2","action":"b"},"user":{"id":"u1","target":{"id":"u2"}}}`,
		`{"event":{"id":"3","action":"b"},"user":{"id":"u1"}}`,
		`{"event":{"id":"4","action":"a"}}`,
	} {
		e.Record([]byte(line), start)
	}
	if alerts != 0 {
		t.Errorf("%d alerts about different people", alerts)
	}
	e.Record([]byte(`{"event":{"id":"5","action":"b"},"user":{"target":{"id":"U1"}}}`), start)
	e.Record([]byte(`{"event":{"id":"6","action":"b"},"user":{"target":{"id":"u1"}}}`), start)
	if alerts != 1 {
		t.Errorf("%d alerts, want 1", alerts)
	}
}

// TestPseudonymsOfAddressesAreCountedAsAddresses: source.address holds the token then.
func TestPseudonymsOfAddressesAreCountedAsAddresses(t *testing.T) {
	set := loaded(t, chained)
	var got []string
	e := New(set, Options{Emit: func(a *Alert) { got = append(got, fmt.Sprint(a.Rule.ID, a.values)) }})
	for i := range 4 {
		e.Record(fmt.Appendf(nil, `{"event":{"id":"e%d","action":"failed"},"user":{"id":"u%d"},"source":{"address":"ip-token"}}`, i, i), start)
	}
	if want := []string{"spray[ip-token]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMatching: modifiers and conditions, against records that match and such that do not.
func TestMatching(t *testing.T) {
	for _, c := range []struct {
		detection string
		yes, no   []string
	}{
		{"{a: {f: Value}, condition: a}", []string{`"value"`, `["x","VALUE"]`}, []string{`"values"`, `null`, `{}`, `5`, `[]`}},
		{"{a: {f|cased: Value}, condition: a}", []string{`"Value"`}, []string{`"value"`}},
		{"{a: {f: 'a*c?e'}, condition: a}", []string{`"abcde"`, `"acüe"`, `"accc1e"`}, []string{`"ace"`, `"abcdef"`, `"xabcde"`}},
		{`{a: {f: 'a\*'}, condition: a}`, []string{`"a*"`}, []string{`"ab"`}},
		{`{a: {f: 'a\b'}, condition: a}`, []string{`"a\\b"`}, []string{`"ab"`}},
		{"{a: {f|contains: ell}, condition: a}", []string{`"Hello"`, `"ell"`}, []string{`"help"`}},
		{"{a: {f|startswith: [he, ha]}, condition: a}", []string{`"hello"`, `"Hat"`}, []string{`"she"`}},
		{"{a: {f|endswith: lo}, condition: a}", []string{`"hello"`, `"lo"`}, []string{`"low"`}},
		{"{a: {f|contains|all: [a, b]}, condition: a}", []string{`"xaxb"`, `["a","b"]`}, []string{`"a"`}},
		{"{a: {f|re: '^a+$'}, condition: a}", []string{`"aa"`}, []string{`"AA"`, `"ab"`}},
		{"{a: {f|re|i: '^a+$'}, condition: a}", []string{`"aA"`}, []string{`"b"`}},
		{"{a: {f|cidr: [10.0.0.0/8, '2001:db8::/32']}, condition: a}", []string{`"10.1.2.3"`, `"2001:db8::1"`, `"::ffff:10.0.0.1"`}, []string{`"11.0.0.1"`, `"x"`}},
		{"{a: {f|exists: true}, condition: a}", []string{`"x"`, `null`, `{"g":1}`}, []string{`[]`}},
		{"{a: {f|exists: false}, condition: a}", []string{`[]`}, []string{`"x"`}},
		{"{a: {f: null}, condition: a}", []string{`null`, `[]`}, []string{`"x"`, `""`}},
		{"{a: {f: ''}, condition: a}", []string{`""`}, []string{`"x"`, `null`}},
		{"{a: {f: 5}, condition: a}", []string{`5`, `"5"`}, []string{`50`, `5.5`}},
		{"{a: {f: true}, condition: a}", []string{`true`, `"true"`}, []string{`false`}},
		{"{a: {f|gte: 5, f|lt: 7.5}, condition: a}", []string{`5`, `7.4`}, []string{`4`, `7.5`, `"6"`}},
		{"{a: {f|neq: [x, y]}, condition: a}", []string{`"z"`}, []string{`"X"`, `[]`}},
		{"{a: {f|fieldref: h}, condition: a}", []string{`"same"`, `"SAME"`}, []string{`"other"`, `[]`}},
		{"{a: {f|fieldref|neq: h}, condition: a}", []string{`"other"`}, []string{`"same"`, `[]`}},
		{"{a: [{f: x}, {f: y}], condition: a}", []string{`"x"`, `"y"`}, []string{`"z"`}},
		{"{a: {f|contains: a}, b: {f|contains: b}, condition: a and not b}", []string{`"a"`}, []string{`"ab"`, `"b"`}},
		{"{a: {f: a}, b: {f: b}, c: {f|contains: d}, condition: not (a or b) and not c}", []string{`"c"`}, []string{`"a"`, `"d"`}},
		{"{a: {f: a}, b: {f: b}, c: {f: c}, condition: a or b and c}", []string{`"a"`, `["b","c"]`}, []string{`"b"`}},
		{"{sel_1: {f|contains: a}, sel_2: {f|contains: b}, condition: all of sel_*}", []string{`"ab"`}, []string{`"a"`}},
		{"{sel_1: {f|contains: a}, sel_2: {f|contains: b}, condition: 1 of them}", []string{`"a"`}, []string{`"c"`}},
	} {
		set, err := load(t, ruleHead+"detection: "+c.detection)
		if err != nil {
			t.Error(c.detection, err)
			continue
		}
		e := New(set, Options{})
		for i, v := range slices.Concat(c.yes, c.no) {
			line := fmt.Sprintf(`{"event":{"action":"x"},"h":"same","f":%s}`, v)
			if got := len(e.Matching([]byte(line))) == 1; got != (i < len(c.yes)) {
				t.Errorf("%s on %s: %t", c.detection, v, got)
			}
		}
	}
}
