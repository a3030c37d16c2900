package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

func TestExplainShowsATypeInEveryFormat(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string][]string{
		"user.locked":  {"user.locked: User locked", "user.target.id", "type_uid                           300109", "CEF:0|ZITADEL|", "LEEF:2.0|ZITADEL|"},
		"action.login": {"outcome      what login.outcome says", "user.name                          minnie@example.com                         <- login.login_name", "outcome=failure"},
		"heartbeat":    {"lag_seconds"},
		"access":       {"url.original                       /ui/login/login                            <- access.url"},
		"api.request":  {"API Activity"},
	} {
		got := finish(t, program(t, nil, "explain", typ))
		if got.status != 0 || strings.Contains(got.stdout, "unknown_type") {
			t.Errorf("%s: %v", typ, got)
		}
		wantLines(t, got.stdout, want...)
	}
	got := finish(t, program(t, nil, "explain", "user.locked", "--ocsf-version", "1.9.0"))
	wantLines(t, got.stdout, "class_uid                          3007", "metadata.version                   1.9.0")
}

func TestExplainAllShowsEveryType(t *testing.T) {
	t.Parallel()
	got := finish(t, program(t, nil, "explain", "--all"))
	if n := strings.Count(got.stdout, "\nleef\n"); got.status != 0 || n < 560 {
		t.Errorf("%d types, status %d, %s", n, got.status, got.stderr)
	}
}

func TestExplainNamesTheNearestType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"user.lockd", "did you mean user.locked?"},
		{"user.human.pasword.changed", "did you mean user.human.password.changed?"},
		{"something.else.altogether", "explain --all lists all"},
		{"", "no event type is given"},
		{"user.locked --all", "contradict each other"},
		{"user.locked --ocsf-version 2", "1.8.0"},
	} {
		got := finish(t, program(t, nil, append([]string{"explain"}, strings.Fields(c.args)...)...))
		if got.status != exitUsage || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("explain %s: %v", c.args, got)
		}
	}
}

