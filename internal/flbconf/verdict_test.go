package flbconf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// reality is what Fluent Bit 5.1.1 does with a configuration.
type reality int

const (
	all     reality = iota // every event arrives
	none                   // no event arrives
	some                   // some events arrive
	noStart                // Fluent Bit does not start
)

func (r reality) String() string { return [...]string{"all", "none", "some", "refused"}[r] }

// trial is a configuration with what really happens and what the check says.
type trial struct {
	name    string // a file of testdata/cases, or a name for the parts below
	input   string // more lines of the input
	rest    string // filters and outputs; by default one output to a file that matches all
	away    bool   // with the output away, and a restart
	real    reality
	finding string // begins a finding; "" for none at all
}

const toFile = "  outputs:\n    - {name: file, match: '*', path: /var/lib/fluent-bit/, file: x.out, format: plain, retry_limit: no_limits}\n"

const toHTTP = "  outputs:\n    - {name: http, match: '*', host: 127.0.0.1, port: PORT, format: json_lines, retry_limit: no_limits}\n"

const siem = "    - {name: file, alias: siem, path: /var/lib/fluent-bit/, file: siem.out, format: plain, retry_limit: no_limits}\n"

const second = "    - {name: file, alias: other, path: /var/lib/fluent-bit/, file: other.out, format: plain, retry_limit: no_limits}\n"

func filtered(lines string) string { return "  filters:\n    - {match: '*', " + lines + "}\n" + toFile }

func processor(lines string) string {
	return "      processors:\n        logs:\n          - {" + lines + "}\n"
}

func outputProcessor(lines string) string {
	return strings.Replace(toFile, "no_limits", "no_limits, processors: {logs: [{"+lines+"}]}", 1)
}

func routeTo(name, condition, output string) string {
	if condition != "" {
		condition = ", condition: {" + condition + "}"
	}
	return fmt.Sprintf("          - {name: %s%s, to: {outputs: [%s]}}\n", name, condition, output)
}

func routes(list ...string) string { return "      routes:\n        logs:\n" + strings.Join(list, "") }

const (
	always = "rules: [{field: $source, op: eq, value: events_api}]"
	never  = "rules: [{field: $source, op: eq, value: other}]"
	rest   = "default: true"
)

