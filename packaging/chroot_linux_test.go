package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// system is a Debian whose files are those of this machine until they are written.
type system struct {
	t    *testing.T
	root string
}

// newSystem mounts one. PACKAGES_BASE names another Debian to take the files from, such
// as the directory that mmdebstrap --variant=minbase makes.
func newSystem(t *testing.T) system {
	t.Helper()
	const not = ": the package was NOT installed; run the test as root on Debian or Ubuntu"
	if os.Geteuid() != 0 {
		t.Skip("not root" + not)
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no dpkg" + not)
	}
	base := os.Getenv("PACKAGES_BASE")
	if base == "" {
		base = "/"
	}
	dir := t.TempDir()
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := system{t, filepath.Join(dir, "root")}
	options := "lowerdir=" + base + ",upperdir=" + filepath.Join(dir, "upper") + ",workdir=" + filepath.Join(dir, "work")
	if err := syscall.Mount("overlay", s.root, "overlay", 0, options); err != nil {
		t.Skipf("overlayfs cannot be mounted (%v)%s with overlayfs", err, not)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.root, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	// A package is not installed on this machine, and no systemd runs in the new one.
	for _, path := range []string{"/etc/zitadel-siem", "/var/lib/zitadel-siem", "/var/log/zitadel-siem", "/run/systemd"} {
		if err := os.RemoveAll(s.path(path)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s system) path(path string) string { return filepath.Join(s.root, path) }

func (s system) exists(path string) bool {
	_, err := os.Lstat(s.path(path))
	return err == nil
}

// run runs a command in the system and returns what it prints.
func (s system) run(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("chroot", append([]string{s.root}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// install copies a package into the system and installs it. Triggers are for other
// packages, such as the index of man pages.
func (s system) install(deb string) string {
	s.t.Helper()
	data, err := os.ReadFile(deb)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("/tmp/zitadel-siem.deb", string(data), 0o644)
	return s.run("dpkg", "--no-triggers", "--force-confold", "--install", "/tmp/zitadel-siem.deb")
}

func (s system) read(path string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(path))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s system) write(path, content string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(s.path(path), []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(s.path(path), mode); err != nil {
		s.t.Fatal(err)
	}
}

// is checks mode, user and group of a file, such as "-rw------- root root".
func (s system) is(path, want string) {
	s.t.Helper()
	if got := strings.TrimSpace(s.run("stat", "--format=%A %U %G", path)); got != want {
		s.t.Errorf("%s is %s, want %s", path, got, want)
	}
}
