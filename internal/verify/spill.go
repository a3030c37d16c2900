package verify

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
)

// spill keeps the records of the copy that differ, until the events are read again. The file
// has no name from the start, so that nothing of it stays when the process ends in any way.
// Windows cannot remove a file that is open: there, close removes it.
type spill struct {
	file  *os.File
	named bool // the file still has its name
	w     *bufio.Writer
	end   uint64
}

// spilledRecord is one record of the spill, with the place of the one before it of the same id.
type spilledRecord struct {
	before uint64 // 0: there is none
	file   uint32
	line   uint64
	data   []byte
}

const spillHead = 24

func (s *spill) add(r spilledRecord) (place uint64, err error) {
	if s.file == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	place = s.end
	var head [spillHead]byte
	binary.LittleEndian.PutUint64(head[0:], r.before)
	binary.LittleEndian.PutUint64(head[8:], r.line)
	binary.LittleEndian.PutUint32(head[16:], r.file)
	binary.LittleEndian.PutUint32(head[20:], uint32(len(r.data)))
	_, err = s.w.Write(head[:])
	if err == nil {
		_, err = s.w.Write(r.data)
	}
	if err != nil {
		return 0, fmt.Errorf("temporary file for records that differ: %w; free some space in %s, or set TMPDIR", err, os.TempDir())
	}
	s.end += spillHead + uint64(len(r.data))
	return place, nil
}

func (s *spill) open() error {
	f, err := os.CreateTemp("", "zitadel-siem-verify-") // 0600
	if err != nil {
		return fmt.Errorf("temporary file for records that differ: %w; set TMPDIR to a directory that can be written", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		s.named = true
		if runtime.GOOS != "windows" {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	s.w = bufio.NewWriterSize(f, 1<<18)
	s.end = 1 // 0 is no place
	_, err = s.w.Write([]byte{0})
	return err
}

// flush is called between the last add and the first read.
func (s *spill) flush() error {
	if s.file == nil {
		return nil
	}
	return s.w.Flush()
}

func (s *spill) read(place uint64) (spilledRecord, error) {
	var head [spillHead]byte
	if _, err := s.file.ReadAt(head[:], int64(place)); err != nil {
		return spilledRecord{}, fmt.Errorf("temporary file: %w", err)
	}
	r := spilledRecord{
		before: binary.LittleEndian.Uint64(head[0:]), line: binary.LittleEndian.Uint64(head[8:]),
		file: binary.LittleEndian.Uint32(head[16:]), data: make([]byte, binary.LittleEndian.Uint32(head[20:])),
	}
	if _, err := io.ReadFull(io.NewSectionReader(s.file, int64(place)+spillHead, int64(len(r.data))), r.data); err != nil {
		return spilledRecord{}, fmt.Errorf("temporary file: %w", err)
	}
	return r, nil
}

func (s *spill) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close() // nobody reads it any more
	if s.named {
		_ = os.Remove(s.file.Name())
	}
}
