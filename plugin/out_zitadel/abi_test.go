package main_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

func TestMain(m *testing.M) { plugintest.Main(m) }

// What the host understands of an answer (flb_output.h).
const (
	flbError = "0"
	flbOK    = "1"
	flbRetry = "2"
)

func startHost(t *testing.T, b plugintest.Binary) *plugintest.Host {
	t.Helper()
	return plugintest.Start(t, b, "out_zitadel")
}

// chunk writes a file with one event for each line, under the key log.
func chunk(t *testing.T, h *plugintest.Host, n int, lines []string) string {
	t.Helper()
	var b []byte
	for _, line := range lines {
		b = document.AppendEventHead(b, time.Unix(1_750_000_000, 0))
		b = msgp.AppendMapHeader(b, 1)
		b = msgp.AppendString(msgp.AppendString(b, "log"), line)
	}
	path := h.File(n) + ".chunk"
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// answers are what a receiver does with messages from now on; at first it
// acknowledges.
type answers struct{ atomic.Int64 }

func (a *answers) next(int) forwardtest.Answer { return forwardtest.Answer(a.Load()) }

func forwardTo(srv *forwardtest.Server) string {
	return "forward " + srv.Forward().String()
}

func TestABI_OKAfterTheAckAndEveryLineOnce(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]plugintest.Binary{"zitadel.0": plugintest.Current, "zitadel": plugintest.Old} { // an old one tells no name
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, srv, lines := startHost(t, b), forwardtest.Start(t, forwardtest.Options{}), recorded(t)
			h.Options(0, forwardTo(srv), "kinds all")
			h.Want(flbOK, "init 0")
			h.Want(flbOK, "flush 0 %s kube.zitadel", chunk(t, h, 0, lines))
			wantOnce(t, lines, eventsOf(srv.Records()))
			if tag := srv.Messages()[0].Tag; tag != "kube.zitadel" {
				t.Errorf("tag %q", tag)
			}
			h.Want(flbOK, "exit 0")
			h.Want(flbOK, "exit 0") // one too many harms nobody
			h.Want("ok", "unregister")
			h.WantLog(1, "[ info] [output:zitadel:"+name+"] stopped records=")
			h.WantLog(0, "warn")
			testkit.Until(t, "the connections to end with the instance", func() bool { return srv.Open() == 0 })
		})
	}
}

func TestABI_RetryWhileTheOtherSideIsAway(t *testing.T) {
	t.Parallel()
	answer := answers{}
	answer.Store(int64(forwardtest.Silence))
	h, srv := startHost(t, plugintest.Current), forwardtest.Start(t, forwardtest.Options{Answer: answer.next})
	gone := forwardtest.Start(t, forwardtest.Options{})
	gone.Close()
	h.Options(0, forwardTo(srv), "ack_timeout 1s", "kinds all")
	h.Options(1, forwardTo(gone))
	h.Want(flbOK, "init 0")
	h.Want(flbOK, "init 1")
	path := chunk(t, h, 0, recorded(t))
	h.Want(flbRetry, "flush 0 %s t", path)
	h.Want(flbRetry, "flush 1 %s t", path)
	h.WantLog(1, "no ack within 1s")
	h.WantLog(1, "connection refused")
	answer.Store(int64(forwardtest.Ack))
	h.Want(flbOK, "flush 0 %s t", path)
	wantOnce(t, recorded(t), eventsOf(srv.Records()))
	h.Want(flbOK, "exit 0")
	h.Want(flbOK, "exit 1")
	h.Want(flbRetry, "flush 0 %s t", path) // after its end
}

func TestABI_ErrorOnlyForWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), forwardtest.Start(t, forwardtest.Options{})
	h.Options(0, forwardTo(srv), "kinds all")
	h.Want(flbOK, "init 0")
	path := chunk(t, h, 0, recorded(t)[:10])
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(b, 0xc1), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Want(flbError, "flush 0 %s t", path)
	h.WantLog(1, "cannot be decoded")
	if n := len(srv.Records()); n != 10 {
		t.Errorf("%d records", n)
	}
	h.Want(flbOK, "exit 0")
}

// At its end Fluent Bit waits for the workers, which wait for ack_timeout at most, and
// then says exit.
func TestABI_WorkersFlushAtTheSameTimeAndEndBeforeTheExit(t *testing.T) {
	t.Parallel()
	answer := answers{}
	srv := forwardtest.Start(t, forwardtest.Options{Answer: answer.next})
	h, lines := startHost(t, plugintest.Current), recorded(t)
	h.Options(0, forwardTo(srv), "ack_timeout 5s", "kinds all")
	h.Want(flbOK, "init 0")
	path := chunk(t, h, 0, lines)
	for range 8 {
		h.Want("ok", "worker 0 %s t", path)
	}
	h.Want("1 1 1 1 1 1 1 1", "join")
	if n := len(srv.Records()); n != 8*len(lines) {
		t.Errorf("%d records", n)
	}

	answer.Store(int64(forwardtest.Silence))
	before := srv.Began()
	for range 2 {
		h.Want("ok", "worker 0 %s t", path)
	}
	testkit.Until(t, "two flushes in flight", func() bool { return srv.Began() == before+2 })
	h.Want(flbOK, "exit 0")
	h.Want("2 2", "join")
	h.WantLog(1, "no ack within 5s")
	h.WantLog(1, "stopped records=")
}

