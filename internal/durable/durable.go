// Package durable writes files that survive a crash.
//
// A new content is written beside the file and renamed into place: open(O_EXCL),
// write, fsync, rename, fsync of the directory. A reader sees the old content or
// the new one, and never a part. After [Draft.Replace] and before [SyncDir], a
// power cut may bring the old content back.
//
// This holds on local file systems that keep the order of fsync and rename. A
// disk that reports a write as done while it is in its cache can break it.
package durable

import (
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// ErrLocked means that another process, or another part of this one, has the lock.
var ErrLocked = errors.New("another reader has it")

// Draft is a content that is not in place yet.
type Draft struct {
	// File is open until [Draft.Write], so that its owner and mode can be set.
	File *os.File
	path string
}

// Create makes an empty file with mode 0600. A file of this name, which a killed
// process left, is removed before.
func Create(path string) (*Draft, error) {
	os.Remove(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Draft{File: f, path: path}, nil
}

// Write writes the whole content and calls fsync. It is called once. After an
// error the draft is removed.
func (d *Draft) Write(content []byte) error {
	_, err := d.File.Write(content)
	if err == nil {
		err = d.File.Sync()
	}
	if err = errors.Join(err, d.File.Close()); err != nil {
		os.Remove(d.path)
	}
	return err
}

// Replace puts the draft into the place of the file at path. It is one rename(2).
func (d *Draft) Replace(path string) error { return os.Rename(d.path, path) }

// Discard removes the draft.
func (d *Draft) Discard() {
	d.File.Close()
	os.Remove(d.path)
}

// Lock is a lock that ends with the process, however it ends.
type Lock struct{ flock *flock.Flock }

// TakeLock locks the file at path, which it creates if necessary and never
// removes. It does not wait: if somebody else has the lock, the error is
// [ErrLocked].
func TakeLock(path string) (*Lock, error) {
	f := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE|NoFollow), flock.SetPermissions(0o600))
	switch locked, err := f.TryLock(); {
	case errors.As(err, new(*os.PathError)):
		return nil, fmt.Errorf("cannot open the lock: %w (the directory must exist and be writable, and the file must belong to this user: another user may have run this once)", err)
	case err != nil:
		return nil, fmt.Errorf("cannot lock %s: %w (use a local file system)", path, err)
	case !locked:
		return nil, ErrLocked
	}
	return &Lock{f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.flock.Close() }
