// Package spool is a durable queue on disk. Its size is limited, and one process
// writes it.
//
// # What it promises
//
// When [Spool.Append] returns nil, the entries are on disk and survive a kill and
// a power cut: write, fsync of the segment, and fsync of the directory if the
// segment is new. Callers that arrive together share one fsync.
//
// Every acknowledged entry comes out of [Spool.Next] in order until [Spool.Done]
// says that it is done. After a restart, what is not done comes again.
//
// Nothing is lost silently. Damage is logged with the numbers of the entries,
// everything intact around it comes out, and the damaged file is kept. A frame
// that a crash or a full disk cut hides nothing that comes later.
//
// The directory never holds more than [Options.MaxBytes], not counting the last
// few damaged files. Memory is limited by what may wait for the disk, [maxQueued].
//
// # What it does not promise
//
//   - An entry whose Append failed may come out anyway, if fsync failed and the
//     process ended before the next Append.
//   - After a power cut, entries that were done may come again.
//   - After a crash, damage within the very last group looks like the crash itself
//     and is not reported. After an orderly [Spool.Close] it is.
//
// Entries should be UTF-8: no text of theirs can then be mistaken for a frame when
// a damaged segment is searched.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
)

const (
	// MinBytes is the smallest MaxBytes: below it a segment would hold only a few entries.
	MinBytes = 1 << 20
	// DefaultBytes holds about 500,000 events: more than half a day at the ten
	// events a second that one worker of ZITADEL sends.
	DefaultBytes = 256 << 20

	// A segment is deleted as a whole, so the directory may hold two segments of
	// done entries. An eighth each keeps that small, and maxSegment keeps the
	// reading of a damaged one short.
	segmentPart = 8
	maxSegment  = 8 << 20
	// callPart: one Append may take a quarter, so that it fits beside an open segment.
	callPart = 4
	// maxGroup is how much one fsync may cover. With more, the first caller would
	// wait for the bytes of the last one.
	maxGroup = 1 << 20
	// maxQueued is how much may wait in memory for the disk.
	maxQueued = 16 << 20
	// keptDamaged is how many damaged segments are kept for inspection.
	keptDamaged = 4
	// idleSegment: a segment of this size whose entries are all done is replaced
	// by a new one, so that its bytes become free.
	idleSegment = 64 << 10
)

var (
	// ErrFull means that MaxBytes are in use.
	ErrFull = errors.New("the spool is full")
	// ErrBusy means that too much waits for the disk already.
	ErrBusy = errors.New("the disk of the spool does not keep up")
	// ErrTooLarge means more than a quarter of MaxBytes in one call.
	ErrTooLarge = errors.New("the entry is too large for the spool")
	// ErrClosed means that the spool was closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrLocked means that another process, or another Spool, uses the directory.
	ErrLocked = durable.ErrLocked
)

// Options of a spool. The zero value is usable.
type Options struct {
	// MaxBytes limits the directory; 0 is DefaultBytes.
	MaxBytes int64
	// Group is how many callers may share one fsync; 0 is no limit. 1 is for
	// measuring the effect of sharing.
	Group int
	// Log gets damage and failures of the disk; nil: nothing is logged.
	Log *slog.Logger
}

// Stats counts since Open.
type Stats struct {
	Appended atomic.Uint64 // entries that were acknowledged
	Groups   atomic.Uint64 // fsyncs that acknowledged something
	Lost     atomic.Uint64 // acknowledged entries that cannot be read
}

// Spool is an open directory. Its methods are safe for concurrent use. Each entry
// goes to one caller of Next.
type Spool struct {
	Stats Stats

	dir  string
	o    Options
	log  *slog.Logger
	lock *durable.Lock

	// The disk; tests make it fail.
	writeAt func(*os.File, []byte, int64) (int, error)
	sync    func(*os.File) error

	mu      sync.Mutex // never held during I/O
	changed chan struct{}
	segs    []*segment // oldest first
	next    uint64     // the number of the next entry
	done    uint64     // everything up to it is done
	used    int64      // bytes of segs
	queue   []*request
	queued  int64
	closed  bool

	wake   chan struct{} // to the writer, one is enough
	ended  chan struct{} // closed when the writer has ended
	active *segment      // the writer's own, with its file
	file   *os.File
	buf    []byte
	outage outage.Log

	doneMu   sync.Mutex
	doneFile *doneFile

	reading reading
}

// segment is one file. Its fields change with Spool.mu held.
type segment struct {
	name string
	layout
	first   uint64
	size    int64 // durable bytes
	open    bool  // the writer still writes to it
	damaged bool
}

// Open opens the directory, creates it if it is missing, and reads everything in
// it. Errors say what to do.
func Open(dir string, o Options) (*Spool, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.MaxBytes < MinBytes {
		return nil, fmt.Errorf("spool %q: %d bytes are too few, give at least %d", dir, o.MaxBytes, int64(MinBytes))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Spool{
		dir: dir, o: o, log: o.Log,
		writeAt: (*os.File).WriteAt, sync: (*os.File).Sync,
		changed: make(chan struct{}), wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("spool %q: %w", dir, err)
	}
	go s.write()
	return s, nil
}

func (s *Spool) open() (err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if info, err := os.Stat(s.dir); err == nil && keyfile.Exposed(info.Mode()) != "" {
		s.log.Warn("spool: other users can list the directory; its files are readable only for their owner", "dir", s.dir, "mode", info.Mode().Perm().String(), "fix", "chmod 700")
	}
	s.lock, err = durable.TakeLock(filepath.Join(s.dir, "lock"))
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("%w; give every endpoint a spool_path of its own, or stop the other one", ErrLocked)
	}
	if err != nil {
		return err
	}
	if err = s.recover(); err != nil {
		if s.doneFile != nil {
			s.doneFile.f.Close()
		}
		_ = s.lock.Release()
	}
	return err
}

// segmentSize is the size from which on a segment gets no more entries.
func (s *Spool) segmentSize() int64 { return min(s.o.MaxBytes/segmentPart, maxSegment) }

// signal wakes the goroutines that wait for a change. s.mu is held.
func (s *Spool) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Usage is what is in the spool.
type Usage struct {
	Entries  uint64 // not done
	Bytes    int64  // on disk, including done entries of the same segments
	MaxBytes int64
}

// Usage returns what is in the spool.
func (s *Spool) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Usage{Entries: s.next - 1 - s.done, Bytes: s.used, MaxBytes: s.o.MaxBytes}
}

// Close accepts no more entries, waits for those that were accepted, and unlocks
// the directory. Entries that are not done stay there.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.ended
		return nil
	}
	s.closed = true
	s.signal()
	s.mu.Unlock()
	s.nudge()
	<-s.ended
	s.reading.mu.Lock()
	s.reading.close()
	s.reading.mu.Unlock()
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	return errors.Join(s.doneFile.close(), s.lock.Release())
}

func byFirst(a, b *segment) int { return cmp.Compare(a.first, b.first) }
