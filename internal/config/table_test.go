package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryOptionIsDocumentedAndItsDefaultAndBoundsParse(t *testing.T) {
	t.Run("input", func(t *testing.T) { documented(t, Input) })
	t.Run("output", func(t *testing.T) { documented(t, Output) })
	t.Run("pull", func(t *testing.T) { documented(t, Pull) })
	t.Run("setup", func(t *testing.T) { documented(t, Setup) })
}

func documented[S any](t *testing.T, table Table[S]) {
	seen := map[string]bool{}
	md := table.Markdown()
	for _, o := range table.Options {
		if seen[o.Name] {
			t.Errorf("%s is there twice", o.Name)
		}
		seen[o.Name] = true
		if o.Doc == "" || o.Example == "" || strings.HasSuffix(o.Doc, ".") || kindNames[o.Kind] == "" && o.Kind != KindEnum {
			t.Errorf("%s is not documented right", o.Name)
		}
		if !strings.Contains(md, "| `"+o.Name+"` |") {
			t.Errorf("%s is missing in Markdown", o.Name)
		}
		if !strings.Contains(o.Help(), "$"+o.Env()) {
			t.Errorf("%s: help %q", o.Name, o.Help())
		}
		if o.Kind == KindToken != o.Secret {
			t.Errorf("%s: a token is a secret, and nothing else here", o.Name)
		}
		if o.Kind == KindFile && o.content == nil || o.Kind == KindToken && o.text == nil {
			t.Errorf("%s: nothing looks at its value", o.Name)
		}
		bounded := o.Kind == KindDuration || o.Kind == KindSize || o.Kind == KindNumber
		if bounded != (o.Min != "" && o.Max != "" && o.Bounds != "") {
			t.Errorf("%s: bounds", o.Name)
		}
		for _, v := range []string{o.Min, o.Max, o.fallback()} {
			p := newParser(table.Options, new(S), nil, ParseOptions{NoFiles: true})
			if p.store(o, v); len(p.problems) > 0 {
				t.Errorf("%s: %q: %v", o.Name, v, p.problems)
			}
		}
		if o.Kind != KindToken {
			p := newParser(table.Options, new(S), nil, ParseOptions{NoFiles: true})
			if p.store(o, o.Example); len(p.problems)+len(p.warnings) > 0 {
				t.Errorf("%s: example: %v %v", o.Name, p.problems, p.warnings)
			}
		}
		for _, a := range o.also {
			if got := table.NearestOption(a); got != o.Name {
				t.Errorf("%s: wrong name %s leads to %s", o.Name, a, got)
			}
		}
	}
	for line := range strings.Lines(md) {
		if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); strings.HasPrefix(line, "|") && n != 5 {
			t.Errorf("row has %d bars: %s", n, line)
		}
	}
}

func TestEnvironmentAndFlagNames(t *testing.T) {
	o, _ := Input.Lookup("token_file")
	if o.Env() != "ZITADEL_TOKEN_FILE" || o.Flag() != "token-file" {
		t.Error(o.Env(), o.Flag())
	}
	env := map[string]string{"ZITADEL_URL": "https://a.b", "ZITADEL_TOKEN": "", "ZITADEL_MASTERKEY": "x"}
	got := Input.FromEnv(func(k string) string { return env[k] })
	if d := cmp.Diff(map[string]string{"url": "https://a.b"}, got); d != "" {
		t.Error(d)
	}
}

func TestParseAsksForMisspellings(t *testing.T) {
	for wrong, right := range map[string]string{
		"api_token": "token", "access_token": "token", "pat": "token", "host": "url", "interval": "poll_interval",
		"state_file": "state_path", "statefile": "state_path", "db": "state_path", "path": "state_path",
		"exclude_evnt_types": "exclude_event_types", "exclude_event_type": "exclude_event_types", "token-file": "token_file",
		"tokenfile": "token_file", "setttle": "settle", "ovelrap": "overlap", "poll.interval": "poll_interval", "since": "start",
	} {
		values := base("state_path", filepath.Join(t.TempDir(), "s"), wrong, "marker-value")
		_, _, err := Input.Parse(func(name string) string { return values[name] }, at(t))
		want := "1 problem in the configuration:\n  " + wrong + ": is not an option of zitadel-siem; did you mean " + right + "?"
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	asked := map[string]int{}
	_, _, err := Input.Parse(func(name string) string { asked[name]++; return base()[name] }, at(t))
	if err != nil {
		t.Error(err)
	}
	if len(asked) > 3000 {
		t.Errorf("%d names asked for", len(asked))
	}
	for name, n := range asked {
		if n > 1 {
			t.Errorf("%s asked %d times", name, n)
		}
	}
}

// Names that Fluent Bit's common keys use must not be refused by Parse: the
// host swallows most of them, but not on every version.
func TestMisspellingsLeaveFluentBitsOwnKeysAlone(t *testing.T) {
	for _, c := range []struct {
		options Options
		keys    []string
	}{
		{Input.Options, []string{"name", "tag", "alias", "threaded", "storage.type", "mem_buf_limit", "log_level", "match", "routable"}},
		{Output.Options, []string{"name", "match", "match_regex", "alias", "log_level", "workers", "retry_limit", "storage.total_limit_size", "processors"}},
	} {
		for _, m := range c.options.misspellings() {
			if slices.Contains(c.keys, m.wrong) {
				t.Errorf("%s is a key of Fluent Bit", m.wrong)
			}
		}
	}
}
