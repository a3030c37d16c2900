package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// fullDevice is a file on a device that is always full. The test is skipped where there is none.
func fullDevice(t *testing.T) *os.File {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("there is no device that is always full, which only Linux has: %v", err)
	}
	t.Cleanup(func() { _ = full.Close() })
	return full
}

func TestPullOnAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	full := fullDevice(t)
	server := startRecorded(t, zitadeltest.Options{})
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(t.TempDir(), "state"))
	cmd := program(t, env, "pull", "--once")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("stderr: %s", stderr.String())
	}
	wantEachOnce(t, finish(t, program(t, env, "pull", "--once")).stdout)
}

// A run that was killed in mid-line must not swallow the first event of the
// next one.
func TestPullEndsACutLineBeforeItAppends(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	path := writeFile(t, "out", `{"event":{"id":"test/us`)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := program(t, environment(server), "pull", "--once")
	cmd.Stdout = file
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut, rest, _ := strings.Cut(string(data), "\n")
	if cut != `{"event":{"id":"test/us` {
		t.Errorf("the cut line is now %q", cut)
	}
	wantEachOnce(t, rest)
}

// The file may be that of a run which goes on, and which is to be refused here.
func TestPullTouchesNoOutputBeforeItCanBegin(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	const cut = `{"event":{"id":"test/us`
	path := writeFile(t, "out", cut)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := program(t, environment(server, "ZITADEL_STATE_PATH="+writeFile(t, "state", "{")), "pull", "--once")
	cmd.Stdout = file
	if err := cmd.Run(); err == nil {
		t.Error("it ran with a damaged state")
	}
	if got := readFile(t, path); got != cut {
		t.Errorf("the output is %q", got)
	}
}
