package conf

import (
	"os"
	"strings"
	"testing"
)

// Each configuration of a destination has a row in docs/destinations.md.
func TestDocs_EachDestinationHasARow(t *testing.T) {
	page, err := os.ReadFile("../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 8 {
			_, file, _ := strings.Cut(cells[2], "`")
			file, _, _ = strings.Cut(file, "`")
			rows[file] = cells[4]
		}
	}
	for _, s := range siems {
		if rows[s.file] == "" {
			t.Errorf("%s has no row", s.file)
		}
	}
	if !strings.Contains(rows[notRun], "real protocol") {
		t.Errorf("%s: run against %q", notRun, rows[notRun])
	}
	for _, d := range destinations {
		if d.path == "" && !strings.Contains(rows[d.file], "strict test service") || d.path != "" && !strings.Contains(rows[d.file], "a file") {
			t.Errorf("%s: run against %q", d.file, rows[d.file])
		}
	}
}
