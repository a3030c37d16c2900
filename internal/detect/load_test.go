package detect

import (
	"strings"
	"testing"
	"testing/fstest"
)

const ruleHead = "title: T\nid: 1\nname: one\nlogsource: {product: zitadel, service: audit}\n"

func load(tb testing.TB, text string) (*Set, error) {
	tb.Helper()
	return Load(fstest.MapFS{"a.yml": {Data: []byte(text)}})
}

// loaded is load for rules without an error.
func loaded(tb testing.TB, text string) *Set {
	tb.Helper()
	set, err := load(tb, text)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// TestWhatIsNotKnownIsRefusedWithLineAndFix: nothing of a rule is ignored in silence.
func TestWhatIsNotKnownIsRefusedWithLineAndFix(t *testing.T) {
	corr := func(body string) string {
		return ruleHead + "detection: {a: {event.action: x}, condition: a}\n---\ntitle: C\nid: 2\ncorrelation:\n" + body
	}
	for text, want := range map[string]string{
		ruleHead + "detection:\n  a:\n    f|base64: x\n  condition: a":                                               `a.yml:7: the modifier "base64" is not supported: use one of all, cased`,
		ruleHead + "detection:\n  a: [x, y]\n  condition: a":                                                         "a.yml:6: a search for keywords is not supported: name the field",
		ruleHead + "detection:\n  a: {f: 1}\n  condition: b":                                                         `a.yml:7: the condition names the search "b", which the rule does not have: use one of a`,
		ruleHead + "detection:\n  a: {f: 1}\n  condition: a | count() > 3":                                           "a.yml:7: the condition has an aggregation",
		ruleHead + "detection:\n  a: {f: 1}\n  b: {f: 1}\n  condition: a":                                            `a.yml:8: the search "b" is in no condition`,
		ruleHead + "detection:\n  a: {f: 1}\n  condition: (a":                                                        "a.yml:7: the condition has a ( without its ): add the )",
		ruleHead + "detection:\n  a: {f: 1}\n  condition: 2 of a*":                                                   `a.yml:7: the condition has "2 of": use 1 of`,
		ruleHead + "detection:\n  a: {f: 1}\n  condition: 1 of b*":                                                   `and no search has such a name: use one of a`,
		ruleHead + "detection:\n  a: {f|re: '('}\n  condition: a":                                                    "a.yml:6: f|re: error parsing regexp",
		ruleHead + "detection:\n  a: {f|cidr: 10.0.0.1}\n  condition: a":                                             `"10.0.0.1" is no network`,
		ruleHead + "detection:\n  a: {f|gte: many}\n  condition: a":                                                  `"many" is no number`,
		ruleHead + "detection:\n  a: {f|contains|all: x}\n  condition: a":                                            "the modifier all needs a list",
		ruleHead + "detection:\n  a: {f|contains|re: x}\n  condition: a":                                             "the modifiers contains and re contradict each other",
		ruleHead + "detection:\n  a: {f|i: x}\n  condition: a":                                                       "the modifier i has no effect without re: write |re|i",
		ruleHead + "detection:\n  a: {f|exists: perhaps}\n  condition: a":                                            "the modifier exists must stand alone, with the value true or false",
		ruleHead + "detection:\n  timeframe: 1m\n  a: {f: 1}\n  condition: a":                                        "timeframe belongs to Sigma 1",
		ruleHead + "levl: high\ndetection: {a: {f: 1}, condition: a}":                                                `a.yml:5: "levl" is no attribute of a rule: did you mean level?`,
		ruleHead + "level: urgent\ndetection: {a: {f: 1}, condition: a}":                                             `"urgent" is no level`,
		"title: T\nid: 1\nlogsource: {product: windows}\ndetection: {a: {f: 1}, condition: a}":                       "the rule is for the product windows",
		"title: T\nlogsource: {product: zitadel}\ndetection: {a: {f: 1}, condition: a}":                              "the rule has no id",
		ruleHead + "detection: {a: {f: 1}, condition: a}\n---\n" + ruleHead + "detection: {a: {f: 1}, condition: a}": "is the id or name of another rule, in a.yml:1",
		"- 1": "a.yml:1: is no Sigma rule",
		corr("  type: value_sum\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 2}"):                `the type "value_sum" is not supported`,
		corr("  type: event_count\n  rules: [two]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 2}"):              `no rule has the name or id "two"`,
		corr("  type: event_count\n  rules: [one]\n  group-by: [f]\n  timespan: 1 minute\n  condition: {gte: 2}"):        "is no timespan",
		corr("  type: event_count\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {lt: 5}"):               "lt: 5 cannot be evaluated on a stream",
		corr("  type: event_count\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 5, lte: 9}"):      "the condition needs one bound",
		corr("  type: event_count\n  rules: [one]\n  timespan: 1m\n  condition: {gte: 5}"):                               "the correlation has no group-by",
		corr("  type: value_count\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 5}"):              "a value_count needs one",
		corr("  type: temporal\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 5}"):                 "asks for 5 of 1 rules",
		corr("  type: event_count\n  rules: ['2']\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 2}"):              "refers to itself",
		corr("  type: event_count\n  rules: [one]\n  group-by: [f]\n  timespan: 1m\n  condition: {gte: 2}\n  window: 1"): `"window" is no attribute of a correlation`,
	} {
		_, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  error: %v\n  want:  %s", text, err, want)
		}
	}
}

// TestAllErrorsComeAtOnce: of all files.
func TestAllErrorsComeAtOnce(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"a.yml": {Data: []byte("title: A\n")}, "b.yml": {Data: []byte(ruleHead + "detection: {a: {f|x: 1, g|y: 2}, condition: a}")}, "c.txt": {},
	})
	for _, want := range []string{"a.yml:1: the rule has no id", "neither detection nor correlation", `modifier "x"`, `modifier "y"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n  want %s", err, want)
		}
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("a directory without rules is no error")
	}
}

// TestRulesOfSubdirectoriesAreRead, but not evidence.
func TestRulesOfSubdirectoriesAreRead(t *testing.T) {
	rule := func(id string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.ReplaceAll(ruleHead, "1", id) + "detection: {a: {f: 1}, condition: a}")}
	}
	a, b := rule("1"), rule("2")
	b.Data = []byte(strings.Replace(string(b.Data), "one", "two", 1))
	set, err := Load(fstest.MapFS{"x/a.yml": a, "x/y/b.yaml": b, "testdata/c.yml": {Data: []byte("positive: []")}, ".git/d.yml": {Data: []byte("-")}})
	if err != nil || len(set.Rules) != 2 {
		t.Error(set, err)
	}
}
