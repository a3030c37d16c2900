package enrich

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The file is nothing but frames, which count 0, 1, 2:
//
//	4 bytes   magic, the last one is the version
//	4         CRC-32C of all that follows
//	4         length of the data
//	8         number of the frame
//	...       data
//
// Frame 0 holds the label of the instance. The other frames hold entries, each preceded by
// its length. A frame without data is a seal, which Close writes.
//
// A crash cuts the end of the file, so no whole frame follows the first frame that is not
// whole. If one does, the file is damaged.
const (
	frameHead = 20
	crcFrom   = 8
	maxFrame  = 1 << 20 // of data
)

// magic begins with a byte that does not occur in UTF-8.
var magic = [4]byte{0xff, 'Z', 'N', 1}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrDamaged: the file is not what was written.
	ErrDamaged = errors.New("the file is damaged; restore it from a backup, or delete it: names are then learned again from the events that come, with learn: on from older ones too")
	// ErrForeign: the file is of another instance.
	ErrForeign = errors.New("the file belongs to another instance; give another path, or set instance to the one that it belongs to")
)

func appendFrame(b []byte, number uint64, data []byte) []byte {
	from := len(b)
	b = append(b, magic[:]...)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint64(b, number)
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b[from+4:], crc32.Checksum(b[from+crcFrom:], castagnoli))
	return b
}

// appendEntry appends an encoded entry as it stands in a frame.
func appendEntry(b, one []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(one))), one...)
}

// eachEntry calls f for the entries in a frame's data.
func eachEntry(data []byte, f func(entry []byte) error) error {
	for len(data) > 0 {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > uint64(len(data)-size) {
			return errEntry
		}
		if err := f(data[size : size+int(n)]); err != nil {
			return err
		}
		data = data[size+int(n):]
	}
	return nil
}

// wholeFrame reads the frame at a place of the file into buf. ok is false if there is no
// whole frame with the wanted number. With later, a higher number is accepted too.
func wholeFrame(f io.ReaderAt, at, size int64, number uint64, later bool, buf []byte) (data, grown []byte, ok bool, err error) {
	if size-at < frameHead {
		return nil, buf, false, nil
	}
	buf = append(buf[:0], make([]byte, frameHead)...)
	if _, err := f.ReadAt(buf, at); err != nil {
		return nil, buf, false, err
	}
	length := int64(binary.LittleEndian.Uint32(buf[8:]))
	n := binary.LittleEndian.Uint64(buf[12:])
	if [4]byte(buf) != magic || length > maxFrame || length > size-at-frameHead || n != number && !(later && n > number) {
		return nil, buf, false, nil
	}
	if int(length) > cap(buf)-frameHead {
		buf = append(make([]byte, 0, frameHead+2*length), buf...)
	}
	buf = buf[:frameHead+length]
	if _, err := f.ReadAt(buf[frameHead:], at+frameHead); err != nil {
		return nil, buf, false, err
	}
	if crc32.Checksum(buf[crcFrom:], castagnoli) != binary.LittleEndian.Uint32(buf[4:]) {
		return nil, buf, false, nil
	}
	return buf[frameHead:], buf, true, nil
}

// readFrames calls entries for every entry of the file, and returns where the whole
// frames end and how many there are.
func readFrames(f io.ReaderAt, size int64, instance string, entry func([]byte) error) (end int64, next uint64, err error) {
	label, buf, ok, err := wholeFrame(f, 0, size, 0, false, nil)
	if err != nil {
		return 0, 0, err
	}
	if !ok {
		return 0, 0, fmt.Errorf("it does not begin as a file of names does: %w", ErrDamaged)
	}
	if string(label) != instance {
		return 0, 0, fmt.Errorf("it is of instance %q, this source is %q: %w", label, instance, ErrForeign)
	}
	for end, next = int64(frameHead+len(label)), 1; ; next++ {
		var data []byte
		data, buf, ok, err = wholeFrame(f, end, size, next, false, buf)
		if err != nil {
			return 0, 0, err
		}
		if !ok {
			break
		}
		if err := eachEntry(data, entry); err != nil {
			return 0, 0, fmt.Errorf("frame %d at byte %d: %w: %w", next, end, err, ErrDamaged)
		}
		end += frameHead + int64(len(data))
	}
	if at, found, err := laterFrame(f, end, size, next); err != nil {
		return 0, 0, err
	} else if found {
		return 0, 0, fmt.Errorf("bytes %d to %d: %w", end, at-1, ErrDamaged)
	}
	return end, next, nil
}

// laterFrame looks for a whole frame after one that is not whole.
func laterFrame(f io.ReaderAt, from, size int64, number uint64) (at int64, found bool, err error) {
	const piece = 1 << 16
	var frame []byte
	buf := make([]byte, piece+len(magic)-1)
	for ; from < size; from += piece {
		b := buf[:min(int64(len(buf)), size-from)]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, false, err
		}
		for i := 0; ; i++ {
			skip := bytes.Index(b[i:], magic[:])
			if skip < 0 {
				break
			}
			i += skip
			_, frame, found, err = wholeFrame(f, from+int64(i), size, number, true, frame)
			if found || err != nil {
				return from + int64(i), found, err
			}
		}
	}
	return 0, false, nil
}