var trials = []trial{
	{name: "default-route-keeps.yaml", real: all},
	{name: "match-given-twice.conf", real: none, finding: "no output matches the tag zitadel"},
	{name: "match-given-twice.conf", real: none, finding: "match is given twice: the last one counts, line 36"},
	{name: "keys-given-twice.conf", real: none, finding: "no output matches the tag other"},
	{name: "keys-given-twice.conf", real: none, finding: "tag is given twice: the last one counts, line 17"},
	{name: "keys-given-twice.conf", real: none, finding: "start is given twice: the plugin gets the first one, line 11"},
	{name: "keys-given-twice.conf", real: none, finding: "retry_limit is given twice: the last one counts, line 25"},
	{name: "grep-drops.conf", real: none, finding: "filter grep takes the tag zitadel"},
	{name: "processor-grep-on-input.yaml", real: none, finding: "processor grep of the input zitadel"},
	{name: "processor-grep-on-output.yaml", real: none, finding: "processor grep of the output file"},
	{name: "routable-false.yaml", real: none, finding: "routable is off"},
	{name: "multiline-takes-events.conf", away: true, real: none, finding: "emitter_storage.type is not filesystem"},
	{name: "yaml-in-conf.conf", real: noStart, finding: "YAML in a file whose name"},
	{name: "include-with-dollar.conf", real: noStart, finding: "$INCLUDE"},
	{name: "bom.conf", real: noStart, finding: "a byte order mark"},
	{name: "kubernetes-configmap.yaml", real: noStart, finding: "an object of Kubernetes (ConfigMap)"},

	{name: "nothing to fix", real: all},
	{name: "nothing to fix, output away", rest: toHTTP, away: true, real: all},
	{name: "tag twice in YAML", input: "      tag: a\n", rest: strings.Replace(toFile, "'*'", "zitadel", 1), real: none, finding: "no output matches the tag a"},
	{name: "routable twice", input: "      routable: false\n      routable: true\n", real: all, finding: "routable is given twice"},
	{name: "match emptied", rest: strings.Replace(toFile, "'*'", "'*', match: '${NOT_SET}'", 1), real: none, finding: "no output matches"},
	{name: "empty tag is ignored", input: "      tag: ${NOT_SET}\n", real: all, finding: "tag is given twice"},
	{name: "retry limit of the first is over", rest: strings.Replace(toFile, "no_limits", "1, retry_limit: no_limits", 1), real: all, finding: "retry_limit is given twice"},

	{name: "throttle", rest: filtered("name: throttle, rate: 1, window: 1, interval: 10s"), real: some, finding: "filter throttle"},
	{name: "discard_logs", rest: filtered("name: log_to_metrics, tag: m, metric_mode: counter, metric_name: n, metric_description: d, discard_logs: on"), real: none, finding: "filter log_to_metrics"},
	{name: "allow list without the id", rest: filtered("name: record_modifier, allowlist_key: payload"), real: none, finding: "filter record_modifier"},
	{name: "allow list that keeps", rest: filtered("name: record_modifier, allowlist_key: event"), real: all},
	{name: "modify", rest: filtered("name: modify, add: a b"), real: all},
	{name: "grep without rules", rest: filtered("name: grep"), real: all},
	{name: "filter that is not active", rest: filtered("name: grep, regex: none x, active: false"), real: all},
	{name: "filter of another tag", rest: strings.Replace(filtered("name: grep, regex: none x"), "'*'", "metrics", 1), real: all},
	{name: "filter without match", rest: strings.Replace(filtered("name: grep, regex: none x"), "match: '*', ", "", 1), real: noStart, finding: "filter grep has no match"},
	{name: "option of a filter twice", rest: filtered("name: grep, exclude: a b, logical_op: and, logical_op: or"), real: noStart, finding: "logical_op is given twice"},
	{name: "match_regex", rest: strings.Replace(filtered("name: grep, regex: none x"), "match: '*'", "match_regex: '^zit'", 1), real: none, finding: "filter grep"},
	{name: "lua", rest: filtered("name: lua, call: f, code: 'function f(t, s, r) return -1, s, r end'"), real: none},
	{name: "multiline, emitter on disk", rest: "  filters:\n    - {match: '*', name: multiline, multiline.key_content: log, multiline.parser: go, emitter_storage.type: filesystem}\n" + toHTTP, away: true, real: all},
	{name: "rewrite_tag in memory", rest: "  filters:\n    - {match: zitadel, name: rewrite_tag, rule: $source ^ new.tag false}\n" + toHTTP, away: true, real: none, finding: "emitter_storage.type is not filesystem"},
	{name: "rewrite_tag on disk", rest: "  filters:\n    - {match: zitadel, name: rewrite_tag, rule: $source ^ new.tag false, emitter_storage.type: filesystem}\n" + toHTTP, away: true, real: all},
	{name: "rewritten to a tag of no output", rest: "  filters:\n    - {match: zitadel, name: rewrite_tag, rule: $source ^ new.tag false, emitter_storage.type: filesystem}\n" + strings.Replace(toFile, "'*'", "zitadel", 1), real: none, finding: "no output delivers the tag new.tag"},
	{name: "rewritten and kept", rest: "  filters:\n    - {match: zitadel, name: rewrite_tag, rule: $source ^ new.tag true, emitter_storage.type: filesystem}\n" + strings.Replace(toFile, "'*'", "zitadel", 1), real: all},
	{name: "rewritten by the tag", rest: "  filters:\n    - {match: zitadel, name: rewrite_tag, rule: $source ^ x.$TAG false, emitter_storage.type: filesystem}\n" + strings.Replace(toFile, "'*'", "x.zitadel, match: x.zitadel", 1), real: all, finding: "match is given twice"},

	{name: "processor sql", input: processor("name: sql, query: \"SELECT * FROM STREAM WHERE source = 'x';\""), real: none, finding: "processor sql"},
	{name: "processor sampling leaves logs alone", input: processor("name: sampling, type: probabilistic, sampling_settings: {sampling_percentage: 1}"), real: all},
	{name: "processor content_modifier", input: processor("name: content_modifier, action: upsert, key: a, value: b"), real: all},
	{name: "processors of metrics", input: "      processors:\n        metrics:\n          - {name: labels, insert: a b}\n", real: all},
	{name: "processor multiline", input: processor("name: multiline, multiline.key_content: log, multiline.parser: go"), rest: toHTTP, away: true, real: all},
	{name: "processor rewrite_tag", input: processor("name: rewrite_tag, rule: $source ^ new.tag false"), rest: strings.Replace(toFile, "'*'", "zitadel", 1), real: none, finding: "no output matches the tag new.tag"},
	{name: "processor sql on the output", rest: outputProcessor("name: sql, query: \"SELECT * FROM STREAM WHERE source = 'x';\""), real: none, finding: "processor sql of the output file"},

	{name: "lone output without match", rest: "  outputs:\n" + siem, real: none, finding: "no output matches the tag zitadel"},
	{name: "route without condition, no match", input: routes(routeTo("r", "", "siem")), rest: "  outputs:\n" + siem, real: none, finding: "no output matches the tag zitadel: a route without a condition"},
	{name: "route without condition, match", input: routes(routeTo("r", "", "siem")), rest: "  outputs:\n" + strings.Replace(siem, "path", "match: '*', path", 1), real: all},
	{name: "condition for all", input: routes(routeTo("r", always, "siem")), rest: "  outputs:\n" + siem, real: all, finding: "routes without a default"},
	{name: "condition for none", input: routes(routeTo("r", never, "siem")), rest: "  outputs:\n" + siem + strings.Replace(second, "path", "match: '*', path", 1), real: none, finding: "routes without a default"},
	{name: "condition and default", input: routes(routeTo("r", never, "siem"), routeTo("d", rest, "other")), rest: "  outputs:\n" + siem + second, real: all},
	{name: "two routes to one output", input: routes(routeTo("r", never, "siem"), routeTo("d", rest, "siem")), rest: "  outputs:\n" + siem, real: none, finding: "route d is the second one to the output siem"},
	{name: "route to nowhere", input: routes(routeTo("r", never, "siem"), routeTo("d", rest, "gone")), rest: "  outputs:\n" + siem, real: none, finding: "route d names the output gone"},
	{name: "per record without condition", input: "      routes:\n        logs:\n          - {name: r, per_record_routing: true, to: {outputs: [siem]}}\n", rest: "  outputs:\n" + strings.Replace(siem, "path", "match: '*', path", 1), real: none, finding: "route r has per_record_routing"},
	{name: "filter for the tag that a route replaces", input: routes(routeTo("audit", rest, "siem")), rest: "  filters:\n    - {match: zitadel, name: grep, regex: none x}\n  outputs:\n" + siem, real: all},

	{name: "limited chunks and the input's tag", input: "      max_chunk_records: 100\n", rest: strings.Replace(toFile, "'*'", "zitadel", 1), real: none, finding: "no output matches the tag zitadel.*"},
	{name: "limited chunks and a filter with the input's tag", input: "      max_chunk_records: 100\n", rest: "  filters:\n    - {match: zitadel, name: grep, regex: none x}\n" + toFile, real: all, finding: "filter grep takes none of the tags zitadel.*"},
	{name: "limited chunks and their tags", input: "      max_chunk_records: 100\n", rest: strings.Replace(toFile, "'*'", "zitadel.*", 1), real: all},

	{name: "only null", rest: "  outputs:\n    - {name: 'null', match: '*'}\n", real: none, finding: "only the output null gets the tag zitadel"},
	{name: "metrics only", rest: "  outputs:\n    - {name: prometheus_exporter, match: '*', host: 127.0.0.2, port: PORT}\n", real: none, finding: "only the output prometheus_exporter gets"},
	{name: "service twice", rest: toFile + "service:\n  flush: 1\n", real: noStart, finding: "service is given twice"},
	{name: "pipeline of one word", rest: toFile + "  output: []\n", real: noStart, finding: "pipeline: output"},
}

