package dashboards

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

var update = flag.Bool("update", false, "write the files")

func files(t *testing.T) map[string][]byte {
	t.Helper()
	list, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheFilesAreThoseOfTheCode(t *testing.T) {
	for name, want := range files(t) {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the code: go test ./dashboards -update (%v)", name, err)
		}
	}
}

// expressions of the panels of a file.
func expressions(t *testing.T, name string) (list []string) {
	t.Helper()
	var d dashboard
	in := json.NewDecoder(bytes.NewReader(files(t)[name]))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		t.Fatal(err)
	}
	right := map[int]int{}
	for _, p := range d.Panels {
		if len(p.Targets) == 0 || p.GridPos.X < right[p.GridPos.Y] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: %d queries at %+v", p.Title, len(p.Targets), p.GridPos)
		}
		right[p.GridPos.Y] = p.GridPos.X + p.GridPos.W
		for _, q := range p.Targets {
			list = append(list, q.Expr)
		}
	}
	return list
}

var metricName = regexp.MustCompile(`zitadel_siem_\w+`)

// TestEveryMetricOfAQueryExists, as a counter where the query takes it for one.
func TestEveryMetricOfAQueryExists(t *testing.T) {
	counters := map[string]bool{"zitadel_siem_errors_total": true}
	for _, m := range source.Legend() {
		if m.Counter {
			counters["zitadel_siem_"+m.Name+"_total"] = true
		} else {
			counters["zitadel_siem_"+m.Name] = false
		}
	}
	list := expressions(t, "reader.json")
	for _, expr := range list {
		names := metricName.FindAllString(expr, -1)
		if len(names) != 1 {
			t.Errorf("%s: %d metrics", expr, len(names))
			continue
		}
		counter, exists := counters[names[0]]
		if grows := strings.HasPrefix(expr, "rate(") || strings.HasPrefix(expr, "increase("); !exists || grows != counter {
			t.Errorf("%s: the metric exists: %v, it is a counter: %v", expr, exists, counter)
		}
	}
	if len(list) < 20 {
		t.Errorf("%d queries", len(list))
	}
}

// ecsFields are the paths of the golden records of package schema.
func ecsFields(t *testing.T) map[string]string {
	t.Helper()
	fields := map[string]string{}
	paths, err := filepath.Glob("../internal/schema/testdata/golden/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ = bytes.Cut(text, []byte("-- ecs --\n"))
		text, _, _ = bytes.Cut(text, []byte("\n-- "))
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ": "); ok {
				fields[name] = value
			}
		}
	}
	return fields
}

var (
	extracted = regexp.MustCompile(`(\w+)="([\w.]+(?:\[0\])?)"[, ]`)
	filtered  = regexp.MustCompile(`\| (\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"`)
)

func TestEveryFieldOfAQueryIsInTheRecords(t *testing.T) {
	fields := ecsFields(t)
	list := expressions(t, "audit.json")
	for _, expr := range list {
		_, pipeline, _ := strings.Cut(expr, "| json ")
		known := map[string]bool{}
		for _, m := range extracted.FindAllStringSubmatch(strings.SplitN(pipeline, " | ", 2)[0]+" ", -1) {
			path, element := strings.CutSuffix(m[2], "[0]")
			value, exists := fields[path]
			if !exists || element != strings.HasPrefix(value, "[") {
				t.Errorf("%s: no record has %s, or it is no such value: %q", expr, m[2], value)
			}
			if path == "event.provider" || path == "zitadel.instance" {
				t.Errorf("%s: conf/loki.yaml takes %s out of the line", expr, path)
			}
			known[m[1]] = true
		}
		for _, m := range filtered.FindAllStringSubmatch(pipeline, -1) {
			if !known[m[1]] {
				t.Errorf("%s: the filter on %s comes before its field", expr, m[1])
			}
		}
		if len(known) == 0 {
			t.Errorf("%s: no field", expr)
		}
	}
	if len(list) < 10 {
		t.Errorf("%d queries", len(list))
	}
}

// recordValues are the values that fields of records have: those of event, by their names there.
func recordValues() map[string]map[string]bool {
	values := map[string]map[string]bool{"action": {"heartbeat": true}, "category": {}, "outcome": {"failure": true, "success": true}, "kind": {"metric": true, "alert": true}}
	for _, row := range table().Rows() {
		values["action"][row.Type] = true
		for _, c := range row.Category {
			values["category"][c] = true
		}
	}
	return values
}

// TestEveryValueOfAFilterIsInSomeRecord: event types, categories, outcomes and kinds.
func TestEveryValueOfAFilterIsInSomeRecord(t *testing.T) {
	values := recordValues()
	checked := 0
	for _, expr := range expressions(t, "audit.json") {
		for _, m := range filtered.FindAllStringSubmatch(expr, -1) {
			if m[2] == "!=" {
				continue
			}
			for value := range strings.SplitSeq(m[3], "|") {
				checked++
				if !values[m[1]][strings.ReplaceAll(value, `\\.`, ".")] {
					t.Errorf("%s: %s is never %q", expr, m[1], value)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("%d values", checked)
	}
}
