package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// wantEnd waits until the reader is told that nothing more comes.
func (r *rig) wantEnd() {
	r.t.Helper()
	select {
	case p, more := <-r.pushes:
		if more {
			r.t.Fatalf("pushed too: %v", p)
		}
	case <-time.After(30 * time.Second):
		r.t.Fatalf("the reader waits for more\n%s", r.log)
	}
}

func TestDrain_ClosesTheAddressFirstAndPushesTheRest(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.run()
	address := r.Addr()
	r.send(1, 2, 3)
	r.want(1).Done()
	r.Drain()
	r.until("it still listens", func() bool { return r.Addr() == "" })
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the address is open")
	}
	r.want(2, 3)
	r.wantEnd()
	r.detach()
	r.pushes, r.detach = r.Attach() // another reader, which takes what the first one left
	r.want(2).Done()
	r.want(3)
	r.wantEnd()
	r.until("not taken out", func() bool { return r.Spooled() == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(r.log.String(), "stay in the spool") || !strings.Contains(r.log.String(), "waiting=1") {
		t.Errorf("log:\n%s", r.log)
	}
}

// Another process may have the address, or the directory, until the end.
func TestDrain_WithoutAnAddressOrASpool(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	r.run()
	r.send(1)
	r.want(1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r = newRig(t, dir)
	r.settings.Address = other.Addr().String()
	r.keep()
	r.until("it is not told", func() bool { return strings.Contains(r.log.String(), "has the address") })
	r.Drain()
	r.want(1)
	r.wantEnd()

	r2 := newRig(t, dir)
	r2.keep()
	r2.until("it is not told", func() bool { return strings.Contains(r2.log.String(), "has the spool") })
	r2.Drain()
	r2.wantEnd()
	_ = r2.stop()
}

func noNetwork(string, string) (net.Listener, error) { return nil, errors.New("no network") }

// The pause between two attempts does not last beyond the end.
func TestDrain_AfterAFailure(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	r.run()
	r.send(1)
	_ = r.stop()
	r = newRig(t, dir)
	r.listen = noNetwork
	r.keep()
	r.until("it does not fail", func() bool { return strings.Contains(r.log.String(), "no network") })
	r.Drain()
	r.want(1)
	r.wantEnd()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, t.TempDir(), func(s *config.Settings) { s.Listen.SpoolPath = filepath.Join(file, "spool") })
	r.keep()
	r.until("it does not fail", func() bool { return strings.Contains(r.log.String(), "trying again") })
	r.Drain()
	r.wantEnd()
	r.until("it is not told", func() bool { return strings.Contains(r.log.String(), "cannot be handed over") })
}

// The setting `end` and --once have no limit of time for what was accepted.
func TestDrain_ASpoolThatCannotBeReadIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	r.detach()
	r.run()
	r.send(1)
	segments, err := filepath.Glob(filepath.Join(dir, "spool", "*.spool"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	if err := errors.Join(os.Remove(segments[0]), os.Mkdir(segments[0], 0o700)); err != nil {
		t.Fatal(err)
	}
	r.Drain()
	r.until("it still listens", func() bool { return r.Addr() == "" })
	r.pushes, r.detach = r.Attach()
	r.wantEnd()
	if !strings.Contains(r.log.String(), "cannot be handed over") {
		t.Errorf("log:\n%s", r.log)
	}
}

// Drain may come before the first attempt to listen.
func TestDrain_BeforeTheStartNeedsNoAddress(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		r := newRig(t, dir)
		r.run()
		r.send(1)
		_ = r.stop()
		r = newRig(t, dir)
		r.listen = noNetwork
		r.Drain()
		r.keep()
		r.want(1)
		r.wantEnd()
		_ = r.stop()
	}
}
