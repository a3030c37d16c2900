package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestCheckFindsEverythingRight(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server, "ZITADEL_STATE_PATH="+state)
	got := finish(t, program(t, env, "check"))
	if got.status != 0 {
		t.Fatal(got, got.stdout)
	}
	wantLines(t, got.stdout, "ok    url ", "ok    grpc ", "ok    rest ", "ok    token ", "ok    role ", "ok    clock ",
		"ok    retention  nothing is hidden;", "ok    actions    no script that prints passwords; organizations looked at: 1", "ok    state ", " does not exist yet", " 0 failed")

	finish(t, program(t, env, "pull", "--once"))
	got = finish(t, program(t, env, "check"))
	wantLines(t, got.stdout, "2,881 events so far")
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	plain := startRecorded(t, zitadeltest.Options{})
	secure := startRecorded(t, zitadeltest.Options{TLS: true})
	old := startRecorded(t, zitadeltest.Options{})
	old.Update(func(f *zitadeltest.Faults) { f.Retention = time.Hour })
	fast := startRecorded(t, zitadeltest.Options{Now: func() time.Time { return time.Now().Add(-time.Hour - 10*time.Second) }})
	ended := startRecorded(t, zitadeltest.Options{})
	ended.Stop()
	for _, server := range []*zitadeltest.Server{plain} {
		server.AddToken("token-of-an-org-owner", zitadeltest.OrgOwner, time.Time{})
		server.AddToken("token-without-a-role", zitadeltest.NoRole, time.Time{})
	}
	expired := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1700000000}`)) + ".c2ln"

	for _, c := range []struct {
		name   string
		server *zitadeltest.Server
		env    []string
		status int
		says   []string
	}{
		{"the options", plain, []string{"ZITADEL_PAGE_SIZE=0", "ZITADEL_TRANSPORT=soap"}, exitUsage, []string{"FAIL  options    page_size", "FAIL  options    transport", "2 failed"}},
		{"nobody listens", ended, nil, exitFailed, []string{"FAIL  url", "is ZITADEL running?"}},
		{"no such name", plain, []string{"ZITADEL_URL=https://zitadel.invalid"}, exitFailed, []string{"FAIL  url", "cannot be resolved"}},
		{"a private authority", secure, nil, exitFailed, []string{"FAIL  tls", "ca_file"}},
		{"a private authority that is given", secure, []string{"ZITADEL_CA_FILE=" + writeFile(t, "ca.pem", string(secure.CertPEM()))}, 0, []string{"tls        verified, TLS 1.3"}},
		{"http on the port of https", secure, []string{"ZITADEL_URL=" + strings.Replace(secure.URL(), "https", "http", 1)}, exitFailed, []string{"FAIL  tls", "use https:// in url"}},
		{"https on the port of http", plain, []string{"ZITADEL_URL=" + strings.Replace(plain.URL(), "http", "https", 1)}, exitFailed, []string{"does not speak TLS"}},
		{"the token", plain, []string{"ZITADEL_TOKEN=no-such-token"}, exitFailed, []string{"FAIL  token", "renew it in ZITADEL_TOKEN"}},
		{"an expired JWT", plain, []string{"ZITADEL_TOKEN=" + expired}, exitFailed, []string{"was valid until 2023-11-14"}},
		{"the role", plain, []string{"ZITADEL_TOKEN=token-of-an-org-owner"}, exitFailed, []string{"FAIL  role", "IAM_OWNER_VIEWER"}},
		{"no role", plain, []string{"ZITADEL_TOKEN=token-without-a-role"}, exitFailed, []string{"FAIL  role", "IAM_OWNER_VIEWER"}},
		{"retention", old, nil, 0, []string{"warn  retention"}},
		{"the clock", fast, nil, 0, []string{"warn  clock      this machine is 1h00m ahead of the server"}},
		{"the state", plain, []string{"ZITADEL_STATE_PATH=" + writeFile(t, "state", "{")}, exitFailed, []string{"FAIL  state", "restore it from a backup"}},
		{"the keys of targets", plain, []string{"ZITADEL_STATE_PATH=" + filepath.Join(t.TempDir(), "s"), "ZITADEL_WEBHOOK_LISTEN=127.0.0.1:0", "ZITADEL_WEBHOOK_KEYS_DIR=/nowhere"}, exitUsage, []string{"FAIL  webhooks   webhook_keys_dir", "/nowhere"}},
		{"webhooks", plain, []string{"ZITADEL_STATE_PATH=" + filepath.Join(t.TempDir(), "s"), "ZITADEL_WEBHOOK_LISTEN=" + strings.TrimPrefix(plain.URL(), "http://"), "ZITADEL_WEBHOOK_KEYS_DIR=" + filepath.Dir(writeFile(t, "siem", "of-a-target-in-a-test"))}, 0, []string{"ok    webhooks   "}},
		{"a store that is away", plain, []string{"ZITADEL_STATE=postgres://siem:S3CR3T-of-the-store@127.0.0.1:1/siem"}, exitFailed, []string{"FAIL  store", "-> nobody listens there", "ok    token"}},
		{"the URL of a store", plain, []string{"ZITADEL_STATE=postgres://siem:S3CR3T-of-the-store@h:port/siem"}, exitUsage, []string{"FAIL  store"}},
		{"a store and a file", plain, []string{"ZITADEL_STATE=postgres://siem@127.0.0.1:1/siem", "ZITADEL_STATE_PATH=x"}, exitUsage, []string{"FAIL  options    state_path", "state import"}},
		{"a state nobody may write", plain, []string{"ZITADEL_STATE_PATH=/proc/zitadel.state"}, exitFailed, []string{"FAIL  state", "chown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := environment(c.server, append([]string{"ZITADEL_REQUEST_TIMEOUT=5s"}, c.env...)...)
			got := finish(t, program(t, env, "check"))
			if got.status != c.status {
				t.Errorf("want status %d: %v", c.status, got)
			}
			wantLines(t, got.stdout, c.says...)
			for _, secret := range []string{plain.Token(), expired, "no-such-token", "token-of-an-org-owner", "S3CR3T-of-the-store"} {
				if strings.Contains(got.stdout+got.stderr, secret) {
					t.Errorf("the token is shown:\n%s", got.stdout)
				}
			}
		})
	}
}

func TestCheckReadsAFluentBitConfiguration(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	token := writeFile(t, "token", server.Token())
	config := func(option string) string {
		return writeFile(t, "fluent-bit.yaml", fmt.Sprintf(`
