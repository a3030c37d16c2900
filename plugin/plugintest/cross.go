package plugintest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// archVariable says for which processor the plugins are that ZITADEL_SIEM_BUILT names,
// if not for this machine's. The host is then compiled for it and runs in qemu-user.
// `make test-arm` sets both.
const archVariable = "ZITADEL_SIEM_ARCH"

// crossed are the names of Debian's packages gcc-aarch64-linux-gnu, libc6-arm64-cross and
// qemu-user.
var crossed = map[string]struct {
	compiler string
	emulator []string
}{
	"arm64": {"aarch64-linux-gnu-gcc", []string{"qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"}},
}

func compiler() string {
	if arch := os.Getenv(archVariable); arch != "" {
		return crossed[arch].compiler
	}
	return testkit.Compiler()
}

// run is the command that runs the host at path.
func run(t testing.TB, path string) *exec.Cmd {
	t.Helper()
	arch := os.Getenv(archVariable)
	if arch == "" {
		return exec.Command(path)
	}
	cross, known := crossed[arch]
	if !known || !testkit.Built() {
		t.Fatalf("%s=%s: only arm64 is known, and ZITADEL_SIEM_BUILT must name a directory with its plugins; make test-arm does both", archVariable, arch)
	}
	return exec.Command(cross.emulator[0], append(cross.emulator[1:], path)...)
}
