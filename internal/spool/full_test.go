package spool

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that fails, in each way and at each of its calls, costs the callers an error and
// the spool nothing.
func TestAppend_GoesOnAfterAFailure(t *testing.T) {
	type disk struct {
		write func(*os.File, []byte, int64) (int, error)
		sync  func(*os.File) error
	}
	real := disk{(*os.File).WriteAt, (*os.File).Sync}
	for name, bad := range map[string]disk{
		"full at once": {func(*os.File, []byte, int64) (int, error) { return 0, unix.ENOSPC }, real.sync},
		"full within": {func(f *os.File, b []byte, at int64) (int, error) {
			n, _ := f.WriteAt(b[:len(b)/2], at)
			return n, unix.ENOSPC
		}, real.sync},
		"fsync": {real.write, func(*os.File) error { return unix.EIO }},
		"panic": {func(*os.File, []byte, int64) (int, error) { panic("x") }, real.sync},
	} {
		for _, before := range []int{0, 1} {
			dir := t.TempDir()
			log, said := logged()
			s := open(t, dir, Options{Log: log})
			var want []string
			add(t, s, []string{"before"}[:before]...)
			want = append(want, []string{"before"}[:before]...)
			s.writeAt, s.sync = bad.write, bad.sync
			for range 3 {
				err := s.Append(t.Context(), []byte("refused"))
				if err == nil || !strings.Contains(err.Error(), "cannot be written") {
					t.Fatalf("%s: %v", name, err)
				}
				if strings.HasPrefix(name, "full") && !errors.Is(err, unix.ENOSPC) {
					t.Errorf("%s: %v", name, err)
				}
			}
			wantRest(t, s, want...)
			s.Rewind(0)
			s.writeAt, s.sync = real.write, real.sync
			add(t, s, "after")
			want = append(want, "after")
			wantRest(t, s, want...)
			if strings.Count(said(), "spool cannot be written") != 1 || strings.Count(said(), "can be written again") != 1 {
				t.Errorf("%s: told %s", name, said())
			}
			if n := len(segments(t, dir)); n > 2 {
				t.Errorf("%s: %d segments", name, n)
			}
			s.Close()
			s = open(t, dir, Options{})
			wantRest(t, s, want...)
			if n := s.Stats.Lost.Load(); n != 0 {
				t.Errorf("%s: %d lost", name, n)
			}
			s.Close()
		}
	}
}

// A mark that cannot be written keeps what is done.
func TestDone_ThatFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{MaxBytes: MinBytes})
	big := strings.Repeat("x", MinBytes/segmentPart)
	add(t, s, big, "b", "c")
	real := s.sync
	s.sync = func(*os.File) error { return unix.EIO }
	if err := s.Done(1); !errors.Is(err, unix.EIO) {
		t.Error(err)
	}
	if n := len(segments(t, dir)); n != 2 {
		t.Errorf("%d segments", n)
	}
	s.sync = real
	wantRest(t, s, "b", "c")
	if err := s.Done(2); err != nil {
		t.Error(err)
	}
	if n := len(segments(t, dir)); n != 1 {
		t.Errorf("%d segments", n)
	}
}

// The same on a real file system without room, where this machine lets us have one.
func TestAppend_OnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no tmpfs can be mounted: %v %s", err, out)
	}
	defer exec.Command("umount", "-l", dir).Run()
	s := open(t, dir, Options{})
	entry := strings.Repeat("x", 3000)
	var want []string
	var err error
	for err == nil {
		if err = s.Append(t.Context(), []byte(entry)); err == nil {
			want = append(want, entry)
		}
	}
	if !errors.Is(err, unix.ENOSPC) || len(want) < 50 {
		t.Fatalf("after %d entries: %v", len(want), err)
	}
	last := wantRest(t, s, want...)
	if err := s.Done(last.Number); err != nil {
		t.Fatal(err)
	}
	add(t, s, entry, entry)
	wantRest(t, s, entry, entry)
	s.Close()
	s = open(t, dir, Options{})
	wantRest(t, s, entry, entry)
	s.Close()
}

// panics is a log that panics.
type panics struct{ slog.Handler }

func (panics) Enabled(context.Context, slog.Level) bool        { return true }
func (p panics) Handle(_ context.Context, r slog.Record) error { panic(r.Message) }

// A panic beside the disk takes neither the process nor the writer along.
func TestWriter_OutlivesAPanic(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	s.log = slog.New(panics{})
	fail := errors.New("no space")
	write := s.writeAt
	s.writeAt = func(f *os.File, b []byte, at int64) (int, error) {
		if fail != nil {
			return 0, fail
		}
		return write(f, b, at)
	}
	if err := s.Append(t.Context(), []byte("a")); !errors.Is(err, fail) {
		t.Fatal(err)
	}
	fail = nil
	if err := s.Append(t.Context(), []byte("b")); err != nil { // "can be written again"
		t.Fatal(err)
	}
	add(t, s, "c")
	wantRest(t, s, "b", "c")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
