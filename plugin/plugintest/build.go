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
		os.Exit(code)
	}))
}

type built struct {
	path string
	err  error
}

// plugins holds a func() built by name.
var plugins sync.Map

// Plugin builds a plugin once, as build.sh does, and returns the .so: in_zitadel or
// out_zitadel.
func Plugin(t testing.TB, name string) string {
	t.Helper()
	needCompiler(t)
	build, _ := plugins.LoadOrStore(name, sync.OnceValue(func() built { return buildPlugin(name) }))
	b := build.(func() built)()
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func buildPlugin(name string) built {
	so := filepath.Join(scratch, name+".so")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-tags", "netgo,osusergo", "-trimpath", "-ldflags", "-s -w", "-o", so,
		"github.com/zitadel-siem/zitadel-siem/plugin/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return built{err: fmt.Errorf("go build: %w\n%s", err, out)}
	}
	return built{path: so}
}

func compiler() string {
	for _, cc := range []string{os.Getenv("CC"), "gcc", "cc", "clang"} {
		if cc == "" {
			continue
		}
		if path, err := exec.LookPath(cc); err == nil {
			return path
		}
	}
	return ""
}

func needCompiler(t testing.TB) {
	t.Helper()
	if compiler() == "" {
		t.Skip("no C compiler: the plugin and its test host were not built, NOTHING of the ABI was tested; install gcc")
	}
}

// The hosts in C.
var (
	Current = compileHost("host")              // is Fluent Bit 5.1.1
	Old     = compileHost("host-old", "-DOLD") // is one before 4.1.0 that exports nothing
)

// Binary is a host that is compiled at its first use.
type Binary func() built

// Path compiles the host.
func (b Binary) Path(t testing.TB) string {
	t.Helper()
	needCompiler(t)
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
