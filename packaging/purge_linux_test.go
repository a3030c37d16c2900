package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The state may be on a disk of its own, or elsewhere behind a link. A purge deletes what
// the package made, and nothing that a link leads to.
func TestDeb_PurgeEmptiesAMountedDiskAndFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: a purge with a mounted disk was NOT tried")
	}
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	write := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(at("elsewhere", "kept"))
	write(at("etc", "zitadel-siem", "token"))
	write(at("bin", "deb-systemd-helper")) // not that of this machine
	for _, sub := range []string{"var/lib/zitadel-siem", "var/log"} {
		if err := os.MkdirAll(at(sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := at("var/lib/zitadel-siem")
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no file system can be mounted (%v): a purge with a mounted disk was NOT tried", err)
	}
	defer syscall.Unmount(state, syscall.MNT_DETACH)
	write(filepath.Join(state, "zitadel.state"))
	for link, target := range map[string]string{at("var/log/zitadel-siem"): at("elsewhere"), filepath.Join(state, "link"): at("elsewhere")} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("deb/postrm")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/var/lib/zitadel-siem", state, "/var/log/zitadel-siem", at("var/log/zitadel-siem"), "/etc/zitadel-siem", at("etc/zitadel-siem")).Replace(string(script))
	cmd := exec.Command("sh", "-c", text, "postrm", "purge")
	cmd.Env = append(os.Environ(), "PATH="+at("bin")+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("a purge fails: %v\n%s", err, out)
	}
	left, err := os.ReadDir(state)
	if err != nil || len(left) > 0 {
		t.Errorf("the disk still has %v, %v", left, err)
	}
	for _, gone := range []string{at("var/log/zitadel-siem"), at("etc/zitadel-siem")} {
		if _, err := os.Lstat(gone); !os.IsNotExist(err) {
			t.Errorf("a purge leaves %s", gone)
		}
	}
	if _, err := os.Stat(at("elsewhere", "kept")); err != nil {
		t.Errorf("a purge deleted what a link leads to: %v", err)
	}
}
