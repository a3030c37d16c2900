package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// listenTo starts a program and collects what it says.
func listenTo(t *testing.T, cmd *exec.Cmd) *testkit.Text {
	t.Helper()
	said := &testkit.Text{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return said
}

// waitFor returns the line in which the program says text.
func waitFor(t *testing.T, said *testkit.Text, text string) (line string) {
	t.Helper()
	testkit.Until(t, text, func() bool {
		for line = range strings.Lines(said.String()) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				return true
			}
		}
		return false
	})
	return line
}

// forwarded is what a receiver has, as the ids in JSON lines.
func forwarded(far *forwardtest.Server) string {
	var b strings.Builder
	for _, r := range far.Records() {
		fmt.Fprintf(&b, `{"event":{"id":%q}}`+"\n", r.Body["event"].(map[string]any)["id"])
	}
	return b.String()
}

func TestPull_ForwardGivesEveryRecordedEventOnce(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	far := forwardtest.Start(t, forwardtest.Options{SharedKey: "of both sides"})
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server, "ZITADEL_SHARED_KEY=of both sides", "ZITADEL_FORWARD="+far.Forward().String(), "ZITADEL_STATE_PATH="+state)
	for range 2 { // the second run finds nothing new
		if r := finish(t, program(t, env, "pull", "--once", "--tag", "audit")); r.status != 0 || r.stdout != "" {
			t.Fatal(r)
		}
		wantEachOnce(t, forwarded(far))
	}
	if m := far.Messages()[0]; m.Tag != "audit" {
		t.Errorf("tag %q", m.Tag)
	}
}

func TestPull_ForwardNeedsAState(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	r := finish(t, program(t, environment(server), "pull", "--forward", "127.0.0.1:1"))
	if r.status != exitUsage || !strings.Contains(r.stderr, "state_path: is missing") {
		t.Error(r)
	}
}

func TestPull_ForwardOutlastsAReceiverThatIsAway(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	far := forwardtest.Start(t, forwardtest.Options{})
	address := far.Forward()
	far.Close()
	state := filepath.Join(t.TempDir(), "state")
	cmd := program(t, environment(server), "pull", "--forward", address.String(), "--state-path", state)
	said := listenTo(t, cmd)
	waitFor(t, said, "connection refused: is a forward input listening there?")
	far = forwardtest.Start(t, forwardtest.Options{Network: "tcp", Address: address.Address})
	waitFor(t, said, "records are taken again")
	testkit.Until(t, "all events", func() bool { return strings.Count(forwarded(far), "\n") >= recordedEvents })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	wantEachOnce(t, forwarded(far))
}

func TestPull_ASourceFileReadsManyAndServesTheirFigures(t *testing.T) {
	one, two := startRecorded(t, zitadeltest.Options{}), startRecorded(t, zitadeltest.Options{})
	far, other := forwardtest.Start(t, forwardtest.Options{}), forwardtest.Start(t, forwardtest.Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "sources.yaml")
	err := os.WriteFile(file, []byte(`
metrics_listen: 127.0.0.1:0
defaults: {settle: 0s, overlap: 100ms, poll_interval: 100ms}
sources:
  - {url: "`+one.URL()+`", token: "${ONE}", instance: test, state_path: `+dir+`/one, forward: "`+far.Forward().String()+`"}
  - {url: "`+two.URL()+`", token: "${TWO}", instance: two, state_path: `+dir+`/two, forward: "`+other.Forward().String()+`"}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := program(t, []string{"ONE=" + one.Token(), "TWO=" + two.Token(), "ZITADEL_URL=http://not.this.one", "ZITADEL_METRICS_LISTEN=not this one"}, "pull", "--config", file)
	said := listenTo(t, cmd)
	url := waitFor(t, said, "health=")
	url = strings.Fields(url[strings.Index(url, "health=")+len("health="):])[0]
	testkit.Until(t, "all events", func() bool { return strings.Count(forwarded(far)+forwarded(other), "\n") >= 2*recordedEvents })
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	wantEachOnce(t, forwarded(far))
	for name, want := range map[string]string{"one": "test", "two": "two"} {
		if s, err := cursor.Read(filepath.Join(dir, name)); err != nil || s.Instance != want || s.Events != recordedEvents {
			t.Errorf("%s: %+v %v", name, s.Events, err)
		}
	}
}

func TestPull_AStuckReceiverDoesNotHoldUpTheEnd(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{})
	far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	cmd := program(t, environment(server, "ZITADEL_ACK_TIMEOUT=1m"), "pull", "--forward", far.Forward().String(), "--state-path", filepath.Join(t.TempDir(), "s"))
	said := listenTo(t, cmd)
	testkit.Until(t, "a message", func() bool { return far.Began() > 0 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if took := time.Since(began); took > endWithin {
		t.Errorf("the end took %s", took)
	}
	if !strings.Contains(said.String(), "come again after the next start") {
		t.Errorf("what is owed is not logged:\n%s", said)
	}
}

func TestPull_FlagsBesideAFileAreRefused(t *testing.T) {
	r := finish(t, program(t, nil, "pull", "--config", "x.yaml", "--url", "https://a.example"))
	if r.status != exitUsage || !strings.Contains(r.stderr, "--url and --config contradict each other: write url into the file") {
		t.Error(r)
	}
	r = finish(t, program(t, nil, "pull", "--config", "/nowhere/x.yaml"))
	if r.status != exitUsage || !strings.Contains(r.stderr, "--config /nowhere/x.yaml: no such file or directory") {
		t.Error(r)
	}
}
