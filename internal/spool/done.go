package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/zitadel-siem/zitadel-siem/internal/durable"
)

// The file "done" holds the number up to which all entries are done. It has two
// slots that are written in turn and in place: a torn write leaves the other slot
// intact, and a full disk does not matter. There is no fsync at each write: a
// killed process loses nothing, and after a power cut entries come again. Before a
// segment is deleted, the file is fsynced.
const (
	doneName = "done"
	slotSize = 24 // magic, number, CRC, 4 bytes unused
	doneSize = 2 * slotSize
)

var doneMagic = [8]byte{'z', 's', 'd', 'o', 'n', 'e', '1', '\n'}

type doneFile struct {
	f    *os.File
	slot int // to be written next
}

func slotOf(number uint64) []byte {
	b := append(make([]byte, 0, slotSize), doneMagic[:]...)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return append(b, 0, 0, 0, 0)
}

func readSlot(b []byte) (number uint64, ok bool) {
	if [8]byte(b) != doneMagic || binary.LittleEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[8:]), true
}

// openDone opens the file, or creates it. found is false if there was none, or only
// one that a crash left empty.
func openDone(dir string) (d *doneFile, number uint64, found bool, err error) {
	path := filepath.Join(dir, doneName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|durable.NoFollow, 0o600)
	if err != nil {
		return nil, 0, false, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	d = &doneFile{f: f}
	var b [doneSize + 1]byte
	n, err := f.ReadAt(b[:], 0)
	if n == len(b) || err == nil {
		return nil, 0, false, errDone(path)
	}
	if len(bytes.Trim(b[:n], "\x00")) == 0 {
		if _, err := f.WriteAt(append(slotOf(0), slotOf(0)...), 0); err != nil {
			return nil, 0, false, err
		}
		return d, 0, false, f.Sync()
	}
	if n != doneSize {
		return nil, 0, false, errDone(path)
	}
	one, ok1 := readSlot(b[:])
	two, ok2 := readSlot(b[slotSize:])
	switch {
	case !ok1 && !ok2:
		return nil, 0, false, errDone(path)
	case !ok2, ok1 && one > two:
		d.slot = 1
		return d, one, true, nil
	}
	return d, two, true, nil
}

func errDone(path string) error {
	return fmt.Errorf("%q is damaged: restore it from a backup, or remove it; everything that is still in the spool then comes again", path)
}

func (d *doneFile) write(number uint64) error {
	_, err := d.f.WriteAt(slotOf(number), int64(d.slot)*slotSize)
	if err == nil {
		d.slot = 1 - d.slot
	}
	return err
}

func (d *doneFile) close() error { return errors.Join(d.f.Sync(), d.f.Close()) }
