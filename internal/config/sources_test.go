package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func writeSources(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sources.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func noEnv(string) (string, bool) { return "", false }

func TestSources(t *testing.T) {
	dir := t.TempDir()
	path := writeSources(t, `
metrics_listen: ${ADDR}
defaults:
  forward: 127.0.0.1:24224
  token: ${TOKEN}
  poll_interval: 1s
sources:
  - url: https://a.example.com
    state_path: `+dir+`/a
    event_types: [user.locked, user.unlocked]
  - url: https://b.example.com   # with its own
    token: other-token
    instance: b
    state_path: `+dir+`/b
    poll_interval: 10
    exclude_own: yes
    tag: audit.b
`)
	env := map[string]string{"ADDR": "127.0.0.1:1", "TOKEN": "secret-token"}
	got, err := ReadSources(path, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, ParseOptions{})
	if err != nil || len(got.Warnings) > 0 {
		t.Fatal(err, got.Warnings)
	}
	a, b := got.List[0], got.List[1]
	type some struct {
		Instance, Forward, Tag, Token string
		Poll                          time.Duration
		Types                         []string
		Own                           bool
	}
	brief := func(s PullSettings) some {
		return some{s.Instance, s.Out.Forward.String(), s.Out.Tag, s.Token.Reveal(), s.PollInterval, s.EventTypes, s.ExcludeOwn}
	}
	if d := cmp.Diff([]some{
		{"a.example.com", "tcp://127.0.0.1:24224", "zitadel", "secret-token", time.Second, []string{"user.locked", "user.unlocked"}, false},
		{"b", "tcp://127.0.0.1:24224", "audit.b", "other-token", 10 * time.Second, nil, true},
	}, []some{brief(a), brief(b)}); d != "" {
		t.Error(d)
	}
	if got.MetricsListen != "127.0.0.1:1" {
		t.Error(got.MetricsListen)
	}
	if s := a.String(); strings.Contains(s, "secret-token") || !strings.Contains(s, "forward=tcp://127.0.0.1:24224") {
		t.Error(s)
	}
}

func TestSources_EverythingThatIsWrongIsToldWithItsLine(t *testing.T) {
	path := writeSources(t, `defaults:
  token: ${NOT_SET}
metrics: 127.0.0.1:1
token_file: x
sources:
  - url: https://a.example.com
    state_path: ./same
    interval: 1s
  - url: https://a.example.com
    state_path: ./same
    settle: 1h
    settle: 2s
  - url: {host: a}
  - just text
`)
	_, err := ReadSources(path, noEnv, ParseOptions{})
	want := `--config ` + path + `: line 3: "metrics" is not known here: use metrics_listen, state_dir, state, state_lease, sources_dir, defaults or sources
  line 4: "token_file" is not known here: use metrics_listen, state_dir, state, state_lease, sources_dir, defaults or sources; move it below a source, or below defaults
  line 2: token: contains the variable ${NOT_SET}, which was not replaced by its value; set NOT_SET in the environment of the process; Fluent Bit and a shell replace ${NOT_SET}
  line 8: interval: is not an option of zitadel-siem; did you mean poll_interval?
  line 12: "settle" is already in line 11: remove one of the two
  line 11: settle: "1h" is more than 10m (events are not read before they are this old); the maximum is 10m, the default 2s
  line 13: "url" must be a plain value or a list of plain values
  line 13: url: is missing; for example https://zitadel.example.com
  line 13: state_path: is missing: without it, every restart would begin at start; for example /var/lib/zitadel-siem/prod.state
  line 14: must be a map of options
  line 9: state_path "./same" is also used by the source in line 6; each needs its own
  line 9: instance "a.example.com" is also used by the source in line 6; set another ` + "`instance`" + ` for one of them, or merge the two sources into one`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestSources_TheExampleIsRight(t *testing.T) {
	got, err := ReadSources("../../conf/sidecar/sources.yaml", noEnv, ParseOptions{NoFiles: true})
	if err != nil || len(got.Warnings) > 0 || len(got.List) != 2 {
		t.Error(err, got.Warnings)
	}
}

func TestSources_Files(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "is empty: it must have `sources:`, a list, or `sources_dir:`",
		"sources: [":                "line 1: is not valid YAML; put a value that begins with a special character, such as * or &, in quotes",
		"a: 1\nsources: [\n- }":     "line 2: is not valid YAML; put a value that begins with a special character, such as * or &, in quotes",
		"- url: x":                  "line 1: must be a map with `sources:`",
		"defaults: {}":              "line 1: `sources:` is missing: add it, a list of at least one source, each beginning with `- url:`, or add `sources_dir:`",
		"sources: []":               "line 1: `sources:` must be a list of at least one source, each beginning with `- url:`",
		"sources:\n  url: x\n":      "line 2: `sources:` must be a list of at least one source, each beginning with `- url:`",
		strings.Repeat("#", 17<<20): "is larger than 16 MiB, so it is no file of sources: name the YAML file of the sources",
	} {
		path := writeSources(t, text)
		if _, err := ReadSources(path, noEnv, ParseOptions{}); err == nil || err.Error() != "--config "+path+": "+want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := ReadSources("nowhere.yaml", noEnv, ParseOptions{}); err == nil || err.Error() != "--config nowhere.yaml: no such file or directory; name the YAML file of the sources" {
		t.Error(err)
	}
	if _, err := ReadSources(t.TempDir(), noEnv, ParseOptions{}); err == nil || !strings.HasSuffix(err.Error(), ": is a directory; name the YAML file of the sources") {
		t.Error(err)
	}
}

// What the library says of a file repeats parts of it.
func TestLaw6_AFileThatIsNoYAMLIsNotRepeated(t *testing.T) {
	for text, line := range map[string]string{
		"sources:\n  - shared_key: *S3cretS3cret\n":             "line 2: ",
		"sources:\n  - shared_key: !S3cret!S3cret x\n":          "",
		"sources:\n  - shared_key: &S3cret@S3cret\n  - a: [}\n": "",
		"sources:\n  - shared_key: \"S3cret\\S3cret\"\n":        "",
		"sources:\n  - shared_key: %S3cret\n":                   "",
		"sources:\n  - shared_key: @S3cret\n":                   "",
		"sources:\n  - shared_key: a: S3cret\n":                 "",
		"sources:\n  - {shared_key: &S3cret *S3cret}\n":         "",
		"%S3cret S3cret\n---\na: b\n":                           "",
		"sources:\n  - shared_key: !<S3cret S3cret\n":           "",
		"a: &a [*a]\nsources:\n  - <<: *a\n    b: *S3cret\n":    "line 4: ",
		"sources:\n  - shared_key: &S3cret [*S3cret]\n    a: 1": "",
	} {
		path := writeSources(t, text)
		_, err := ReadSources(path, noEnv, ParseOptions{})
		if err == nil || strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q: %v", text, err)
		} else if line != "" && !strings.HasPrefix(err.Error(), "--config "+path+": "+line) {
			t.Errorf("%q: %v, want %s", text, err, line)
		}
	}
}

func TestSources_NothingIsLeftOutInSilence(t *testing.T) {
	dir := t.TempDir()
	source := func(name, more string) string {
		return "  - {url: \"https://" + name + ".example.com\", token: x, state_path: " + dir + "/" + name + more + "}\n"
	}
	listen := ", webhook_listen: \"127.0.0.1:8443\", webhook_keys_dir: " + dir
	for _, c := range []struct{ text, want string }{
		{"sources:\n" + source("a", "") + "sources:\n" + source("b", ""), `line 3: "sources" is already in line 1: remove one of the two`},
		{"defaults: {settle: 1s}\nsources:\n" + source("a", "") + "defaults: {settle: 2s}\n", `line 4: "defaults" is already in line 1: remove one of the two`},
		{"metrics_listen: 127.0.0.1:1\nmetrics_listen: 127.0.0.1:2\nsources:\n" + source("a", ""), `line 2: "metrics_listen" is already in line 1: remove one of the two`},
		{"metrics_listen: [127.0.0.1:1]\nsources:\n" + source("a", ""), `line 1: "metrics_listen" must be a plain value, HOST:PORT`},
		{"metrics_listen: {a: b}\nsources:\n" + source("a", ""), `line 1: "metrics_listen" must be a plain value, HOST:PORT`},
		{"sources:\n" + source("a", ", listen: \"127.0.0.1:8443\""), "line 2: listen: is not an option of zitadel-siem; did you mean webhook_listen?"},
		{"listen: 127.0.0.1:8443\nsources:\n" + source("a", ""), `line 1: "listen" is not known here: use metrics_listen, state_dir, state, state_lease, sources_dir, defaults or sources; webhook_listen goes below a source, or below defaults`},
		{"sources:\n" + source("a", listen) + source("b", listen), `line 3: webhook_listen "127.0.0.1:8443" is also used by the source in line 2; each needs its own`},
		{"sources:\n" + source("a", listen+", spool_path: "+dir+"/q") + source("b", strings.Replace(listen, "8443", "8444", 1)+", spool_path: "+dir+"/./q"),
			`line 3: spool_path "` + dir + `/./q" is also used by the source in line 2; each needs its own`},
	} {
		path := writeSources(t, c.text)
		if _, err := ReadSources(path, noEnv, ParseOptions{}); err == nil || err.Error() != "--config "+path+": "+c.want {
			t.Errorf("%s\n%v, want\n%s", c.text, err, c.want)
		}
	}
	if _, err := ReadSources(writeSources(t, "sources:\n"+source("a", strings.Replace(listen, "8443", "0", 1))+source("b", strings.Replace(listen, "8443", "0", 1))), noEnv, ParseOptions{}); err != nil {
		t.Errorf("port 0 is another one each time: %v", err)
	}
}

func TestSources_ASecretThatOthersCanReadIsToldOf(t *testing.T) {
	text := "sources:\n  - {url: \"https://a.example.com\", token: secret-token, state_path: " + t.TempDir() + "/s}\n"
	path := writeSources(t, text)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSources(path, noEnv, ParseOptions{})
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "chmod 600") || strings.Contains(got.Warnings[0], "secret-token") {
		t.Error(err, got.Warnings)
	}
}

