package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestPullGivesEveryRecordedEventOnce(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	for _, transport := range []string{"grpc", "rest"} {
		for _, size := range []string{"100", "600", "1000"} {
			t.Run(transport+" "+size, func(t *testing.T) {
				t.Parallel()
				got := finish(t, program(t, environment(server), "pull", "--once", "--transport", transport, "--page-size", size))
				if got.status != 0 {
					t.Fatal(got)
				}
				wantEachOnce(t, got.stdout)
			})
		}
	}
}

// Fewer lines than events are no loss, and nobody has to guess it.
func TestPullSaysHowManyRecordsTheTierLeftOut(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	got := finish(t, program(t, environment(server), "pull", "--once", "--format", "ecs", "--tier", "core"))
	out := len(zitadeltest.RecordedEvents(time.Time{})) - strings.Count(got.stdout, "\n")
	if got.status != 0 || out == 0 || !strings.Contains(got.stderr, fmt.Sprint("records=", out)) {
		t.Errorf("%d records were left out, which is not said: %s", out, got.stderr)
	}
}

func TestPullGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server, "ZITADEL_STATE_PATH="+state)
	events := zitadeltest.RecordedEvents(time.Time{})
	middle := events[len(events)/2].CreatedAt.Format(time.RFC3339Nano)

	first := finish(t, program(t, env, "pull", "--end", middle))
	second := finish(t, program(t, env, "pull", "--once"))
	third := finish(t, program(t, env, "pull", "--once"))
	if first.status != 0 || second.status != 0 || third.status != 0 {
		t.Fatal(first, second, third)
	}
	if first.stdout == "" || second.stdout == "" || third.stdout != "" {
		t.Errorf("%d, %d and %d bytes; want some, some and none", len(first.stdout), len(second.stdout), len(third.stdout))
	}
	wantEachOnce(t, first.stdout+second.stdout)
}

func TestPullGoesOnByItselfWhenTheServerWasAway(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	server.Update(func(f *zitadeltest.Faults) { f.Latency = 20 * time.Millisecond })
	cmd := program(t, environment(server), "pull", "--once", "--page-size", "100")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(stdout)
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err, stderr.String())
	}
	server.Stop()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, stderr.String())
	}
	wantEachOnce(t, line+string(rest))
}

func TestPullEndsCleanlyAtASignal(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			server := startRecorded(t, zitadeltest.Options{})
			server.Update(func(f *zitadeltest.Faults) { f.Latency = 20 * time.Millisecond })
			env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(t.TempDir(), "state"))
			cmd := program(t, env, "pull", "--page-size", "100")
			path := filepath.Join(t.TempDir(), "out")
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cmd.Stdout = file
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			testkit.Until(t, "the first events", func() bool {
				info, err := os.Stat(path)
				return err == nil && info.Size() > 0
			})
			if status := interrupt(t, cmd, sig); status != 0 {
				t.Errorf("exit status %d", status)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := finish(t, program(t, env, "pull", "--once"))
			wantEachOnce(t, string(before)+got.stdout)
		})
	}
}

