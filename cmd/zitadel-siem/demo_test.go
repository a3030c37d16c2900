package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// demoProgram prepares a run of zitadel-siem-demo.
func demoProgram(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, env, theDemo)
	cmd.Args = append(cmd.Args, append([]string{"--program", cmd.Path}, args...)...)
	return cmd
}

func TestDemoDeliversEachEventOnce(t *testing.T) {
	t.Parallel()
	got := finish(t, demoProgram(t, nil, "--for", "2s", "--rate", "50"))
	wantDemo(t, got)
	wantLines(t, got.stderr, "pipeline: the sidecar")
}

func TestDemoShowsTheRecordsOfAFormatAsTheyAre(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"raw": `"type":"instance.added"`, "ocsf": `"event_code":"instance.added"`, "cef": "CEF:0|ZITADEL|ZITADEL|", "leef": "LEEF:2.0|ZITADEL|ZITADEL|"} {
		got := finish(t, demoProgram(t, []string{"ZITADEL_FORMAT=" + format}, "--for", "1s"))
		if got.status != 0 {
			t.Errorf("%s: %v", format, got)
		}
		wantLines(t, got.stderr, " 0 lost, 0 repeated")
		wantLines(t, got.stdout, want)
		wantNoSecret(t, format, got.stdout)
	}
	if got := finish(t, demoProgram(t, []string{"ZITADEL_FORMAT=ecz"})); got.status != exitUsage || !strings.Contains(got.stderr, "use raw, ecs, ocsf, cef or leef") {
		t.Error(got)
	}
}

func TestDemoThroughFluentBit(t *testing.T) {
	t.Parallel()
	fluentBit := testkit.FluentBit(t)
	testkit.Plugin(t, "in_zitadel")
	plugins := filepath.Dir(testkit.Plugin(t, "out_zitadel"))
	got := finish(t, demoProgram(t, []string{"FLUENT_BIT=" + fluentBit}, "--for", "4s", "--plugins", plugins))
	wantDemo(t, got)
	wantLines(t, got.stderr, "pipeline: "+fluentBit)

	// The token of a real instance goes through the environment, into no file.
	server := startRecorded(t, zitadeltest.Options{})
	got = finish(t, demoProgram(t, environment(server, "FLUENT_BIT="+fluentBit), "--for", "4s", "--plugins", plugins))
	if got.status != 0 || strings.Contains(got.stderr, server.Token()) {
		t.Error(got)
	}
	wantLines(t, got.stderr, "pipeline: "+fluentBit, "2,881 events in ", " 0 repeated")
}

func TestDemoEndsCleanlyAtCtrlC(t *testing.T) {
	t.Parallel()
	cmd := demoProgram(t, nil, "--sidecar")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	cmd.Stdout = stdout
	shown := func() string {
		text, err := os.ReadFile(stdout.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	in := bufio.NewReader(stderr)
	for !strings.Contains(said.String(), "events/s") && !strings.Contains(said.String(), "  lag ") {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err, said.String())
		}
		said.WriteString(line)
	}
	testkit.Until(t, "the first login", func() bool { return strings.Contains(shown(), "  Login  ") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	wantDemo(t, result{shown(), said.String() + string(rest), cmd.ProcessState.ExitCode()})
}

// With a URL in the environment nothing is invented: the events are its own.
func TestDemoReadsTheInstanceThatTheEnvironmentNames(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	env := environment(server, "ZITADEL_END="+time.Now().UTC().Format(time.RFC3339)) // it ends when it has read everything
	got := finish(t, demoProgram(t, env, "--sidecar"))
	if got.status != 0 {
		t.Fatal(got)
	}
	wantLines(t, got.stderr, "2,881 events in ", " 0 repeated")
	if strings.Contains(got.stderr, "fake ZITADEL") || strings.Contains(got.stderr, server.Token()) {
		t.Error(got)
	}
}

func wantDemo(t *testing.T, got result) {
	t.Helper()
	if got.status != 0 {
		t.Fatal(got)
	}
	wantLines(t, got.stderr, "/s  lag ", "errors 0", " events and action records, ", " 0 lost, 0 repeated")
	wantLines(t, got.stdout, "  success  Instance added ", " more\n", "  Login  ", " alice ", " from 127.0.0.1\n")
	wantNoSecret(t, "the demo", got.stdout+got.stderr)
	if strings.Contains(got.stdout, "\x1b") {
		t.Error("colours without a terminal")
	}
}

func TestTheShippedProgramHasNoFakeServer(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "/internal/events\n") {
		t.Fatalf("go list -deps lists no package of zitadel-siem:\n%s", out)
	}
	for _, name := range []string{"zitadeltest", "demo"} {
		if strings.Contains(string(out), "/internal/"+name+"\n") {
			t.Errorf("zitadel-siem contains internal/%s", name)
		}
	}
}

func TestTheOldDemoCommandNamesTheNewOne(t *testing.T) {
	t.Parallel()
	got := finish(t, program(t, nil, "demo", "--for", "1s"))
	if got.status != exitUsage {
		t.Error(got)
	}
	wantLines(t, got.stderr, "demo", "make run")
}
