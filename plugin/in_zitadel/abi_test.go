package main_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/leaktest"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

// cHost is a host with the plugin.
type cHost struct {
	*plugintest.Host
	t *testing.T
}

func startHost(t *testing.T, b plugintest.Binary) *cHost {
	t.Helper()
	return &cHost{plugintest.Start(t, b, "in_zitadel"), t}
}

// configure sets up instance n for srv, with more options as "key value".
func (h *cHost) configure(n int, srv *zitadeltest.Server, more ...string) {
	h.t.Helper()
	h.Want("ok", "files %d %s", n, h.File(n))
	h.Options(n, "url "+srv.URL(), "token "+srv.Token(), "state_path "+h.state(n), "instance lab", "settle 0s", "poll_interval 100ms")
	h.Options(n, more...)
}

func (h *cHost) state(n int) string { return h.File(n) + ".state" }

// collect calls back until the host has n events of the instance.
func (h *cHost) collect(instance, events int) {
	h.t.Helper()
	testkit.Until(h.t, fmt.Sprint(events, " events"), func() bool {
		for range 20 { // a call may bring one event, and decoding all that came is slow
			h.Do("collect %d", instance)
		}
		return len(h.ids(instance)) >= events
	})
}

func (h *cHost) ids(instance int) []string {
	h.t.Helper()
	b, err := os.ReadFile(h.File(instance) + ".data")
	if err != nil {
		h.t.Fatal(err)
	}
	return idsOfMsgpack(h.t, b)
}

func (h *cHost) wantOnce(instance int, srv *zitadeltest.Server) {
	h.t.Helper()
	if repeats := wantAll(h.t, srv.Store(), "lab", h.ids(instance)); repeats != 0 {
		h.t.Errorf("%d repeats", repeats)
	}
}

func TestABI_EveryEventOnceByTheHostsOwnAppend(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv)
	h.Want("1", "init 0")
	h.collect(0, srv.Store().Len())
	if got := h.Do("collect 0"); !strings.HasPrefix(got, "1 0 ") {
		t.Errorf("callback answers %q, want FLB_OK and no bytes", got)
	}
	if n := committed(t, h.state(0)); n != uint64(srv.Store().Len()) {
		t.Errorf("state is at %d events", n)
	}
	h.Want("1", "exit")
	h.Want("ok", "unregister")
	h.wantOnce(0, srv)
	h.WantLog(1, "host [ info] [input:zitadel:zitadel.0] stopped")
	h.WantLog(0, "warn")
}

func TestABI_AHeartbeatComesBesideTheEvents(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv, "heartbeat 1s", "tag_by event_type")
	h.Want("ok", "tag 0 audit")
	h.Want("1", "init 0")
	beats := func() (n int) {
		for _, id := range h.ids(0) {
			if strings.HasPrefix(id, "lab/heartbeat/") {
				n++
			}
		}
		return n
	}
	h.collect(0, srv.Store().Len()+2)
	testkit.Until(t, "two heartbeats", func() bool { h.Do("collect 0"); return beats() >= 2 })
	h.Want("1", "exit")
	if n := len(h.ids(0)) - beats(); n != srv.Store().Len() {
		t.Errorf("%d events beside the heartbeats, want %d", n, srv.Store().Len())
	}
	b, err := os.ReadFile(h.File(0) + ".tags")
	if err != nil || !strings.Contains(string(b), "audit.heartbeat") {
		t.Errorf("no tag of their own: %v", err)
	}
}

