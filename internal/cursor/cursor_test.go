package cursor

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var example = State{
	Version:   Version,
	Instance:  "acme.example",
	Updated:   time.Date(2026, 11, 22, 9, 36, 15, 123456000, time.UTC),
	Filter:    "aggregate_types=session,user",
	Watermark: time.Date(2026, 11, 22, 9, 36, 5, 1000, time.UTC),
	Seen:      map[string]string{"user/400712690076486694": "1-3,7", "session/a/b": "12"},
	Sweep: &Sweep{
		Asked: "aggregate_types=session,user", Next: time.Date(2026, 11, 22, 9, 37, 0, 0, time.UTC),
		Spans: []Span{
			{Since: time.Date(2026, 11, 22, 8, 35, 7, 5000, time.UTC), UpTo: time.Date(2026, 11, 22, 8, 36, 0, 0, time.UTC), Events: 7, Sums: [Sums]uint64{1, 2, 3, 4, 5, 6, 7, 1<<61 - 2}},
			{Since: time.Date(2026, 11, 22, 9, 36, 0, 0, time.UTC), UpTo: time.Date(2026, 11, 22, 9, 37, 0, 0, time.UTC)},
		},
	},
	Holes:  []Hole{{AggregateType: "user", AggregateID: "4007", First: 4, Last: 6, Found: time.Date(2026, 11, 22, 9, 36, 14, 0, time.UTC)}},
	Events: 2881,
}

func open(t *testing.T, path string) (*File, State) {
	t.Helper()
	f, s, err := Open(path, example.Instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, s
}

func store(t *testing.T, f *File, s State) Pending {
	t.Helper()
	p, err := f.Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func commit(t *testing.T, p Pending) {
	t.Helper()
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
}

func reread(t *testing.T, path string) State {
	t.Helper()
	s, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Checksum = ""
	return s
}

func TestCommittedStateComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, s := open(t, path)
	if !cmp.Equal(s, State{}) {
		t.Fatalf("a missing file gave %+v, want the zero State", s)
	}
	commit(t, store(t, f, example))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, s = open(t, path)
	s.Checksum = ""
	if d := cmp.Diff(example, s); d != "" {
		t.Error(d)
	}
}

// Law 1: what was not acknowledged does not count.
func TestLaw1PreparedStateDoesNotCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	commit(t, store(t, f, example))
	later := example
	later.Events++
	store(t, f, later)
	if got := reread(t, path).Events; got != example.Events {
		t.Fatalf("events %d before the commit, want %d", got, example.Events)
	}
	// As after a kill: the lock is gone, the prepared file is still there.
	_ = f.lock.Release()
	_, s := open(t, path)
	if s.Events != example.Events {
		t.Errorf("events %d after a kill, want %d", s.Events, example.Events)
	}
	left, _ := filepath.Glob(path + ".pending-*")
	if len(left) > 0 {
		t.Errorf("prepared files stay behind: %v", left)
	}
}

func TestCommitsInAnyOrderNeverGoBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	var pending []Pending
	for i := range uint64(3) {
		s := example
		s.Events = i
		pending = append(pending, store(t, f, s))
	}
	commit(t, pending[1])
	commit(t, pending[0])
	if got := reread(t, path).Events; got != 1 {
		t.Errorf("events %d, want 1: an older state replaced a newer one", got)
	}
	commit(t, pending[2])
	if got := reread(t, path).Events; got != 2 {
		t.Errorf("events %d, want 2", got)
	}
}

// Law 5: whatever was cut off or changed, the answer is an error that says
// what to do, and the file stays as it is.
func TestLaw5DamagedFileIsAnError(t *testing.T) {
	good, err := Encode(example)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "state")
	refused := func(t *testing.T, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Open(path, example.Instance)
		if err == nil {
			t.Fatalf("accepted: %q", content)
		}
		if !strings.Contains(err.Error(), "backup") || !strings.Contains(err.Error(), path) {
			t.Errorf("the error names no path or no way out: %v", err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, content) {
			t.Errorf("the damaged file was changed")
		}
	}
	for n := range len(good) - 1 { // the last byte is a newline
		refused(t, good[:n])
	}
	for i, b := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 1
		if s, err := Decode(changed); err == nil {
			s.Checksum = example.Checksum
			// Only white space and the case of a field's name may change unseen.
			if d := cmp.Diff(example, s); d != "" {
				t.Errorf("byte %d (%q) changed, not noticed: %s", i, b, d)
			}
		}
	}
	refused(t, []byte(`{"version":1}`))
	refused(t, []byte(`{"version":2,"instance":"acme.example","new":true}`))
	refused(t, append(bytes.Clone(good), '{', '}'))
	refused(t, bytes.Repeat([]byte{0}, 512))
}

