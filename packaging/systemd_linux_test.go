package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The unit with its sandbox, credential, notification and restarts, below a real systemd.
// It takes 20 s.
func TestDeb_BelowARealSystemd(t *testing.T) {
	if os.Getenv("PACKAGES_SYSTEMD") == "" {
		t.Skip("PACKAGES_SYSTEMD is not set: the service was NOT started by a systemd; with it, run the test as root, with systemd, iproute2, curl and logrotate")
	}
	deb := pack(t)
	dir := t.TempDir()
	host := filepath.Join(dir, "host")
	if err := os.Mkdir(host, 0o755); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{"zitadel-siem.deb": deb, "steps.sh": "testdata/steps.sh"} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(host, to), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(host, "server"), "./testdata/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	boot := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup", "--kill-child", "/bin/sh", "testdata/boot.sh", dir)
	out, err := boot.CombinedOutput()
	said, _ := os.ReadFile(filepath.Join(host, "said"))
	if err != nil || !strings.HasSuffix(string(said), "#done\n") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"#installed disabled inactive",
		"#start without a configuration: 1 failed",
		"url: is set but empty",
		"sudo install -m 600 /dev/stdin /etc/zitadel-siem/token",
		"#errors in the journal: 2",
		"#enable --now: 0 active",
		"#events 2881",
		"#webhook 401", // it has no signature
		"#sandbox CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2",
		"#token in the environment 0",
		"#after kill -9: active 2881",
		"#upgraded enabled active",
		"#removed inactive /etc/zitadel-siem/token\n/var/lib/zitadel-siem/zitadel.state",
		"#installed again enabled", // an administrator's choice outlives a removal
		"#started again: active",
		"#purged inactive 0",
	} {
		if !strings.Contains(string(said), want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, not := range []string{"waited in vain", "can be read by others"} {
		if strings.Contains(string(said), not) {
			t.Errorf("%q is there", not)
		}
	}
	if strings.Contains(string(said), "#rotated") && !strings.Contains(string(said), "#rotated 2881 0 active") {
		t.Error("logrotate lost events, or stopped the service")
	}
	if t.Failed() {
		t.Logf("%s", said)
	}
}
