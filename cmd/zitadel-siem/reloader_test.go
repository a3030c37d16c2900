package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
)

// watching runs a set without sources and a reloader of the file at path, which was read before change.
func watching(t *testing.T, path string, change func()) (set *sidecar.Set, stop func()) {
	t.Helper()
	file, err := config.ReadSources(path, os.LookupEnv, config.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	change()
	set, err = sidecar.Start(t.Context(), nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	set.Stays = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	r := &reloader{path: path, dir: file.Dir, seen: file.Stamp, set: set, log: slog.New(slog.DiscardHandler)}
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch(ctx, nil) }() // start takes signals, which a bubble cannot
	return set, func() {
		cancel()
		<-watched
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Thousands of sources take seconds to open. What changes meanwhile is not lost.
func TestReloader_SeesAChangeDuringTheStart(t *testing.T) {
	dir := t.TempDir()
	path, sources := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "sources")
	put(t, filepath.Join(sources, "README"), "")
	put(t, path, "sources_dir: "+sources+"\n")
	synctest.Test(t, func(t *testing.T) {
		set, stop := watching(t, path, func() { put(t, filepath.Join(sources, "one.yaml"), "nonsense: true\n") })
		time.Sleep(3 * lookEvery)
		stop()
		if n := set.Reloads.Failed.Load(); n != 1 {
			t.Errorf("read again %d times, want once", n)
		}
	})
}

// The new directory is watched although what is in it was wrong at first, as the message says.
func TestReloader_WatchesANewDirectoryWithAnError(t *testing.T) {
	dir := t.TempDir()
	path, before, next := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "before"), filepath.Join(dir, "next")
	put(t, filepath.Join(before, "README"), "")
	put(t, filepath.Join(next, "one.yaml"), "nonsense: true\n")
	put(t, path, "sources_dir: "+before+"\n")
	synctest.Test(t, func(t *testing.T) {
		set, stop := watching(t, path, func() {})
		put(t, path, "sources_dir: "+next+"\n# changed\n")
		time.Sleep(5 * lookEvery)
		if n := set.Reloads.Failed.Load(); n != 1 {
			t.Errorf("the error was met %d times, want once", n)
		}
		if err := os.Remove(filepath.Join(next, "one.yaml")); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * lookEvery)
		stop()
		if n := set.Reloads.Taken.Load(); n != 1 {
			t.Errorf("the correction was taken %d times, want once", n)
		}
	})
}
