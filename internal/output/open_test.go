package output

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// open opens an output with options, each "name value".
func open(t *testing.T, options ...string) (*Output, *testkit.Text, error) {
	t.Helper()
	values := map[string]string{}
	for _, option := range options {
		name, value, _ := strings.Cut(option, " ")
		values[name] = value
	}
	log := &testkit.Text{}
	o, err := Open(func(name string) string { return values[name] }, hostlog.Host{Name: "zitadel.0", Level: slog.LevelInfo, Stderr: log})
	if err == nil {
		t.Cleanup(o.Stop)
	}
	return o, log, err
}

func TestOpen_SettingsReachWhereTheyMatter(t *testing.T) {
	ca := testkit.NewAuthority(t)
	srv := forwardtest.Start(t, forwardtest.Options{TLS: ca.Config(t, "127.0.0.1"), SharedKey: "s3cr3t-key"})
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("s3cr3t-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, log, err := open(t, "forward "+srv.Forward().String(), "ca_file "+ca.File(), "shared_key_file "+key, "line_keys text",
		"kinds other,malformed", "raw on", "instance lab", "tag parsed", "chunk_size 64k")
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, log)
	}
	if got := o.Flush(false, "t", appendEvent(t, nil, nil, map[string]any{"text": "a line"})); got != OK {
		t.Fatalf("got %v; log:\n%s", got, log)
	}
	m := srv.Messages()[0]
	if m.Tag != "parsed" || m.Records[0].Body["raw"] != "a line" {
		t.Errorf("got %+v", m)
	}
	o.Stop()
	if got := o.Flush(false, "t", appendEvent(t, nil, nil, map[string]any{"text": "a line"})); got != Retry {
		t.Errorf("after its end: %v", got)
	}
	if s := log.String(); !strings.Contains(s, "stopped records=1 sent=1 other=1") || strings.Contains(s, "s3cr3t") {
		t.Errorf("log: %s", s)
	}
}

func TestOpen_SaysAllThatIsWrongAtOnce(t *testing.T) {
	_, log, err := open(t, "kinds nothing", "ack_timeout soon", "shared_key s3cr3t", "shared_key_file /nonexistent")
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"forward", "kinds", "ack_timeout", "shared_key_file"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("nothing about %s:\n%s", part, log)
		}
	}
	if strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("log: %s", log)
	}
}

func TestStop_EndsFlushesInFlight(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	o, log, err := open(t, "forward "+srv.Forward().String(), "ack_timeout 1m", "kinds all")
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, log)
	}
	results := make(chan Result, 4)
	for range cap(results) {
		go func() { results <- o.Flush(false, "t", chunkOf(t, "x")) }()
	}
	testkit.Until(t, "every message", func() bool { return srv.Began() == cap(results) })
	began := time.Now()
	o.Stop()
	for range cap(results) {
		if got := <-results; got != Retry {
			t.Errorf("got %v", got)
		}
	}
	if d := time.Since(began); d > 30*time.Second { // of the minute that an ack may take
		t.Errorf("stopping took %v", d)
	}
	if s := log.String(); strings.Contains(s, "warn") || !strings.Contains(s, "stopped") {
		t.Errorf("log: %s", s)
	}
}

func TestFlush_OnTheEngineIsToldOnceAndBeforeItStandsStill(t *testing.T) {
	var answer atomic.Int64
	answer.Store(int64(forwardtest.Silence))
	srv := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Answer(answer.Load()) }})
	var printed []string
	o, err := Open(func(name string) string {
		return map[string]string{"forward": srv.Forward().String(), "ack_timeout": "1s", "kinds": "all"}[name]
	}, hostlog.Host{Name: "n", Level: slog.LevelInfo, Stderr: &testkit.Text{}, Print: func(_ slog.Level, line string) { printed = append(printed, line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Stop()
	o.here = func(config.Forward) bool { return false } // as if the receiver were another process
	for range 2 {
		o.Flush(true, "t", chunkOf(t, "x"))
		answer.Store(int64(forwardtest.Ack))
	}
	if len(printed) < 2 || !strings.Contains(printed[0], "`workers: 1`") || !strings.Contains(printed[1], "no ack") {
		t.Errorf("printed %q", printed)
	}
	if n := strings.Count(strings.Join(printed, "\n"), "runs on Fluent Bit's engine"); n != 1 {
		t.Errorf("told %d times: %q", n, printed)
	}
}

// Each try would add a copy, which nobody acknowledges.
func TestFlush_OnTheEngineSendsNothingToItself(t *testing.T) {
	srv := forwardtest.Start(t, forwardtest.Options{})
	var printed []string
	o, err := Open(func(name string) string {
		return map[string]string{"forward": srv.Forward().String(), "kinds": "all"}[name]
	}, hostlog.Host{Name: "n", Level: slog.LevelInfo, Stderr: &testkit.Text{}, Print: func(_ slog.Level, line string) { printed = append(printed, line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Stop()
	for range 2 {
		if got := o.Flush(true, "t", chunkOf(t, "x")); got != Retry {
			t.Errorf("got %v", got)
		}
	}
	if srv.Accepted() > 0 || len(printed) != 1 || !strings.Contains(printed[0], "set `workers: 1`") {
		t.Errorf("%d connections; printed %q", srv.Accepted(), printed)
	}
	if got := o.Flush(false, "t", chunkOf(t, "x")); got != OK { // a worker may
		t.Errorf("got %v", got)
	}
}