// What pull and parse print in any format can be given to explain.
func TestExplainReadsARecordOfEveryFormat(t *testing.T) {
	t.Parallel()
	raw := `{"event":{"id":"demo/user/42/7","type":"user.locked","sequence":7,"time":"2026-11-22T09:24:30.935802Z","read_at":"2026-11-22T09:24:31Z"},` +
		`"aggregate":{"type":"user","id":"42","resource_owner":"9"},"editor":{"id":"77","name":"Ann"},"payload":{"password":"hunter2-hunter2"},"instance":"demo","source":"events_api"}`
	for name, in := range map[string]string{
		"raw":               raw,
		"ecs":               `{"event":{"action":"user.locked","module":"zitadel"}}`,
		"ocsf":              `{"class_uid":3001,"metadata":{"event_code":"user.locked"}}`,
		"cef":               `<109>1 2026-11-22T09:24:30Z host zitadel - - - CEF:0|ZITADEL|ZITADEL|1|user.locked|User locked|5|act=user.locked`,
		"leef":              "LEEF:2.0|ZITADEL|ZITADEL|1|user.locked|x09|sev=5",
		"cef of Fluent Bit": `{"message":"CEF:0|ZITADEL|ZITADEL|1|user.locked|User locked|5|act=user.locked","host":"demo"}`,
		"several lines":     "{\n \"event\": {\"action\": \"user.locked\"}\n}\n",
		"a newer type":      strings.ReplaceAll(raw, "user.locked", "user.retina.locked"),
	} {
		cmd := program(t, nil, "explain", "-")
		cmd.Stdin = strings.NewReader(in + "\n")
		got := finish(t, cmd)
		typ := "user.locked"
		if name == "a newer type" {
			typ = "user.retina.locked"
			wantLines(t, got.stdout, "known by     the rule ")
		}
		if got.status != 0 || !strings.HasPrefix(got.stdout, typ+": ") {
			t.Errorf("%s: %v", name, got)
		}
		if name == "raw" {
			wantLines(t, got.stdout, "user.full_name                     Ann                                        <- editor.name", "event.id                           demo/user/42/7")
			if strings.Contains(got.stdout, "hunter2") || strings.Contains(got.stdout, redact.Redacted) {
				t.Error(got.stdout)
			}
		}
	}
	for _, in := range []string{"", "{}", "nonsense", `{"event":{"type":""}}`, "[1,2]"} {
		cmd := program(t, nil, "explain", "-")
		cmd.Stdin = strings.NewReader(in)
		if got := finish(t, cmd); got.status != exitUsage || !strings.Contains(got.stderr, "standard input has no record") {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// A record may be an attacker's: nothing of it acts on the terminal, or begins a line.
func TestLaw7_ExplainShowsHostileTextAsText(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"event":{"type":"user.locked\u001b[2J\nforged: line"},"aggregate":{"type":"user","id":"x\u001b]0;t\u0007\nforged: line"},"editor":{"id":"a\u202eb\r\nforged: line"},"instance":"i","source":"events_api"}`,
		`{"event":{"action":"user.\u001b[2J\nforged: line"}}`,
	} {
		cmd := program(t, nil, "explain", "-")
		cmd.Stdin = strings.NewReader(in)
		got := finish(t, cmd)
		if got.status != 0 || strings.ContainsAny(got.stdout, "\x1b\x07\r\u202e") || strings.Contains(got.stdout, "\nforged") {
			t.Errorf("%q", got.stdout)
		}
	}
}

func TestExplainAndCheckReadTheSchemaFile(t *testing.T) {
	t.Parallel()
	right := writeFile(t, "schema.yaml", "events:\n  user.locked: {severity: critical}\n  my.own.type: {group: cfg_change, title: My own event}\n")
	wrong := writeFile(t, "wrong.yaml", "events:\n  user.locked: {severity: hihg}\n  user.unlocked: {teir: core}\n")
	got := finish(t, program(t, nil, "explain", "my.own.type", "--schema-file", right))
	wantLines(t, got.stdout, "my.own.type: My own event", "known by     your schema_file")
	got = finish(t, program(t, []string{"ZITADEL_SCHEMA_FILE=" + wrong}, "explain", "user.locked"))
	if got.status != exitUsage || !strings.Contains(got.stderr, "line 2: user.locked.severity is \"hihg\"") || !strings.Contains(got.stderr, "did you mean tier?") {
		t.Error(got)
	}

	state := filepath.Join(t.TempDir(), "state")
	check := func(file string) result {
		return finish(t, program(t, []string{"ZITADEL_URL=http://127.0.0.1:1", "ZITADEL_TOKEN=x", "ZITADEL_INSECURE=on", "ZITADEL_STATE_PATH=" + state, "ZITADEL_FORMAT=ecs", "ZITADEL_SCHEMA_FILE=" + file}, "check", "--offline"))
	}
	got = check(right)
	wantLines(t, got.stdout, "ok    schema ", "every row is right")
	got = check(wrong)
	wantLines(t, got.stdout, "FAIL  schema ", "line 2: user.locked.severity", "line 3: a field of user.unlocked", "2 failed")
	if got.status != exitUsage {
		t.Error(got)
	}

	config := strings.Replace(lossy, "STATE", state, 1)
	config = strings.Replace(config, "      insecure: on\n", "      insecure: on\n      format: ecs\n      schema_file: "+wrong+"\n", 1)
	got = finish(t, program(t, nil, "check", "--offline", "--fluent-bit", writeFile(t, "fluent-bit.yaml", config)))
	wantLines(t, got.stdout, "FAIL  schema ", "fluent-bit.yaml:6: schema_file "+wrong+": line 2:", "2 failed")
	if got.status != exitUsage {
		t.Error(got)
	}
}
