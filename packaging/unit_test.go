package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

const unitFile = "systemd/zitadel-siem.service"

// unit is what a unit file says; a setting that is given twice has both values.
type unit map[string][]string

func readUnit(t *testing.T, path string) unit {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u := unit{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && key[0] != '#' {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// one returns the only value of a setting.
func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("%s is given %d times", key, len(u[key]))
	}
	return u[key][0]
}

// analyze runs systemd-analyze on the unit, which then starts the program that was built
// and has no man page: neither is installed here.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze: the unit was NOT verified; install systemd")
	}
	data, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("ExecStart=/usr/bin/zitadel-siem", "ExecStart="+testkit.Program(t), "man:zitadel-siem(1) ", "").Replace(string(data))
	path := filepath.Join(t.TempDir(), "zitadel-siem.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", append(args, path)...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUnit_IsValid(t *testing.T) {
	if out := analyze(t, "verify", "--man=no"); out != "" {
		t.Errorf("systemd-analyze verify says\n%s", out)
	}
}

// The threshold is an exposure of 2.0 of 10. What is left is mainly that the service
// needs the network.
func TestUnit_IsHardened(t *testing.T) {
	out := analyze(t, "security", "--offline=true", "--no-pager", "--threshold=20")
	_, overall, found := strings.Cut(out, "Overall exposure level for ")
	if !found {
		t.Errorf("systemd-analyze security says\n%s", out)
	}
	t.Log(strings.TrimSpace(overall))
}

func TestUnit_RestartsExceptForAMistakeInTheConfiguration(t *testing.T) {
	u := readUnit(t, unitFile)
	for key, want := range map[string]string{
		"Type": "notify", "Restart": "always", "RestartPreventExitStatus": "2",
		"StateDirectory": "zitadel-siem", "LoadCredential": "token:/etc/zitadel-siem/token",
	} {
		if got := u.one(t, key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
}