service:
  storage.path: /tmp
pipeline:
  inputs:
    - name: zitadel
      tag: zitadel
      threaded: off
      storage.type: filesystem
      url: %s
      token_file: %s
      state_path: %s
      %s
  outputs:
    - name: stdout
      match: zitadel
`, server.URL(), token, filepath.Join(t.TempDir(), "state"), option))
	}
	good := finish(t, program(t, nil, "check", "--fluent-bit", config("start: beginning")))
	if good.status != 0 {
		t.Error(good, good.stdout)
	}
	wantLines(t, good.stdout, "ok    config ", "ok    role ", " 0 failed")

	bad := finish(t, program(t, nil, "check", "--fluent-bit", config("star: beginning")))
	if bad.status != exitUsage {
		t.Error(bad, bad.stdout)
	}
	wantLines(t, bad.stdout, "FAIL  config ", "start")

	binary := finish(t, program(t, nil, "check", "--fluent-bit", writeFile(t, "binary", "[INPUT]\n\x7fELF\x00\x01\n")))
	if binary.status != exitUsage || strings.Contains(binary.stdout+binary.stderr, "ELF") || !strings.Contains(binary.stderr, "not a text file") {
		t.Error(binary, binary.stdout)
	}

	missing := finish(t, program(t, nil, "check", "--fluent-bit", "/nowhere.yaml"))
	if missing.status != exitUsage || !strings.Contains(missing.stderr, "/nowhere.yaml") {
		t.Error(missing)
	}
}

func wantLines(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing:\n%s", part, out)
		}
	}
}

func TestCheckShowsNoTokenOfARedirect(t *testing.T) {
	t.Parallel()
	const token = "tok-viewer-S3CRETTOKEN3"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://evil.example:bad port/?token="+token)
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(server.Close)
	got := finish(t, program(t, []string{"ZITADEL_URL=" + server.URL, "ZITADEL_TOKEN=" + token, "ZITADEL_REQUEST_TIMEOUT=5s"}, "check"))
	if got.status != exitFailed || strings.Contains(got.stdout+got.stderr, "S3CRET") {
		t.Error(got, got.stdout)
	}
}

func TestCheckGreetsTheOtherSide(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	far := forwardtest.Start(t, forwardtest.Options{SharedKey: "of both sides"})
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server, "ZITADEL_STATE_PATH="+state, "ZITADEL_FORWARD="+far.Forward().String())
	r := finish(t, program(t, append(env, "ZITADEL_SHARED_KEY=of both sides"), "check"))
	if r.status != 0 || !strings.Contains(r.stdout, "ok    forward    "+far.Forward().String()+" was reached unencrypted, and the shared keys are equal") {
		t.Error(r)
	}
	r = finish(t, program(t, append(env, "ZITADEL_SHARED_KEY=of one side"), "check"))
	if r.status != exitFailed || !strings.Contains(r.stdout, "FAIL  forward") || strings.Contains(r.stdout, "of one side") {
		t.Error(r)
	}
	if n := len(far.Messages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestCheckReadsAFileOfSources(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	path := writeFile(t, "sources.yaml", `sources:
  - {url: "`+server.URL()+`", token: "${ONE}", instance: one, state_path: `+t.TempDir()+`/one}
  - {url: "http://127.0.0.1:1", token: "${ONE}", instance: two, state_path: `+t.TempDir()+`/two}
