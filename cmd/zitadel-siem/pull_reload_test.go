//go:build !windows

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// idsBehind counts the ids of whole lines of a file, by source.
func idsBehind(t *testing.T, path string) map[string]map[string]int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]map[string]int{}
	for line := range strings.Lines(string(data)) {
		id := gjson.Get(line, "event.id").String()
		instance, _, _ := strings.Cut(id, "/")
		if !strings.HasSuffix(line, "\n") {
			continue
		}
		if counts[instance] == nil {
			counts[instance] = map[string]int{}
		}
		counts[instance][id]++
	}
	return counts
}

func TestPull_ReloadsOnSIGHUPAndWhenAFileChanges(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	dir := t.TempDir()
	sources := filepath.Join(dir, "sources")
	for _, d := range []string{sources, filepath.Join(dir, "states")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	source := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(sources, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(`metrics_listen: 127.0.0.1:0
state_dir: `+dir+`/states
sources_dir: `+sources+`
defaults: {url: "`+server.URL()+`", token: "${TOKEN}", settle: 0s, overlap: 100ms, poll_interval: 100ms}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	source("one.yaml", "instance: one\n")
	out, err := os.Create(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := program(t, []string{"TOKEN=" + server.Token()}, "pull", "--config", config)
	cmd.Stdout = out
	log := listenTo(t, cmd)
	complete := func(instance string) func() bool {
		return func() bool { return len(idsBehind(t, out.Name())[instance]) == recordedEvents }
	}
	logged := func(text string, times int) func() bool {
		return func() bool { return strings.Count(log.String(), text) == times }
	}
	hangUp := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Until(t, "one", complete("one"))

	source("more.yml", "- instance: two\n- instance: three\n")
	hangUp()
	testkit.Until(t, "two", complete("two"))
	testkit.Until(t, "three", complete("three"))

	source("more.yml", "- instance: two\n- insta") // as an editor leaves it half way
	hangUp()
	testkit.Until(t, "the error", logged("could not be read again", 1))
	if s := log.String(); !strings.Contains(s, filepath.Join(sources, "more.yml")+" line 2: must be a map of options") {
		t.Error(s)
	}
	_, url, _ := strings.Cut(log.String(), "health=")
	url, _, _ = strings.Cut(url, "\n")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Get(strings.TrimSpace(url)); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%q: %v", url, err)
	} else {
		resp.Body.Close()
	}

	source("more.yml", "instance: three\npoll_interval: 200ms\n") // nobody says so
	testkit.Until(t, "the change to be seen", logged("changed=1 removed=1 same=1", 1))
	source("four.yaml", "instance: four\n")
	source(".hidden.yaml", "instance: five\n")
	source("README", "no source")
	hangUp()
	testkit.Until(t, "four", complete("four"))

	if status := interrupt(t, cmd, syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d\n%s", status, log)
	}
	for instance, ids := range idsBehind(t, out.Name()) {
		for id, n := range ids {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if states, _ := filepath.Glob(filepath.Join(dir, "states", "??", instance+".state")); len(states) != 1 || len(ids) != recordedEvents {
			t.Errorf("%s: %d events, states in %v", instance, len(ids), states)
		}
	}
	if n := len(idsBehind(t, out.Name())); n != 4 {
		t.Errorf("%d sources, want 4", n)
	}
}
