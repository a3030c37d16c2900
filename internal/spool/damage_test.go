package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filled makes a directory with entries in groups, the last of them closed orderly or
// as by a kill, and returns the frames' ends in the one segment.
func filled(tb testing.TB, groups ...[]string) (dir string, segment []byte, ends []int) {
	tb.Helper()
	number := uint64(1)
	for _, group := range groups {
		first := number
		for _, e := range group {
			segment = appendFrame(segment, number, first, []byte(e))
			ends = append(ends, len(segment))
			number++
		}
	}
	dir = tb.TempDir()
	write(tb, filepath.Join(dir, segmentName(1)), segment)
	return dir, segment, ends
}

func write(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func flat(groups [][]string) (all []string) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

var example = [][]string{{"one"}, {"two", "three"}, {"four", "five", "six"}, {"seven"}}

// A write that a crash cut anywhere loses only what nobody was promised, and hides
// nothing that comes later.
func TestRecovery_CutAtEveryByte(t *testing.T) {
	_, segment, ends := filled(t, example...)
	all := flat(example)
	for cut := range len(segment) + 1 {
		dir := t.TempDir()
		write(t, filepath.Join(dir, segmentName(1)), segment[:cut])
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		for _, when := range []string{"now", "after a restart"} {
			s := open(t, dir, Options{})
			if when == "now" {
				add(t, s, "later")
			}
			wantRest(t, s, append(slices.Clone(all[:whole]), "later")...)
			if n := s.Stats.Lost.Load(); n != 0 {
				t.Fatalf("cut at %d: %d entries are called lost", cut, n)
			}
			s.Close()
		}
	}
}

// Of what was acknowledged for certain, a changed byte costs the entry that it is in and
// no other, and that is told.
func TestRecovery_EveryByteChanged(t *testing.T) {
	_, segment, ends := filled(t, example...)
	all := flat(example)
	sealed := appendFrame(slices.Clone(segment), 8, 8, nil)
	for i := range segment {
		for _, change := range []byte{0xff, 0x01} {
			dir := t.TempDir()
			b := slices.Clone(sealed)
			b[i] ^= change
			write(t, filepath.Join(dir, segmentName(1)), b)
			hit, _ := slices.BinarySearch(ends, i+1)
			log, said := logged()
			s := open(t, dir, Options{Log: log})
			add(t, s, "later")
			want := slices.Delete(slices.Clone(all), hit, hit+1)
			last := wantRest(t, s, append(want, "later")...)
			if n := s.Stats.Lost.Load(); n != 1 || !strings.Contains(said(), fmt.Sprintf("first=%d last=%d", hit+1, hit+1)) {
				t.Fatalf("byte %d of entry %d: %d lost, told %s", i, hit+1, n, said())
			}
			if err := s.Done(last.Number); err != nil {
				t.Fatal(err)
			}
			if kept, _ := filepath.Glob(filepath.Join(dir, "*"+damagedSuffix)); len(kept) != 1 {
				t.Fatalf("kept %q", kept)
			}
			s.Close()
		}
	}
}

// The pages of one group may reach the disk in any order. A hole in the last one is the
// crash, a hole before it is damage.
func TestRecovery_TornGroupIsNoDamage(t *testing.T) {
	for name, c := range map[string]struct {
		hole string
		want []string
		lost uint64
	}{
		"in the last group, which nobody was promised": {"five", []string{"one", "two", "three", "four"}, 0},
		"the beginning of the last group":              {"four", []string{"one", "two", "three"}, 0},
		"in a group before it":                         {"two", []string{"one", "three", "four", "five", "six"}, 1},
	} {
		dir, segment, ends := filled(t, example[:3]...)
		i := slices.Index(flat(example), c.hole)
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		clear(segment[from:ends[i]])
		write(t, filepath.Join(dir, segmentName(1)), segment)
		s := open(t, dir, Options{})
		add(t, s, "later")
		wantRest(t, s, append(c.want, "later")...)
		if n := s.Stats.Lost.Load(); n != c.lost {
			t.Errorf("%s: %d lost", name, n)
		}
	}
}

// The next segment's name proves what was in the one before.
func TestRecovery_SegmentsProveEachOther(t *testing.T) {
	t.Run("cut", func(t *testing.T) {
		dir, segment, ends := filled(t, example...)
		write(t, filepath.Join(dir, segmentName(1)), segment[:ends[4]+3])
		write(t, filepath.Join(dir, segmentName(8)), appendFrame(nil, 8, 8, []byte("eight")))
		s := open(t, dir, Options{})
		wantRest(t, s, "one", "two", "three", "four", "five", "eight")
		if n := s.Stats.Lost.Load(); n != 2 {
			t.Errorf("%d lost", n)
		}
	})
	t.Run("missing", func(t *testing.T) {
		dir, _, _ := filled(t, example...)
		write(t, filepath.Join(dir, doneName), append(slotOf(0), slotOf(0)...))
		if err := os.Rename(filepath.Join(dir, segmentName(1)), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, segmentName(8)), appendFrame(nil, 8, 8, []byte("eight")))
		log, said := logged()
		s := open(t, dir, Options{Log: log})
		wantRest(t, s, "eight")
		if n := s.Stats.Lost.Load(); n != 7 || !strings.Contains(said(), "first=1 last=7") {
			t.Errorf("%d lost, told %s", n, said())
		}
	})
	t.Run("taken back", func(t *testing.T) { // frames whose fsync failed, and then came again
		dir, _, _ := filled(t, example...)
		write(t, filepath.Join(dir, segmentName(6)), appendFrame(nil, 6, 6, []byte("six again")))
		s := open(t, dir, Options{})
		wantRest(t, s, "one", "two", "three", "four", "five", "six again")
		if n := s.Stats.Lost.Load(); n != 0 {
			t.Errorf("%d lost", n)
		}
	})
}

