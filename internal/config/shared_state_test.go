package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readState reads a file with these top-level lines and one source.
func readState(t *testing.T, lines string, source ...string) (Sources, error) {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	path := filepath.Join(dir, "sources.yaml")
	text := lines + "\nsources:\n  - url: https://zitadel.example.com\n    token_file: " + token + "\n"
	for _, s := range source {
		text += "    " + s + "\n"
	}
	if err := os.WriteFile(token, []byte("a-token-of-a-test"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadSources(path, func(string) (string, bool) { return "", false }, ParseOptions{})
}

func TestSharedStateReplacesEveryStateFile(t *testing.T) {
	got, err := readState(t, "state: postgres://siem@db.example.com/siem\nstate_lease: 30s")
	if err != nil {
		t.Fatal(err)
	}
	if got.State.URL.Reveal() != "postgres://siem@db.example.com/siem" || got.State.Lease != 30*time.Second || got.List[0].StatePath != "" {
		t.Errorf("got %s, lease %s, state_path %q", got.State.URL.Reveal(), got.State.Lease, got.List[0].StatePath)
	}
}

// What a member accepts lies in a directory of its own. The calls of the other members are not
// there, so that an address could be that of another call.
func TestSharedStateAndWebhooksNeedASpoolAndJoinNoCalls(t *testing.T) {
	dir := t.TempDir()
	got, err := readState(t, "state: etcd://h", "webhook_listen: 127.0.0.1:0", "webhook_keys_dir: "+dir, "spool_path: "+dir+"/spool")
	if err != nil {
		t.Fatal(err)
	}
	if l := got.List[0].Listen; l.SpoolPath != dir+"/spool" || l.CallAddresses {
		t.Errorf("%+v", l)
	}
}

// The order of the lines of a file means nothing.
func TestSharedStateMayStandBehindTheSources(t *testing.T) {
	got, err := readState(t, "", "instance: a\nstate: etcd://e1:2379,e2:2379/siem")
	if err != nil || !got.State.On() {
		t.Fatalf("%v, %v", got.State.On(), err)
	}
}

func TestFileSchemeIsTheStateDirectory(t *testing.T) {
	dir := t.TempDir()
	got, err := readState(t, "state: file://"+dir)
	if err != nil || got.State.On() || !strings.HasPrefix(got.List[0].StatePath, dir) {
		t.Fatalf("%q, %v", got.List[0].StatePath, err)
	}
}

func TestWrongSharedStateNamesTheFix(t *testing.T) {
	for name, c := range map[string]struct {
		lines, source, want string
	}{
		"scheme":       {"state: redis://h", "", "write postgres://"},
		"path":         {"state: /var/lib/x", "", "use state_dir or state_path"},
		"with dir":     {"state: etcd://h\nstate_dir: .", "", "keep one of the two"},
		"with path":    {"state: etcd://h", "state_path: /tmp/x.state", "state import"},
		"no spool":     {"state: etcd://h", "webhook_listen: 127.0.0.1:0", "name a directory of this member alone"},
		"call address": {"state: etcd://h", "webhook_listen: 127.0.0.1:0\n    call_addresses: on", "each member receives only some of the API calls"},
		"lease alone":  {"state_lease: 15s\nstate_dir: .", "", "without state"},
		"lease short":  {"state: etcd://h\nstate_lease: 1s", "", "between 2s and 10m0s"},
		"lease words":  {"state: etcd://h\nstate_lease: soon", "", "such as 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			var more []string
			if c.source != "" {
				more = append(more, c.source)
			}
			if _, err := readState(t, c.lines, more...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestWrongSharedStateIsTheOnlyProblem(t *testing.T) {
	_, err := readState(t, "state: redis://h")
	if err == nil || strings.Contains(err.Error(), "state_path: is missing") {
		t.Errorf("error %v", err)
	}
}

func TestPasswordOfTheStoreIsInNoErrorAndNoDump(t *testing.T) {
	const secret = "hunter2-of-the-store"
	for _, url := range []string{"postgres://siem:" + secret + "@db/siem", "redis://siem:" + secret + "@db"} {
		s, err := ParseSharedState(url, "1s")
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the error of %s: %v", url, err)
		}
		s, _ = ParseSharedState("postgres://siem:"+secret+"@db/siem", "")
		if text := s.URL.String(); strings.Contains(text, secret) {
			t.Error(text)
		}
	}
	if !PasswordIn("postgres://u:p@h/d") || !PasswordIn("etcd://u:p@h1:1,h2:2/x") || PasswordIn("postgres://u@h/d?password_file=/x") || PasswordIn("etcd://h1:1,h2:2/x") {
		t.Error("a password in a URL was not recognized, or one that is not there")
	}
}

// An operator asks the store while the sources are being edited.
func TestStoreOfAFileIsReadWhateverElseIsWrongInIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sources.yaml")
	if err := os.WriteFile(path, []byte("sources: 7\nstate: postgres://siem:${PW}@db/siem\nstate_lease: 30s\nwrong: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) { return "of-a-variable", name == "PW" }
	s, warnings, err := ReadSharedState(path, lookup)
	if err != nil || len(warnings) > 0 || s.URL.Reveal() != "postgres://siem:of-a-variable@db/siem" || s.Lease != 30*time.Second {
		t.Errorf("%s, %s, %q, %v", s.URL.Reveal(), s.Lease, warnings, err)
	}
}

func TestAddressOfTheStoreHasNoUserAndNoParameter(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://siem:p%40ss@db:5433/siem?password=x&a=b@c": "postgres://db:5433/siem",
		"etcd://u:p@h1:2379,h2:2379/x":                         "etcd://h1:2379,h2:2379/x",
		"etcd://h1":                                            "etcd://h1/",
	} {
		if got := (SharedState{URL: Secret(url)}).Where(); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}
