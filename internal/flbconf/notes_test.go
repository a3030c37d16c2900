package flbconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noted writes a trial's configuration and returns what the check says.
func noted(t *testing.T, c trial) Report {
	t.Helper()
	name, text := c.config(t)
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path, options())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// What the check cannot judge, it says.
func TestWhatCannotBeJudgedIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		trial
		note string
	}{
		"lua":                     {trial{rest: filtered("name: lua, script: x.lua, call: f")}, "filter lua takes the tag zitadel: it passes on what its script returns: what it does with the events cannot be judged here"},
		"wasm on the output":      {trial{rest: outputProcessor("name: wasm")}, "processor wasm of the output file: it passes on what its program returns"},
		"a filter of a vendor":    {trial{rest: filtered("name: acme")}, "filter acme takes the tag zitadel: this check does not know it"},
		"a processor of a vendor": {trial{input: processor("name: acme")}, "processor acme of the input zitadel: this check does not know it"},
		"an output of a vendor":   {trial{rest: strings.Replace(toFile, "file", "acme", 1)}, "output acme: this check does not know it"},
		"modify":                  {trial{rest: filtered("name: modify, remove: event")}, "filter modify takes the tag zitadel: it changes fields: whether what arrives still has all that you need was not judged"},
		"rewritten by a field":    {trial{rest: filtered("name: rewrite_tag, rule: $source ^ a.$source true, emitter_storage.type: filesystem")}, "the tag a.* of this rule: it is known only at run time"},
		"multiline on disk":       {trial{rest: filtered("name: multiline, multiline.parser: go, emitter_storage.type: filesystem")}, "filter multiline takes the tag zitadel: it keeps records in memory for flush_ms"},
		"match_regex of Onigmo":   {trial{rest: strings.Replace(toFile, "match: '*'", "match_regex: '(?<!x)zitadel'", 1)}, "match_regex cannot be judged"},
		"http":                    {trial{rest: toHTTP}, "output http: it drops what the server refuses"},
	} {
		report := noted(t, c.trial)
		if len(report.Findings) > 0 || !slices.ContainsFunc(report.Notes, func(f Finding) bool { return strings.HasPrefix(f.What+": "+f.Why, c.note) }) {
			t.Errorf("%s: %v %v", name, report.Findings, report.Notes)
		}
	}
}

func TestTheVerdictSaysWhatItRestsOn(t *testing.T) {
	good := noted(t, trial{input: processor("name: labels"), rest: filtered("name: stdout")})
	_, said, _ := strings.Cut(good.Summary, ": ")
	if said != "no setting that loses events was found; looked at: 1 file, 1 input, 1 filter, 1 processor, 1 output and the service section, as Fluent Bit 5.1.1 reads them" {
		t.Error(good.Summary, good.Findings)
	}
	bad := noted(t, trial{input: "      routable: off\n      alias: ${NOT_SET}\n"})
	if !strings.Contains(bad.Summary, "1 finding above") || !strings.Contains(bad.NotRead, "variables that are not set here (NOT_SET at ") || !strings.Contains(bad.NotRead, "plugins_file") {
		t.Error(bad.Summary, bad.NotRead)
	}
	unread := noted(t, trial{rest: toFile + "includes: [none.yaml]\n"})
	if !strings.Contains(unread.NotRead, "files that could not be read (") || !strings.Contains(unread.NotRead, "none.yaml") {
		t.Error(unread.NotRead)
	}
}

// What only loses in a way that cannot be tried in a few seconds.
func TestWhatOutputsLose(t *testing.T) {
	for name, c := range map[string]struct {
		rest, finding string
	}{
		"es":            {strings.Replace(toHTTP, "http", "es", 1), "output es: it counts a chunk as delivered as soon as one of its documents is accepted"},
		"elasticsearch": {strings.Replace(toHTTP, "http", "elasticsearch", 1), "output es: it counts a chunk as delivered"},
		"nats":          {strings.Replace(toHTTP, "http", "nats", 1), "output nats: it drops records when the server cannot be reached"},
		"kafka":         {strings.Replace(toHTTP, "http", "kafka", 1), "output kafka: it counts records as delivered while they wait in the memory"},
		"influxdb":      {strings.Replace(toHTTP, "http", "influxdb", 1), "output influxdb: it counts a chunk as delivered whatever the server answers"},
		"forward":       {strings.Replace(toHTTP, "http", "forward", 1), "output forward: it loses what was on its way when the connection broke"},
		"syslog":        {strings.Replace(toHTTP, "http", "syslog", 1), "output syslog: it sends datagrams"},
		"small emitter": {filtered("name: multiline, multiline.parser: go, emitter_storage.type: filesystem, emitter_mem_buf_limit: 1M"), "filter multiline takes the tag zitadel: it drops what arrives faster than emitter_mem_buf_limit allows"},
		"expect":        {filtered("name: expect, key_exists: a, action: exit"), "filter expect takes the tag zitadel: it ends Fluent Bit"},
		"kubernetes":    {filtered("name: kubernetes, k8s-logging.exclude: on"), "filter kubernetes takes the tag zitadel: it drops the lines of each pod"},
	} {
		report := noted(t, trial{rest: c.rest})
		if len(report.Findings) != 1 || !strings.HasPrefix(report.Findings[0].What+": "+report.Findings[0].Why, c.finding) {
			t.Errorf("%s: %v", name, report.Findings)
		}
	}
	// With all records of a route left out, Fluent Bit refuses each append, and the input waits.
	route := noted(t, trial{input: routes(routeTo("audit", rest, "siem")), rest: "  filters:\n    - {match: audit, name: grep, regex: none x}\n  outputs:\n" + siem})
	if len(route.Findings) != 1 || route.Findings[0].What != "filter grep takes the tag audit" {
		t.Error(route.Findings)
	}
}

// Each plugin stands in the table with something to say, and the row without a
// condition is its last.
func TestTheTableOfPluginsIsWhole(t *testing.T) {
	for _, table := range [][]ability{filters, outputs} {
		last := map[string]bool{}
		for _, a := range table {
			for plugin := range strings.FieldsSeq(a.plugins) {
				if last[plugin] {
					t.Errorf("%s: a row after the one without a condition", plugin)
				}
				last[plugin] = a.when == nil
			}
			if a.does == "" && a.effect != passes || a.fix != "" && !strings.HasPrefix(a.fix, a.key+" ") {
				t.Errorf("%s: %+v", a.plugins, a)
			}
		}
		// Every plugin ends with a row that always holds.
		for plugin, ended := range last {
			if !ended {
				t.Errorf("%s: no row without a condition", plugin)
			}
		}
	}
	for _, a := range filters {
		if a.does != "" && a.effect == passes {
			t.Errorf("%s: %+v", a.plugins, a)
		}
	}
}
