package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var scratch string // for what is built once

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if scratch, err = os.MkdirTemp("", "in_zitadel"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

type built struct {
	path string
	err  error
}

// buildPlugin builds the plugin as build.sh does.
var buildPlugin = sync.OnceValue(func() built {
	so := filepath.Join(scratch, "in_zitadel.so")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-tags", "netgo,osusergo", "-trimpath", "-ldflags", "-s -w", "-o", so, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return built{err: fmt.Errorf("go build: %w\n%s", err, out)}
	}
	return built{path: so}
})

func plugin(t testing.TB) string {
	t.Helper()
	needCompiler(t)
	b := buildPlugin()
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
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

func compileHost(name string, flags ...string) func() built {
	return sync.OnceValue(func() built {
		bin := filepath.Join(scratch, name)
		args := append([]string{"-O1", "-Wall", "-rdynamic", "-o", bin, "testdata/host.c", "-ldl"}, flags...)
		if out, err := exec.Command(compiler(), args...).CombinedOutput(); err != nil {
			return built{err: fmt.Errorf("cc: %w\n%s", err, out)}
		}
		return built{path: bin}
	})
}

// currentHost is Fluent Bit 5.1.1, oldHost one before 4.1.0 that exports nothing.
var (
	currentHost = compileHost("host")
	oldHost     = compileHost("host-old", "-DOLD")
)
