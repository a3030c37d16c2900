package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func open(tb testing.TB, dir string, o Options) *Spool {
	tb.Helper()
	s, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func add(tb testing.TB, s *Spool, entries ...string) {
	tb.Helper()
	for _, e := range entries {
		if err := s.Append(tb.Context(), []byte(e)); err != nil {
			tb.Fatal(err)
		}
	}
}

// rest takes out what is there already.
func rest(tb testing.TB, s *Spool) (out []string, last Entry) {
	tb.Helper()
	for {
		e, ok, err := s.TryNext()
		if err != nil {
			tb.Fatal(err)
		}
		if !ok {
			return out, last
		}
		if e.Number <= last.Number {
			tb.Fatalf("entry %d after %d", e.Number, last.Number)
		}
		last = e
		out = append(out, string(e.Data))
	}
}

func wantRest(tb testing.TB, s *Spool, want ...string) Entry {
	tb.Helper()
	got, last := rest(tb, s)
	if !slices.Equal(got, want) {
		tb.Fatalf("got %q, want %q", short(got), short(want))
	}
	return last
}

func short(list []string) []string {
	if len(list) > 12 {
		return append(slices.Clone(list[:12]), fmt.Sprintf("and %d more", len(list)-12))
	}
	return list
}

// logged returns a logger and what it was told.
func logged() (*slog.Logger, func() string) {
	text := new(testkit.Text)
	return slog.New(slog.NewTextHandler(text, nil)), text.String
}

func segments(tb testing.TB, dir string) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func TestSpool_WhatIsNotDoneComesAgainInOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	add(t, s, "a", "b", "c")
	e, err := s.Next(t.Context())
	if err != nil || string(e.Data) != "a" || e.Number != 1 {
		t.Fatal(e, err)
	}
	if err := s.Done(e.Number); err != nil {
		t.Fatal(err)
	}
	wantRest(t, s, "b", "c")
	s.Rewind(0)
	wantRest(t, s, "b", "c")
	s.Rewind(2)
	wantRest(t, s, "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	add(t, s, "d")
	last := wantRest(t, s, "b", "c", "d")
	if err := s.Done(last.Number); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir, Options{})
	wantRest(t, s)
	if names := segments(t, dir); len(names) != 0 {
		t.Errorf("all is done, and there are %q", names)
	}
	add(t, s, "e")
	if e := wantRest(t, s, "e"); e.Number != 5 {
		t.Errorf("number %d", e.Number)
	}
}

func TestSpool_OneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "spool")
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	add(t, s, "a")
	for path, want := range map[string]os.FileMode{dir: 0o700, segments(t, dir)[0]: 0o600, filepath.Join(dir, doneName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	s.Close()
	if err := s.Append(t.Context(), []byte("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	open(t, dir, Options{})
}

func TestNext_WaitsAndIsWoken(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	got := make(chan string)
	go func() {
		e, err := s.Next(t.Context())
		got <- fmt.Sprint(string(e.Data), err)
		_, err = s.Next(t.Context())
		got <- fmt.Sprint(err)
	}()
	add(t, s, "a")
	if text := <-got; text != "a<nil>" {
		t.Error(text)
	}
	s.Close()
	if text := <-got; text != ErrClosed.Error() {
		t.Error(text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = open(t, t.TempDir(), Options{})
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Append(ctx, []byte("a")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The directory is bounded, and what is done gives its room back.
func TestSpool_IsBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{MaxBytes: MinBytes})
	entry := strings.Repeat("x", 10_000)
	for round := range 5 {
		n := 0
		for ; ; n++ {
			err := s.Append(t.Context(), []byte(entry))
			if errors.Is(err, ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if size := dirSize(t, dir); size > MinBytes+doneSize {
			t.Fatalf("%d bytes", size)
		}
		if least := MinBytes / 10_100 / 4 * 3; n < least {
			t.Errorf("round %d: %d entries fit, want %d", round, n, least)
		}
		got, last := rest(t, s)
		if len(got) < n {
			t.Fatalf("%d of %d entries", len(got), n)
		}
		if err := s.Done(last.Number); err != nil {
			t.Fatal(err)
		}
	}
	if u := s.Usage(); u.Entries != 0 || u.Bytes > MinBytes/segmentPart+maxGroup/8 {
		t.Errorf("%+v", u)
	}
	if err := s.Append(t.Context(), make([]byte, MinBytes/callPart)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := s.Append(t.Context(), nil); err == nil {
		t.Error("an empty entry is taken")
	}
	if err := s.Done(1 << 40); err == nil {
		t.Error("done beyond the end")
	}
	if _, err := Open(t.TempDir(), Options{MaxBytes: 1}); err == nil {
		t.Error("one byte is enough")
	}
}

func dirSize(tb testing.TB, dir string) (n int64) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Callers that come while an fsync is under way share the next one.
func TestAppend_SharesFsyncs(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	slow, real := make(chan struct{}), s.sync
	s.sync = func(f *os.File) error {
		<-slow
		return real(f)
	}
	const callers = 100
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			if err := s.Append(t.Context(), []byte{byte(i + 1)}); err != nil {
				t.Error(err)
			}
		})
	}
	testkit.Until(t, "the spool to be so far", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.queued == callers*(headSize+1)
	})
	close(slow)
	all.Wait()
	if n := s.Stats.Groups.Load(); n > 3 {
		t.Errorf("%d fsyncs for %d callers at once", n, callers)
	}
	if got, _ := rest(t, s); len(got) != callers {
		t.Errorf("%d entries", len(got))
	}
}

// Who gives up in time is not written; memory for those who wait is bounded.
func TestAppend_GivesUpAndIsBounded(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	hold, real := make(chan struct{}), s.sync
	s.sync = func(f *os.File) error {
		<-hold
		return real(f)
	}
	first := make(chan error)
	go func() { first <- s.Append(t.Context(), []byte("first")) }()
	testkit.Until(t, "the spool to be so far", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.queued > 0 && len(s.queue) == 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() { second <- s.Append(ctx, []byte("second")) }()
	testkit.Until(t, "the spool to be so far", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queue) == 1
	})
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	big := make([]byte, maxQueued)
	if err := s.Append(t.Context(), big); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	close(hold)
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantRest(t, s, "first")
}
