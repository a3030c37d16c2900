package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Entry is what [Spool.Append] was given, with its number: 1, 2, 3, for the life of the
// spool.
type Entry struct {
	Number uint64
	Data   []byte // the caller's to keep
}

// readAhead is what one read of the disk takes; entries are a few hundred bytes.
const readAhead = 64 << 10

// reading is the position of Next.
type reading struct {
	mu   sync.Mutex // held by Next while it reads, not while it waits
	last uint64     // handed out

	seg  *segment // the file that is open
	file *os.File
	at   int64  // where entry next begins
	next uint64 // 0: not known
	buf  []byte // of the file, from start on
	from int64
}

func (r *reading) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.seg, r.file, r.next, r.buf = nil, nil, 0, r.buf[:0]
}

// Next returns the next entry, and waits until there is one. After [Spool.Close] the
// error is [ErrClosed]. Any other error is one of the disk: Next may be called again.
func (s *Spool) Next(ctx context.Context) (Entry, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		e, ok, err := s.TryNext()
		if ok || err != nil {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, context.Cause(ctx)
		}
	}
}

// TryNext returns the next entry if there is one already.
func (s *Spool) TryNext() (e Entry, ok bool, err error) {
	r := &s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		seg, at, size, err := s.locate(r.last + 1)
		if seg == nil || err != nil {
			return Entry{}, false, err
		}
		data, number, err := r.read(s.dir, seg, at, size)
		if err == nil {
			r.last = number
			return Entry{number, data}, true, nil
		}
		r.close()
		if !errors.Is(err, errDamaged) && !errors.Is(err, os.ErrNotExist) {
			return Entry{}, false, fmt.Errorf("spool %q: %w", s.dir, err)
		}
		if err := s.reload(seg); err != nil {
			return Entry{}, false, fmt.Errorf("spool %q: %w", s.dir, err)
		}
	}
}

// Rewind makes Next continue after the entry with this number, or after the last
// done entry if that is later. Rewind(0) makes everything that is not done come
// again. It returns the number after which Next continues. A result below number
// means that the number is from another spool.
func (s *Spool) Rewind(number uint64) (behind uint64) {
	r := &s.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	r.last = min(max(number, s.done), s.next-1)
	r.next = 0
	return r.last
}

// place is a run, and the number that is wanted from it.
type place struct {
	run
	want uint64
}

// locate finds the segment of the first entry from number on that is not done. seg
// is nil if there is none.
func (s *Spool) locate(number uint64) (seg *segment, at place, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, at, 0, ErrClosed
	}
	number = max(number, s.done+1)
	for _, seg := range s.segs {
		for _, run := range seg.runs {
			if run.next > number {
				return seg, place{run, max(number, run.first)}, seg.size, nil
			}
		}
	}
	return nil, at, 0, nil
}

var errDamaged = errors.New("damaged")

// read reads the entry that p wants, of a segment with size durable bytes.
func (r *reading) read(dir string, seg *segment, p place, size int64) (data []byte, number uint64, err error) {
	if r.seg != seg {
		r.close()
		if r.file, err = os.Open(filepath.Join(dir, seg.name)); err != nil {
			return nil, 0, err
		}
		r.seg = seg
	}
	if r.next != p.want || p.want == p.first {
		r.at, r.next = p.at, p.first
	}
	for {
		b, err := r.bytes(headSize, size)
		if err != nil {
			return nil, 0, err
		}
		h, ok := parseHead(b)
		if !ok || h.number != r.next || h.size == headSize {
			return nil, 0, errDamaged
		}
		if r.next < p.want { // skip the entries before it
			r.at += h.size
			r.next++
			continue
		}
		if b, err = r.bytes(h.size, size); err != nil {
			return nil, 0, err
		}
		if !h.holds(b) {
			return nil, 0, errDamaged
		}
		r.at += h.size
		r.next++
		return append([]byte(nil), b[headSize:]...), h.number, nil
	}
}

