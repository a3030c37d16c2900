package cursor

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sums is the number of sums in a [Span].
const Sums = 8

// Sweep is what the sweep needs to know of the events that were read and have to be read a
// second time.
type Sweep struct {
	// Asked is the part of the filter that ZITADEL applies. Sums of events that were asked for
	// in another way cannot be compared.
	Asked string `json:"asked,omitempty"`
	// Next: no event after it is in a span.
	Next time.Time `json:"next"`
	// Spans are in the order of time, and do not overlap.
	Spans []Span `json:"spans,omitempty"`
}

// Span is a part of the log: after Since and up to UpTo, inclusive.
type Span struct {
	Since, UpTo time.Time
	Events      uint64       // that were read
	Sums        [Sums]uint64 // of powers of the hashes of their dates
}

// MarshalText writes "SINCE UPTO", and behind it "EVENTS SUMS" if there are events. The sums
// are base64 of little-endian numbers.
func (s Span) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 192)
	b = s.Since.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, ' ')
	b = s.UpTo.UTC().AppendFormat(b, time.RFC3339Nano)
	if s.Events == 0 {
		return b, nil
	}
	b = append(b, ' ')
	b = strconv.AppendUint(b, s.Events, 10)
	b = append(b, ' ')
	sums := make([]byte, 0, 8*Sums)
	for _, n := range s.Sums {
		sums = binary.LittleEndian.AppendUint64(sums, n)
	}
	return base64.RawStdEncoding.AppendEncode(b, sums), nil
}

// sweepFix is a part of each error about the sweep: the rest of the state is good without it.
const sweepFix = `to go on without it, remove "sweep" and set "checksum" to ""`

// UnmarshalText is the inverse of MarshalText.
func (s *Span) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), " ")
	if len(fields) != 2 && len(fields) != 4 {
		return fmt.Errorf("%q is not a span of the sweep; %s", text, sweepFix)
	}
	var read Span
	var errs [4]error
	read.Since, errs[0] = time.Parse(time.RFC3339Nano, fields[0])
	read.UpTo, errs[1] = time.Parse(time.RFC3339Nano, fields[1])
	if len(fields) == 4 {
		var sums []byte
		read.Events, errs[2] = strconv.ParseUint(fields[2], 10, 64)
		sums, errs[3] = base64.RawStdEncoding.Strict().DecodeString(fields[3])
		if len(sums) != 8*Sums || read.Events == 0 {
			return fmt.Errorf("%q is not a span of the sweep; %s", text, sweepFix)
		}
		for i := range read.Sums {
			read.Sums[i] = binary.LittleEndian.Uint64(sums[8*i:])
		}
	}
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("%q is not a span of the sweep: %w; %s", text, err, sweepFix)
	}
	if read.Since, read.UpTo = read.Since.UTC(), read.UpTo.UTC(); read.UpTo.Year() > 9999 || read.Since.Year() > 9999 || read.Since.Year() < 0 {
		return fmt.Errorf("%q is not a span of the sweep: the year cannot be written; %s", text, sweepFix)
	}
	*s = read
	return nil
}

func (s *Sweep) validate() error {
	var end time.Time
	for _, span := range s.Spans {
		if span.Since.Before(end) || !span.Since.Before(span.UpTo) || s.Next.Before(span.UpTo) {
			return fmt.Errorf("sweep: the span of %s is not in the order of time; %s", span.Since.Format(time.RFC3339Nano), sweepFix)
		}
		end = span.UpTo
	}
	return nil
}
