package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// cHost is a running testdata/host.c.
type cHost struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
	err *text
	dir string
}

func startHost(t *testing.T, b func() built) *cHost {
	t.Helper()
	so := plugin(t)
	bin := b()
	if bin.err != nil {
		t.Fatal(bin.err)
	}
	h := &cHost{t: t, err: &text{}, dir: t.TempDir()}
	cmd := exec.Command(bin.path)
	cmd.Stderr = h.err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.in, h.out = in, bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("host: %v", err)
		}
		if t.Failed() {
			t.Logf("host's stderr:\n%s", h.err)
		}
	})
	h.want("ok", "load %s", so)
	h.want("0 1 11 zitadel", "register")
	return h
}

// do gives one command and returns its answer.
func (h *cHost) do(format string, args ...any) string {
	h.t.Helper()
	line := fmt.Sprintf(format, args...)
	fmt.Fprintln(h.in, line)
	if !h.out.Scan() {
		h.t.Fatalf("host died of %q; stderr:\n%s", line, h.err)
	}
	return h.out.Text()
}

func (h *cHost) want(answer, format string, args ...any) {
	h.t.Helper()
	if got := h.do(format, args...); got != answer {
		h.t.Fatalf("%s: got %q, want %q; stderr:\n%s", fmt.Sprintf(format, args...), got, answer, h.err)
	}
}

// configure sets up instance n for srv, with more options as "key value".
func (h *cHost) configure(n int, srv *zitadeltest.Server, more ...string) {
	h.t.Helper()
	h.want("ok", "files %d %s", n, h.file(n))
	for _, option := range append([]string{
		"url " + srv.URL(), "token " + srv.Token(), "state_path " + h.state(n),
		"instance lab", "settle 0s", "poll_interval 100ms",
	}, more...) {
		h.want("ok", "prop %d %s", n, option)
	}
}

func (h *cHost) file(n int) string  { return filepath.Join(h.dir, fmt.Sprint("instance-", n)) }
func (h *cHost) state(n int) string { return h.file(n) + ".state" }

// collect calls back until the host has n events of the instance.
func (h *cHost) collect(instance, events int) {
	h.t.Helper()
	until(h.t, fmt.Sprint(events, " events"), func() bool {
		h.do("collect %d", instance)
		return len(h.ids(instance)) >= events
	})
}

func (h *cHost) ids(instance int) []string {
	h.t.Helper()
	b, err := os.ReadFile(h.file(instance) + ".data")
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

// wantLog waits for the n-th line: stderr comes through a pipe of its own.
func (h *cHost) wantLog(n int, part string) {
	h.t.Helper()
	until(h.t, fmt.Sprint(n, " times ", part), func() bool { return strings.Count(h.err.String(), part) >= n })
	if got := strings.Count(h.err.String(), part); got != n {
		h.t.Errorf("%q is logged %d times, want %d:\n%s", part, got, n, h.err)
	}
}

func TestABI_EveryEventOnceByTheHostsOwnAppend(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv)
	h.want("1", "init 0")
	h.collect(0, srv.Store().Len())
	if got := h.do("collect 0"); !strings.HasPrefix(got, "1 0 ") {
		t.Errorf("callback answers %q, want FLB_OK and no bytes", got)
	}
	if n := committed(t, h.state(0)); n != uint64(srv.Store().Len()) {
		t.Errorf("state is at %d events", n)
	}
	h.want("1", "exit")
	h.want("ok", "unregister")
	h.wantOnce(0, srv)
	h.wantLog(1, "host [ info] [input:zitadel:zitadel.0] stopped")
	h.wantLog(0, "warn")
}

