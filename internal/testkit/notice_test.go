package testkit

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	noticeRow   = regexp.MustCompile(`(?m)^(\S+) (v\S+): (.+)$`)
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)([-.].*)?$`)
)

// Whoever passes a release on must pass on these texts. `make notice` writes them, with
// a classifier of licences; this test only compares them with the modules.
func TestNoticeHasTheLicenceOfEveryModuleThatIsLinked(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	notice := string(data)
	table, texts, _ := strings.Cut(notice, "\n\n====")
	listed := map[string]bool{}
	for _, row := range noticeRow.FindAllStringSubmatch(table, -1) {
		listed[row[1]+" "+row[2]] = true
		for licence := range strings.SplitSeq(row[3], ", ") {
			if !slices.Contains([]string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}, licence) {
				t.Errorf("%s has the licence %s, which is not allowed", row[1], licence)
			}
		}
	}

	linked := modulesLinked(t)
	for name := range listed {
		if _, ok := linked[name]; !ok {
			t.Errorf("NOTICE has %s, which is not linked: run make notice", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(linked)) {
		if !listed[name] {
			t.Errorf("NOTICE lacks %s: run make notice", name)
			continue
		}
		entries, err := os.ReadDir(linked[name])
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, e := range entries {
			if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) {
				continue
			}
			body, err := os.ReadFile(filepath.Join(linked[name], e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found = true
			if !strings.Contains(texts, strings.Trim(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n")) {
				t.Errorf("NOTICE lacks the text of %s of %s: run make notice", e.Name(), name)
			}
		}
		if !found {
			t.Errorf("%s has no licence in %s", name, linked[name])
		}
	}
}

// modulesLinked maps the name and version of each module in what is shipped to its
// directory.
func modulesLinked(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, s := range []struct{ system, cgo, path string }{
		{"linux", "0", "cmd/zitadel-siem"},
		{"darwin", "0", "cmd/zitadel-siem"},
		{"windows", "0", "cmd/zitadel-siem"},
		{"linux", "1", "plugin/in_zitadel"},
		{"linux", "1", "plugin/out_zitadel"},
	} {
		cmd := exec.Command("go", "list", "-deps", "-tags", tags, "-f",
			"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", module+s.path)
		cmd.Env = append(os.Environ(), "GOOS="+s.system, "GOARCH=amd64", "CGO_ENABLED="+s.cgo)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s for %s: %v", s.path, s.system, err)
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				all[name] = dir
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d modules", len(all))
	}
	return all
}
