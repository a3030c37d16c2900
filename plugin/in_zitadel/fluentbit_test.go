package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// fluentBit is a running Fluent Bit with the plugin.
type fluentBit struct {
	t      *testing.T
	config string
	env    []string
	so     string
	dir    string
	cmd    *exec.Cmd
	log    *text
	ended  chan error
}

func newFluentBit(t *testing.T, config string, srv *zitadeltest.Server) *fluentBit {
	t.Helper()
	bin := os.Getenv("FLUENT_BIT")
	if bin == "" {
		var err error
		if bin, err = exec.LookPath("fluent-bit"); err != nil {
			t.Skip("no fluent-bit on PATH and FLUENT_BIT is not set: NOTHING was tested with the real Fluent Bit")
		}
	}
	f := &fluentBit{t: t, config: filepath.Join("testdata", config), so: plugin(t), dir: t.TempDir(), log: &text{}}
	f.env = append(os.Environ(), "DIR="+f.dir, "FLUENT_BIT="+bin)
	if srv != nil {
		f.env = append(f.env, "ZITADEL_URL="+srv.URL(), "ZITADEL_TOKEN="+srv.Token())
	}
	t.Cleanup(func() {
		if f.cmd != nil {
			f.kill()
		}
		if t.Failed() {
			t.Logf("fluent-bit's log:\n%s", f.log)
		}
	})
	f.start(bin)
	return f
}

func (f *fluentBit) start(bin string) {
	f.t.Helper()
	f.cmd = exec.Command(bin, "-e", f.so, "-c", f.config)
	f.cmd.Env = f.env
	f.cmd.Stdout, f.cmd.Stderr = f.log, f.log
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(f.cmd, f.ended)
}

func (f *fluentBit) restart() { f.start(f.cmd.Path) }

func (f *fluentBit) signal(s os.Signal) {
	f.t.Helper()
	if err := f.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		f.t.Fatal(err)
	}
}

func (f *fluentBit) wait() error {
	f.t.Helper()
	select {
	case err := <-f.ended:
		f.ended <- err
		return err
	case <-time.After(time.Minute):
		f.cmd.Process.Kill()
		f.t.Fatalf("fluent-bit did not end; log:\n%s", f.log)
		return nil
	}
}

func (f *fluentBit) kill() {
	f.t.Helper()
	f.signal(os.Kill)
	_ = f.wait()
}

// stop is SIGTERM; it returns how long the end took.
func (f *fluentBit) stop() time.Duration {
	f.t.Helper()
	began := time.Now()
	f.signal(syscall.SIGTERM)
	if err := f.wait(); err != nil {
		f.t.Errorf("fluent-bit ended with %v", err)
	}
	return time.Since(began)
}

// ids returns event.id of every record in an output file.
func (f *fluentBit) ids(file string) (ids []string) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, file))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var rec struct{ Event struct{ ID string } }
		if line[len(line)-1] != '\n' {
			continue // being written
		}
		// A kill can cut a line that the output is writing. Fluent Bit writes the
		// whole chunk again after it, beginning on the same line.
		line = line[max(0, bytes.LastIndex(line, []byte(`{"event":{`))):]
		if err := json.Unmarshal(line, &rec); err != nil {
			f.t.Fatalf("no record: %.200s: %v", line, err)
		}
		ids = append(ids, rec.Event.ID)
	}
	return ids
}

// sameLines counts lines that came out again byte for byte, event.read_at
// included: those Fluent Bit sent twice, we did not read them twice.
func (f *fluentBit) sameLines(file string) (n int) {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, file))
	if err != nil {
		f.t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if seen[line] {
			n++
		}
		seen[line] = true
	}
	return n
}

func distinct(ids []string) int {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return len(set)
}

func (f *fluentBit) waitForIDs(file string, n int) {
	f.t.Helper()
	until(f.t, "all records in the file", func() bool {
		select {
		case err := <-f.ended:
			f.ended <- err
			f.t.Fatalf("fluent-bit ended by itself: %v", err)
		default:
		}
		return distinct(f.ids(file)) >= n
	})
}

