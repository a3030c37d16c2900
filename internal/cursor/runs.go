package cursor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxRun limits the sequences in one "a-b" of a state file, so that a damaged file
// cannot use all memory. A run holds the keys of one aggregate within the overlap,
// where none has anywhere near a million.
const maxRun = 1 << 20

// FormatRuns writes sequences as "1-3,7"; it sorts seqs in place.
func FormatRuns(seqs []uint64) string {
	slices.Sort(seqs)
	var b []byte
	for i := 0; i < len(seqs); {
		j := i
		for j+1 < len(seqs) && seqs[j+1] <= seqs[j]+1 {
			j++
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, seqs[i], 10)
		if seqs[j] != seqs[i] {
			b = append(b, '-')
			b = strconv.AppendUint(b, seqs[j], 10)
		}
		i = j + 1
	}
	return string(b)
}

// ParseRuns is the inverse of [FormatRuns].
func ParseRuns(s string) ([]uint64, error) {
	var out []uint64
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRun := strings.Cut(part, "-")
		first, err := strconv.ParseUint(lo, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a sequence", part)
		}
		last := first
		if isRun {
			if last, err = strconv.ParseUint(hi, 10, 64); err != nil || last < first {
				return nil, fmt.Errorf("%q is not a run of sequences", part)
			}
		}
		if last-first >= maxRun || len(out) >= maxRun {
			return nil, fmt.Errorf("%q is longer than %d sequences", part, maxRun)
		}
		for seq := first; ; seq++ {
			out = append(out, seq)
			if seq == last {
				break
			}
		}
	}
	return out, nil
}

func strictUnmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more text behind the document")
	}
	return nil
}
