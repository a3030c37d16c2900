package input

import (
	"math"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
)

// Figures are what one input counts, as of a moment.
type Figures struct {
	At       time.Time
	Instance string
	List     []Figure
	Errors   map[string]uint64 // by kind: a gRPC code of ZITADEL's, or [KindRefused]
}

// Figure is one of them. A counter only grows while the process runs.
type Figure struct {
	Name    string // in snake case, seconds where it ends in _seconds
	Help    string
	Counter bool
	Value   float64 // to the thousandth
}

// KindRefused is the kind of an error of the side that takes the records.
const KindRefused = "refused"

// unknown is the value of a figure that nothing is known of yet.
var unknown = math.NaN()

// figures are all there are, in the order in which they are shown.
var figures = []struct {
	Figure
	value func(p *Pipe, r *events.Stats, now time.Time) float64
}{
	{counter("events", "events handed over"), ours(func(p *Pipe) uint64 { return p.Stats.Taken.Load() })},
	{gauge("lag_seconds", "now minus the creation of the newest event handed over; grows while nothing happens"), age(func(p *Pipe, _ *events.Stats) time.Time { return p.Stats.Newest() })},
	{gauge("watermark_age_seconds", "now minus the watermark, up to which everything is read"), age(func(_ *Pipe, r *events.Stats) time.Time { return r.Watermark() })},
	{gauge("last_success_age_seconds", "since ZITADEL last answered"), age(func(_ *Pipe, r *events.Stats) time.Time { return r.LastSuccess() })},
	{gauge("last_handover_age_seconds", "since records were last taken"), age(func(p *Pipe, _ *events.Stats) time.Time { return p.Stats.LastTaken() })},
	{gauge("buffered_bytes", "read and not handed over"), ours(func(p *Pipe) uint64 { return uint64(p.UnderWay()) })},
	{counter("holes_found", "jumps in the sequence of an aggregate"), theirs(func(r *events.Stats) uint64 { return r.HolesFound.Load() })},
	{counter("holes_filled", "missing events that came"), theirs(func(r *events.Stats) uint64 { return r.HolesFilled.Load() })},
	{counter("holes_given_up", "holes that never filled"), theirs(func(r *events.Stats) uint64 { return r.HolesGivenUp.Load() })},
	{gauge("holes_open", "holes that are being asked for"), theirs(func(r *events.Stats) uint64 { return uint64(max(0, r.HolesOpen.Load())) })},
	{counter("late_events", "events that became visible after younger ones"), theirs(func(r *events.Stats) uint64 { return r.Late.Load() })},
	{counter("duplicates_dropped", "events read again in the overlap, and dropped"), theirs(func(r *events.Stats) uint64 { return r.Duplicates.Load() })},
	{counter("pushed", "of events, those that came by webhook first"), theirs(func(r *events.Stats) uint64 { return r.Pushed.Load() })},
	{counter("pushed_known", "webhooks whose event the reader had"), theirs(func(r *events.Stats) uint64 { return r.PushedKnown.Load() })},
	{counter("webhooks_accepted", "requests that are in the spool; with listen only, as all of webhooks"), webhooks((*listen.Listener).Accepted)},
	{counter("webhooks_refused", "requests that were refused"), webhooks((*listen.Listener).Refused)},
	{counter("webhooks_repeated", "requests that were accepted before"), webhooks((*listen.Listener).Repeated)},
	{counter("webhooks_unknown", "accepted requests of no known form"), webhooks((*listen.Listener).Unknown)},
	{counter("webhooks_left_out", "entries of the spool that cannot be read"), webhooks((*listen.Listener).LeftOut)},
	{gauge("webhooks_spooled", "in the spool and not acknowledged"), webhooks((*listen.Listener).Spooled)},
	{counter("filtered", "events that the filters do not want"), theirs(func(r *events.Stats) uint64 { return r.Filtered.Load() + r.Own.Load() })},
	{counter("unreadable", "events that ZITADEL cannot give"), theirs(func(r *events.Stats) uint64 { return r.Unreadable.Load() })},
	{counter("unproved", "groups of one date that may be incomplete"), theirs(func(r *events.Stats) uint64 { return r.Unproved.Load() })},
	{counter("hidden", "sequences before the first one that ZITADEL shows"), theirs(func(r *events.Stats) uint64 { return r.Hidden.Load() })},
	{counter("damaged", "events that came out without their payload, or not at all"), ours(func(p *Pipe) uint64 { return p.Stats.Damaged.Load() })},
	{counter("calls", "questions to ZITADEL"), theirs(func(r *events.Stats) uint64 { return r.Calls.Load() })},
	{counter("retries", "questions that were asked again"), theirs(func(r *events.Stats) uint64 { return r.Retries.Load() })},
	{counter("restarts", "times that reading began again after an error"), ours(func(p *Pipe) uint64 { return p.Stats.Restarts.Load() })},
}

func counter(name, help string) Figure { return Figure{Name: name, Help: help, Counter: true} }
func gauge(name, help string) Figure   { return Figure{Name: name, Help: help} }

func ours(n func(*Pipe) uint64) func(*Pipe, *events.Stats, time.Time) float64 {
	return func(p *Pipe, _ *events.Stats, _ time.Time) float64 { return float64(n(p)) }
}

func theirs(n func(*events.Stats) uint64) func(*Pipe, *events.Stats, time.Time) float64 {
	return func(_ *Pipe, r *events.Stats, _ time.Time) float64 { return float64(n(r)) }
}

func webhooks(n func(*listen.Listener) uint64) func(*Pipe, *events.Stats, time.Time) float64 {
	return func(p *Pipe, _ *events.Stats, _ time.Time) float64 {
		if p.o.Webhooks == nil {
			return unknown
		}
		return float64(n(p.o.Webhooks))
	}
}

func age(since func(*Pipe, *events.Stats) time.Time) func(*Pipe, *events.Stats, time.Time) float64 {
	return func(p *Pipe, r *events.Stats, now time.Time) float64 {
		t := since(p, r)
		if t.IsZero() {
			return unknown
		}
		return math.Round(now.Sub(t).Seconds()*1e3) / 1e3
	}
}

// Legend returns every figure that there is, without values.
func Legend() []Figure {
	var list []Figure
	for _, f := range figures {
		list = append(list, f.Figure)
	}
	return list
}

// Figures returns them as of now. One that is not known yet, such as the lag
// before the first event, is not in the list.
func (p *Pipe) Figures(now time.Time) Figures {
	f := Figures{At: now, Instance: p.o.Instance, Errors: p.o.ReaderStats.Errors()}
	if n := p.Stats.Refused.Load(); n > 0 {
		f.Errors[KindRefused] = n
	}
	for _, each := range figures {
		if v := each.value(p, p.o.ReaderStats, now); !math.IsNaN(v) {
			each.Value = v
			f.List = append(f.List, each.Figure)
		}
	}
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
