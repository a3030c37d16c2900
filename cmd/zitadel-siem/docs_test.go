package main

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

const docsDir = "../../docs/"

// section returns the text between the two comments of a name.
func section(t *testing.T, text, name string) string {
	t.Helper()
	_, inside, _ := cutSection(t, text, name)
	return inside
}

func cutSection(t *testing.T, text, name string) (before, inside, after string) {
	t.Helper()
	at := regexp.MustCompile(`(?s)<!-- ` + name + `[^>]*-->\n(.*)<!-- /` + name + ` -->`).FindStringSubmatchIndex(text)
	if at == nil {
		t.Fatalf("there is no section %q", name)
	}
	return text[:at[2]], text[at[2]:at[3]], text[at[3]:]
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var update = flag.Bool("update", false, "write the tables of options and metrics into docs/")

func TestDocsHaveTheOptionsAndMetricsOfTheCode(t *testing.T) {
	for _, table := range []struct{ file, name, want string }{
		{"options.md", "options", config.Input.Markdown() + config.Syntax},
		{"options.md", "pull options", config.PullForward.Markdown()},
		{"options.md", "output options", config.Output.Markdown()},
		{"options.md", "flags", flagsTable()},
		{"metrics.md", "metrics", metricsTable()},
	} {
		before, got, after := cutSection(t, readFile(t, docsDir+table.file), table.name)
		switch {
		case got == table.want:
		case *update:
			if err := os.WriteFile(docsDir+table.file, []byte(before+table.want+after), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("docs/%s: the table of %s differs from the code: go test ./cmd/zitadel-siem -run Docs -update", table.file, table.name)
		}
	}
}

func TestDocsHaveTheEventTypesOfTheTable(t *testing.T) {
	table, err := format.Table("")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := table.WriteDocs(&want); err != nil {
		t.Fatal(err)
	}
	if readFile(t, docsDir+"events.md") != want.String() {
		t.Error("docs/events.md is not what the table gives: make docs")
	}
}

func TestDocsHaveTheDetectionsOfTheRules(t *testing.T) {
	set, err := detections.Rules()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := writeDetectionDocs(&want, set); err != nil {
		t.Fatal(err)
	}
	if readFile(t, docsDir+"detections.md") != want.String() {
		t.Error("docs/detections.md is not what the rules give: make docs")
	}
}

// metricsTable is the table of the heartbeat's fields and the metrics.
func metricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | kind | meaning |\n|---|---|---|\n")
	for _, f := range source.Legend() {
		kind := "gauge"
		if f.Counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, kind, f.Help)
	}
	b.WriteString("| `errors` | counter | errors by kind: a gRPC code of ZITADEL's, or `refused` by the side that takes the records |\n")
	return b.String()
}

func TestDocsHaveTheRecordOfTheCode(t *testing.T) {
	cells := regexp.MustCompile(`\s*\|\s*`)
	var want []string
	for line := range strings.Lines(readFile(t, "../../internal/record/doc.go")) {
		if row, ok := strings.CutPrefix(line, "//\t|"); ok && !strings.Contains(row, "---") {
			want = append(want, cells.ReplaceAllString(strings.TrimSpace("|"+row), "|"))
		}
	}
	var got []string
	for line := range strings.Lines(section(t, readFile(t, docsDir+"records.md"), "record")) {
		if row := strings.TrimSpace(line); strings.HasPrefix(row, "|") && !strings.Contains(row, "---") {
			got = append(got, cells.ReplaceAllString(row, "|"))
		}
	}
	if len(want) < 10 || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table of the record in docs/records.md is\n%s\nbut internal/record says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The table has the fields of a record in which every field is set.
func TestDocsHaveTheActionRecordOfTheCode(t *testing.T) {
	login := parser.Login{}
	for v, i := reflect.ValueOf(&login).Elem(), 0; i < v.NumField(); i++ {
		v.Field(i).SetString("x")
	}
	at := time.Unix(1, 0)
	full := parser.Record{Time: at, Read: at, Level: "info", Instance: "i", ActionID: "a", Login: login, Unverified: login, Cut: true, Raw: "r", Error: "e", Join: parser.JoinTraceID}
	keys := map[string]bool{}
	for _, k := range []parser.Kind{parser.Log, parser.RunFailed, parser.Access, parser.Served} {
		r := full
		r.Kind = k
		var collect func(prefix string, v gjson.Result)
		collect = func(prefix string, v gjson.Result) {
			v.ForEach(func(key, value gjson.Result) bool {
				name := prefix + key.Str
				switch {
				case name == "unverified" || name == "access" || name == "request":
					keys[name+".*"] = true
				case value.IsObject():
					collect(name+".", value)
				default:
					keys[name] = true
				}
				return true
			})
		}
		collect("", gjson.ParseBytes(parser.AppendJSON(nil, &r)))
	}
	for line := range strings.Lines(section(t, readFile(t, docsDir+"records.md"), "action record")) {
		name, ok := strings.CutPrefix(line, "| ")
		name, _, _ = strings.Cut(name, " ")
		if !ok || name == "field" {
			continue
		}
		if !keys[name] {
			t.Errorf("docs/records.md has the field %q, records do not have it", name)
		}
		delete(keys, name)
		if top, _, nested := strings.Cut(name, "."); nested && !parser.Reserved(top) || !nested && !parser.Reserved(name) {
			t.Errorf("%q is not reserved", name)
		}
	}
	for name := range keys {
		t.Errorf("records have the field %q, docs/records.md does not have it", name)
	}
}
