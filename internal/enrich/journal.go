package enrich

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// journal is the file of a store. What changed is appended and fsynced; when more than
// half of the file is outdated it is written anew under another name, fsynced and renamed
// into place.
type journal struct {
	path, instance string
	lock           *durable.Lock
	f              *os.File
	size           int64  // what is durable
	next           uint64 // number of the next frame
	live           int64  // size after the last rewrite
	unsynced       bool   // a rename is not yet fsynced
	buf            []byte
	sync           func(*os.File) error
}

// slack is how many outdated bytes a file of any size may have.
const slack = 1 << 20

// maxFile is larger than any file that a store writes. A larger file is refused.
const maxFile = 16 << 30

func openJournal(path, instance string, fsync func(*os.File) error, log *slog.Logger, entry func([]byte) error) (*journal, error) {
	if !durable.ReplacesOpenFiles {
		return nil, errors.New("option enrich does not work on Windows: turn it off, or run the reader on Linux")
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, instance: instance, lock: lock, sync: fsync}
	if err := j.open(log, entry); err != nil {
		if j.f != nil {
			j.f.Close()
		}
		lock.Release()
		return nil, err
	}
	return j, nil
}

// takeLock keeps a second process out; the lock ends with the process.
func takeLock(path string) (*durable.Lock, error) {
	lock, err := durable.TakeLock(path)
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("%w: give every source a path of its own, or stop the other one", err)
	}
	return lock, err
}

func (j *journal) open(log *slog.Logger, entry func([]byte) error) error {
	os.Remove(j.fresh()) // of a process that was killed before the rename
	f, err := os.OpenFile(j.path, os.O_RDWR|durable.NoFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return j.rewrite(func(func([]byte) bool) {})
	}
	if err != nil {
		return err
	}
	j.f = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return fmt.Errorf("not a regular file of at most %d GiB: give another path", maxFile>>30)
	}
	if j.size, j.next, err = readFrames(f, info.Size(), j.instance, entry); err != nil {
		return err
	}
	if info.Size() > j.size {
		log.Warn("names: the end of the file was cut while it was written: everything that was committed is there", "file", j.path, "bytes", info.Size()-j.size)
		if err := f.Truncate(j.size); err != nil {
			return err
		}
		return j.sync(f)
	}
	return nil
}

func (j *journal) fresh() string { return j.path + ".new" }

// due reports whether the file should be written anew: too much of it is outdated, or it
// still has names that are forgotten.
func (j *journal) due(stale bool, rings ...*ring) bool {
	if j.live == 0 { // not known after a start: about what the memory holds
		for _, r := range rings {
			for i := range r.segs {
				j.live += int64(len(r.segs[i].b) - r.segs[i].dead)
			}
		}
	}
	return stale || j.size > 2*j.live+slack
}

// append writes entries and makes them durable, one frame after the other. So a whole frame
// proves that all frames before it were durable.
func (j *journal) append(entries []byte) error {
	if err := j.syncDir(); err != nil {
		return err
	}
	for part := range frames(entries) {
		j.buf = appendFrame(j.buf[:0], j.next, part)
		if err := j.write(j.buf); err != nil {
			return err // the next call writes over it
		}
		j.next++
	}
	return nil
}

// write appends b to the file, and makes it durable.
func (j *journal) write(b []byte) error {
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		return err
	}
	if err := j.sync(j.f); err != nil {
		return err
	}
	j.size += int64(len(b))
	return nil
}

// frames cuts entries into the data of frames.
func frames(entries []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		start, at := 0, 0
		_ = eachEntry(entries, func(e []byte) error {
			n := len(e) + uvarintLen(len(e))
			if at+n-start > maxFrame {
				if !yield(entries[start:at]) {
					return errEntry
				}
				start = at
			}
			at += n
			return nil
		})
		if at > start {
			yield(entries[start:at])
		}
	}
}

func uvarintLen(n int) int {
	if n < 1<<7 {
		return 1
	}
	return 2 // no entry is longer than maxEntry
}

// rewrite puts a new file with these entries into place.
func (j *journal) rewrite(entries iter.Seq[[]byte]) error {
	d, err := j.draft(entries)
	if err != nil {
		return err
	}
	return j.replace(d)
}

// draft is a file that is written, but neither durable nor renamed into place.
type draft struct {
	f    *os.File
	size int64
	next uint64
}

// draft writes these entries into a file with a temporary name.
func (j *journal) draft(entries iter.Seq[[]byte]) (d draft, err error) {
	os.Remove(j.fresh())
	d.f, err = os.OpenFile(j.fresh(), os.O_RDWR|os.O_CREATE|os.O_EXCL|durable.NoFollow, 0o600)
	if err != nil {
		return draft{}, err
	}
	if d.size, d.next, err = writeAll(d.f, j.instance, entries); err != nil {
		d.f.Close()
		os.Remove(j.fresh())
	}
	return d, err
}

// replace makes a draft durable and renames it into place. If it fails before the rename,
// the old file stays.
func (j *journal) replace(d draft) error {
	err := j.sync(d.f)
	if err == nil {
		err = os.Rename(j.fresh(), j.path)
	}
	if err != nil {
		d.f.Close()
		os.Remove(j.fresh())
		return err
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.size, j.next, j.live, j.unsynced = d.f, d.size, d.next, d.size, true
	return j.syncDir()
}

func writeAll(f *os.File, instance string, entries iter.Seq[[]byte]) (size int64, next uint64, err error) {
	buf := appendFrame(nil, 0, []byte(instance))
	var data []byte
	flush := func() error {
		if len(data) > 0 {
			buf = appendFrame(buf, next, data)
			next++
			data = data[:0]
		}
		_, err := f.WriteAt(buf, size)
		size += int64(len(buf))
		buf = buf[:0]
		return err
	}
	next = 1
	for e := range entries {
		if len(data)+uvarintLen(len(e))+len(e) > maxFrame {
			if err := flush(); err != nil {
				return 0, 0, err
			}
		}
		data = appendEntry(data, e)
	}
	return size, next, flush()
}

// syncDir makes a rename durable.
func (j *journal) syncDir() error {
	if !j.unsynced {
		return nil
	}
	d, err := os.Open(filepath.Dir(j.path))
	if err == nil {
		err = errors.Join(j.sync(d), d.Close())
	}
	j.unsynced = err != nil
	return err
}

// close writes the seal, which proves that the end of the file is not missing.
func (j *journal) close() error {
	j.buf = appendFrame(j.buf[:0], j.next, nil)
	return errors.Join(j.write(j.buf), j.f.Close(), j.lock.Release())
}
