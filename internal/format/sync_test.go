package format_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
)

// A disk that takes its time holds up neither the next batch nor its lookups, and Sync does
// not return before the disk has what was learned before it.
func TestSync_RecordsAreEncodedWhileTheDiskWorks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	begun, release := make(chan struct{}), make(chan struct{})
	var slow, durable atomic.Bool
	n, err := format.OpenNames(path, enrich.Options{Instance: "demo", Log: silent, Fsync: func(f *os.File) error {
		if slow.CompareAndSwap(true, false) {
			close(begun)
			<-release
			defer durable.Store(true)
		}
		return f.Sync()
	}})
	if err != nil {
		t.Fatal(err)
	}
	encode := ecs(t, n)
	encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann"}))

	slow.Store(true)
	first, second := make(chan error), make(chan error)
	go func() {
		err := n.Sync()
		if !durable.Load() {
			t.Error("Sync returned before the disk had it")
		}
		first <- err
	}()
	<-begun
	encode(nil, teach(t, "user.human.added", "6", 1, map[string]any{"userName": "bob"}))
	want(t, encode(nil, teach(t, "user.locked", "7", 3, nil)), "user.target.name", "ann")
	if n.Stats().Entries < 2 {
		t.Error(n.Stats())
	}
	go func() { second <- n.Sync() }() // of the next batch
	close(release)
	for _, done := range []chan error{first, second} {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}

	// A crash here forgets neither batch.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = format.OpenNames(path, enrich.Options{Instance: "demo", Log: silent}); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	encode = ecs(t, n)
	want(t, encode(nil, teach(t, "user.locked", "7", 3, nil)), "user.target.name", "ann")
	want(t, encode(nil, teach(t, "user.locked", "6", 3, nil)), "user.target.name", "bob")
}
