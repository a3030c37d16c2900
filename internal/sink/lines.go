package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// Lines is standard output as a sink of JSON lines, with one write(2) for each
// Send. Sources share it.
type Lines struct {
	File *os.File
	// Durable is for a cursor that moves after the write: a file is then synced.
	Durable bool
	// EndsCutLine calls EndCutLine before the first Send. Earlier, another run that has the
	// states may still write to the same file.
	EndsCutLine bool

	mu sync.Mutex
}

// EndCutLine writes a newline if File is a file that ends within a line: a killed
// run or a full disk cut it. Otherwise the first event of this run would be lost
// in that line.
func (l *Lines) EndCutLine() error {
	info, err := l.File.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	// Standard output may be open for writing only.
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", l.File.Fd()))
	if err != nil {
		return nil // not Linux, or a file that we may write and not read
	}
	defer f.Close()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	if _, err := l.File.WriteString("\n"); err != nil {
		return failed(err)
	}
	return nil
}

func failed(err error) error { return &FinalError{fmt.Errorf("standard output: %w", err)} }

// Send writes lines.
func (l *Lines) Send(_ context.Context, _ string, records []byte, _ int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.EndsCutLine {
		if err := l.EndCutLine(); err != nil {
			return err
		}
		l.EndsCutLine = false
	}
	if _, err := l.File.Write(records); err != nil {
		return failed(err)
	}
	if !l.Durable {
		return nil
	}
	// Only a file can be synced. A pipe, a terminal or a socket returns EINVAL; its
	// reader is responsible for what it has read.
	if err := l.File.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return failed(err)
	}
	return nil
}

// Close leaves standard output open: other sinks may write there too.
func (l *Lines) Close() error { return nil }