// config is the file of a trial.
func (c trial) config(t *testing.T) (name, text string) {
	t.Helper()
	if strings.Contains(c.name, ".") {
		data, err := os.ReadFile(filepath.Join("testdata", "cases", c.name))
		if err != nil {
			t.Fatal(err)
		}
		return c.name, string(data)
	}
	outputs := c.rest
	if outputs == "" {
		outputs = toFile
	}
	return "fluent-bit.yaml", `plugins: [./build/in_zitadel.so]
service:
  flush: 0.2
  grace: 1
  storage.path: /var/lib/fluent-bit/st
pipeline:
  inputs:
    - name: zitadel
      tag: zitadel
      url: https://zitadel.example.com
      token_file: /etc/fluent-bit/zitadel.token
      state_path: /var/lib/fluent-bit/x.state
      threaded: off
      storage.type: filesystem
` + c.input + outputs
}

// What the check says of a configuration, apart from what is wrong with a path.
func (c trial) verdict(t *testing.T, path string) {
	t.Helper()
	opts := options()
	opts.Parse.Now = func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) } // after the reports
	report, err := Check(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	found, stops := false, false
	for _, f := range report.Findings {
		_, said, _ := strings.Cut(f.String(), fmt.Sprintf("%s: ", f.Severity))
		found = found || c.finding != "" && strings.HasPrefix(said, c.finding)
		stops = stops || f.Severity == Error
	}
	if c.real == noStart && !stops {
		t.Errorf("Fluent Bit does not start: %v", report.Findings)
	}
	if !found && c.finding != "" || c.finding == "" && len(report.Findings) > 0 {
		t.Errorf("wanted %q: %v", c.finding, report.Findings)
	}
	if c.real == none && c.finding == "" && len(report.Notes) == 0 {
		t.Error("events are lost, and nothing is said")
	}
	if strings.Contains(report.Summary, "no setting") && len(report.Findings) > 0 || report.Summary == "" {
		t.Error(report.Summary)
	}
}

