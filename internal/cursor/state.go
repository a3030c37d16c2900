package cursor

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Version is the version of the layout of [State]. A newer program writes a higher one.
// Version 2 has the sweep. A state without a sweep is written as version 1, so that a
// program that knows no sweep can read it.
const Version = 2

// State is what the next start needs to continue where the last one stopped. Its JSON is
// the content of the state file; times are UTC.
type State struct {
	Version  int       `json:"version"`
	Instance string    `json:"instance"`
	Updated  time.Time `json:"updated"`
	// Filter describes the reader's filter, so that a change of it can be reported.
	Filter string `json:"filter,omitempty"`
	// Watermark: every event created up to it, inclusive, is acknowledged. The zero
	// time means that nothing is, and that the whole log has to be read.
	Watermark time.Time `json:"watermark"`
	// Seen holds the acknowledged keys around and after Watermark: for each
	// "aggregate type/aggregate id" the sequences, as "1-3,7".
	Seen map[string]string `json:"seen,omitempty"`
	// Holes are missing sequences (gaps) that are still being looked for.
	Holes []Hole `json:"holes,omitempty"`
	// Pushed are events that came by webhook, are acknowledged, and have not been
	// read from the log yet.
	Pushed []Pushed `json:"pushed,omitempty"`
	// Sweep is nil if the sweep is off, and in states of version 1.
	Sweep *Sweep `json:"sweep,omitempty"`
	// Events counts the acknowledged events since the first start.
	Events uint64 `json:"events"`
	// Checksum is the CRC-32C of this document with an empty checksum, eight
	// hex digits. Empty means "edited by hand, do not check".
	Checksum string `json:"checksum"`
}

// Hole is a run of missing sequences of one aggregate, both ends inclusive.
type Hole struct {
	AggregateType string    `json:"aggregate_type"`
	AggregateID   string    `json:"aggregate_id"`
	First         uint64    `json:"first"`
	Last          uint64    `json:"last"`
	Found         time.Time `json:"found"`
}

// Pushed is an event that came by webhook: its key, and what distinguishes it from a
// forged event with the same key.
type Pushed struct {
	AggregateType string    `json:"aggregate_type"`
	AggregateID   string    `json:"aggregate_id"`
	Sequence      uint64    `json:"sequence"`
	Created       time.Time `json:"created"`
	Type          string    `json:"type"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the file's content for s, with version and checksum set.
func Encode(s State) ([]byte, error) {
	s.Version = Version
	if s.Sweep == nil {
		s.Version = 1
	}
	s.Checksum = ""
	sum, err := checksum(s)
	if err != nil {
		return nil, err
	}
	s.Checksum = sum
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// checksum covers the values, not the bytes: white space may be changed.
func checksum(s State) (string, error) {
	s.Checksum = ""
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)), nil
}

// Decode reads a state file's content. Its errors describe the content; the caller adds
// the path and the fix.
func Decode(b []byte) (State, error) {
	if len(b) == 0 {
		return State{}, errors.New("it is empty")
	}
	// The version comes first: a newer file may have fields unknown here.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return State{}, fmt.Errorf("it is not a complete JSON document: %w", err)
	}
	if head.Version > Version {
		return State{}, fmt.Errorf("it has version %d, this program knows up to %d: use the newer program", head.Version, Version)
	}
	if head.Version < 1 {
		return State{}, fmt.Errorf("it has no known version (%d)", head.Version)
	}
	var s State
	if err := strictUnmarshal(b, &s); err != nil {
		return State{}, err
	}
	if s.Checksum != "" {
		sum, err := checksum(s)
		if err != nil {
			return State{}, err
		}
		if sum != s.Checksum {
			return State{}, errors.New(`its checksum does not match: it was damaged, or edited by hand (if you edited it on purpose, set "checksum" to "")`)
		}
	}
	return s, s.validate()
}

func (s *State) validate() error {
	if s.Instance == "" {
		return errors.New("it names no instance")
	}
	for name, runs := range s.Seen {
		if _, err := ParseRuns(runs); err != nil {
			return fmt.Errorf("seen of %q: %w", name, err)
		}
	}
	for _, h := range s.Holes {
		if h.First == 0 || h.Last < h.First {
			return fmt.Errorf("hole of %s/%s: %d-%d is not a run of sequences", h.AggregateType, h.AggregateID, h.First, h.Last)
		}
	}
	if s.Sweep != nil {
		if s.Version == 1 {
			return errors.New("it has version 1 and a sweep, which version 1 does not have")
		}
		return s.Sweep.validate()
	}
	return nil
}
