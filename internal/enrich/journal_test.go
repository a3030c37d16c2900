package enrich

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func mustRead(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustWrite(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// crash gives back the lock, as the end of a process does, and nothing else.
func crash(s *Store) {
	s.file.f.Close()
	s.file.lock.Release()
}

var sameEntry = cmp.Options{cmp.AllowUnexported(entry{}), cmpopts.EquateEmpty()}

// fewEvents returns events in three batches.
func fewEvents() (batches [3][]*event) {
	for i := range 3 {
		for j := range 3 {
			id := fmt.Sprint(100*i + j + 1)
			batches[i] = append(batches[i], human(id, 1, after(i), "user-"+id, "user-"+id+"@example.com", "User "+id))
		}
		batches[i] = append(batches[i], what("user.username.changed", "user", "1", uint64(i+2), after(i), map[string]any{"userName": fmt.Sprint("renamed-", i)}))
	}
	return batches
}

// A crash at any byte of a write is no error and forgets nothing that was synced.
func TestSync_CrashAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "names"), Options{})
	defer s.Close()
	synced := dump(s)
	for _, batch := range fewEvents() {
		before := mustRead(t, s.file.path)
		for _, e := range batch {
			s.Learn(e)
		}
		mustSync(t, s)
		after := mustRead(t, s.file.path)
		for cut := len(before); cut <= len(after); cut++ {
			for i, tail := range [][]byte{nil, make([]byte, 64), []byte("\xff\x00ZN garbage \xffZN\x01 more")} {
				if cut%8 != 0 && cut%3 != i {
					continue // every cut, with every tail now and then
				}
				path := filepath.Join(dir, "crashed")
				mustWrite(t, path, append(after[:cut:cut], tail...))
				c, err := Open(path, Options{Instance: instance})
				if err != nil {
					t.Fatalf("cut at byte %d of %d, tail %d: %v", cut, len(after), i, err)
				}
				want := synced
				if cut == len(after) {
					want = dump(s)
				}
				if diff := cmp.Diff(want, dump(c), sameEntry); diff != "" {
					t.Fatalf("cut at byte %d, tail %d: %s", cut, i, diff)
				}
				if cut%8 != 0 {
					crash(c)
					continue
				}
				// It goes on where the cut was.
				c.Learn(human("777", 1, start, "later", "", ""))
				mustSync(t, c)
				crash(c)
				c = open(t, path, Options{})
				wantUser(t, c, "777", "later")
				crash(c)
			}
		}
		synced = dump(s)
	}
}

// A crash during a rewrite leaves the old file or the new one.
func TestSync_CrashInRewrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "names")
	s := open(t, path, Options{})
	for _, batch := range fewEvents() {
		for _, e := range batch {
			s.Learn(e)
		}
		mustSync(t, s)
	}
	want, old := dump(s), mustRead(t, path)
	if err := s.file.rewrite(s.snapshot); err != nil {
		t.Fatal(err)
	}
	fresh := mustRead(t, path)
	crash(s)
	for cut := 0; cut <= len(fresh); cut += 3 {
		mustWrite(t, path, old)
		mustWrite(t, path+".new", fresh[:cut])
		c := open(t, path, Options{})
		if diff := cmp.Diff(want, dump(c), sameEntry); diff != "" {
			t.Fatalf("%d bytes of the new file: %s", cut, diff)
		}
		crash(c)
		if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the new file was left: %v", err)
		}
	}
	mustWrite(t, path, fresh)
	c := open(t, path, Options{})
	defer c.Close()
	if diff := cmp.Diff(want, dump(c), sameEntry); diff != "" {
		t.Error(diff)
	}
	if len(fresh) >= len(old) {
		t.Errorf("rewritten from %d to %d bytes", len(old), len(fresh))
	}
}