func TestABI_InstancesKeepApart(t *testing.T) {
	t.Parallel()
	one, two := forwardtest.Start(t, forwardtest.Options{}), forwardtest.Start(t, forwardtest.Options{SharedKey: "k3y-of-both"})
	h, lines := startHost(t, plugintest.Current), recorded(t)
	h.Options(0, forwardTo(one), "kinds all", "tag one")
	h.Options(1, forwardTo(two), "kinds run_started", "instance lab", "shared_key k3y-of-both")
	h.Want("ok", "alias 1 second")
	h.Want(flbOK, "init 0")
	h.Want(flbOK, "init 1")
	path := chunk(t, h, 0, lines)
	h.Want(flbOK, "flush 1 %s t", path)
	h.Want(flbOK, "flush 0 %s t", path)
	h.Want(flbOK, "exit 0")
	h.Want(flbOK, "flush 1 %s t", path)
	h.Want(flbOK, "exit 1")
	wantOnce(t, lines, eventsOf(one.Records()))
	if one.Messages()[0].Tag != "one" || two.Messages()[0].Tag != "t" || len(two.Records()) != 2*strings.Count(strings.Join(lines, "\n"), "action run started") {
		t.Errorf("%d and %d records", len(one.Records()), len(two.Records()))
	}
	if two.Records()[0].Body["instance"] != "lab" {
		t.Errorf("got %v", two.Records()[0])
	}
	h.WantLog(1, "[output:zitadel:second] stopped")
}

func TestABI_WrongOptionsAllFailInitAtOnce(t *testing.T) {
	t.Parallel()
	h := startHost(t, plugintest.Current)
	h.Options(0, "forward http://x", "kinds logs", "ack_timeout soon", "sharedkey s3cr3t-value")
	h.Want(flbError, "init 0")
	for _, part := range []string{"problems in the configuration", `forward: "http://x"`, `kinds: "logs"`, `ack_timeout: "soon"`} {
		h.WantLog(1, part)
	}
	h.WantLog(0, "s3cr3t-value")
	for line := range strings.Lines(h.Log()) {
		if !strings.HasPrefix(line, "host [error] [output:zitadel:zitadel.0] ") {
			t.Errorf("not in the host's format: %q", line)
		}
	}
}

func TestABI_OnTheEngineTheMendIsToldOnce(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), forwardtest.Start(t, forwardtest.Options{})
	h.Options(0, forwardTo(srv))
	h.Want(flbOK, "init 0")
	path := chunk(t, h, 0, recorded(t))
	h.Want("ok", "worker 0 %s t", path)
	h.Want(flbOK, "join")
	h.WantLog(0, "workers")
	h.Want("ok", "thread flb-pipeline")
	h.Want(flbOK, "flush 0 %s t", path)
	h.Want(flbOK, "flush 0 %s t", path)
	h.Want(flbOK, "exit 0")
	h.WantLog(1, "[ warn] [output:zitadel:zitadel.0] this output runs on Fluent Bit's engine")
}

// SIGHUP: the new configuration is registered before the old instances exit.
func TestABI_Reload(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), forwardtest.Start(t, forwardtest.Options{})
	h.Options(0, forwardTo(srv), "kinds all")
	path := chunk(t, h, 0, recorded(t))
	h.Want(flbOK, "init 0")
	for range 3 {
		h.Want(flbOK, "flush 0 %s t", path)
		h.Register()
		h.Want(flbOK, "exit 0")
		h.Want("ok", "unregister")
		h.Want(flbOK, "init 0")
	}
	h.Want(flbOK, "exit 0")
	h.WantLog(4, "stopped records=")
}

// Starting, flushing, reloading and stopping leaves no thread, connection or
// memory behind.
func TestABI_InitAndExitLeakNothing(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), forwardtest.Start(t, forwardtest.Options{Forget: true})
	h.Options(0, forwardTo(srv), "kinds all")
	path := chunk(t, h, 0, recorded(t)[:300])
	cycle := func(n int) {
		for range n {
			h.Register()
			h.Want(flbOK, "init 0")
			for range 10 {
				h.Want(flbOK, "flush 0 %s t", path)
			}
			h.Want(flbOK, "exit 0")
			h.Want("ok", "unregister")
		}
	}
	cycle(20)
	warm := h.Usage()
	cycle(60)
	leaktest.WantLevel(t, warm, leaktest.Usage{Descriptors: 0, Tasks: 4, KiB: 12 << 10}, h.Usage)
}
