package events

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Stats counts what a reader did since it was made. All fields are safe for
// concurrent use.
type Stats struct {
	Events     atomic.Uint64 // emitted
	Filtered   atomic.Uint64 // read, and not wanted by the settings
	Own        atomic.Uint64 // dropped by exclude_own
	Duplicates atomic.Uint64 // read again in the overlap and dropped
	Late       atomic.Uint64 // became visible after newer ones were emitted

	Pushed      atomic.Uint64 // of Events: came by push first
	PushedKnown atomic.Uint64 // came by push when the reader had them

	HolesFound   atomic.Uint64 // jumps in an aggregate's sequence
	HolesFilled  atomic.Uint64 // missing events that came
	HolesGivenUp atomic.Uint64 // gaps that were given up after one hour
	HolesOpen    atomic.Int64
	Hidden       atomic.Uint64 // sequences before the first one that is shown
	Unreadable   atomic.Uint64 // events that ZITADEL cannot give
	Unproved     atomic.Uint64 // groups of one date that may be incomplete

	SweepFound    atomic.Uint64 // late events that the sweep found
	SweepRepeated atomic.Uint64 // came out again, because they could not be told from late ones
	SweepMissing  atomic.Uint64 // were read, and are not shown any more

	Calls   atomic.Uint64
	Retries atomic.Uint64

	mu          sync.Mutex
	errors      map[string]uint64
	trouble     error     // of the last call; nil if it succeeded
	troubled    time.Time // when the first call of the outage failed
	lastSuccess time.Time
	newest      time.Time
	watermark   time.Time
	readUpTo    time.Time
	swept       time.Time
}

func (s *Stats) countError(err error, at time.Time) {
	s.countCode(err)
	s.setTrouble(err, at)
}

func (s *Stats) countCode(err error) {
	kind := "other"
	if e, ok := errors.AsType[*zitadel.Error](err); ok {
		kind = e.Code.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = make(map[string]uint64)
	}
	s.errors[kind]++
}

func (s *Stats) setTrouble(err error, at time.Time) {
	if unreadablePage(err) {
		return // the reader asks for less; no person has to do anything
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil {
		s.troubled = at
	}
	s.trouble = err
}

// Trouble returns the error of the last call, nil if it succeeded, and when the first call
// of the outage failed.
func (s *Stats) Trouble() (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubled, s.trouble
}

// Errors returns the failed calls by gRPC code.
func (s *Stats) Errors() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.errors)
}

func (s *Stats) setLastSuccess(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastSuccess, s.trouble = t, nil
}

// LastSuccess is when ZITADEL last gave a page.
func (s *Stats) LastSuccess() time.Time { return s.date(&s.lastSuccess) }

func (s *Stats) setProgress(newest, watermark time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest, s.watermark = newest, watermark
}

// Newest is the creation date of the newest event emitted.
func (s *Stats) Newest() time.Time { return s.date(&s.newest) }

// Watermark is the date up to which nothing is read again.
func (s *Stats) Watermark() time.Time { return s.date(&s.watermark) }

func (s *Stats) setReadUpTo(t time.Time) { s.setDate(&s.readUpTo, t) }

// ReadUpTo is the date up to which the log was read when the reader last had
// caught up, by ZITADEL's clock; zero before the first time.
func (s *Stats) ReadUpTo() time.Time { return s.date(&s.readUpTo) }

func (s *Stats) setSwept(t time.Time) { s.setDate(&s.swept, t) }

// Swept is the date up to which nothing has to be read a second time; zero if the sweep is
// off, and before the first stretch.
func (s *Stats) Swept() time.Time { return s.date(&s.swept) }

func (s *Stats) date(of *time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *of
}

func (s *Stats) setDate(of *time.Time, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*of = t
}
