package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/demo"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// The tests run the real programs: what build.sh has built, or else this binary acts as
// zitadel-siem. It acts as zitadel-siem-demo when that is its first argument.
const (
	beTheProgram = "ZITADEL_SIEM_TEST_BE_THE_PROGRAM"
	theDemo      = "zitadel-siem-demo"
)

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		if len(os.Args) > 1 && os.Args[1] == theDemo {
			os.Exit(demo.Main(os.Args[2:]))
		}
		os.Exit(run(os.Args[1:]))
	}
	syscall.Umask(0) // what is to be private is so by itself
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testkit.RemoveBuilt()
		os.Exit(code)
	}))
}

// program prepares a run of zitadel-siem with nothing in its environment but env.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path := ""
	if isDemo := len(args) > 0 && args[0] == theDemo; testkit.Built() && !isDemo {
		path = testkit.Program(t)
	} else if self, err := os.Executable(); err != nil {
		t.Fatal(err)
	} else {
		path = self
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	// Without GORACE a program with the race detector sleeps for a second at its end.
	cmd.Env = append([]string{beTheProgram + "=1", "GORACE=atexit_sleep_ms=20", "TMPDIR=" + t.TempDir()}, env...)
	return cmd
}

type result struct {
	stdout, stderr string
	status         int
}

func (r result) String() string {
	return fmt.Sprintf("exit status %d\n--- stderr\n%s--- stdout, %d bytes", r.status, r.stderr, len(r.stdout))
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// startRecorded starts a fake ZITADEL server with the recorded log.
func startRecorded(t *testing.T, opts zitadeltest.Options) *zitadeltest.Server {
	t.Helper()
	store := zitadeltest.NewStore()
	store.Append(zitadeltest.RecordedEvents(time.Time{})...)
	return zitadeltest.ServeAt(t, "127.0.0.1:"+testkit.FreePort(t), store, opts)
}

const recordedEvents = 2881

// environment of a reader that finds server, and does not wait long for what
// the recorded log cannot have: late events.
func environment(server *zitadeltest.Server, more ...string) []string {
	return append([]string{
		"ZITADEL_URL=" + server.URL(), "ZITADEL_TOKEN=" + server.Token(), "ZITADEL_INSTANCE=test",
		"ZITADEL_SETTLE=0s", "ZITADEL_OVERLAP=100ms", "ZITADEL_POLL_INTERVAL=100ms",
	}, more...)
}

// wantEachOnce compares the ids of JSON lines with the recorded log.
func wantEachOnce(t *testing.T, stdout string) {
	t.Helper()
	counts := idsOf(t, stdout)
	for _, e := range zitadeltest.RecordedEvents(time.Time{}) {
		id := record.Key{Instance: "test", AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()
		if counts[id] != 1 {
			t.Errorf("%s came %d times", id, counts[id])
		}
		delete(counts, id)
	}
	for id := range counts {
		t.Errorf("%s was never written", id)
	}
	if n := strings.Count(stdout, "\n"); n != recordedEvents {
		t.Errorf("%d lines, want %d", n, recordedEvents)
	}
}

func idsOf(t *testing.T, stdout string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(stdout) {
		if !gjson.Valid(line) {
			t.Fatalf("no JSON line: %.200q", line)
		}
		counts[gjson.Get(line, "event.id").String()]++
	}
	return counts
}

// interrupt sends a signal and waits for the end.
func interrupt(t *testing.T, cmd *exec.Cmd, sig syscall.Signal) int {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the status says it all
	return cmd.ProcessState.ExitCode()
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
