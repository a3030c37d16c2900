package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// The processes that are killed are this test binary in another role.
const (
	roleVariable      = "CHAOS_ROLE"
	namespaceVariable = "CHAOS_NAMESPACE"
)

// roles are registered by the files that implement them.
var roles = map[string]func() error{
	"server":  serverRole,
	"sidecar": sidecarRole,
}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(namespaceVariable) == "" {
		if status, ok := inNamespace(); ok {
			os.Exit(status)
		}
	}
	plugintest.Main(m)
}

// inNamespace runs this binary again with mounts of its own: a small disk can
// then be mounted, by root or not, and is gone with the process however that
// ends. ok is false where the system does not allow it.
func inNamespace() (status int, ok bool) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), namespaceVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return 0, false
	}
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1, true
	}
	return cmd.ProcessState.ExitCode(), true
}