func TestTheVerdictOfEachTrial(t *testing.T) {
	for _, c := range trials {
		t.Run(c.name, func(t *testing.T) {
			name, text := c.config(t)
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c.verdict(t, path)
		})
	}
}

// allTrials is the variable that runs every trial in Fluent Bit, as `make trials` does.
// Without it one trial of each kind runs.
const allTrials = "FLUENT_BIT_TRIALS"

// kind is what trials have in common.
func (c trial) kind() trial {
	place := "filter"
	switch {
	case strings.HasSuffix(c.name, ".yaml"), strings.HasSuffix(c.name, ".conf"):
		place = "file"
	case strings.Contains(c.input, "processors:"), strings.Contains(c.rest, "processors:"):
		place = "processor"
	case strings.Contains(c.input, "routes:"):
		place = "route"
	}
	return trial{name: place, away: c.away, real: c.real}
}

// Verdict and reality in one: what is said to lose events loses them, and what is
// said to keep them keeps them.
func TestTheVerdictIsWhatFluentBitDoes(t *testing.T) {
	t.Parallel()
	program, plugin := testkit.FluentBit(t), testkit.Plugin(t, "in_zitadel")
	type outcome struct {
		w   *world
		n   int
		err error
	}
	outcomes := make([]outcome, len(trials))
	turns := make(chan struct{}, 16) // most of the time each of them waits
	var wg sync.WaitGroup
	ran, kinds := map[string]bool{}, map[trial]bool{}
	for i, c := range trials {
		if ran[c.name] || kinds[c.kind()] && os.Getenv(allTrials) == "" {
			continue
		}
		ran[c.name], kinds[c.kind()] = true, true
		name, text := c.config(t)
		o := &outcomes[i]
		o.w = newWorld(t, program, plugin, name, text)
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			switch {
			case c.real == noStart:
				o.err = exec.Command(program, "--dry-run", "-c", o.w.config).Run()
			case c.away:
				o.n, o.err = o.w.deliverLater()
			default:
				o.n, o.err = o.w.deliver()
			}
		})
	}
	wg.Wait()
	for i, c := range trials {
		o := outcomes[i]
		if o.w == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			c.verdict(t, o.w.config)
			if ended := new(exec.ExitError); c.real == noStart {
				if !errors.As(o.err, &ended) {
					t.Errorf("Fluent Bit takes it: %v", o.err)
				}
				return
			}
			if o.err != nil {
				t.Fatal(o.err)
			}
			got := some
			switch o.n {
			case 0:
				got = none
			case events:
				got = all
			}
			if got != c.real {
				t.Errorf("%d of %d events arrive (%s), not %s", o.n, events, got, c.real)
			}
		})
	}
}
