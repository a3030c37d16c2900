package bounded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile_TakesRegularFilesUpToItsLimit(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("12345"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, mode, err := ReadFile(file, 5); string(got) != "12345" || mode.Perm() != 0o640 || err != nil {
		t.Errorf("got %q, %v, %v", got, mode, err)
	}
	for path, want := range map[string]error{
		file:                       ErrTooLarge,
		dir:                        ErrDirectory,
		pipe:                       ErrNotRegular,
		filepath.Join(dir, "none"): fs.ErrNotExist,
	} {
		_, _, err := ReadFile(path, 4)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
		if strings.Contains(err.Error(), dir) {
			t.Errorf("%q repeats the path", err)
		}
	}
}

// endless is a server that never ends its answer.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestReadAll_EndsAtItsLimit(t *testing.T) {
	var r endless
	if got, err := ReadAll(&r, 1000); len(got) != 1000 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if r.read > 4096 {
		t.Errorf("read %d bytes for a limit of 1000", r.read)
	}
}
