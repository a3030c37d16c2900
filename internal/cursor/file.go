// Package cursor keeps the durable state of one source.
//
// A state goes to disk in two steps, so that the moment of acknowledgement
// costs one system call. [File.Prepare] writes the state to a file of its own:
// open(O_EXCL), write, fsync. Commit of what it returns renames that file into place.
//
// After the process was killed, the state is the last committed one. After a
// power cut it may be an earlier one, until [File.Sync] or the next Prepare has
// called fsync on the directory: events then come out twice, and none is lost.
// A file never holds half a state.
package cursor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// maxFile limits what is read back: 64 MiB hold the keys of about 1.5 million
// aggregates within one overlap.
const maxFile = 64 << 20

// ErrLocked means that another reader uses this state file.
var ErrLocked = durable.ErrLocked

// ErrLost means that another process may hold the source by now: nothing can be committed.
var ErrLost = errors.New("the source is no longer held")

// ErrTold means that a failure is the one of other sources as well, and was told for one of them.
var ErrTold = errors.New("as for other sources")

// File is the state file of one source, locked against a second reader.
// Its methods are safe for concurrent use.
type File struct {
	path string
	lock *durable.Lock

	mu       sync.Mutex
	next     uint64 // number of the next Pending
	unsynced bool   // there was a rename since the last fsync of the directory
	pending  map[uint64]*durable.Draft
}

// pending is a state that is on disk and does not count yet.
type pending struct {
	file   *File
	number uint64
}

// Open locks the state file at path and reads it. If the file is missing, it
// returns the zero State: the source starts where its settings say. A damaged
// file, one of another instance and one that is in use (errors.Is [ErrLocked])
// are errors that say what to do. Nothing is started over automatically.
func Open(path, instance string) (*File, State, error) {
	lock, err := durable.TakeLock(path + ".lock")
	if errors.Is(err, durable.ErrLocked) {
		err = fmt.Errorf("%w; give every reader a state_path of its own, or stop the other one", ErrLocked)
	}
	if err != nil {
		return nil, State{}, fmt.Errorf("state_path %q: %w", path, err)
	}
	state, err := read(path, instance)
	if err != nil {
		_ = lock.Release()
		return nil, State{}, err
	}
	removeStale(path)
	return &File{path: path, lock: lock, pending: make(map[uint64]*durable.Draft)}, state, nil
}

// Read reads a state file without locking it, for a look from outside. The
// error of a missing file is an [os.ErrNotExist].
func Read(path string) (State, error) {
	b, _, err := bounded.ReadFile(path, maxFile)
	switch {
	case errors.Is(err, bounded.ErrDirectory), errors.Is(err, bounded.ErrNotRegular), errors.Is(err, bounded.ErrTooLarge):
		return State{}, fmt.Errorf("state_path %q: not a regular file of at most %d MiB: give another path", path, maxFile>>20)
	case err != nil:
		return State{}, fmt.Errorf("state_path %q: %w", path, err)
	}
	s, err := Decode(b)
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

// pendingSuffix and a number are the end of the name of a state that does not
// count yet.
const pendingSuffix = ".pending-"

// removeStale deletes what a killed process had prepared and not committed.
func removeStale(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return // the next Prepare will say what is wrong
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+pendingSuffix) {
			os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// Prepare writes s durably beside the state file, with mode 0600. If it returns
// an error, for example because the disk is full, nothing has changed and the
// call may be repeated.
func (f *File) Prepare(s State) (Pending, error) {
	if err := f.Sync(); err != nil {
		return nil, err
	}
	s.Updated = s.Updated.UTC().Truncate(time.Microsecond)
	b, err := Encode(s)
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
	draft, err := durable.Create(f.path + pendingSuffix + strconv.FormatUint(number, 10))
	if err == nil {
		err = draft.Write(b)
	}
	if err != nil {
		return nil, fmt.Errorf("state_path %q cannot be written: %w; free some space or repair the directory", f.path, err)
	}
	f.mu.Lock()
	f.pending[number] = draft
	f.mu.Unlock()
	return &pending{file: f, number: number}, nil
}

// Commit makes the prepared state the one that counts. It is one rename(2).
// States that were prepared earlier and not committed are dropped: this one
// includes them.
func (p *pending) Commit() error {
	f := p.file
	f.mu.Lock()
	defer f.mu.Unlock()
	draft, ok := f.pending[p.number]
	if !ok {
		return nil // this one, or a later one, was committed before
	}
	if err := draft.Replace(f.path); err != nil {
		return fmt.Errorf("state_path %q cannot be replaced: %w; free some space or repair the directory", f.path, err)
	}
	f.unsynced = true
	delete(f.pending, p.number)
	for number, draft := range f.pending {
		if number < p.number {
			draft.Discard()
			delete(f.pending, number)
		}
	}
	return nil
}

// Sync makes committed states survive a power cut: fsync of the directory.
func (f *File) Sync() error {
	f.mu.Lock()
	unsynced := f.unsynced
	f.unsynced = false
	f.mu.Unlock()
	if !unsynced {
		return nil
	}
	if err := durable.SyncDir(filepath.Dir(f.path)); err != nil {
		f.mu.Lock()
		f.unsynced = true
		f.mu.Unlock()
		return fmt.Errorf("state_path %q: cannot fsync the directory: %w; repair the disk", f.path, err)
	}
	return nil
}

// Done is nil: a lock stays until Close.
func (f *File) Done() <-chan struct{} { return nil }

// Close drops what was prepared and not committed, calls [File.Sync] and
// unlocks.
func (f *File) Close() error {
	err := f.Sync()
	f.mu.Lock()
	defer f.mu.Unlock()
	for number, draft := range f.pending {
		draft.Discard()
		delete(f.pending, number)
	}
	return errors.Join(err, f.lock.Release())
}