func TestFluentBit_EveryEventOnce(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	f.waitForIDs("records", srv.Store().Len())
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	w.Append(100)
	f.waitForIDs("records", srv.Store().Len())
	f.stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if s := f.log.String(); strings.Contains(s, "[ warn] [input:zitadel") || strings.Contains(s, srv.Token()) {
		t.Errorf("log:\n%s", s)
	}
}

func TestFluentBit_KilledInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: 16_000, From: time.Now().Add(-time.Hour), PerTransaction: 3})
	srv := serve(t, store)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	kills := 0
	for _, at := range []int{1, 4_000, 8_000} {
		before := committed(t, filepath.Join(f.dir, "one.state"))
		until(t, "some more events", func() bool {
			n := committed(t, filepath.Join(f.dir, "one.state"))
			return n > before && n >= uint64(at)
		})
		if committed(t, filepath.Join(f.dir, "one.state")) < uint64(store.Len()) {
			kills++
		}
		f.kill()
		f.restart()
	}
	f.waitForIDs("records", store.Len())
	f.stop()
	repeats := wantAll(t, store, "lab", f.ids("records"))
	t.Logf("%d kills in the middle, %d events, 0 lost, %d repeated (%d of them by Fluent Bit's own storage)",
		kills, store.Len(), repeats, f.sameLines("records"))
	if kills == 0 {
		t.Error("no kill was in the middle: the test shows nothing")
	}
}

func TestFluentBit_WrongConfigFailsToStart(t *testing.T) {
	t.Parallel()
	f := newFluentBit(t, "wrong.yaml", nil)
	if err := f.wait(); err == nil {
		t.Error("fluent-bit ended well")
	}
	for _, part := range []string{"[error] [input:zitadel:zitadel.0]", "url", "state_path", "tag_by", "poll_interval"} {
		if !strings.Contains(f.log.String(), part) {
			t.Errorf("the log says nothing of %s:\n%s", part, f.log)
		}
	}
}

func TestFluentBit_EndsPromptlyWhenZitadelHangs(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	srv.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	until(t, "a request under way", func() bool { return srv.Requests() > 0 })
	if d := f.stop(); d > 8*time.Second { // grace is 2 s
		t.Errorf("the end took %v", d)
	}
}

func TestFluentBit_ReloadLosesNothing(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "fluent-bit.yaml", srv)
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	f.waitForIDs("records", 1000)
	for n := range 2 {
		f.signal(syscall.SIGHUP)
		w.Append(50)
		until(t, "the old instance to stop", func() bool {
			return strings.Count(f.log.String(), "] stopped read=") > n
		})
		f.waitForIDs("records", srv.Store().Len())
	}
	f.stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

func TestFluentBit_TwoInstancesAndTags(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "two-instances.yaml", srv)
	f.waitForIDs("records", srv.Store().Len())
	f.waitForIDs("records-two", srv.Store().Len())
	f.stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if n := wantAll(t, srv.Store(), "second", f.ids("records-two")); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

// Without `threaded: off` Fluent Bit acknowledges nothing.
func TestFluentBit_OnAnInputThreadACrashRepeatsRatherThanLoses(t *testing.T) {
	t.Parallel()
	srv := zitadel(t)
	f := newFluentBit(t, "threaded.yaml", srv)
	until(t, "a committed state", func() bool { return committed(t, filepath.Join(f.dir, "one.state")) > 0 })
	f.kill()
	f.restart()
	f.waitForIDs("records", srv.Store().Len())
	until(t, "the warning of each run", func() bool {
		return strings.Count(f.log.String(), "`threaded: off`") >= 2
	})
	f.stop()
	t.Logf("%d repeated", wantAll(t, srv.Store(), "lab", f.ids("records")))
	if n := strings.Count(f.log.String(), "`threaded: off`"); n != 2 {
		t.Errorf("the mend is told %d times in two runs:\n%s", n, f.log)
	}
}
