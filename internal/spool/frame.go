package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A segment is a sequence of frames:
//
//	bytes  what
//	4      magic, the last byte is the version
//	4      CRC-32C of all that follows
//	4      length of the data
//	8      number of the entry; entries count 1, 2, 3 over all segments
//	8      number of the first entry of the group
//	...    data
//
// A group is what one fsync made durable. Its frames were written after all entries
// before it were durable. Any intact frame therefore proves that everything before
// its group was acknowledged, which distinguishes a torn end from a damaged middle
// (see [scan]). A frame without data is a seal: it proves the same and holds no entry.
const (
	headSize = 28
	crcFrom  = 8 // of a frame
)

// magic begins with a byte that does not occur in UTF-8, so that no text of an
// entry looks like the beginning of a frame.
var magic = [4]byte{0xff, 'Z', 'S', 1}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameSize(data []byte) int64 { return headSize + int64(len(data)) }

func appendFrame(b []byte, number, group uint64, data []byte) []byte {
	from := len(b)
	b = append(b, magic[:]...)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, group)
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b[from+4:], crc32.Checksum(b[from+crcFrom:], castagnoli))
	return b
}

// maxNumber keeps additions from overflowing; it is 10 billion years of events.
const maxNumber = 1 << 62

// head is a frame's head.
type head struct {
	crc           uint32
	size          int64 // of head and data
	number, group uint64
}

// parseHead reads a head. Its content is not verified before [head.holds].
func parseHead(b []byte) (h head, ok bool) {
	if len(b) < headSize || [4]byte(b) != magic {
		return h, false
	}
	h = head{
		crc:    binary.LittleEndian.Uint32(b[4:]),
		size:   headSize + int64(binary.LittleEndian.Uint32(b[8:])),
		number: binary.LittleEndian.Uint64(b[12:]),
		group:  binary.LittleEndian.Uint64(b[20:]),
	}
	return h, h.group > 0 && h.group <= h.number && h.number < maxNumber
}

// holds reports whether frame, of h.size bytes, is intact.
func (h head) holds(frame []byte) bool {
	return crc32.Checksum(frame[crcFrom:], castagnoli) == h.crc
}

// run is a part of a segment without a gap.
type run struct {
	first, next uint64 // entries first to next-1
	at          int64  // where the first one begins
}

// span is entries from, from+1 ... next-1.
type span struct{ from, next uint64 }

// layout is what a segment holds.
type layout struct {
	runs []run
	next uint64 // the number after its last entry
	lost []span // acknowledged, and not there
	torn int64  // bytes at the end that were never acknowledged
}

// maxSearch limits the search for frames after damage, as a multiple of the
// segment's length: a segment full of false beginnings costs seconds, not days.
const maxSearch = 64

// scan reads a segment whose first entry is first. limit is the number of the next
// segment's first entry, 0 for none. Everything below acked is known to be acknowledged.
//
// Numbers prove what was acknowledged: everything before the group of an intact
// frame, and everything before the next segment. What is missing there is lost.
// Later frames were never acknowledged: they count up to the first gap, and a torn
// rest is dropped. Frames from limit on were withdrawn because their fsync failed.
func scan(b []byte, first, limit, acked uint64) layout {
	acked = max(acked, first, limit)
	walk(b, first, limit, func(_ int64, h head) { acked = max(acked, h.group) })

	l := layout{next: first}
	end := int64(0)
	walk(b, first, limit, func(at int64, h head) {
		if h.number > l.next && h.number > acked {
			return // its group was never acknowledged, and is incomplete
		}
		if h.size == headSize {
			end = at + h.size
			return // a seal
		}
		if h.number > l.next {
			l.lost = append(l.lost, span{l.next, h.number})
		}
		if n := len(l.runs); n > 0 && l.runs[n-1].next == h.number && end == at {
			l.runs[n-1].next++
		} else {
			l.runs = append(l.runs, run{h.number, h.number + 1, at})
		}
		l.next = h.number + 1
		end = at + h.size
	})
	if l.next < acked {
		l.lost = append(l.lost, span{l.next, acked})
		l.next = acked
	}
	l.torn = int64(len(b)) - end
	return l
}

// walk calls f for every intact frame with a number from first up to limit, in ascending order.
func walk(b []byte, first, limit uint64, f func(at int64, h head)) {
	next := first // the lowest number that may come
	budget := maxSearch * int64(len(b))
	lost := false // after damage: every number from next on may come
	for at := int64(0); at < int64(len(b)); {
		h, ok := parseHead(b[at:])
		ok = ok && h.size <= int64(len(b))-at
		if ok && lost {
			budget -= h.size
			if budget < 0 {
				return
			}
		}
		if ok = ok && h.holds(b[at:at+h.size]); ok {
			if limit > 0 && (h.number > limit || h.number == limit && h.size > headSize) {
				return
			}
			if h.number >= next {
				f(at, h)
				next = h.number
				if h.size > headSize {
					next++
				}
			}
			at += h.size
			lost = false
			continue
		}
		lost = true
		skip := bytes.Index(b[at+1:], magic[:])
		if skip < 0 {
			return
		}
		at += 1 + int64(skip)
	}
}
