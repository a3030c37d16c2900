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

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// section returns what stands between the two comments of a name.
func section(t *testing.T, readme, name string) string {
	t.Helper()
	match := regexp.MustCompile(`(?s)<!-- ` + name + `[^>]*-->\n(.*)<!-- /` + name + ` -->`).FindStringSubmatch(readme)
	if match == nil {
		t.Fatalf("README.md has no section %q", name)
	}
	return match[1]
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var update = flag.Bool("update", false, "write the tables of options into README.md")

func TestReadmeHasTheOptionsOfTheCode(t *testing.T) {
	const path = "../../README.md"
	readme := readFile(t, path)
	for name, want := range map[string]string{
		"options":        config.Input.Markdown() + config.Syntax,
		"pull options":   config.PullForward.Markdown(),
		"output options": config.Output.Markdown(),
		"figures":        figuresTable(),
	} {
		got := section(t, readme, name)
		switch {
		case got == want:
		case *update:
			readme = strings.Replace(readme, got, want, 1)
			if err := os.WriteFile(path, []byte(readme), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("the table of %s in README.md differs from the code's; with -update this test writes it", name)
		}
	}
}

// figuresTable is the table of what the heartbeat and the metrics count.
func figuresTable() string {
	var b strings.Builder
	b.WriteString("| figure | kind | meaning |\n|---|---|---|\n")
	for _, f := range source.Legend() {
		kind := "gauge"
		if f.Counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, kind, f.Help)
	}
	b.WriteString("| `errors` | counter | errors by kind: a gRPC code of ZITADEL's, or refused for the side that takes the records |\n")
	return b.String()
}

func TestReadmeHasTheRecordOfTheCode(t *testing.T) {
	cells := regexp.MustCompile(`\s*\|\s*`)
	var want []string
	for line := range strings.Lines(readFile(t, "../../internal/record/doc.go")) {
		if row, ok := strings.CutPrefix(line, "//\t|"); ok && !strings.Contains(row, "---") {
			want = append(want, cells.ReplaceAllString(strings.TrimSpace("|"+row), "|"))
		}
	}
	var got []string
	for line := range strings.Lines(section(t, readFile(t, "../../README.md"), "record")) {
		if row := strings.TrimSpace(line); strings.HasPrefix(row, "|") && !strings.Contains(row, "---") {
			got = append(got, cells.ReplaceAllString(row, "|"))
		}
	}
	if len(want) < 10 || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table of the record in README.md is\n%s\nbut internal/record says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestReadmeHasTheActionRecordOfTheCode compares the table with what records
// with every field hold.
func TestReadmeHasTheActionRecordOfTheCode(t *testing.T) {
	login := parser.Login{}
	for v, i := reflect.ValueOf(&login).Elem(), 0; i < v.NumField(); i++ {
		v.Field(i).SetString("x")
	}
	at := time.Unix(1, 0)
	full := parser.Record{Time: at, Read: at, Level: "info", Instance: "i", ActionID: "a", Login: login, Unverified: login, Cut: true, Raw: "r", Error: "e"}
	keys := map[string]bool{}
	for _, k := range []parser.Kind{parser.Log, parser.RunFailed, parser.Access} {
		r := full
		r.Kind = k
		var collect func(prefix string, v gjson.Result)
		collect = func(prefix string, v gjson.Result) {
			v.ForEach(func(key, value gjson.Result) bool {
				name := prefix + key.Str
				switch {
				case name == "unverified" || name == "access":
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
	for line := range strings.Lines(section(t, readFile(t, "../../README.md"), "action record")) {
		name, ok := strings.CutPrefix(line, "| ")
		name, _, _ = strings.Cut(name, " ")
		if !ok || name == "field" {
			continue
		}
		if !keys[name] {
			t.Errorf("README has %q, records have not", name)
		}
		delete(keys, name)
		if top, _, nested := strings.Cut(name, "."); nested && !parser.Reserved(top) || !nested && !parser.Reserved(name) {
			t.Errorf("%q is not reserved", name)
		}
	}
	for name := range keys {
		t.Errorf("records have %q, README has not", name)
	}
}