// Nobody reads the pipe, so that the first signal cannot end it.
func TestPullEndsAtOnceAtTheSecondSignal(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	cmd := program(t, environment(server), "pull")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	for {
		_ = cmd.Process.Signal(os.Interrupt) // two at once may arrive as one
		select {
		case <-ended:
			if took := time.Since(began); took > endWithin/2 {
				t.Errorf("it took %s", took)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestPullEndsQuietlyWhenItsReaderGoes(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	env := environment(server, "ZITADEL_STATE_PATH="+filepath.Join(t.TempDir(), "state"))
	cmd := program(t, env, "pull", "--page-size", "100", "--overlap", "10s") // a shorter one earns a warning
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReaderSize(stdout, 16).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != exitPipe {
		t.Errorf("exit status %d, want %d", status, exitPipe)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", stderr.String())
	}
	// What the pipe swallowed may be missing from the second run; nothing else.
	got := finish(t, program(t, env, "pull", "--once"))
	const pipeHolds = 65536 + 4096
	var swallowed int
	ids := idsOf(t, line+got.stdout)
	for _, e := range zitadeltest.RecordedEvents(time.Time{}) {
		if id := fmt.Sprintf("test/%s/%s/%d", e.AggregateType, e.AggregateID, e.Sequence); ids[id] == 0 {
			swallowed++
		}
	}
	if most := pipeHolds / 300; swallowed > most { // no line is shorter
		t.Errorf("%d events are missing, the pipe holds %d at most", swallowed, most)
	}
}

func TestPullSaysWhatIsWrongWithTheState(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	foreign := filepath.Join(t.TempDir(), "foreign")
	finish(t, program(t, environment(server, "ZITADEL_INSTANCE=other"), "pull", "--once", "--state-path", foreign))
	used := filepath.Join(t.TempDir(), "used")
	file, _, err := cursor.Open(used, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	for _, c := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"no directory", "/nowhere/state", exitUsage, "mkdir"},
		{"a place where nobody can write", "/proc/zitadel.state", exitFailed, "the directory must exist and be writable"},
		{"damaged", writeFile(t, "damaged", `{"version":1,`), exitFailed, "cannot be used"},
		{"of another instance", foreign, exitFailed, `belongs to instance "other"`},
		{"in use", used, exitFailed, "another reader has it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := finish(t, program(t, environment(server), "pull", "--once", "--state-path", c.path))
			if got.status != c.status || got.stdout != "" || !strings.Contains(got.stderr, c.says) {
				t.Errorf("want status %d, no event, and %q: %v", c.status, c.says, got)
			}
		})
	}
}

func TestPullSaysHowToMendItself(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	const wrong = "wrong-token-0123456789"
	server.AddToken("token-of-an-org-owner", zitadeltest.OrgOwner, time.Time{})
	for _, c := range []struct {
		name   string
		env    []string
		args   []string
		status int
		says   []string
	}{
		{"an unknown flag", nil, []string{"--state_path", "x"}, exitUsage, []string{`did you mean "--state-path"`}},
		{"a switch without its value", nil, []string{"--learn"}, exitUsage, []string{"--learn needs a value: write --learn=VALUE, or --learn=on for a switch"}},
		{"another name of an option", nil, []string{"--listen", "127.0.0.1:0"}, exitUsage, []string{`unknown flag --listen, did you mean "--webhook-listen"?`}},
		{"wrong values, all at once", []string{"ZITADEL_SETTLE=soon"}, []string{"--transport", "soap"}, exitUsage, []string{"transport", "settle", "2 problems"}},
		{"a wrong token", []string{"ZITADEL_TOKEN=" + wrong}, nil, exitFailed, []string{"the token is wrong", "renew it in"}},
		{"a role too small", []string{"ZITADEL_TOKEN=token-of-an-org-owner"}, nil, exitFailed, []string{"IAM_OWNER_VIEWER"}},
		{"keys of targets that are not there", []string{"ZITADEL_STATE_PATH=" + filepath.Join(t.TempDir(), "s"), "ZITADEL_WEBHOOK_LISTEN=127.0.0.1:0", "ZITADEL_WEBHOOK_KEYS_DIR=/nowhere"}, nil, exitUsage, []string{"webhook_keys_dir", "/nowhere"}},
		{"no address for the figures", nil, []string{"--metrics-listen", "9464"}, exitUsage, []string{`metrics_listen "9464"`, "it must be HOST:PORT"}},
		{"an address that somebody has", nil, []string{"--metrics-listen", strings.TrimPrefix(server.URL(), "http://")}, exitFailed, []string{"address already in use; stop the process that uses it, or give another port"}},
		{"once and an end", nil, []string{"--end", "2026-01-01T00:00:00Z"}, exitUsage, []string{"--once and --end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := finish(t, program(t, environment(server, c.env...), append([]string{"pull", "--once"}, c.args...)...))
			if got.status != c.status || got.stdout != "" {
				t.Errorf("want status %d and no event: %v", c.status, got)
			}
			for _, text := range c.says {
				if !strings.Contains(got.stderr, text) {
					t.Errorf("%q is missing: %s", text, got.stderr)
				}
			}
			if strings.Contains(got.stderr, wrong) {
				t.Errorf("the token is shown: %s", got.stderr)
			}
		})
	}
}

func TestNoSecretIsInTheProcessList(t *testing.T) {
	t.Parallel()
	const secret = "secret-that-must-not-be-seen"
	for _, args := range [][]string{{"pull", "--token", secret}, {"pull", "--token=" + secret}, {"check", "--token", secret}} {
		got := finish(t, program(t, nil, args...))
		if got.status != exitUsage || !strings.Contains(got.stderr, "ZITADEL_TOKEN") {
			t.Errorf("--token is not refused with the mend: %v", got)
		}
		if strings.Contains(got.stdout+got.stderr, secret) {
			t.Errorf("the token is repeated: %v", got)
		}
	}

	server := startRecorded(t, zitadeltest.Options{})
	cmd := program(t, environment(server), "pull", "--status")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer interrupt(t, cmd, syscall.SIGTERM)
	defer stdout.Close()
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it has the token and works with it
		t.Fatal(err)
	}
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc here")
	}
	if !bytes.Contains(list, []byte("pull")) || bytes.Contains(list, []byte(server.Token())) {
		t.Errorf("process list: %q", list)
	}
}

func TestStatusLineAndSummaryGoToStandardError(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	server.Update(func(f *zitadeltest.Faults) { f.Latency = 30 * time.Millisecond })
	got := finish(t, program(t, environment(server), "pull", "--once", "--status", "--page-size", "200"))
	if got.status != 0 {
		t.Fatal(got)
	}
	wantEachOnce(t, got.stdout)
	for _, text := range []string{"/s  lag ", "  errors 0", "2,881 events in "} {
		if !strings.Contains(got.stderr, text) {
			t.Errorf("%q is missing: %s", text, got.stderr)
		}
	}
}

func TestPullLogsAtOnceThatMetricsAreNotServed(t *testing.T) {
	said := make(chan string, 1)
	console := terminal.New(writerFunc(func(b []byte) (int, error) { said <- string(b); return len(b), nil }), false)
	stop := serve(&endless{err: errors.New("too many open files")}, console)
	if line := <-said; !strings.Contains(line, "error: metrics are not served any more: too many open files") {
		t.Error(line)
	}
	stop()

	ends := &endless{closed: make(chan struct{})}
	serve(ends, console)()
	if len(said) > 0 {
		t.Error("a stop is told as an error: " + <-said)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// endless serves until it is closed, or not at all.
type endless struct {
	err    error
	closed chan struct{}
}

func (e *endless) Serve() error {
	if e.err == nil {
		<-e.closed
	}
	return e.err
}

func (e *endless) Close() error {
	if e.err == nil {
		close(e.closed)
	}
	return nil
}