// A full disk or a pause: the append answers -1.
func TestABI_RefusedChunksAreKeptAndNotRepeated(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv, "tag_by event_type")
	h.want("ok", "script -1")
	h.want("1", "init 0")
	for range 20 {
		h.do("collect 0")
		time.Sleep(10 * time.Millisecond)
	}
	if n := committed(t, h.state(0)); n != 0 {
		t.Errorf("state moved to %d though the host took nothing", n)
	}
	h.want("ok", "script -1 0 0 -1 -1 0")
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	if n := committed(t, h.state(0)); n != uint64(srv.Store().Len()) {
		t.Errorf("state is at %d events", n)
	}
	h.want("1", "exit")
	if left := pendingFiles(t, h.state(0)); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestABI_TagBy(t *testing.T) {
	t.Parallel()
	for _, alias := range []string{"", "production"} {
		h, srv := startHost(t, currentHost), zitadel(t)
		h.configure(0, srv, "tag_by aggregate_type")
		h.want("ok", "tag 0 audit.prod")
		if alias != "" {
			h.want("ok", "alias 0 %s", alias)
		}
		h.want("1", "init 0")
		h.collect(0, srv.Store().Len())
		b, err := os.ReadFile(h.file(0) + ".tags")
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
		h.want("1", "exit")
	}
}

func TestABI_LogLevelAndAliasAreTheHosts(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv)
	h.want("ok", "alias 0 production")
	h.want("ok", "level 0 2")
	h.want("1", "init 0")
	h.collect(0, srv.Store().Len())
	h.want("1", "exit")
	h.wantLog(0, "[ info]")

	h = startHost(t, currentHost)
	h.configure(0, srv)
	h.want("ok", "alias 0 production")
	h.want("1", "init 0")
	h.want("1", "exit")
	h.wantLog(1, "host [ info] [input:zitadel:production] stopped")
}

// On an input thread, and on a host without an append, nothing is owned: the
// state stays behind, and the user is told once what to do.
func TestABI_WithoutAcknowledgementTheStateStaysBehind(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(*testing.T) *cHost{
		"input thread": func(t *testing.T) *cHost {
			h := startHost(t, currentHost)
			h.want("ok", "thread flb-in-zitadel.") // as cut by the kernel
			return h
		},
		"no append": func(t *testing.T) *cHost { return startHost(t, oldHost) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, srv := setup(t), zitadel(t)
			h.configure(0, srv, "commit_delay 1s")
			h.want("1", "init 0")
			var taken time.Time
			until(t, "all events", func() bool {
				taken = time.Now()
				h.do("collect 0")
				return len(h.ids(0)) == srv.Store().Len()
			})
			if n := committed(t, h.state(0)); n == uint64(srv.Store().Len()) && time.Since(taken) < time.Second {
				t.Errorf("state is at %d events already", n)
			}
			until(t, "the state", func() bool {
				h.do("collect 0")
				return committed(t, h.state(0)) == uint64(srv.Store().Len())
			})
			if d := time.Since(taken); d < time.Second {
				t.Errorf("committed %v after the last chunk, want at least 1s", d)
			}
			h.wantOnce(0, srv)
			h.want("1", "exit")
			h.wantLog(1, "`threaded: off`")
		})
	}
}

func TestABI_TwoInstances(t *testing.T) {
	t.Parallel()
	h, one, two := startHost(t, currentHost), zitadel(t), zitadel(t)
	two.Store().Append(zitadeltest.NewWriter(two.Store(), 1, nil).Next()...)
	h.configure(0, one)
	h.configure(1, two)
	h.want("1", "init 0")
	h.want("1", "init 1")
	h.collect(0, one.Store().Len())
	h.collect(1, two.Store().Len())
	h.wantOnce(0, one)
	h.wantOnce(1, two)
	h.want("1", "exit")
	h.want("1", "exit")
	h.want("1", "exit") // one too many harms nobody
	h.wantLog(2, "stopped")
}

func TestABI_TwoInstancesCannotShareAState(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv)
	h.want("ok", "files 1 %s", h.file(1))
	for _, option := range []string{"url " + srv.URL(), "token " + srv.Token(), "state_path " + h.state(0), "instance lab"} {
		h.want("ok", "prop 1 %s", option)
	}
	h.want("1", "init 0")
	h.want("0", "init 1")
	h.wantLog(1, "give every reader a state_path of its own")
	h.collect(0, srv.Store().Len())
	h.want("1", "exit")
}

// Before 4.1.0 the callback does not say for which instance it is.
func TestABI_OldHostsHaveOneInstance(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, oldHost), zitadel(t)
	h.configure(0, srv)
	h.configure(1, srv)
	h.want("1", "init 0")
	h.want("0", "init 1")
	h.wantLog(1, "cannot tell two zitadel inputs apart")
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	h.want("1", "exit")
}

