package conf

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/flbconf"
)

func names(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(Files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no configuration is embedded: %v", err)
	}
	return names
}

func TestOurOwnCheckFindsNothingInTheConfigurations(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			report := check(t, name)
			for _, f := range report.Findings {
				if name == sources && strings.HasPrefix(f.What, "no output matches the tag zitadel.") {
					continue // those are in the files that include it
				}
				if name == notRun && strings.Contains(f.String(), "output kafka: it counts records as delivered while they wait in the memory of its library") {
					continue // its head says so, too
				}
				t.Error(f)
			}
			if len(report.Inputs)+len(report.Outputs) == 0 {
				t.Error("nothing named zitadel in it")
			}
		})
	}
}

// sources is included by those that name a SIEM.
const sources = "sources.yaml"

func check(t *testing.T, path string) flbconf.Report {
	t.Helper()
	report, err := flbconf.Check(path, flbconf.Options{
		LookupEnv: func(string) (string, bool) { return "", false },
		Parse:     config.ParseOptions{NoFiles: true}, // they name files of the user's machine
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// The check has to be able to fail, or the test above says nothing.
func TestOurOwnCheckSeesWhatTheConfigurationsKeep(t *testing.T) {
	kept := regexp.MustCompile(`(?m)^ +(storage\.path|storage\.type|threaded|db|buffer_max_size|skip_long_lines|workers|retry_limit):.*\n`)
	for _, name := range names(t) {
		data, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, Files); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		before, seen := len(check(t, name).Findings), 0
		for _, at := range kept.FindAllIndex(data, -1) {
			line := string(data[at[0]:at[1]])
			section := string(data[:at[0]])
			if i := strings.LastIndex(section, "- name: "); i >= 0 && strings.HasPrefix(section[i:], "- name: stdout") {
				continue // it cannot fail
			}
			if err := os.WriteFile(path, []byte(section+string(data[at[1]:])), 0o600); err != nil {
				t.Fatal(err)
			}
			if len(check(t, path).Findings) <= before {
				t.Errorf("%s: nothing is found without %q", name, strings.TrimSpace(line))
			}
			seen++
		}
		if seen == 0 {
			t.Errorf("%s keeps nothing", name)
		}
	}
}

// What carries the guarantee is the same in sources.yaml, which is short, as in
// the files that say why.
func TestSourcesAreThoseOfTheFilesThatExplainThem(t *testing.T) {
	lines := func(name string) map[string]bool {
		data, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				set[line] = true
			}
		}
		return set
	}
	explained := lines("fluent-bit.yaml")
	for line := range lines("docker.yaml") {
		explained[line] = true
	}
	for line := range lines(sources) {
		if !explained[line] && line != "tag: zitadel.events" && line != "format: ${ZITADEL_FORMAT:-raw}" && !strings.HasPrefix(line, "max_chunk_") {
			t.Errorf("%s is in neither fluent-bit.yaml nor docker.yaml", line)
		}
	}
}