func TestPull_OneOptionCountsForBothWays(t *testing.T) {
	s, warnings, err := Pull.ParseMap(base("state_path", filepath.Join(t.TempDir(), "s"), "forward", "siem.example.com:24224", "insecure", "on"), at(t))
	if err != nil || !s.Out.Insecure || len(warnings) != 1 || !strings.Contains(warnings[0], "unencrypted to siem.example.com:24224") {
		t.Error(err, warnings)
	}
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{[]string{"forward", "siem.example.com:24224"}, "forward: \"tcp://siem.example.com:24224\" would send all records unencrypted to a host other than loopback; did you mean tls://siem.example.com:24224? Otherwise set insecure on"},
		{[]string{"forward", "127.0.0.1:1", "cert_file", "./x"}, "cert_file: has no effect without TLS: forward is tcp://127.0.0.1:1; did you mean forward tls://127.0.0.1:1?"},
	} {
		_, _, err := Pull.ParseMap(base(append(c.pairs, "state_path", filepath.Join(t.TempDir(), "s"))...), ParseOptions{NoFiles: true})
		if err == nil || !strings.Contains(err.Error(), "\n  "+c.want) {
			t.Errorf("%v: %v", c.pairs, err)
		}
	}
	_, warnings, err = Pull.ParseMap(base("state_path", filepath.Join(t.TempDir(), "s"), "forward", "tls://siem.example.com:24224", "insecure", "on"), at(t))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "has no effect, because both") {
		t.Error(err, warnings)
	}
}
