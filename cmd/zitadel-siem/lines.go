package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// lines is standard output as a sink of JSON lines, one write(2) for what is
// given at once. Sources share it.
type lines struct {
	file    *os.File
	durable bool // a cursor moves on what was written: it must be on disk

	mu sync.Mutex
}

// mend ends a line that a killed run or a full disk cut in two, where output
// is appended to a file. The first event of this run would be lost in it.
func (l *lines) mend() error {
	info, err := l.file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	// Standard output may be open for writing only.
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", l.file.Fd()))
	if err != nil {
		return nil // not Linux, or a file that we may write and not read
	}
	defer f.Close()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	if _, err := l.file.WriteString("\n"); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// Send writes lines.
func (l *lines) Send(_ context.Context, _ string, records []byte, _ int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(records); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if !l.durable {
		return nil
	}
	// A file can be synced; a pipe, a terminal or a socket says EINVAL, and its
	// reader is then responsible.
	if err := l.file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// Close leaves standard output open: it is not this sink's alone.
func (l *lines) Close() error { return nil }