// Damage that comes while the spool is open is found, told, and passed over.
func TestNext_PassesDamage(t *testing.T) {
	for name, hurt := range map[string]func(b []byte) []byte{
		"changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"gone":    func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log, said := logged()
			s := open(t, dir, Options{Log: log})
			// So many that they are not read ahead.
			entries := make([]string, 60)
			for i := range entries {
				entries[i] = fmt.Sprint(i, strings.Repeat(" ", 5000))
			}
			add(t, s, entries...)
			if e, err := s.Next(t.Context()); err != nil || string(e.Data) != entries[0] {
				t.Fatal(err)
			}
			path := segments(t, dir)[0]
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b = hurt(b); b == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.reading.close() // what is read ahead, and an unlinked file, would still do
			got, _ := rest(t, s)
			if lost := int(s.Stats.Lost.Load()); lost == 0 || lost+len(got) != 59+btoi(name == "gone") || !strings.Contains(said(), "cannot be read") {
				t.Fatalf("%d came, %d lost, told %s", len(got), lost, said())
			}
			add(t, s, "later") // to the same file, whatever is left of it
			if got, last := rest(t, s); name == "changed" && (!slices.Equal(got, []string{"later"}) || s.Done(last.Number) != nil) {
				t.Fatalf("got %q", short(got))
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The mark of what is done: torn, it is the one before; damaged, it is an error with a way out.
func TestDone_FileDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	add(t, s, "a", "b", "c")
	for n := range uint64(2) {
		if err := s.Done(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	path := filepath.Join(dir, doneName)
	good, err := os.ReadFile(path)
	if err != nil || len(good) != doneSize {
		t.Fatal(len(good), err)
	}
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 1
		write(t, path, b)
		s := open(t, dir, Options{})
		got, _ := rest(t, s)
		if n := len(got); n != 1 && n != 2 || got[n-1] != "c" {
			t.Errorf("byte %d: %q", i, got)
		}
		s.Close()
	}
	for _, b := range [][]byte{good[:doneSize-1], append(slices.Clone(good), 0), []byte(strings.Repeat("x", doneSize))} {
		write(t, path, b)
		if s, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%d bytes: %v", len(b), err)
			s.Close()
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantRest(t, open(t, dir, Options{}), "a", "b", "c")
}

// Files of others stay; names that only look like segments are no segments.
func TestRecovery_LeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"README", "1.spool", strings.Repeat("9", 20) + ".spool", strings.Repeat("0", 20) + ".spool", segmentName(3) + ".damaged"} {
		write(t, filepath.Join(dir, name), []byte("foreign"))
	}
	s := open(t, dir, Options{})
	add(t, s, "a")
	wantRest(t, s, "a")
	if entries, _ := os.ReadDir(dir); len(entries) != 5+3 {
		t.Errorf("%v", entries)
	}
}