// Law 5: damage is an error that says what to do. The last frame alone may pass for a
// crash, and only where the file was not closed.
func TestOpen_Damage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	var last int64
	for _, batch := range fewEvents() {
		last = s.file.size
		for _, e := range batch {
			s.Learn(e)
		}
		mustSync(t, s)
	}
	open, known := mustRead(t, path), dump(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	closed := mustRead(t, path)
	try := func(b []byte) (*Store, error) {
		mustWrite(t, path, b)
		return Open(path, Options{Instance: instance})
	}
	for at := 0; at < len(closed); at += 1 + at/frameHead%3 { // every byte of some heads and entries
		b := append([]byte(nil), closed...)
		b[at] ^= 0x20
		s, err := try(b)
		if at < len(open) {
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "delete it") || !strings.Contains(err.Error(), path) {
				t.Fatalf("byte %d of a closed file: %v", at, err)
			}
			continue
		}
		if err != nil { // in the seal
			t.Fatalf("byte %d: %v", at, err)
		}
		if diff := cmp.Diff(known, dump(s), sameEntry); diff != "" {
			t.Fatal(diff)
		}
		crash(s)
	}
	for at := 0; at < len(open); at += 7 {
		b := append([]byte(nil), open...)
		b[at] ^= 0x20
		s, err := try(b)
		if int64(at) < last && !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d of an open file: %v", at, err)
		}
		if err == nil {
			crash(s)
		}
	}
	// A piece that is missing.
	for at := int64(1); at < last; at += 13 {
		b := append(append([]byte(nil), closed[:at]...), closed[at+7:]...)
		if _, err := try(b); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bytes %d to %d are missing: %v", at, at+7, err)
		}
	}
	for _, b := range []string{"", "x", "{}\n", strings.Repeat("\x00", 100)} {
		if _, err := try([]byte(b)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%q: %v", b, err)
		}
	}
}

func TestOpen_Foreign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	if err := open(t, path, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, Options{Instance: "other"})
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), `"demo"`) || !strings.Contains(err.Error(), `"other"`) {
		t.Error(err)
	}
}

func TestOpen_Options(t *testing.T) {
	for _, o := range []Options{{MaxBytes: 1000}, {MaxBytes: 1 << 33}, {MaxEntries: 1}, {MaxEntries: 1 << 40}} {
		if _, err := Open(filepath.Join(t.TempDir(), "names"), o); err == nil || !strings.Contains(err.Error(), "give") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// One file, one reader; the file is for its owner alone.
func TestOpen_LockAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	if _, err := Open(path, Options{Instance: instance}); err == nil || !strings.Contains(err.Error(), "another reader") {
		t.Errorf("opened twice: %v", err)
	}
	for _, name := range []string{path, path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, Options{})
	defer s.Close()
}

// A disk that fails costs nothing that was learned: the next Sync writes it.
func TestSync_DiskFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	s.Learn(human("1", 1, after(0), "ann", "", ""))
	broken := errors.New("broken")
	s.file.sync = func(*os.File) error { return broken }
	if err := s.Sync(); !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	s.Learn(human("2", 1, after(0), "bob", "", ""))
	s.file.sync = (*os.File).Sync
	mustSync(t, s)
	crash(s)
	s = open(t, path, Options{})
	defer s.Close()
	wantUser(t, s, "1", "ann")
	wantUser(t, s, "2", "bob")
}

// What is learned while a sync is under way is neither lost nor written too early, also where
// the sync writes the whole file anew, and where it fails.
func TestSync_LearnedMeanwhile(t *testing.T) {
	broken := errors.New("broken")
	for _, rewrite := range []bool{false, true} {
		for _, want := range []error{nil, broken} {
			t.Run(fmt.Sprint("rewrite ", rewrite, ", ", want), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "names")
				s := open(t, path, Options{})
				s.Learn(human("1", 1, after(0), "ann", "", ""))
				s.leaving.forgotten, s.leaving.rewritten = rewrite, s.leaving.now-2*Day.Microseconds()
				write := s.BeginSync()
				s.Learn(human("2", 1, after(0), "bob", "", ""))
				if want != nil {
					s.file.sync = func(*os.File) error { return broken }
				}
				if err := s.EndSync(write()); !errors.Is(err, want) {
					t.Fatal(err)
				}
				if again := s.leaving.stale(); again != (rewrite && want != nil) {
					t.Errorf("to be rewritten again: %v", again)
				}
				s.file.sync = (*os.File).Sync
				s.Learn(human("3", 1, after(0), "eve", "", ""))
				mustSync(t, s)
				crash(s)
				s = open(t, path, Options{})
				defer s.Close()
				for id, name := range map[string]string{"1": "ann", "2": "bob", "3": "eve"} {
					wantUser(t, s, id, name)
				}
			})
		}
	}
}

// The file does not grow beyond about twice what is known, and a rewrite keeps all of it.
func TestSync_FileStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	s := open(t, path, Options{})
	long := strings.Repeat("n", 200)
	for i := range 30_000 {
		s.Learn(what("user.username.changed", "user", fmt.Sprint(i%10+1), uint64(i+1), after(i), map[string]any{"userName": fmt.Sprint(long, i)}))
		if i%100 == 99 {
			mustSync(t, s)
		}
	}
	if s.Stats().File > 2*slack {
		t.Errorf("%d bytes", s.Stats().File)
	}
	crash(s)
	s = open(t, path, Options{})
	defer s.Close()
	for i := range 10 {
		wantUser(t, s, fmt.Sprint(i+1), fmt.Sprint(long, 29_990+i))
	}
}