// bytes returns n bytes at r.at. They stay valid until the next call.
func (r *reading) bytes(n, size int64) ([]byte, error) {
	if n > size-r.at {
		return nil, errDamaged
	}
	if r.at < r.from || r.at+n > r.from+int64(len(r.buf)) {
		want := min(max(n, readAhead), size-r.at)
		if int64(cap(r.buf)) < want || int64(cap(r.buf)) > 4*max(want, readAhead) {
			r.buf = make([]byte, want)
		}
		r.buf, r.from = r.buf[:want], r.at
		got, err := r.file.ReadAt(r.buf, r.at)
		r.buf = r.buf[:got]
		if int64(got) < n {
			if err == nil || err == io.EOF {
				err = errDamaged // the file was cut
			}
			return nil, err
		}
	}
	i := r.at - r.from
	return r.buf[i : i+n], nil
}

// reload scans a segment again that has changed on disk. Everything that it held
// was acknowledged.
func (s *Spool) reload(seg *segment) error {
	for {
		s.mu.Lock()
		size := seg.size
		s.mu.Unlock()
		b, err := s.readSegment(seg)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if again, err := s.relay(seg, b[:min(int64(len(b)), size)], size); !again {
			return err
		}
	}
}

// relay replaces a segment's layout by that of b. again reports that more was written meanwhile.
func (s *Spool) relay(seg *segment, b []byte, size int64) (again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg.size != size {
		return true, nil
	}
	l := scan(b, seg.first, seg.next, seg.next)
	before, lost := s.notDone(seg.lost), s.notDone(l.lost)
	if count(lost) <= count(before) {
		return false, errors.New("a segment reads differently each time: check the disk")
	}
	seg.layout, seg.damaged = l, true
	s.reportLost(seg.name, newly(lost, before))
	return false, nil
}

func count(spans []span) (n uint64) {
	for _, l := range spans {
		n += l.next - l.from
	}
	return n
}

// newly returns the part of lost that is not in before, which is a subset of it.
func newly(lost, before []span) (rest []span) {
	for _, l := range lost {
		for _, b := range before {
			if b.from >= l.from && b.next <= l.next {
				if b.from > l.from {
					rest = append(rest, span{l.from, b.from})
				}
				l.from = b.next
			}
		}
		if l.from < l.next {
			rest = append(rest, l)
		}
	}
	return rest
}

// Done marks everything up to the entry with this number as done: it does not come
// again, and its segments are deleted. After an error it may come again after a
// restart.
func (s *Spool) Done(number uint64) error {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	s.mu.Lock()
	next, done, closed := s.next, s.done, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case number >= next:
		return fmt.Errorf("spool: entry %d cannot be done, the last one is %d", number, next-1)
	case number <= done:
		return nil
	}
	if err := s.doneFile.write(number); err != nil {
		return fmt.Errorf("spool %q cannot note which entries are done: %w; free some space or repair the disk", s.dir, err)
	}
	s.mu.Lock()
	s.done = number
	s.mu.Unlock()
	return s.retireLocked()
}

func (s *Spool) retire() {
	s.doneMu.Lock()
	defer s.doneMu.Unlock()
	_ = s.retireLocked() // the next Done does it
}

// retireLocked deletes segments that are done. s.doneMu is held.
func (s *Spool) retireLocked() error {
	s.mu.Lock()
	n := 0
	for n < len(s.segs) && s.segs[n].next-1 <= s.done && !s.segs[n].open {
		n++
	}
	old := s.segs[:n:n]
	s.mu.Unlock()
	if n == 0 {
		return nil
	}
	// Otherwise a power cut could bring the older number back, and the deleted
	// entries would count as lost.
	if err := s.sync(s.doneFile.f); err != nil {
		return fmt.Errorf("spool %q cannot note which entries are done: %w; free some space or repair the disk", s.dir, err)
	}
	r := &s.reading
	r.mu.Lock()
	if slices.Contains(old, r.seg) {
		r.close() // an open file keeps its disk space
	}
	r.mu.Unlock()
	for _, seg := range old {
		s.remove(seg)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range old {
		s.used -= seg.size
	}
	s.segs = append([]*segment(nil), s.segs[n:]...)
	return nil
}
