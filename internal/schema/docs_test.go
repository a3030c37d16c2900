package schema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// Each field that docs/formats.md names for a format is in a golden record of it.
func TestDocs_FieldsAreThoseOfTheWriters(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden records", err)
	}
	golden := map[string]*strings.Builder{}
	section := regexp.MustCompile(`(?m)^-- (.+) --$`)
	for _, path := range paths {
		text := readAll(t, path)
		at := section.FindAllStringSubmatchIndex(text, -1)
		for i, m := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			name := strings.Fields(text[m[2]:m[3]])[0]
			if golden[name] == nil {
				golden[name] = &strings.Builder{}
			}
			golden[name].WriteString(text[m[1]:end])
		}
	}

	_, table, _ := strings.Cut(readAll(t, "../../docs/formats.md"), "<!-- fields")
	table, _, found := strings.Cut(table, "<!-- /fields -->")
	if !found {
		t.Fatal("docs/formats.md has no table of fields")
	}
	field, formats, n := regexp.MustCompile("`([^`]+)`"), []string{"ecs", "ocsf", "cef", "leef"}, 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			continue
		}
		for i, format := range formats {
			for _, m := range field.FindAllStringSubmatch(cells[i+1], -1) {
				n++
				separator := `: `
				if format == "cef" || format == "leef" {
					separator = `=`
				}
				if !regexp.MustCompile(`(?m)(^|[ \t|])` + regexp.QuoteMeta(m[1]+separator)).MatchString(golden[format].String()) {
					t.Errorf("docs/formats.md: %s is in no golden record in %s", m[1], format)
				}
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d fields were found: does the test still see them?", n)
	}
}

// The example of a schema_file in docs/formats.md is right, and changes what it says.
func TestDocs_TheExampleOfASchemaFileIsRight(t *testing.T) {
	_, example, _ := strings.Cut(readAll(t, "../../docs/formats.md"), "```yaml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("docs/formats.md has no example")
	}
	table, err := schema.Load([]byte(example), "docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for typ, want := range map[string]string{"user.locked": "high core", "user.metadata.set": "informational noise", "session.password.checked": "informational core", "my.own.type": "medium core"} {
		row, known := table.Row(typ)
		if got := row.Severity.String() + " " + row.Tier.String(); !known || got != want {
			t.Errorf("%s: %s, want %s", typ, got, want)
		}
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
