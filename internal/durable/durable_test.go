package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDraft_DoesNotCountUntilItReplacesTheFile(t *testing.T) {
	dir := t.TempDir()
	path, next := filepath.Join(dir, "state"), filepath.Join(dir, "state.next")
	for file, content := range map[string]string{path: "old", next: "left by a killed process, and longer"} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Create(next)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "old")
	if err := d.Replace(path); err != nil {
		t.Fatal(err)
	}
	if err := SyncDir(dir); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "new")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	wantNames(t, dir, "state")
}

func TestDraft_LeavesNothingBehindWhenItIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	d.Discard()
	if d, err = Create(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	d.File.Close() // writing fails now, as on a full disk
	if err := d.Write([]byte("x")); err == nil {
		t.Error("no error")
	}
	wantNames(t, dir)
}

func TestTakeLock_IsForOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	if err := first.Release(); err != nil {
		t.Error(err)
	}
	second, err := TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
}

// A link could make the lock create or open a file of somebody else.
func TestTakeLock_FollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "lock")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLock(link); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	wantNames(t, dir, "lock")
	if _, err := TakeLock(filepath.Join(dir, "away", "lock")); err == nil || !strings.Contains(err.Error(), "the directory must exist") {
		t.Errorf("got %v", err)
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the directory holds %q, want %q", got, want)
	}
}