func TestABI_WrongOptionsAllFailInitAtOnce(t *testing.T) {
	t.Parallel()
	h := startHost(t, currentHost)
	for _, option := range []string{"url ftp://x", "tokn s3cr3t-value", "poll_interval soon", "tag_by color"} {
		h.want("ok", "prop 0 %s", option)
	}
	h.want("0", "init 0")
	h.wantLog(1, "tag_by")
	for _, part := range []string{"url", "poll_interval", "tag_by", "state_path"} {
		if !strings.Contains(h.err.String(), part) {
			t.Errorf("nothing about %s:\n%s", part, h.err)
		}
	}
	h.wantLog(0, "s3cr3t-value")
	for line := range strings.Lines(h.err.String()) {
		if !strings.HasPrefix(line, "host [error] [input:zitadel:zitadel.0] ") {
			t.Errorf("not in the host's format: %q", line)
		}
	}
}

// SIGHUP: the new configuration is registered before the old instances exit.
func TestABI_ReloadLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	w := zitadeltest.NewWriter(srv.Store(), 1, nil)
	h.configure(0, srv)
	h.want("1", "init 0")
	h.collect(0, 1000)
	for range 3 {
		h.want("0 1 11 zitadel", "register")
		w.Append(50)
		h.do("collect 0")
		h.want("1", "exit")
		h.want("ok", "unregister")
		h.want("1", "init 0")
		h.collect(0, srv.Store().Len())
	}
	h.want("1", "exit")
	h.wantOnce(0, srv)
}

// A host that starts the new instance before the old one exits: the new one
// waits for the state instead of failing.
func TestABI_NewInstanceWaitsForTheOldOnesState(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv)
	h.want("1", "init 0")
	h.collect(0, srv.Store().Len())
	h.want("0 1 11 zitadel", "register")
	h.want("1", "init 0")
	h.wantLog(1, "another reader has the state")
	zitadeltest.NewWriter(srv.Store(), 1, nil).Append(50)
	h.want("1", "exit") // means the old one
	h.collect(0, srv.Store().Len())
	h.wantOnce(0, srv)
	h.want("1", "exit")
	h.wantLog(2, "stopped")
}

func TestABI_ExitDoesNotWaitForZitadel(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	srv.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	h.configure(0, srv)
	h.want("1", "init 0")
	until(t, "a request under way", func() bool { return srv.Requests() > 0 })
	began := time.Now()
	h.want("1", "exit")
	if d := time.Since(began); d > 2500*time.Millisecond {
		t.Errorf("exit took %v", d)
	}
}

// 10,000 callbacks while events flow.
func TestABI_MemoryIsFlat(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]func() built{"own append": currentHost, "returned bytes": oldHost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, srv := startHost(t, b), zitadel(t)
			h.configure(0, srv, "overlap 1s", "commit_delay 0s")
			h.want("1", "init 0")
			h.collect(0, srv.Store().Len())
			h.want("ok", "script 0 -1 0")

			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				zitadeltest.NewWriter(srv.Store(), 1, nil).Run(ctx, 500)
			}()
			var warm, end int
			if _, err := fmt.Sscan(h.do("cycles 0 10000 100"), &warm, &end); err != nil {
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
			h.want("1", "exit")
		})
	}
}

// Starting and stopping 50 times leaves no thread, file or memory behind.
func TestABI_InitAndExitLeakNothing(t *testing.T) {
	t.Parallel()
	h, srv := startHost(t, currentHost), zitadel(t)
	h.configure(0, srv)
	cycle := func(n int) {
		for range n {
			h.want("0 1 11 zitadel", "register")
			h.want("1", "init 0")
			h.do("collect 0")
			h.want("1", "exit")
			h.want("ok", "unregister")
		}
	}
	read := func() (warm int) {
		if _, err := fmt.Sscan(h.do("cycles 0 4 0"), &warm); err != nil {
			t.Fatal(err)
		}
		return warm
	}
	cycle(20)
	warm := read()
	cycle(50)
	if end := read(); end > warm+12<<10 {
		t.Errorf("memory grew from %d to %d KiB", warm, end)
	}
}
