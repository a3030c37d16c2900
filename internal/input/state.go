package input

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

const (
	lockRetry = 500 * time.Millisecond
	// A reload's old reader is gone within its two seconds; after this long,
	// whoever has the state has no mind to go.
	lockPatience = 30 * time.Second
	lockRemind   = 5 * time.Minute
)

// FileCursor is a [cursor.File] as a [Cursor].
type FileCursor struct{ *cursor.File }

// Prepare implements [Cursor].
func (f FileCursor) Prepare(state cursor.State) (Pending, error) { return f.File.Prepare(state) }

// stateFile is one whose generation is known.
type stateFile struct {
	FileCursor
	path string
}

// held remembers, per state file of this process, which generation of inputs
// reads with it. File locks alone cannot tell a second input, which is a
// mistake, from the old one of a reload, which is about to go.
var held = struct {
	sync.Mutex
	by map[string]int
}{by: make(map[string]int)}

// openState locks the state for an input of this generation.
func openState(path, instance string, generation int) (*stateFile, cursor.State, error) {
	file, state, err := cursor.Open(path, instance)
	if err != nil {
		return nil, cursor.State{}, err
	}
	path = absolute(path)
	held.Lock()
	held.by[path] = generation
	held.Unlock()
	return &stateFile{FileCursor{file}, path}, state, nil
}

// heldBySibling reports whether an input of the same generation has the state.
func heldBySibling(path string, generation int) bool {
	held.Lock()
	defer held.Unlock()
	by, ok := held.by[absolute(path)]
	return ok && by == generation
}

func (s *stateFile) Close() error {
	held.Lock()
	delete(held.by, s.path)
	held.Unlock()
	return s.File.Close()
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		path = a
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// awaitState waits for a state that another reader still has.
func (in *Input) awaitState(ctx context.Context) (*stateFile, cursor.State, error) {
	began := time.Now()
	remind := began.Add(lockPatience)
	for {
		if err := sleep(ctx, lockRetry); err != nil {
			return nil, cursor.State{}, err
		}
		file, state, err := openState(in.Settings.StatePath, in.Settings.Instance, in.host.Generation)
		if err == nil {
			in.log.Info("the other reader is gone, reading starts", "waited", time.Since(began).Round(time.Millisecond))
			return file, state, nil
		}
		if !errors.Is(err, cursor.ErrLocked) || !time.Now().Before(remind) {
			in.log.Error("reading cannot start, trying again: " + err.Error())
			remind = time.Now().Add(lockRemind)
		}
		if !errors.Is(err, cursor.ErrLocked) {
			if err := sleep(ctx, lockPatience); err != nil {
				return nil, cursor.State{}, err
			}
		}
	}
}
