package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// service does by hand what systemd does with the unit of the package: user, credential,
// standard output, command line. It does not sandbox: TestUnit_IsHardened is about that.
type service struct {
	system
	unit      unit
	uid, gid  uint32
	directory string // of the credentials
}

func newService(s system) service {
	s.t.Helper()
	v := service{system: s, unit: readUnit(s.t, s.path("/usr/lib/systemd/system/zitadel-siem.service")), directory: "/run/credentials/zitadel-siem.service"}
	id := func(flag, name string) uint32 {
		n, err := strconv.ParseUint(strings.TrimSpace(s.run("id", flag, name)), 10, 32)
		if err != nil {
			s.t.Fatal(err)
		}
		return uint32(n)
	}
	v.uid, v.gid = id("-u", v.unit.one(s.t, "User")), id("-g", v.unit.one(s.t, "Group"))
	return v
}

// start starts the command and returns what it says on standard error.
func (v service) start() *testkit.Process {
	v.t.Helper()
	v.loadCredential()
	path, ok := strings.CutPrefix(v.unit.one(v.t, "StandardOutput"), "append:")
	if !ok {
		v.t.Fatal("standard output is not a file")
	}
	events, err := os.OpenFile(v.path(path), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { events.Close() })
	cmd := exec.Command("/bin/sh", "-c", `umask "$1"; shift; exec "$@" >&3`, "sh", v.unit.one(v.t, "UMask"))
	cmd.Args = append(cmd.Args, strings.Fields(v.unit.one(v.t, "ExecStart"))...)
	cmd.ExtraFiles = []*os.File{events}
	cmd.Dir = "/"
	cmd.Env = append([]string{"CREDENTIALS_DIRECTORY=" + v.directory, "STATE_DIRECTORY=/var/lib/" + v.unit.one(v.t, "StateDirectory")}, v.unit["Environment"]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: v.root, Credential: &syscall.Credential{Uid: v.uid, Gid: v.gid}}
	return testkit.Start(v.t, cmd, nil)
}

// fails runs the command until it exits with status 2, which systemd does not try again.
func (v service) fails(want ...string) {
	v.t.Helper()
	v.ends(v.unit.one(v.t, "RestartPreventExitStatus"), want...)
}

// ends runs the command until it exits with a status, and looks at what it says.
func (v service) ends(status string, want ...string) {
	v.t.Helper()
	p := v.start()
	if exit, ok := p.Wait().(*exec.ExitError); !ok || strconv.Itoa(exit.ExitCode()) != status {
		v.t.Errorf("it ended with %v, want %s", exit, status)
	}
	for _, w := range want {
		if !strings.Contains(p.Err.String(), w) {
			v.t.Errorf("%q is missing in\n%s", w, p.Err)
		}
	}
}

// loadCredential copies the token, or the text that stands for a missing one.
func (v service) loadCredential() {
	v.t.Helper()
	name, from, _ := strings.Cut(v.unit.one(v.t, "LoadCredential"), ":")
	fallback, instead, _ := strings.Cut(v.unit.one(v.t, "SetCredential"), ":")
	if name != fallback || instead != `\n` {
		v.t.Fatalf("SetCredential=%s:%s", fallback, instead)
	}
	content := []byte("\n")
	if v.exists(from) {
		content = []byte(v.read(from))
	}
	if err := os.MkdirAll(v.path(v.directory), 0o755); err != nil {
		v.t.Fatal(err)
	}
	path := filepath.Join(v.path(v.directory), name)
	_ = os.Remove(path)
	if err := os.WriteFile(path, content, 0o400); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Chown(path, int(v.uid), int(v.gid)); err != nil {
		v.t.Fatal(err)
	}
}

// stop ends the service as systemd does.
func (v service) stop(p *testkit.Process) {
	v.t.Helper()
	p.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		v.t.Errorf("SIGTERM: %v\n%s", err, p.Err)
	}
}
