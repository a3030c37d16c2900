package statestore

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stateFile writes a state as a reader does, and gives the file back unlocked.
func stateFile(t *testing.T, path string, s cursor.State) {
	t.Helper()
	file, _, err := cursor.Open(path, s.Instance)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := file.Prepare(s)
	if err == nil {
		err = pending.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func stateOf(instance string, events uint64) cursor.State {
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	return cursor.State{Instance: instance, Events: events, Watermark: at, Updated: at, Seen: map[string]string{"user/1": "1-3,7"}}
}

// There and back: what is exported is what was imported, in the files that state_dir reads.
func TestStatesSurviveTheMoveIntoAStoreAndBack(t *testing.T) {
	store, from, to := clustertest.NewMemory(), t.TempDir(), t.TempDir()
	want := map[string]uint64{}
	for i := range 40 { // more than are read at once
		s := stateOf(fmt.Sprintf("tenant/%d", i), uint64(i+1))
		path := filepath.Join(from, fmt.Sprint(i))
		stateFile(t, path, s)
		want[s.Instance] = s.Events
		got, err := ImportFile(t.Context(), store, path)
		if err != nil || got.Events != s.Events {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if err := store.Register(t.Context(), []string{"new"}); err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	err := Export(t.Context(), store, to, func(e Exported) {
		if e.Instance == "new" && e.Err == nil && e.State.Instance == "" {
			return
		}
		s, err := cursor.Read(config.StateIn(to, e.Instance))
		if e.Err != nil || err != nil || s.Instance != e.Instance || s.Seen["user/1"] != "1-3,7" || !s.Watermark.Equal(e.State.Watermark) {
			t.Errorf("%s: %v, %v, %+v", e.Instance, e.Err, err, s)
		}
		got[e.Instance] = s.Events
	})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v: got %v, want %v", err, got, want)
	}
	if _, err := os.Stat(config.StateIn(to, "new")); err == nil {
		t.Error("a source without a state got a file")
	}
	// Nothing is held, and no lease is left: members take over at once.
	if h, err := Look(t.Context(), store); err != nil || len(h.Members) > 0 || len(h.Nobody) != 41 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestImportRefusesWhatIsInUseAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.state")
	stateFile(t, path, stateOf("a", 5))
	running := filepath.Join(dir, "running.state")
	stateFile(t, running, stateOf("running", 5))
	reader, _, err := cursor.Open(running, "running")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	damaged := filepath.Join(dir, "damaged.state")
	if err := os.WriteFile(damaged, []byte(`{"version":1,"instance":"d","checksum":"00000000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stateFile(t, filepath.Join(dir, "held.state"), stateOf("held", 5))

	store := clustertest.NewMemory()
	lease, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: "host-a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Register(t.Context(), []string{"held"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Take(t.Context(), lease, "held"); err != nil {
		t.Fatal(err)
	}
	if _, err := ImportFile(t.Context(), store, path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		path:                             "has a state in the store already",
		running:                          "a reader uses it now: stop that reader",
		damaged:                          "checksum does not match",
		filepath.Join(dir, "held.state"): "is being read by a member",
		filepath.Join(dir, "none"):       "DIR/*/*.state",
		dir:                              "not a regular file",
	} {
		if _, err := ImportFile(t.Context(), store, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed: %v", err)
	}
	h, err := Look(t.Context(), store)
	if err != nil || slices.Contains(h.Nobody, "running") || slices.Contains(h.Nobody, "d") {
		t.Errorf("the store knows sources that were refused: %+v, %v", h, err)
	}
}

func TestExportWritesNothingWhileMembersReadOrOverAFile(t *testing.T) {
	store, dir := clustertest.NewMemory(), t.TempDir()
	if err := cluster.Import(t.Context(), store, stateOf("a", 5)); err != nil {
		t.Fatal(err)
	}
	export := func() (last Exported, err error) {
		err = Export(t.Context(), store, dir, func(e Exported) { last = e })
		return last, err
	}
	lease, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: "host-a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export(); err == nil || !strings.Contains(err.Error(), `"host-a": stop them first`) {
		t.Errorf("with a member: %v", err)
	}
	if err := store.Revoke(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if files, err := fs.Glob(os.DirFS(dir), "*"); err != nil || len(files) > 0 {
		t.Errorf("%q, %v", files, err)
	}
	if got, err := export(); err != nil || got.Err != nil {
		t.Fatal(err, got.Err)
	}
	if got, err := export(); err != nil || got.Err == nil || !strings.Contains(got.Err.Error(), "is there already, with 5 events") {
		t.Errorf("over a file: %v, %v", err, got.Err)
	}
	if err := Export(t.Context(), store, filepath.Join(dir, "none"), nil); err == nil || !strings.Contains(err.Error(), "mkdir -p -m 700") {
		t.Errorf("without a directory: %v", err)
	}
}

// A state that members refuse is reported, not written: the reader of the file would read from it.
func TestDamagedStateInTheStoreIsNotExported(t *testing.T) {
	store, dir := clustertest.NewMemory(), t.TempDir()
	if err := store.Put(t.Context(), "a", []byte("{")); err != nil {
		t.Fatal(err)
	}
	var got []Exported
	if err := Export(t.Context(), store, dir, func(e Exported) { got = append(got, e) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "cannot be used") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(config.StateIn(dir, "a")); err == nil {
		t.Error("a file was written")
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	store := clustertest.NewMemory()
	lease, err := store.Grant(t.Context(), time.Minute, cluster.Note{Name: "host-a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Register(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Take(t.Context(), lease, "a"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var failed error
	err = Read(ctx, store, cluster.Options{}, []string{"a"}, func(_ string, _ cursor.State, err error) { failed = err })
	if err == nil || failed == nil {
		t.Errorf("%v, %v", err, failed)
	}
}
