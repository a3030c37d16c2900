package watched

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestValue_FollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	now := time.Unix(1_700_000_000, 0)
	reads, changes := 0, 0
	v := Value[string]{
		Stamp: func() string { return Stamp(path) },
		Read: func(previous string) (string, error) {
			reads++
			content, err := os.ReadFile(path)
			if err != nil {
				return previous, err
			}
			return string(content), nil
		},
		Changed: func(error) { changes++ },
		Now:     func() time.Time { return now },
	}
	want := func(what, value string, failed bool, wantReads, wantChanges int) {
		t.Helper()
		got, err := v.Get(time.Second)
		if got != value || errors.Is(err, os.ErrNotExist) != failed || reads != wantReads || changes != wantChanges {
			t.Errorf("%s: %q, %v after %d readings and %d changes, want %q, %v, %d, %d", what, got, err, reads, changes, value, failed, wantReads, wantChanges)
		}
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	want("no file", "", true, 1, 0)
	write("a")
	want("too early", "", true, 1, 0)
	now = now.Add(time.Second)
	want("there", "a", false, 2, 1)
	now = now.Add(time.Second)
	want("unchanged", "a", false, 2, 1)
	write("bb")
	want("too early", "a", false, 2, 1)
	now = now.Add(-time.Hour)
	want("changed, and the clock was set back", "bb", false, 3, 2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	want("removed: the value before stays", "bb", true, 4, 3)
	now = now.Add(time.Second)
	want("a failure is tried again", "bb", true, 5, 4)
	write("c")
	if got, err := v.Reload(); got != "c" || err != nil || changes != 4 {
		t.Errorf("Reload: %q, %v", got, err)
	}
}

// Whoever asks while another goroutine reads a slow file gets the value before.
func TestGet_DoesNotWaitForAReader(t *testing.T) {
	block, reading := make(chan struct{}), make(chan struct{})
	n := 0
	v := Value[int]{
		Stamp: func() string { return time.Now().String() },
		Read: func(int) (int, error) {
			if n++; n == 2 {
				close(reading)
				<-block
			}
			return n, nil
		},
		Now: time.Now,
	}
	v.Get(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Get(0)
	}()
	<-reading
	if got, _ := v.Get(0); got != 1 {
		t.Errorf("got %d, want the value before", got)
	}
	close(block)
	<-done
	if got, _ := v.Get(time.Hour); got != 2 {
		t.Errorf("got %d, want the new value", got)
	}
}
