package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/flbconf"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// Whoever copies a command line from a page gets flags that exist.
func TestDocsHaveCommandLinesThatParse(t *testing.T) {
	found, seen := 0, map[string]bool{}
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "build" || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(file) != ".md":
			return nil
		}
		for _, line := range commandLines(readFile(t, file)) {
			found++
			text := strings.Join(line, " ")
			if seen[text] {
				continue
			}
			seen[text] = true
			err := parseCommandLine(line)
			// A text may name a flag without its value: `zitadel-siem pull --forward`.
			if err != nil && strings.Contains(err.Error(), "EOL") && strings.HasPrefix(line[len(line)-1], "--") {
				err = parseCommandLine(append(line, "VALUE"))
			}
			if err != nil {
				t.Errorf("%s: zitadel-siem %s: %v", strings.TrimPrefix(file, "../../"), strings.Join(line, " "), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 60 {
		t.Errorf("only %d command lines were found: does the test still see them?", found)
	}
}

func TestTheTestOfCommandLinesSeesMistakes(t *testing.T) {
	text := "Run `zitadel-siem pull --onec`, or `zitadel-siem pull --once --end 2026-01-01T00:00:00Z`, or `zitadel-siem pull --settle x`, or:\n\n```sh\nsudo X=1 build/zitadel-siem check --fluent-bit a.yaml \\\n    --ofline # a comment\n" +
		"cat a | zitadel-siem parse --kindz all >b\ndocker run ghcr.io/zitadel-siem/zitadel-siem:1 pul\nsystemctl start zitadel-siem\n```\n"
	lines := commandLines(text)
	if len(lines) != 6 {
		t.Fatalf("%q", lines)
	}
	for _, line := range lines {
		if parseCommandLine(line) == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func parseCommandLine(args []string) error {
	var cli commands
	cli.Pull.Plugins = newOptionFlags(config.Pull)
	cli.Parse.Plugins = newOptionFlags(config.Output)
	cli.Detect.Plugins = newOptionFlags(config.Detect)
	cli.Verify.Plugins = newOptionFlags(config.Verify)
	cli.Check.Plugins = newOptionFlags(config.Pull)
	cli.Setup = newSetupCommands()
	helped := false
	parser, err := kong.New(&cli, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return err
	}
	if _, err = parser.Parse(args); err != nil {
		if helped {
			return nil
		}
		return err
	}
	return contradiction(&cli)
}

// contradiction is about flags that are right one by one. Values and files are of the
// reader's machine.
func contradiction(cli *commands) error {
	pull := flagValues(config.Pull, cli.Pull.Plugins)
	switch {
	case cli.Pull.Once && pull["end"] != "":
		return errors.New("--once and --end contradict each other")
	case cli.Pull.Config != "" && len(pull) > 0:
		return errors.New("--config takes no options")
	case cli.Check.Config != "" && cli.Check.FluentBit != "":
		return errors.New("--config and --fluent-bit contradict each other")
	case len(pull) == 0:
		return nil
	}
	for name, value := range pull {
		if value == "VALUE" { // the text names the flag alone
			delete(pull, name)
		}
	}
	for name, value := range map[string]string{"url": "https://zitadel.example.com", "state_path": "state"} {
		pull[name] = cmp.Or(pull[name], value)
	}
	if pull["token_file"] == "" && pull["key_file"] == "" {
		pull["token"] = "t"
	}
	if pull["webhook_listen"] != "" {
		pull["webhook_keys_dir"] = cmp.Or(pull["webhook_keys_dir"], "keys")
	}
	_, _, err := config.Pull.ParseMap(pull, config.ParseOptions{NoFiles: true})
	return err
}

var (
	fences  = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	spans   = regexp.MustCompile("`([^`\n]+)`")
	comment = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	// What ends a simple command of a shell, and a redirection.
	ends   = regexp.MustCompile(`\|\||&&|[|;\n]|\d?[<>]`)
	assign = regexp.MustCompile(`^[A-Z_0-9]+=`)
)

// commandLines are the arguments of zitadel-siem in the code of a page.
func commandLines(text string) (lines [][]string) {
	var code []string
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		code = append(code, comment.ReplaceAllString(strings.ReplaceAll(m[1], "\\\n", " "), ""))
	}
	for _, m := range spans.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		code = append(code, m[1])
	}
	for _, c := range code {
		for _, simple := range ends.Split(c, -1) {
			words := strings.Fields(strings.ReplaceAll(simple, `"`, ""))
			for len(words) > 0 && (words[0] == "sudo" || assign.MatchString(words[0])) {
				words = words[1:]
			}
			for i, word := range words {
				image := strings.HasPrefix(word, "ghcr.io/") && strings.HasPrefix(path.Base(word), "zitadel-siem")
				command := path.Base(word) == "zitadel-siem" && (i == 0 || words[i-1] == "--")
				if (image || command) && i+1 < len(words) && words[i+1] != "COMMAND" {
					lines = append(lines, words[i+1:])
					break
				}
			}
		}
	}
	return lines
}

// An example that our own check would complain about teaches the wrong thing.
func TestDocsHaveConfigurationsOfFluentBitThatPassTheCheck(t *testing.T) {
	found := 0
	for _, page := range []string{"fluent-bit.md", "action-logs.md"} {
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(readFile(t, docsDir+page), -1) {
			if !strings.Contains(m[1], "pipeline:") {
				continue
			}
			found++
			file := filepath.Join(t.TempDir(), "fluent-bit.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := flbconf.Check(file, flbconf.Options{
				LookupEnv: func(string) (string, bool) { return "", false },
				Parse:     config.ParseOptions{NoFiles: true}, // they name files of the user's machine
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				t.Errorf("docs/%s: %s", page, f)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d configurations were found: does the test still see them?", found)
	}
}

// A metric that is misspelt in an alert never fires.
func TestDocsHaveAlertsOnMetricsThatExist(t *testing.T) {
	exist := map[string]bool{metricName("errors", true): true}
	for _, store := range []string{"sources_held", "sources_waiting", "lease_seconds"} {
		exist[metricName(store, false)] = true
	}
	for _, m := range source.Legend() {
		exist[metricName(m.Name, m.Counter)] = true
	}
	for page, least := range map[string]int{"operations.md": 8, "cluster.md": 4} {
		alerts := section(t, readFile(t, docsDir+page), "alerts")
		names := regexp.MustCompile(`zitadel_siem_\w+`).FindAllString(alerts, -1)
		for _, name := range names {
			if !exist[name] {
				t.Errorf("docs/%s has an alert on %s, which no reader has", page, name)
			}
		}
		if len(names) < least {
			t.Errorf("docs/%s: only %d metrics were found: does the test still see them?", page, len(names))
		}
	}
}

func metricName(name string, counter bool) string {
	if counter {
		name += "_total"
	}
	return fmt.Sprintf("zitadel_siem_%s", name)
}
