package plugintest

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
)

// FluentBit is a running Fluent Bit with plugins.
type FluentBit struct {
	Dir string // ${DIR} of its configuration
	Log *Text

	t       *testing.T
	bin     string
	config  string
	plugins []string
	env     []string
	cmd     *exec.Cmd
	ended   chan error
}

// StartFluentBit starts it with a configuration of testdata and more variables
// in its environment, each "name=value".
func StartFluentBit(t *testing.T, config string, env []string, plugins ...string) *FluentBit {
	t.Helper()
	bin := os.Getenv("FLUENT_BIT")
	if bin == "" {
		var err error
		if bin, err = exec.LookPath("fluent-bit"); err != nil {
			t.Skip("no fluent-bit on PATH and FLUENT_BIT is not set: NOTHING was tested with the real Fluent Bit")
		}
	}
	f := &FluentBit{t: t, bin: bin, config: filepath.Join("testdata", config), Dir: t.TempDir(), Log: &Text{}}
	for _, name := range plugins {
		f.plugins = append(f.plugins, "-e", Plugin(t, name))
	}
	f.env = append(append(os.Environ(), "DIR="+f.Dir), env...)
	t.Cleanup(func() {
		if f.cmd != nil {
			f.Kill()
		}
		if t.Failed() {
			t.Logf("fluent-bit's log:\n%s", f.Log)
		}
	})
	f.Start()
	return f
}

// Start starts it again.
func (f *FluentBit) Start() {
	f.t.Helper()
	f.cmd = exec.Command(f.bin, append(f.plugins, "-c", f.config)...)
	f.cmd.Env = f.env
	f.cmd.Stdout, f.cmd.Stderr = f.Log, f.Log
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(f.cmd, f.ended)
}

// Usage is what its process uses.
func (f *FluentBit) Usage() leaktest.Usage { return leaktest.Of(f.t, f.cmd.Process.Pid) }

// CommandLine is its command line as ps shows it.
func (f *FluentBit) CommandLine() []byte { return leaktest.CommandLine(f.t, f.cmd.Process.Pid) }

// Signal sends a signal.
func (f *FluentBit) Signal(s os.Signal) {
	f.t.Helper()
	if err := f.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		f.t.Fatal(err)
	}
}

// Wait waits for its end and returns its result.
func (f *FluentBit) Wait() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		f.ended <- err
		return err
	case <-time.After(time.Minute):
		f.cmd.Process.Kill()
		f.t.Fatalf("fluent-bit did not end; log:\n%s", f.Log)
		return nil
	}
}

// Kill is kill -9.
func (f *FluentBit) Kill() {
	f.t.Helper()
	f.Signal(os.Kill)
	_ = f.Wait()
}

// Stop sends SIGTERM and returns how long the end took.
func (f *FluentBit) Stop() time.Duration {
	f.t.Helper()
	began := time.Now()
	f.Signal(syscall.SIGTERM)
	if err := f.Wait(); err != nil {
		f.t.Errorf("fluent-bit ended with %v", err)
	}
	return time.Since(began)
}

// Until waits for ok while it runs.
func (f *FluentBit) Until(what string, ok func() bool) {
	f.t.Helper()
	Until(f.t, what, func() bool {
		select {
		case err := <-f.ended:
			f.ended <- err
			f.t.Fatalf("fluent-bit ended by itself: %v", err)
		default:
		}
		return ok()
	})
}

// Lines returns the whole lines of an output file.
func (f *FluentBit) Lines(file string) (lines []string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.Dir, file))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasSuffix(line, "\n") { // otherwise it is being written
			lines = append(lines, line)
		}
	}
	return lines
}

// FreePort returns a port that nobody listened at a moment ago.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