// A full disk or a pause: the append answers -1.
func TestABI_RefusedChunksAreKeptAndNotRepeated(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv, "tag_by event_type")
	h.Want("ok", "script -1")
	h.Want("1", "init 0")
	for range 20 {
		h.Do("collect 0")
		time.Sleep(10 * time.Millisecond) // nothing shows that nothing moves
	}
	if n := committed(t, h.state(0)); n != 0 {
		t.Errorf("state moved to %d though the host took nothing", n)
	}
	h.Want("ok", "script -1 0 0 -1 -1 0")
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	if n := committed(t, h.state(0)); n != uint64(srv.Store().Len()) {
		t.Errorf("state is at %d events", n)
	}
	h.Want("1", "exit")
	if left := pendingFiles(t, h.state(0)); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestABI_TagBy(t *testing.T) {
	t.Parallel()
	for _, alias := range []string{"", "production"} {
		h, srv := startHost(t, plugintest.Current), zitadel(t)
		h.configure(0, srv, "tag_by aggregate_type")
		h.Want("ok", "tag 0 audit.prod")
		if alias != "" {
			h.Want("ok", "alias 0 %s", alias)
		}
		h.Want("1", "init 0")
		h.collect(0, srv.Store().Len())
		b, err := os.ReadFile(h.File(0) + ".tags")
		if err != nil {
			t.Fatal(err)
		}
		tags := "\n" + string(b)
		for _, want := range []string{"\naudit.prod.user\n", "\naudit.prod.oidc_session\n", "\naudit.prod.org\n"} {
			if !strings.Contains(tags, want) {
				t.Errorf("alias %q: no tag %q in %q", alias, want, tags)
			}
		}
		h.wantOnce(0, srv)
		h.Want("1", "exit")
	}
}

func TestABI_LogLevelAndAliasAreTheHosts(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv)
	h.Want("ok", "alias 0 production")
	h.Want("ok", "level 0 2")
	h.Want("1", "init 0")
	h.collect(0, srv.Store().Len())
	h.Want("1", "exit")
	h.WantLog(0, "[ info]")

	h = startHost(t, plugintest.Current)
	h.configure(0, srv)
	h.Want("ok", "alias 0 production")
	h.Want("1", "init 0")
	h.Want("1", "exit")
	h.WantLog(1, "host [ info] [input:zitadel:production] stopped")
}

// On an input thread, and on a host without an append, nothing is owned: the
// state stays behind, and the user is told once what to do.
func TestABI_WithoutAcknowledgementTheStateStaysBehind(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(*testing.T) *cHost{
		"input thread": func(t *testing.T) *cHost {
			h := startHost(t, plugintest.Current)
			h.Want("ok", "thread flb-in-zitadel.") // as cut by the kernel
			return h
		},
		"no append": func(t *testing.T) *cHost { return startHost(t, plugintest.Old) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, srv := setup(t), zitadel(t)
			h.configure(0, srv, "commit_delay 1s")
			h.Want("1", "init 0")
			var taken time.Time
			testkit.Until(t, "all events", func() bool {
				taken = time.Now()
				h.Do("collect 0")
				return len(h.ids(0)) == srv.Store().Len()
			})
			if n := committed(t, h.state(0)); n == uint64(srv.Store().Len()) && time.Since(taken) < time.Second {
				t.Errorf("state is at %d events already", n)
			}
			testkit.Until(t, "the state", func() bool {
				h.Do("collect 0")
				return committed(t, h.state(0)) == uint64(srv.Store().Len())
			})
			if d := time.Since(taken); d < time.Second {
				t.Errorf("committed %v after the last chunk, want at least 1s", d)
			}
			h.wantOnce(0, srv)
			h.Want("1", "exit")
			h.WantLog(1, "`threaded: off`")
		})
	}
}

func TestABI_TwoInstances(t *testing.T) {
	t.Parallel()
	h, one, two := startHost(t, plugintest.Current), zitadel(t), zitadel(t)
	two.Store().Append(zitadeltest.NewWriter(two.Store(), 1, nil).Next()...)
	h.configure(0, one)
	h.configure(1, two)
	h.Want("1", "init 0")
	h.Want("1", "init 1")
	h.collect(0, one.Store().Len())
	h.collect(1, two.Store().Len())
	h.wantOnce(0, one)
	h.wantOnce(1, two)
	h.Want("1", "exit")
	h.Want("1", "exit")
	h.Want("1", "exit") // one too many harms nobody
	h.WantLog(2, "stopped")
}

func TestABI_TwoInstancesCannotShareAState(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv)
	h.Want("ok", "files 1 %s", h.File(1))
	h.Options(1, "url "+srv.URL(), "token "+srv.Token(), "state_path "+h.state(0), "instance lab")
	h.Want("1", "init 0")
	h.Want("0", "init 1")
	h.WantLog(1, "give every reader a state_path of its own")
	h.collect(0, srv.Store().Len())
	h.Want("1", "exit")
}

