package input

import (
	"math"
	"time"
)

// Figures are what one input counts, as of a moment.
type Figures struct {
	At       time.Time
	Instance string
	List     []Figure
	Errors   map[string]uint64 // by kind: a gRPC code of ZITADEL's, "refused" for the far side
}

// Figure is one of them. A counter only grows while the process runs.
type Figure struct {
	Name    string // in snake case, seconds where it ends in _seconds
	Help    string
	Counter bool
	Value   float64
}

// kindRefused is the kind of an error of the side that takes the records.
const kindRefused = "refused"

// Figures returns them as of now. One that is unknown yet, such as the lag
// before the first event, is not in the list.
func (p *Pipe) Figures(now time.Time) Figures {
	r := p.o.ReaderStats
	f := Figures{At: now, Instance: p.o.Instance, Errors: r.Errors()}
	if n := p.Stats.Refused.Load(); n > 0 {
		f.Errors[kindRefused] = n
	}
	count := func(name, help string, n uint64) {
		f.List = append(f.List, Figure{name, help, true, float64(n)})
	}
	gauge := func(name, help string, v float64) {
		v = math.Round(v*1e3) / 1e3
		f.List = append(f.List, Figure{name, help, false, v})
	}
	age := func(name, help string, since time.Time) {
		if !since.IsZero() {
			gauge(name, help, now.Sub(since).Seconds())
		}
	}

	count("events", "events handed over", p.Stats.Taken.Load())
	age("lag_seconds", "now minus the creation of the newest event handed over; grows while nothing happens", p.Stats.Newest())
	age("watermark_age_seconds", "now minus the watermark, up to which everything is read", r.Watermark())
	age("last_success_age_seconds", "since ZITADEL last answered", r.LastSuccess())
	age("last_handover_age_seconds", "since records were last handed over", p.Stats.LastTaken())
	gauge("buffered_bytes", "read and not handed over", float64(p.UnderWay()))
	count("holes_found", "jumps in the sequence of an aggregate", r.HolesFound.Load())
	count("holes_filled", "missing events that came", r.HolesFilled.Load())
	count("holes_given_up", "holes that never filled", r.HolesGivenUp.Load())
	gauge("holes_open", "holes that are being asked for", float64(r.HolesOpen.Load()))
	count("late_events", "events that became visible after younger ones", r.Late.Load())
	count("duplicates_dropped", "events read again in the overlap", r.Duplicates.Load())
	count("filtered", "events that the filters do not want", r.Filtered.Load()+r.Own.Load())
	count("unreadable", "events that ZITADEL cannot give", r.Unreadable.Load())
	count("hidden", "sequences before the first one that ZITADEL shows", r.Hidden.Load())
	count("damaged", "events that came out without their payload, or not at all", p.Stats.Damaged.Load())
	count("calls", "questions to ZITADEL", r.Calls.Load())
	count("retries", "of them, repeated ones", r.Retries.Load())
	count("restarts", "times that reading began again after an error", p.Stats.Restarts.Load())
	return f
}

// took notes a chunk that the host has now.
func (s *Stats) took(newest time.Time) {
	s.lastTaken.Store(time.Now().UnixMicro())
	if at := newest.UnixMicro(); !newest.IsZero() && at > s.newest.Load() {
		s.newest.Store(at) // only the host's thread comes here
	}
}

// Newest is the creation date of the youngest event that the host took; zero
// before the first.
func (s *Stats) Newest() time.Time { return fromMicro(s.newest.Load()) }

// LastTaken is when the host last took records; zero before the first time.
func (s *Stats) LastTaken() time.Time { return fromMicro(s.lastTaken.Load()) }

func fromMicro(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}
