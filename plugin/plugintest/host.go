package plugintest

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// Host is a running testdata/host.c with a plugin.
type Host struct {
	Err *testkit.Text // its stderr
	Dir string        // of its files

	t     *testing.T
	pid   int
	in    io.WriteCloser
	out   *bufio.Scanner
	marks int // see Log
}

// Usage is what its process uses.
func (h *Host) Usage() leaktest.Usage { return leaktest.Of(h.t, h.pid) }

// Start starts a host, which loads and registers the plugin of this name.
func Start(t *testing.T, b Binary, plugin string) *Host {
	t.Helper()
	so := testkit.Plugin(t, plugin)
	h := &Host{t: t, Err: &testkit.Text{}, Dir: t.TempDir()}
	cmd := run(t, b.Path(t))
	cmd.Stderr = h.Err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.pid, h.in, h.out = cmd.Process.Pid, in, bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("host: %v", err)
		}
		if t.Failed() {
			t.Logf("host's stderr:\n%s", h.Err)
		}
	})
	h.Want("ok", "load %s", so)
	h.Register()
	return h
}

// Register registers the plugin once more, as a reload does.
func (h *Host) Register() {
	h.t.Helper()
	if got := h.Do("register"); got != "0 1 11 zitadel" && got != "0 2 11 zitadel" {
		h.t.Fatalf("register: got %q", got)
	}
}

// Do gives one command and returns its answer.
func (h *Host) Do(format string, args ...any) string {
	h.t.Helper()
	line := fmt.Sprintf(format, args...)
	fmt.Fprintln(h.in, line)
	if !h.out.Scan() {
		h.t.Fatalf("host died of %q; stderr:\n%s", line, h.Err)
	}
	return h.out.Text()
}

// Want gives one command that must have this answer.
func (h *Host) Want(answer, format string, args ...any) {
	h.t.Helper()
	if got := h.Do(format, args...); got != answer {
		h.t.Fatalf("%s: got %q, want %q; stderr:\n%s", fmt.Sprintf(format, args...), got, answer, h.Err)
	}
}

// Options sets properties of instance n, each "key value".
func (h *Host) Options(n int, options ...string) {
	h.t.Helper()
	for _, option := range options {
		h.Want("ok", "prop %d %s", n, option)
	}
}

// File is a path of instance n's own.
func (h *Host) File(n int) string { return filepath.Join(h.Dir, fmt.Sprint("instance-", n)) }

// Log returns everything that was logged until now, which arrives through a pipe of its own.
func (h *Host) Log() string {
	h.t.Helper()
	h.marks++
	mark := fmt.Sprintf("mark %d\n", h.marks)
	h.Want("ok", "%s", strings.TrimSpace(mark))
	testkit.Until(h.t, mark, func() bool { return strings.Contains(h.Err.String(), mark) })
	return markLine.ReplaceAllString(h.Err.String(), "")
}

var markLine = regexp.MustCompile(`(?m)^mark \d+\n`)

// WantLog waits until part is logged n times, and fails if it is logged more often.
func (h *Host) WantLog(n int, part string) {
	h.t.Helper()
	testkit.Until(h.t, fmt.Sprint(n, " times ", part), func() bool { return strings.Count(h.Err.String(), part) >= n })
	if log := h.Log(); strings.Count(log, part) != n {
		h.t.Errorf("%q is logged %d times, want %d:\n%s", part, strings.Count(log, part), n, log)
	}
}