// Before 4.1.0 the callback does not say for which instance it is.
func TestABI_OldHostsHaveOneInstance(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Old), zitadel(t)
	h.configure(0, srv)
	h.configure(1, srv)
	h.Want("1", "init 0")
	h.Want("0", "init 1")
	h.WantLog(1, "cannot tell two zitadel inputs apart")
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	h.Want("1", "exit")
}

func TestABI_WrongOptionsAllFailInitAtOnce(t *testing.T) {
	t.Parallel()
	h := startHost(t, plugintest.Current)
	h.Options(0, "url ftp://x", "tokn s3cr3t-value", "poll_interval soon", "tag_by color")
	h.Want("0", "init 0")
	h.WantLog(1, "tag_by")
	for _, part := range []string{"url", "poll_interval", "tag_by", "state_path"} {
		if !strings.Contains(h.Err.String(), part) {
			t.Errorf("nothing about %s:\n%s", part, h.Err)
		}
	}
	h.WantLog(0, "s3cr3t-value")
	for line := range strings.Lines(h.Log()) {
		if !strings.HasPrefix(line, "host [error] [input:zitadel:zitadel.0] ") {
			t.Errorf("not in the host's format: %q", line)
		}
	}
}

// SIGHUP: the new configuration is registered before the old instances exit.
func TestABI_ReloadLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	h.configure(0, srv)
	h.Want("1", "init 0")
	h.collect(0, 1000)
	for range 3 {
		h.Register()
		w.Append(50)
		h.Do("collect 0")
		h.Want("1", "exit")
		h.Want("ok", "unregister")
		h.Want("1", "init 0")
		h.collect(0, srv.Store().Len())
	}
	h.Want("1", "exit")
	h.wantOnce(0, srv)
}

// A host that starts the new instance before the old one exits: the new one
// waits for the state instead of failing.
func TestABI_NewInstanceWaitsForTheOldOnesState(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv)
	h.Want("1", "init 0")
	h.collect(0, srv.Store().Len())
	h.Register()
	h.Want("1", "init 0")
	h.WantLog(1, "another reader has the state")
	zitadeltest.NewWriter(srv.Store(), 1, nil).Append(50)
	h.Want("1", "exit") // means the old one
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	h.Want("1", "exit")
	h.WantLog(2, "stopped")
}

func TestABI_ExitDoesNotWaitForZitadel(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	srv.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	h.configure(0, srv)
	h.Want("1", "init 0")
	testkit.Until(t, "a request under way", func() bool { return srv.Requests() > 0 })
	h.Want("1", "exit")
	h.WantLog(1, "stopped") // and not that stopping takes too long
}

// 10,000 callbacks while events flow.
func TestABI_MemoryIsFlat(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]plugintest.Binary{"own append": plugintest.Current, "returned bytes": plugintest.Old} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, srv := startHost(t, b), zitadel(t)
			h.configure(0, srv, "overlap 1s", "commit_delay 0s")
			h.Want("1", "init 0")
			h.collect(0, srv.Store().Len())
			h.Want("ok", "script 0 -1 0")

			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				zitadeltest.NewWriter(srv.Store(), 1, nil).Run(ctx, 500)
			}()
			var warm, end int
			if _, err := fmt.Sscan(h.Do("cycles 0 10000 100"), &warm, &end); err != nil {
				t.Fatal(err)
			}
			stop()
			<-done
			t.Logf("resident after 2,500 callbacks %d KiB, after 10,000 %d KiB; %d events", warm, end, srv.Store().Len())
			if end > warm+12<<10 {
				t.Errorf("memory grew by %d KiB", end-warm)
			}
			h.collect(0, srv.Store().Len())
			h.wantOnce(0, srv)
			h.Want("1", "exit")
		})
	}
}

// Starting, reloading and stopping 50 times leaves no thread, file or memory behind.
func TestABI_InitAndExitLeakNothing(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, plugintest.Current), zitadel(t)
	h.configure(0, srv)
	cycle := func(n int) {
		for range n {
			h.Register()
			h.Want("1", "init 0")
			h.Do("collect 0")
			h.Want("1", "exit")
			h.Want("ok", "unregister")
		}
	}
	cycle(20)
	warm := h.Usage()
	cycle(50)
	leaktest.WantLevel(t, warm, leaktest.Usage{Descriptors: 0, Tasks: 4, KiB: 12 << 10}, h.Usage)
}
