package spool

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

var noContext = context.Background()

// Whatever is in a segment, it opens; what comes out was in it whole and in order, what was
// acknowledged and is missing is counted, and the spool goes on.
func FuzzRecovery(f *testing.F) {
	_, segment, _ := filled(f, example...)
	f.Add(segment, []byte{}, uint8(0))
	f.Add(segment, []byte{20, 0, 0xff, 90, 0, 1}, uint8(0))
	f.Add(appendFrame(slices.Clone(segment), 8, 8, nil), []byte{50, 0, 0}, uint8(9))
	f.Add([]byte("\xffZS\x01\xffZS\x01"), []byte{}, uint8(3))
	f.Fuzz(func(t *testing.T, segment, changes []byte, second uint8) {
		for ; len(changes) >= 3; changes = changes[3:] {
			if at := int(binary.LittleEndian.Uint16(changes)); at < len(segment) {
				segment[at] = changes[2]
			}
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, segmentName(1)), segment)
		if second > 1 {
			write(t, filepath.Join(dir, segmentName(uint64(second))), appendFrame(nil, uint64(second), uint64(second), []byte("second")))
		}
		s, err := Open(dir, Options{MaxBytes: MinBytes})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		lost := s.Stats.Lost.Load()
		if err := s.Append(noContext, []byte("later")); err != nil {
			t.Fatal(err)
		}
		before, n := uint64(0), uint64(0)
		for {
			e, ok, err := s.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				t.Fatal("the last entry does not come")
			}
			if e.Number <= before {
				t.Fatalf("entry %d after %d", e.Number, before)
			}
			before = e.Number
			n++
			if string(e.Data) == "later" && e.Number == s.next-1 {
				break
			}
		}
		if n+lost != s.next-1 {
			t.Fatalf("%d came and %d are lost, of %d", n, lost, s.next-1)
		}
		if s.Stats.Lost.Load() != lost {
			t.Fatal("found while reading what was not found at the beginning")
		}
		if err := s.Done(before); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	entry := make([]byte, 400) // an event of a metadata key
	for _, c := range []struct {
		name           string
		callers, group int
	}{{"alone", 1, 0}, {"64 callers", 64, 0}, {"64 callers, an fsync each", 64, 1}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, b.TempDir(), Options{MaxBytes: 4 << 30, Group: c.group})
			b.SetBytes(int64(len(entry)))
			b.ReportAllocs()
			b.SetParallelism(c.callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.Append(noContext, entry); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(s.Stats.Appended.Load())/float64(s.Stats.Groups.Load()), "entries/fsync")
		})
	}
}

// Reading one entry, and noting that it is done.
func BenchmarkNext(b *testing.B) {
	entry := make([]byte, 400)
	for _, done := range []int{1, 100} {
		b.Run("done every "+strconv.Itoa(done), func(b *testing.B) {
			s := open(b, b.TempDir(), Options{MaxBytes: 4 << 30})
			batch := make([][]byte, 1000)
			for i := range batch {
				batch[i] = entry
			}
			for range b.N/1000 + 1 {
				if err := s.Append(noContext, batch...); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(entry)))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				e, err := s.Next(noContext)
				if err != nil {
					b.Fatal(err)
				}
				if i%done == 0 {
					if err := s.Done(e.Number); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// The same without a disk: of any bytes, scan gives runs that are there, in order, without
// overlaps, and what is missing of the acknowledged is lost.
func FuzzScan(f *testing.F) {
	_, segment, _ := filled(f, example...)
	f.Add(segment, uint64(1), uint64(0), uint64(0))
	f.Add(segment[30:], uint64(1), uint64(9), uint64(0))
	f.Add(slices.Concat(segment[:50], segment), uint64(1), uint64(0), uint64(5))
	f.Fuzz(func(t *testing.T, b []byte, first, limit, acked uint64) {
		first = max(first%maxNumber, 1)
		if limit %= maxNumber; limit > 0 {
			limit, acked = max(limit, first), 0
		}
		acked %= maxNumber
		l := scan(b, first, limit, acked)
		number, at := first, int64(0)
		lost := l.lost
		for _, r := range l.runs {
			if r.first > number {
				if len(lost) == 0 || lost[0] != (span{number, r.first}) {
					t.Fatalf("%d to %d is not told: %+v", number, r.first, l)
				}
				lost = lost[1:]
			}
			if r.first < number || r.at < at {
				t.Fatalf("out of order: %+v", l)
			}
			for number, at = r.first, r.at; number < r.next; number++ {
				h, ok := parseHead(b[at:])
				if !ok || h.number != number || !h.holds(b[at:at+h.size]) {
					t.Fatalf("entry %d is not there: %+v", number, l)
				}
				at += h.size
			}
		}
		if number < l.next && (len(lost) != 1 || lost[0] != (span{number, l.next})) || number > l.next {
			t.Fatalf("the end: %+v", l)
		}
		if l.next < max(acked, limit) || limit > 0 && l.next != limit {
			t.Fatalf("acknowledged up to %d: %+v", max(acked, limit), l)
		}
	})
}
