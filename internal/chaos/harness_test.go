package chaos

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Tests of the parts that the chaos test is made of.

func TestLogForgetsTheTransactionThatAKillCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := func(l *txLog) {
		t.Helper()
		events := zitadeltest.NewWriter(zitadeltest.NewStore(), 1, nil).Next()
		if done, err := l.commit(time.Now(), events, time.Minute, func([]zitadeltest.Event) {}); !done || err != nil {
			t.Fatal(done, err)
		}
	}
	open := func() (*txLog, *zitadeltest.Store) {
		t.Helper()
		store := zitadeltest.NewStore()
		l, err := openTxLog(path, store)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.file.Close() })
		return l, store
	}
	l, _ := open()
	write(l)
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(l)
	two, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, store := open()
	each := store.Len() / 2
	for n := len(one); n < len(two); n += 13 {
		if err := os.WriteFile(path, two[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		l, store := open()
		if store.Len() != each {
			t.Fatalf("cut at %d: %d events, want %d", n, store.Len(), each)
		}
		write(l)
		if truth, err := readTruth(path); err != nil || len(truth) != 2*each {
			t.Fatalf("cut at %d, and gone on: %d events, want %d: %v", n, len(truth), 2*each, err)
		}
	}
}

func TestTallyTellsReadAgainFromSentAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	line := func(id, at string) string { return `{"event":{"id":"` + id + `","read_at":"` + at + `"}}` + "\n" }
	if err := os.WriteFile(path, []byte(line("a", "1")+line("b", "1")[:20]+line("b", "1")+line("a", "1")+line("a", "2")+line("c", "1")[:9]), 0o600); err != nil {
		t.Fatal(err)
	}
	tally := newTally()
	if err := (&follow{path: path}).read(tally); err != nil {
		t.Fatal(err)
	}
	lost, foreign := tally.compare(map[string]committed{"a": {}, "c": {}})
	if tally.sentAgain != 1 || tally.readAgain != 1 || len(lost) != 1 || lost[0] != "c" || len(foreign) != 1 || foreign[0] != "b" {
		t.Errorf("%d sent again, %d read again, lost %v, foreign %v", tally.sentAgain, tally.readAgain, lost, foreign)
	}
}

func TestDiskIsFullAndHasRoomAgain(t *testing.T) {
	d, err := mountDisk(filepath.Join(t.TempDir(), "disk"), 1)
	if err != nil {
		t.Skipf("no disk can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = d.unmount() })
	write := func() error { return os.WriteFile(filepath.Join(d.dir, "file"), []byte("text"), 0o600) }
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	if err := write(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk gives %v", err)
	}
	if err := errors.Join(d.room(), write()); err != nil {
		t.Error(err)
	}
}

func TestLinkCutsAndResetsAndHeals(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	k, err := newLink(1, func() string { return server.Addr().String() })
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	echo := func(harm func()) (int, error) {
		t.Helper()
		c, err := net.Dial("tcp", k.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		text := make([]byte, 1000)
		if _, err := c.Write(text); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(c, text); err != nil {
			t.Fatal(err)
		}
		harm()
		if _, err := c.Write(text); err != nil {
			return 0, err
		}
		return io.ReadFull(c, text)
	}
	if n, err := echo(func() { k.cut(2) }); err == nil || n == 1000 {
		t.Errorf("cut: %d bytes, %v", n, err)
	}
	k.heal()
	if n, err := echo(func() { k.reset() }); err == nil {
		t.Errorf("reset: %d bytes, %v", n, err)
	}
	began := time.Now()
	if n, err := echo(func() { k.stall(200 * time.Millisecond) }); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Errorf("stalled: %d bytes, %v, after %v", n, err, time.Since(began))
	}
}
