// Package plugintest builds the plugins and runs them, in a small host written
// in C and in the real Fluent Bit.
package plugintest

import (
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

//go:embed testdata/host.c testdata/output.h
var sources embed.FS

var scratch string // holds what is built once

// Main is for TestMain.
func Main(m *testing.M) {
	flag.Parse()
	syscall.Umask(0) // private files must be private without its help
	var err error
	if scratch, err = os.MkdirTemp("", "plugintest"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(scratch)
		testkit.RemoveBuilt()
		os.Exit(code)
	}))
}

// The hosts in C.
var (
	Current = compileHost("host")              // is Fluent Bit 5.1.1
	Old     = compileHost("host-old", "-DOLD") // is one before 4.1.0 that exports nothing
)

// Binary is a host that is compiled at its first use.
type Binary func() built

type built struct {
	path string
	err  error
}

// Path compiles the host.
func (b Binary) Path(t testing.TB) string {
	t.Helper()
	if compiler() == "" {
		t.Skip("no C compiler: the test host was not built, NOTHING of the ABI was tested; install gcc")
	}
	bin := b()
	if bin.err != nil {
		t.Fatal(bin.err)
	}
	return bin.path
}

func compileHost(name string, flags ...string) Binary {
	return sync.OnceValue(func() built {
		dir := filepath.Join(scratch, name+".d")
		if err := os.CopyFS(dir, sources); err != nil {
			return built{err: err}
		}
		bin := filepath.Join(scratch, name)
		args := append([]string{"-O1", "-Wall", "-rdynamic", "-pthread", "-o", bin, filepath.Join(dir, "testdata", "host.c"), "-ldl"}, flags...)
		if out, err := exec.Command(compiler(), args...).CombinedOutput(); err != nil {
			return built{err: fmt.Errorf("cc: %w\n%s", err, out)}
		}
		return built{path: bin}
	})
}