`)
	r := finish(t, program(t, []string{"ONE=" + server.Token()}, "check", "--config", path))
	if r.status != exitFailed || strings.Count(r.stdout, "ok    options") != 2 || !strings.Contains(r.stdout, "FAIL  ") || strings.Contains(r.stdout, server.Token()) {
		t.Error(r)
	}
	dir, states := t.TempDir(), t.TempDir()
	for _, name := range []string{"three", "four"} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte("{url: \""+server.URL()+"\", token: \"${ONE}\", instance: "+name+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r = finish(t, program(t, []string{"ONE=" + server.Token()}, "check", "--config", writeFile(t, "sources.yaml", "{sources_dir: "+dir+", state_dir: "+states+"}\n")))
	if r.status != 0 || strings.Count(r.stdout, "ok    options") != 2 || strings.Count(r.stdout, "does not exist yet") != 2 {
		t.Error(r)
	}
	if made, err := os.ReadDir(states); err != nil || len(made) > 0 {
		t.Errorf("check has written %v, %v", made, err)
	}
	r = finish(t, program(t, nil, "check", "--config", writeFile(t, "sources.yaml", "sources: 1\n")))
	if r.status != exitUsage || !strings.Contains(r.stderr, "line 1: `sources:` must be a list") {
		t.Error(r)
	}
}

// The token of a reader may look at actions. What it finds does not concern the reader.
func TestCheckFindsScriptsThatPrintPasswords(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	orgs := server.Orgs()
	in := orgs.Add("Acme")
	resp, err := orgs.Do(in, &managementpb.CreateActionRequest{Name: "log",
		Script: `let logger = require("zitadel/log"); function log(ctx, api) { logger.log("login: request/" + JSON.stringify(ctx.v1.httpRequest)) }`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := orgs.Do(in, &managementpb.SetTriggerActionsRequest{FlowType: "3", TriggerType: "1", ActionIds: []string{resp.(*managementpb.CreateActionResponse).GetId()}}); err != nil {
		t.Fatal(err)
	}
	got := finish(t, program(t, environment(server), "check"))
	if got.status != 0 {
		t.Error(got)
	}
	wantLines(t, got.stdout, "warn  actions    DANGER: organization Acme ("+in+"): action log (", "in the flow Internal Authentication, Post Authentication", "-> take it out of the flow")

	server.Update(func(f *zitadeltest.Faults) {
		f.BeforeQuery = func(_ context.Context, method string, _ proto.Message) error {
			if method == "ListActions" {
				return status.Error(codes.PermissionDenied, "No matching permissions found (AUTH-5mWD2)")
			}
			return nil
		}
	})
	got = finish(t, program(t, environment(server), "check"))
	if got.status != 0 {
		t.Error(got)
	}
	wantLines(t, got.stdout, "skip  actions    could not look at 2 of 2 organizations", "may not read actions")
}

func TestCheckReadsTheStoreOfAFile(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", "a-token-of-a-test")
	file := writeFile(t, "sources.yaml", "state: postgres://siem:S3CR3T-of-the-store@127.0.0.1:1/siem\nsources:\n  - url: http://127.0.0.1:1\n    token_file: "+token+"\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	got := finish(t, program(t, nil, "check", "--offline", "--config", file))
	if got.status != 0 || strings.Contains(got.stdout+got.stderr, "S3CR3T") {
		t.Error(got, got.stdout)
	}
	wantLines(t, got.stdout, "ok    store      postgres://127.0.0.1:1/siem: the URL is right", "warn  config ", "chmod 600")
	for flag, want := range map[string]string{"--config=" + file: "write state into the file", "--fluent-bit=" + file: "remove it"} {
		got := finish(t, program(t, nil, "check", "--state", "etcd://h", flag))
		if got.status != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %v", flag, got)
		}
	}
}
