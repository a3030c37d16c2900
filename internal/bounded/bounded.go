// Package bounded reads files and streams whose size somebody else decides.
//
// Its errors do not contain the path of the file, since a user may have written
// a secret where a path was expected. The caller adds the path if it may be
// shown.
package bounded

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

var (
	// ErrDirectory means that the path names a directory.
	ErrDirectory = errors.New("is a directory, not a file")
	// ErrNotRegular means a pipe, a device or a socket: reading it could wait
	// forever, and would give its content only once.
	ErrNotRegular = errors.New("is not a regular file")
	// ErrTooLarge means more bytes than the limit.
	ErrTooLarge = errors.New("is too large")
)

// ReadFile returns the content and the mode of a regular file of at most limit
// bytes. The mode is valid if the file could be opened, also with an error.
func ReadFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) // before opening, because opening a named pipe waits
	switch {
	case err != nil:
		return nil, 0, WithoutPath(err)
	case info.IsDir():
		return nil, 0, ErrDirectory
	case !info.Mode().IsRegular():
		return nil, 0, ErrNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, WithoutPath(err)
	}
	defer f.Close()
	content := bytes.NewBuffer(make([]byte, 0, min(info.Size(), limit)+bytes.MinRead))
	_, err = content.ReadFrom(io.LimitReader(f, limit+1))
	b, err := check(content.Bytes(), limit, err)
	return b, info.Mode(), WithoutPath(err)
}

// ReadAll reads r to its end. After limit bytes it stops with [ErrTooLarge], and
// returns these bytes.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	return check(b, limit, err)
}

func check(b []byte, limit int64, err error) ([]byte, error) {
	if err == nil && int64(len(b)) > limit {
		return b[:limit], ErrTooLarge
	}
	return b, err
}

// WithoutPath removes the path from an error of package os.
func WithoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