func TestHandEditedStateIsAcceptedWhenTheChecksumIsCleared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	good, _ := Encode(example)
	edited := bytes.Replace(good, []byte("09:36:05"), []byte("08:00:00"), 1)
	if _, err := Decode(edited); err == nil {
		t.Fatal("an edit is not noticed")
	}
	var sum string
	if s, err := Decode(good); err == nil {
		sum = s.Checksum
	}
	edited = bytes.Replace(edited, []byte(sum), nil, 1)
	if err := os.WriteFile(path, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	_, s := open(t, path)
	if s.Watermark.Hour() != 8 {
		t.Errorf("watermark %s, want the edited one", s.Watermark)
	}
}

func TestLaw5ForeignFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	commit(t, store(t, f, example))
	f.Close()
	_, _, err := Open(path, "other.example")
	if err == nil || !strings.Contains(err.Error(), `"acme.example"`) || !strings.Contains(err.Error(), `"other.example"`) {
		t.Errorf("got %v, want an error with both instances", err)
	}
	// The refused one has not kept the lock.
	open(t, path)
}

func TestSecondReaderIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	if _, _, err := Open(path, example.Instance); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	f.Close()
	open(t, path)
}

func TestFullDiskIsAnErrorAndLosesNothing(t *testing.T) {
	// In a process of its own: the limit would also fail what `go test` itself
	// has the test process write.
	const child = "CURSOR_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "state")
	f, _ := open(t, path)
	commit(t, store(t, f, example))
	// A file size limit fails the write as a full disk does.
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	small := unix.Rlimit{Cur: 16, Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	later := example
	later.Events++
	_, err := f.Prepare(later)
	if err2 := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err2 != nil {
		t.Fatal(err2)
	}
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("got %v, want an error with the path and the fix", err)
	}
	if got := reread(t, path).Events; got != example.Events {
		t.Errorf("events %d, want %d", got, example.Events)
	}
	commit(t, store(t, f, later))
	if got := reread(t, path).Events; got != later.Events {
		t.Errorf("events %d once there is room, want %d", got, later.Events)
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	f, _ := open(t, filepath.Join(dir, "state"))
	commit(t, store(t, f, example))
	store(t, f, example)
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 { // state, lock, prepared
		t.Fatalf("%d files, want 3", len(entries))
	}
	for _, e := range entries {
		info, _ := e.Info()
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", e.Name(), info.Mode().Perm())
		}
	}
}

func TestMissingDirectoryNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "state")
	_, _, err := Open(path, example.Instance)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestRunsComeBack(t *testing.T) {
	for _, tc := range []struct {
		in   []uint64
		want string
	}{
		{[]uint64{1}, "1"},
		{[]uint64{3, 1, 2}, "1-3"},
		{[]uint64{1, 2, 4, 9, 10, 11}, "1-2,4,9-11"},
		{[]uint64{5, 5, 6}, "5-6"},
	} {
		if got := FormatRuns(tc.in); got != tc.want {
			t.Errorf("FormatRuns(%v) = %q, want %q", tc.in, got, tc.want)
		}
	}
	for _, bad := range []string{"", "a", "3-1", "1-", "1,,2", "1-18446744073709551615", "-1"} {
		if got, err := ParseRuns(bad); err == nil {
			t.Errorf("ParseRuns(%q) = %v, want an error", bad, got)
		}
	}
}

// Whatever stands in a state file, reading it ends, and what is accepted is
// written back with the same meaning.
func FuzzDecode(f *testing.F) {
	good, _ := Encode(example)
	f.Add(good)
	f.Add(regexp.MustCompile(`"checksum": "[0-9a-f]{8}"`).ReplaceAll(good, []byte(`"checksum": ""`)))
	f.Add([]byte(`{"version":1,"instance":"a","updated":"2026-11-22T09:36:15Z","watermark":"2026-11-22T09:36:15Z","events":1,"checksum":""}`))
	f.Add([]byte(`{"version":2,"instance":"a"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(s)
		if err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
		s2, err := Decode(again)
		if err != nil {
			t.Fatalf("written, but cannot be read: %v", err)
		}
		s.Checksum, s2.Checksum = "", ""
		s2.Version = s.Version // version 2 without a sweep is written as version 1
		if d := cmp.Diff(s, s2); d != "" {
			t.Error(d)
		}
	})
}
