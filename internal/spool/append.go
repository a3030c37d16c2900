package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
)

// request is one call of Append.
type request struct {
	entries [][]byte
	size    int64
	err     error
	done    chan struct{}
}

// Append adds entries in this order and returns when all of them are durable, in
// one group. After an error, none of them is promised. The spool keeps the slices:
// do not change them. An entry has at least one byte. If ctx ends first, the
// entries may still become durable.
func (s *Spool) Append(ctx context.Context, entries ...[]byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := &request{entries: entries, done: make(chan struct{})}
	for _, e := range entries {
		if len(e) == 0 {
			return errors.New("spool: an entry is empty")
		}
		r.size += frameSize(e)
	}
	if len(entries) == 0 {
		return nil
	}
	if r.size > s.o.MaxBytes/callPart {
		return fmt.Errorf("%w: %d bytes, and at most %d", ErrTooLarge, r.size, s.o.MaxBytes/callPart)
	}
	if err := s.enqueue(r); err != nil {
		return err
	}
	s.nudge()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		s.withdraw(r)
		return context.Cause(ctx)
	}
}

func (s *Spool) enqueue(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.used+s.queued+r.size > s.o.MaxBytes:
		return fmt.Errorf("%w: %d of %d bytes are in use", ErrFull, s.used+s.queued, s.o.MaxBytes)
	case s.queued > 0 && s.queued+r.size > maxQueued:
		return ErrBusy
	}
	s.queue = append(s.queue, r)
	s.queued += r.size
	return nil
}

// withdraw takes back a request that the writer has not begun.
func (s *Spool) withdraw(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, r); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		s.queued -= r.size
	}
}

func (s *Spool) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write is the writer. While it waits for one fsync, the next group is collected.
func (s *Spool) write() {
	defer close(s.ended)
	for range s.wake {
		if s.writeQueue() {
			return
		}
	}
}

// writeQueue writes what is queued. last reports that nothing more will come.
func (s *Spool) writeQueue() (last bool) {
	defer func() {
		if recover() != nil { // the log panicked, or a bug here; its text cannot be logged
			s.nudge() // for the rest
		}
	}()
	for {
		group, closed := s.take()
		if len(group) == 0 {
			if closed {
				last = true
				s.seal()
			}
			return last
		}
		s.commit(group)
	}
}

// take returns the next group: as much as one fsync may cover.
func (s *Spool) take() (group []*request, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(0)
	n := 0
	for _, r := range s.queue {
		if n > 0 && (size+r.size > min(maxGroup, s.segmentSize()) || n == s.o.Group) {
			break
		}
		size += r.size
		n++
	}
	group = append(group, s.queue[:n]...)
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	return group, s.closed
}

// commit makes a group durable and wakes its callers.
func (s *Spool) commit(group []*request) {
	size, entries, err := s.persist(group)
	defer func() { // also after a panic, since they wait
		for _, r := range group {
			r.err = err
			close(r.done)
		}
	}()
	s.mu.Lock()
	s.queued -= size
	s.signal()
	s.mu.Unlock()
	if err == nil {
		s.Stats.Appended.Add(entries)
		s.Stats.Groups.Add(1)
		if lasted, ended := s.outage.Worked(); ended {
			s.log.Info("spool can be written again", "dir", s.dir, "after", lasted.Round(time.Second))
		}
	} else {
		err = fmt.Errorf("spool %q cannot be written: %w; free some space or repair the disk", s.dir, err)
		if s.outage.Failed(err) {
			s.log.Error("spool cannot be written", "error", err)
		}
	}
}

// persist writes one group. After an error nothing of it counts. The segment then
// gets no more frames, because its content is unknown after a failed write or
// fsync; a new segment begins with the same numbers.
func (s *Spool) persist(group []*request) (size int64, entries uint64, err error) {
	for _, r := range group {
		size += r.size
		entries += uint64(len(r.entries))
	}
	defer func() {
		if v := recover(); v != nil {
			s.abandon()
			err = fault.Of(v)
		}
	}()
	first := s.next // the writer alone changes it
	number := first
	buf := s.buf[:0]
	for _, r := range group {
		for _, e := range r.entries {
			buf = appendFrame(buf, number, first, e)
			number++
		}
	}
	if s.buf = buf; cap(buf) > 2*maxGroup {
		s.buf = nil // it was for one very large call
	}

	s.rotate()
	fresh := s.active == nil
	if fresh {
		if err := s.create(first); err != nil {
			return size, entries, err
		}
	}
	_, err = s.writeAt(s.file, buf, s.active.size)
	if err == nil {
		err = s.sync(s.file)
	}
	if err == nil && fresh {
		err = durable.SyncDir(s.dir)
	}
	if err != nil {
		_ = s.file.Truncate(s.active.size) // only to free space: the numbers decide what counts
		s.abandon()
		return size, entries, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.active
	if fresh {
		s.segs = append(s.segs, seg)
	}
	if n := len(seg.runs); n > 0 && seg.runs[n-1].next == first {
		seg.runs[n-1].next = number
	} else {
		seg.runs = append(seg.runs, run{first, number, seg.size})
	}
	seg.next = number
	seg.size += size
	s.used += size
	s.next = number
	return size, entries, nil
}

// rotate closes a segment that is large enough, or whose entries are all done.
func (s *Spool) rotate() {
	if s.active == nil {
		return
	}
	s.mu.Lock()
	idle := s.active.size >= idleSegment && s.active.next-1 <= s.done
	s.mu.Unlock()
	if idle || s.active.size >= s.segmentSize() {
		s.abandon()
		if idle {
			s.retire()
		}
	}
}

func (s *Spool) create(first uint64) error {
	name := segmentName(first)
	path := filepath.Join(s.dir, name)
	// A file of this name holds nothing that was acknowledged: such entries have lower numbers.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	s.file, s.active = f, &segment{name: name, first: first, layout: layout{next: first}, open: true}
	return nil
}

// abandon closes the active segment; an empty one is removed.
func (s *Spool) abandon() {
	if s.active == nil {
		return
	}
	_ = s.file.Close() // what counts in it is synced
	if s.active.size == 0 {
		_ = os.Remove(filepath.Join(s.dir, s.active.name))
	}
	s.mu.Lock()
	s.active.open = false
	s.mu.Unlock()
	s.active, s.file = nil, nil
}

// seal ends the active segment with a frame that proves that it is complete.
func (s *Spool) seal() {
	if s.active == nil {
		return
	}
	_, err := s.writeAt(s.file, appendFrame(nil, s.next, s.next, nil), s.active.size)
	if err == nil {
		err = s.sync(s.file)
	}
	if err != nil {
		s.log.Warn("spool: the last segment could not be closed, the next start repairs it", "error", err)
	}
	s.abandon()
}
