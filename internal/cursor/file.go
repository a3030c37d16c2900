// Package cursor keeps the durable state of one source.
//
// A state goes to disk in two steps, so that the moment of acknowledgement
// costs one system call. Prepare writes the file under a name of its own:
// open(O_EXCL), write, fsync. Commit renames it into place. After a killed
// process the state is the last committed one. After a power cut it may be an
// earlier one, until Sync (or the next Prepare) has fsynced the directory:
// events then come out twice, none is lost. A file never holds half a state.
package cursor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxFile bounds what is read back: 64 MiB hold the keys of about 1.5 million
// aggregates within one overlap.
const maxFile = 64 << 20

// ErrLocked: another reader has this state file.
var ErrLocked = errors.New("another reader has it")

// File is the state file of one source, locked against a second reader.
// Its methods are safe for concurrent use.
type File struct {
	path string
	lock *os.File

	mu       sync.Mutex
	next     uint64 // number of the next Pending
	unsynced bool   // a rename is not yet fsynced
	pending  map[uint64]string
}

// Pending is a state on disk that does not count yet.
type Pending struct {
	file   *File
	number uint64
}

// Open locks the state file at path and reads it. A missing file gives the
// zero State: the source starts where its settings say. A damaged file, one of
// another instance and one that is in use (errors.Is [ErrLocked]) are errors
// that say what to do; nothing is ever started over by itself.
func Open(path, instance string) (*File, State, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, State{}, fmt.Errorf("state_path %q: %w", path, err)
	}
	state, err := read(path, instance)
	if err != nil {
		lock.Close()
		return nil, State{}, err
	}
	removeStale(path)
	return &File{path: path, lock: lock, pending: make(map[uint64]string)}, state, nil
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w (the directory must exist and be writable)", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: give every reader a state_path of its own, or stop the other one", ErrLocked)
		}
		return nil, fmt.Errorf("cannot lock %s: %w (use a local file system)", path, err)
	}
	return f, nil
}

// Read reads a state file without locking it, for a look from outside. The
// error of a missing file is an [os.ErrNotExist].
func Read(path string) (State, error) {
	f, err := os.Open(path)
	if err != nil {
		return State{}, fmt.Errorf("state_path: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return State{}, fmt.Errorf("state_path: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return State{}, fmt.Errorf("state_path %q: not a regular file of at most %d MiB: give another path", path, maxFile>>20)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return State{}, fmt.Errorf("state_path: %w", err)
	}
	s, err := decode(b)
	if err != nil {
		return State{}, fmt.Errorf("state_path %q cannot be used: %w; restore it from a backup, or move it away to read again from `start` (events then come out twice, with the same event.id)", path, err)
	}
	return s, nil
}

func read(path, instance string) (State, error) {
	s, err := Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	if s.Instance != instance {
		return State{}, fmt.Errorf("state_path %q belongs to instance %q, but this reader is for %q: give another state_path, or set instance to %q", path, s.Instance, instance, s.Instance)
	}
	return s, nil
}

// removeStale deletes what a killed process had prepared and not committed.
func removeStale(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return // the next Prepare will say what is wrong
	}
	for _, e := range entries {
		if ok, _ := filepath.Match(escapeGlob(filepath.Base(path))+".pending-*", e.Name()); ok {
			os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

func escapeGlob(s string) string {
	var b []byte
	for i := range len(s) {
		switch s[i] {
		case '*', '?', '[', '\\':
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// Prepare writes s durably beside the state file, mode 0600. On error, a full
// disk for example, nothing has changed and the call may be repeated.
func (f *File) Prepare(s State) (*Pending, error) {
	if err := f.Sync(); err != nil {
		return nil, err
	}
	s.Updated = s.Updated.UTC().Truncate(time.Microsecond)
	b, err := encode(s)
	if err != nil {
		return nil, fmt.Errorf("state_path %q: %w", f.path, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("state_path %q: the state has %d MiB, more than the %d that are read back: choose a shorter overlap", f.path, len(b)>>20, maxFile>>20)
	}
	f.mu.Lock()
	f.next++
	number := f.next
	f.mu.Unlock()
	name := f.path + ".pending-" + strconv.FormatUint(number, 10)
	if err := writeDurably(name, b); err != nil {
		os.Remove(name)
		return nil, fmt.Errorf("state_path %q cannot be written: %w; make room or mend the directory", f.path, err)
	}
	f.mu.Lock()
	f.pending[number] = name
	f.mu.Unlock()
	return &Pending{file: f, number: number}, nil
}

func writeDurably(name string, b []byte) error {
	os.Remove(name) // left by a process whose file was not removed at start
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		w.Close()
		return err
	}
	if err := w.Sync(); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// Commit makes the prepared state the one that counts. It is one rename(2).
// States prepared earlier and not committed are dropped: a later one says more.
func (p *Pending) Commit() error {
	f := p.file
	f.mu.Lock()
	defer f.mu.Unlock()
	name, ok := f.pending[p.number]
	if !ok {
		return nil // committed before, or a later one was
	}
	if err := os.Rename(name, f.path); err != nil {
		return fmt.Errorf("state_path %q cannot be replaced: %w", f.path, err)
	}
	f.unsynced = true
	delete(f.pending, p.number)
	for number, name := range f.pending {
		if number < p.number {
			os.Remove(name)
			delete(f.pending, number)
		}
	}
	return nil
}

// Sync makes committed states outlive a power cut: fsync of the directory.
func (f *File) Sync() error {
	f.mu.Lock()
	unsynced := f.unsynced
	f.unsynced = false
	f.mu.Unlock()
	if !unsynced {
		return nil
	}
	d, err := os.Open(filepath.Dir(f.path))
	if err == nil {
		err = d.Sync()
		d.Close()
	}
	if err != nil {
		f.mu.Lock()
		f.unsynced = true
		f.mu.Unlock()
		return fmt.Errorf("state_path %q: cannot fsync the directory: %w", f.path, err)
	}
	return nil
}

// Close drops what was prepared and not committed, syncs and unlocks.
func (f *File) Close() error {
	err := f.Sync()
	f.mu.Lock()
	defer f.mu.Unlock()
	for number, name := range f.pending {
		os.Remove(name)
		delete(f.pending, number)
	}
	return errors.Join(err, f.lock.Close())
}
