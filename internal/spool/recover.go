package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

const (
	segmentSuffix = ".spool"
	damagedSuffix = ".damaged"
)

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

func segmentFirst(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && first < maxNumber
}

// recover reads the directory. Other files in it are left alone.
func (s *Spool) recover() error {
	d, done, found, err := openDone(s.dir)
	if err != nil {
		return err
	}
	s.doneFile, s.done = d, done
	if s.segs, err = s.list(); err != nil {
		return err
	}
	if len(s.segs) > 0 {
		if head := s.segs[0].first; !found {
			s.done = head - 1
			s.log.Warn("spool: the file that records what is done is missing, everything in the spool comes again", "dir", s.dir)
		} else if head > done+1 {
			s.reportLost(segmentName(done+1), []span{{done + 1, head}})
		}
	}
	s.next = s.done + 1
	kept := s.segs[:0]
	for i, seg := range s.segs {
		limit := uint64(0)
		if i+1 < len(s.segs) {
			limit = s.segs[i+1].first
		}
		if err := s.load(seg, limit); err != nil {
			return err
		}
		s.next = max(s.next, seg.next)
		if seg.next-1 <= s.done || len(seg.runs) == 0 {
			s.remove(seg)
			continue
		}
		s.used += seg.size
		kept = append(kept, seg)
	}
	s.segs = slices.Clip(kept)
	if n := len(kept); n > 0 {
		// A killed writer may have left entries that are only in the page cache. The
		// name of the next segment will claim that they are durable.
		if err := s.syncFile(kept[n-1].name); err != nil {
			return err
		}
	}
	// Files that were created or removed before a crash.
	return durable.SyncDir(s.dir)
}

func (s *Spool) list() (segs []*segment, err error) {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range names {
		if first, ok := segmentFirst(e.Name()); ok && e.Type().IsRegular() {
			segs = append(segs, &segment{name: e.Name(), first: first})
		}
	}
	slices.SortFunc(segs, byFirst)
	return segs, nil
}

// load reads a segment's layout, and reports what is lost in it. limit is the
// number at which the next segment begins, or 0.
func (s *Spool) load(seg *segment, limit uint64) error {
	b, err := s.readSegment(seg)
	if err != nil {
		return err
	}
	acked := limit
	if limit == 0 {
		acked = s.done + 1 // nothing is done that was not acknowledged
	}
	l := scan(b, seg.first, limit, acked)
	seg.layout, seg.size = l, int64(len(b))
	if lost := s.notDone(l.lost); len(lost) > 0 {
		seg.damaged = true
		s.reportLost(seg.name, lost)
	}
	return nil
}

func (s *Spool) syncFile(name string) error {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(f), f.Close())
}

func (s *Spool) readSegment(seg *segment) ([]byte, error) {
	// The largest that Append makes, and some more for a larger MaxBytes of before.
	b, _, err := bounded.ReadFile(filepath.Join(s.dir, seg.name), 4*s.o.MaxBytes+maxSegment)
	switch {
	case errors.Is(err, bounded.ErrTooLarge):
		return nil, fmt.Errorf("%s has more bytes than any segment: move it away", seg.name)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", seg.name, err)
	}
	return b, nil
}

// notDone drops what was done from a list of lost entries.
func (s *Spool) notDone(lost []span) (rest []span) {
	for _, l := range lost {
		if l.from = max(l.from, s.done+1); l.from < l.next {
			rest = append(rest, l)
		}
	}
	return rest
}

// reportLost counts and logs lost entries.
func (s *Spool) reportLost(name string, lost []span) {
	for _, l := range lost {
		s.Stats.Lost.Add(l.next - l.from)
		s.log.Error("spool: acknowledged entries cannot be read, the others come out; restore the file from a backup into an empty spool to try again",
			"file", filepath.Join(s.dir, name), "entries", l.next-l.from, "first", l.from, "last", l.next-1)
	}
}

// remove deletes a segment that is not needed. A damaged one is renamed and kept
// for inspection.
func (s *Spool) remove(seg *segment) {
	path := filepath.Join(s.dir, seg.name)
	if !seg.damaged {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("spool: a segment that is done cannot be removed", "error", err, "fix", "let this user write to the directory of the spool")
		}
		return
	}
	if err := os.Rename(path, path+damagedSuffix); err != nil {
		s.log.Warn("spool: a damaged segment cannot be kept", "error", err, "fix", "let this user write to the directory of the spool")
		return
	}
	s.log.Error("spool: a damaged segment is kept for inspection", "file", path+damagedSuffix)
	kept, err := filepath.Glob(filepath.Join(escapeGlob(s.dir), "*"+segmentSuffix+damagedSuffix))
	if err != nil {
		return
	}
	slices.Sort(kept)
	for len(kept) > keptDamaged {
		s.log.Warn("spool: an older damaged segment is deleted", "file", kept[0])
		_ = os.Remove(kept[0])
		kept = kept[1:]
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
