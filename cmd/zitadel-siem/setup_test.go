package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestSetupOfTheProgram(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	const token = "token-of-an-owner-0123456789"
	server.AddToken(token, zitadeltest.Owner, time.Time{})
	dir := t.TempDir()
	env := []string{"ZITADEL_URL=" + server.URL(), "ZITADEL_TOKEN=" + token, "ZITADEL_WEBHOOK_KEYS_DIR=" + dir,
		"ZITADEL_ENDPOINT=https://not.this.one.example", "ZITADEL_EVENT_TYPES=user.locked"}
	const endpoint = "--endpoint=https://siem.example.com:8443"

	for _, c := range []struct {
		args   []string
		env    []string
		status int
		out    []string
	}{
		{args: []string{}, status: exitUsage, out: []string{"endpoint: is missing"}},
		{args: []string{endpoint, "--remove", "--rotate"}, status: exitUsage, out: []string{"contradict"}},
		{args: []string{endpoint, "--events=user.human.aded"}, status: exitUsage, out: []string{"did you mean user.human.added?"}},
		{args: []string{endpoint}, env: []string{"ZITADEL_TOKEN=" + server.Token()}, status: exitFailed, out: []string{"PermissionDenied", "the role IAM_OWNER "}},
		{args: []string{endpoint, "--dry-run"}, out: []string{"would  create target zitadel-siem for https://siem.example.com:8443/zitadel-siem, ", "would  send all events"}},
		{args: []string{endpoint}, out: []string{"done   create target zitadel-siem", "done   send all events"}},
		{args: []string{endpoint, "--transport=rest"}, out: []string{"kept   target zitadel-siem", "kept   key file " + dir}},
		{args: []string{endpoint, "--rotate", "--events=user,session.added"}, out: []string{"its signing key", "done   send events user.* to", "done   send events session.added to", "done   take target"}},
		{args: []string{endpoint, "--methods=writing"}, status: exitUsage, out: []string{"--methods has no effect without --calls"}},
		{args: []string{endpoint, "--calls", "--methods=zitadel.user.v2.UserService/GetUserByID"}, status: exitUsage, out: []string{"is a reading method"}},
		{args: []string{endpoint, "--calls", "--dry-run"}, out: []string{"would  send requests of 128 methods of zitadel.admin.v1.AdminService", "note   this costs ZITADEL two more HTTP requests"}},
		{args: []string{endpoint, "--calls", "--methods=zitadel.session.v2.SessionService"}, out: []string{"done   send responses of 3 methods of zitadel.session.v2.SessionService"}},
		{args: []string{"--calls", "--remove"}, out: []string{"done   take target zitadel-siem out of the executions for requests of 3 methods"}},
		{args: []string{"--remove"}, out: []string{"done   delete target"}},
	} {
		var keys []string
		if b, err := os.ReadFile(filepath.Join(dir, "zitadel-siem")); err == nil {
			keys = strings.Fields(string(b))
		}
		r := finish(t, program(t, append(env, c.env...), append([]string{"setup"}, c.args...)...))
		if r.status != c.status {
			t.Errorf("%v: %v", c.args, r)
		}
		wantLines(t, r.stdout+r.stderr, c.out...)
		secrets := append(keys, token, server.Token())
		if target := server.Actions().Target("zitadel-siem"); target != nil {
			secrets = append(secrets, target.GetSigningKey())
		}
		for _, secret := range secrets {
			if strings.Contains(r.stdout+r.stderr, secret) {
				t.Errorf("%v: a secret is shown:\n%s%s", c.args, r.stdout, r.stderr)
			}
		}
		info, err := os.Stat(filepath.Join(dir, "zitadel-siem"))
		if err == nil && info.Mode() != 0o600 {
			t.Errorf("%v: the key file has the mode %s", c.args, info.Mode())
		}
	}
}
