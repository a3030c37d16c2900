package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestSetupOfTheScripts(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	const token, key = "token-of-an-owner-0123456789", "key-of-the-webhook-0123456789"
	server.AddToken(token, zitadeltest.Owner, time.Time{})
	second := server.Orgs().Add("Second")
	env := []string{"ZITADEL_URL=" + server.URL(), "ZITADEL_TOKEN=" + token}
	keyFile := writeFile(t, "zitadel", "an-older-key-0123456789\n"+key+"\n")
	open := writeFile(t, "open", key+"\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	const endpoint = "--endpoint=https://siem.example.com:8443/zitadel/post-auth"

	for _, c := range []struct {
		args   []string
		env    []string
		status int
		out    []string
	}{
		{args: []string{"log", "--replace", "--remove"}, status: exitUsage, out: []string{"contradict"}},
		{args: []string{"log", "--endpoint=https://x.example"}, status: exitUsage, out: []string{"endpoint"}},
		{args: []string{"log", "--token=" + key}, status: exitUsage, out: []string{"ZITADEL_TOKEN"}},
		{args: []string{"log"}, env: []string{"ZITADEL_TOKEN=" + server.Token()}, status: exitFailed, out: []string{"ORG_OWNER", "IAM_OWNER"}},
		{args: []string{"log", "--dry-run", "--org=all"}, env: []string{"ZITADEL_TOKEN=" + server.Token()}, out: []string{"would   Second (" + second + "): create action post_auth_log", "would   ZITADEL ("}},
		{args: []string{"log", "--org=" + second}, out: []string{"done    Second (" + second + "): create action post_auth_log", "put post_auth_log into the flow External Authentication"}},
		{args: []string{"log", "--org=all", "--transport=rest"}, out: []string{"kept    Second", "done    ZITADEL"}},
		{args: []string{"log", "--org=all", "--remove"}, out: []string{"done    Second", "delete action post_auth_log"}},

		{args: []string{"webhook-v1"}, status: exitUsage, out: []string{"endpoint: is missing", "the key is missing", "--v1-key-file"}},
		{args: []string{"webhook-v1", endpoint, "--v1-key=" + key}, status: exitUsage, out: []string{"ZITADEL_V1_KEY", "--v1-key-file"}},
		{args: []string{"webhook-v1", endpoint}, env: []string{"ZITADEL_V1_KEY=short"}, status: exitUsage, out: []string{"less than 16 bytes"}},
		{args: []string{"webhook-v1", endpoint, "--v1-key-file=/nowhere/" + "key"}, status: exitUsage, out: []string{"/nowhere/key"}},
		{args: []string{"webhook-v1", endpoint, "--v1-key-file=" + keyFile}, env: []string{"ZITADEL_V1_KEY=" + key}, status: exitUsage, out: []string{"use one"}},
		{args: []string{"webhook-v1", endpoint, "--v1-key-file=" + keyFile}, out: []string{"create action post_auth_webhook (time limit 2s"}},
		{args: []string{"webhook-v1", endpoint}, env: []string{"ZITADEL_V1_KEY=" + key}, out: []string{"kept    ZITADEL", "action post_auth_webhook"}},
		{args: []string{"webhook-v1", endpoint, "--v1-key-file=" + open}, out: []string{open + "\" can be read by others (mode 0644): chmod 600 " + open}},
		{args: []string{"webhook-v1", "--remove"}, out: []string{"delete action post_auth_webhook"}},
	} {
		r := finish(t, program(t, append(env, c.env...), append([]string{"setup"}, c.args...)...))
		if r.status != c.status {
			t.Errorf("%v: %v", c.args, r)
		}
		wantLines(t, r.stdout+r.stderr, c.out...)
		for _, secret := range []string{token, key, server.Token()} {
			if strings.Contains(r.stdout+r.stderr, secret) {
				t.Errorf("%v: a secret is shown:\n%s%s", c.args, r.stdout, r.stderr)
			}
		}
	}
	if n := server.Orgs().Script(second, "post_auth_log"); n != nil {
		t.Error(n)
	}
}
