package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
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

func TestReadmeHasTheOptionsOfTheCode(t *testing.T) {
	readme := readFile(t, "../../README.md")
	for name, want := range map[string]string{"options": config.Input.Markdown() + config.Syntax, "output options": config.Output.Markdown()} {
		if got := section(t, readme, name); got != want {
			t.Errorf("the table of %s in README.md differs from the code's. Put this between the comments:\n%s", name, want)
		}
	}
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
