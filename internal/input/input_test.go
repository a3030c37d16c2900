package input

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// setup is a look-alike, options for it, and a host that prints to a buffer.
type setup struct {
	srv     *zitadeltest.Server
	options map[string]string
	host    Host
	log     *testkit.Text
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	srv := zitadeltest.ServeRecorded(t, zitadeltest.Options{})
	log := &testkit.Text{}
	return &setup{
		srv: srv,
		options: map[string]string{
			"url": srv.URL(), "token": srv.Token(), "state_path": filepath.Join(t.TempDir(), "state"),
			"instance": "lab", "settle": "0s", "poll_interval": "100ms",
		},
		host: Host{Host: hostlog.Host{Name: "zitadel.0", Level: slog.LevelInfo, Stderr: log}, Tag: func() string { return "audit" }},
		log:  log,
	}
}

func (s *setup) get(key string) string { return s.options[key] }

func (s *setup) open(t *testing.T) *Input {
	t.Helper()
	in, err := Open(s.get, s.host)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	return in
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpen_ReadsEverythingAndCommits(t *testing.T) {
	s := newSetup(t)
	in := s.open(t)
	total := uint64(s.srv.Store().Len())
	tags := map[string]bool{}
	testkit.Until(t, "all events taken", func() bool {
		in.Collect(false, func(tag string, data []byte, _ int) bool { tags[tag] = true; return true })
		return in.Stats().Taken.Load() == total
	})
	Stop(in)
	state, err := cursor.Read(s.options["state_path"])
	if err != nil || state.Events != total {
		t.Errorf("state is at %d of %d events: %v", state.Events, total, err)
	}
	if len(tags) != 1 || !tags[""] {
		t.Errorf("tags %v, want the host's own only", tags)
	}
	if text := s.log.String(); strings.Contains(text, s.srv.Token()) || strings.Contains(text, "warn") {
		t.Errorf("log:\n%s", text)
	}
}

func TestLaw6_WhatTheHostGetsIsRedacted(t *testing.T) {
	const bcrypt = "$2a$" // of the password hashes in the recorded events
	for redact, leaves := range map[string]bool{"on": false, "off": true} {
		s := newSetup(t)
		s.options["redact"] = redact
		in := s.open(t)
		var all []byte
		testkit.Until(t, "all events taken", func() bool {
			in.Collect(false, func(_ string, data []byte, _ int) bool { all = append(all, data...); return true })
			return in.Stats().Taken.Load() == uint64(s.srv.Store().Len())
		})
		Stop(in)
		if strings.Contains(string(all), bcrypt) != leaves || strings.Contains(string(all), "[REDACTED]") == leaves {
			t.Errorf("redact %s: a hash leaves: %v, want %v", redact, !leaves, leaves)
		}
	}
}

func TestOpen_SaysEverythingThatIsWrong(t *testing.T) {
	s := newSetup(t)
	s.options = map[string]string{"url": "zitadel", "tokn": "s3cr3t", "tag_by": "colour"}
	if _, err := Open(s.get, s.host); err == nil {
		t.Fatal("opened")
	}
	for _, part := range []string{"url", "tokn", "tag_by", "state_path"} {
		if !strings.Contains(s.log.String(), part) {
			t.Errorf("the log does not name %s:\n%s", part, s.log)
		}
	}
	if strings.Contains(s.log.String(), "s3cr3t") {
		t.Errorf("a secret is logged:\n%s", s.log)
	}
}

func TestOpen_TagByNeedsATag(t *testing.T) {
	s := newSetup(t)
	s.options["tag_by"] = "event_type"
	s.host.Tag = func() string { return "" }
	if _, err := Open(s.get, s.host); err == nil || !strings.Contains(err.Error(), "leave tag_by out") {
		t.Errorf("got %v", err)
	}
}

// Law 5: a damaged state is an error, and stays as it was.
func TestLaw5_DamagedStateFailsToStart(t *testing.T) {
	s := newSetup(t)
	path := s.options["state_path"]
	if err := os.WriteFile(path, []byte(`{"version":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.get, s.host); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != `{"version":1` {
		t.Errorf("the damaged file is now %q", b)
	}
}

func TestOpen_SecondInputOfOneConfigurationIsRefusedTheState(t *testing.T) {
	s := newSetup(t)
	in := s.open(t)
	defer Stop(in)
	link := filepath.Join(t.TempDir(), "other-name")
	if err := os.Symlink(filepath.Dir(s.options["state_path"]), link); err != nil {
		t.Fatal(err)
	}
	s.options["state_path"] = filepath.Join(link, "state")
	if _, err := Open(s.get, s.host); err == nil || !strings.Contains(err.Error(), "state_path of its own") {
		t.Errorf("got %v", err)
	}
}

// While the first one waits for the reader before a reload, the second one must
// not wait too: one of them would then never read.
func TestOpen_SecondInputIsRefusedWhileTheFirstWaits(t *testing.T) {
	s := newSetup(t)
	s.host.Generation = 1
	old := s.open(t)
	s.host.Generation = 2
	first := s.open(t)
	if _, err := Open(s.get, s.host); err == nil || !strings.Contains(err.Error(), "state_path of its own") {
		t.Errorf("got %v", err)
	}
	Stop(old)
	testkit.Until(t, "all events taken", func() bool {
		first.Collect(false, func(string, []byte, int) bool { return true })
		return first.Stats().Taken.Load() == uint64(s.srv.Store().Len())
	})
	Stop(first)
	Stop(s.open(t))
}

// Another process, or the instance before a reload.
func TestOpen_WaitsForAnotherReadersState(t *testing.T) {
	s := newSetup(t)
	file, _, err := cursor.Open(s.options["state_path"], "lab")
	if err != nil {
		t.Fatal(err)
	}
	in := s.open(t)
	in.Collect(false, func(string, []byte, int) bool { return true })
	if !strings.Contains(s.log.String(), "another reader has the state") {
		t.Errorf("log:\n%s", s.log)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "all events taken", func() bool {
		in.Collect(false, func(string, []byte, int) bool { return true })
		return in.Stats().Taken.Load() == uint64(s.srv.Store().Len())
	})
	Stop(in)
}

func TestStop_IsPromptAndReleasesTheState(t *testing.T) {
	s := newSetup(t)
	s.srv.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	in := s.open(t)
	testkit.Until(t, "a request under way", func() bool { return s.srv.Requests() > 0 })
	Stop(in)
	// Stop waits for stopTimeout at most, and what has not ended by then still has the state.
	file, _, err := cursor.Open(s.options["state_path"], "lab")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

func TestStop_WhileWaitingForAState(t *testing.T) {
	s := newSetup(t)
	file, _, err := cursor.Open(s.options["state_path"], "lab")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := s.open(t)
	Stop(in)
	select {
	case <-in.done:
	default:
		t.Error("it still waits for the state")
	}
}
