package enrich

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever a file holds, reading it ends, with what is in it or with an error. What could
// be read is written again and read as the same.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "names")
	s := open(f, path, Options{})
	for _, batch := range fewEvents() {
		for _, e := range batch {
			s.Learn(e)
		}
		s.Learn(what("user.removed", "user", "2", 9, start, nil))
		s.Learn(what("session.added", "session", "V1_5", 1, start, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.7"}}))
		mustSync(f, s)
	}
	f.Add([]byte{}, true)
	f.Add(mustRead(f, path)[frameHead+len(instance):], true)
	frame := mustRead(f, path)[frameHead+len(instance)+frameHead:]
	f.Add(frame[:60], false)
	f.Add(frame, false)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		file := appendFrame(nil, 0, []byte(instance))
		if whole {
			file = append(file, b...)
		} else { // with a sound checksum
			file = appendFrame(file, 1, b[:min(len(b), maxFrame)])
		}
		read := func(b []byte) (*Store, error) {
			s, err := newStore(Options{Instance: instance, MaxBytes: MinBytes})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = readFrames(bytes.NewReader(b), int64(len(b)), instance, s.replay)
			return s, err
		}
		s, err := read(file)
		if err != nil {
			return
		}
		want := dump(s)
		fresh := filepath.Join(t.TempDir(), "fresh")
		w, err := os.Create(fresh)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, _, err := writeAll(w, instance, s.snapshot); err != nil {
			t.Fatal(err)
		}
		again, err := read(mustRead(t, fresh))
		if err != nil {
			t.Fatal(err)
		}
		for id, e := range dump(again) {
			if diff := cmp.Diff(want[id], e, sameEntry); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
		}
	})
}
