package sidecar

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/version"
)

// Shown is what the status page shows beside the sources.
type Shown struct {
	Messages *page.Journal // nil: none
	Alerts   *page.Alerts  // nil: no rules are evaluated
}

// histories of one source. They read counters from time to time, so that the way of the
// records knows nothing of them.
type histories struct{ taken, refused page.History }

func (h *histories) add(f *Feed, now time.Time) {
	h.taken.Add(now, f.Pipe.Stats.Taken.Load())
	if f.Listener != nil {
		h.refused.Add(now, f.Listener.Refused())
	}
}

// remember fills the histories until ctx ends.
func (m *Metrics) remember(ctx context.Context) {
	tick := time.NewTicker(page.Interval)
	defer tick.Stop()
	for {
		now := time.Now()
		for _, v := range m.set.views() {
			if v.feed != nil {
				v.histories.add(v.feed, now)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// status is what the page shows.
func (m *Metrics) status() page.State {
	now := time.Now()
	s := page.State{Now: now, Began: m.began, Version: version.Version}
	s.Problems = append(m.set.Reloads.problem(), m.set.shared()...)
	views := m.set.views()
	for _, v := range views {
		problems := v.problems(now)
		s.Problems = append(s.Problems, problems...)
		s.Sources = append(s.Sources, v.shown(now, problems))
	}
	if m.shown.Messages != nil {
		s.Messages = m.shown.Messages.Last()
		if len(views) == 1 { // then the log does not name it
			for i := range s.Messages {
				s.Messages[i].Instance = cmp.Or(s.Messages[i].Instance, views[0].settings.Instance)
			}
		}
	}
	if m.shown.Alerts != nil {
		s.Detects, s.Alerts = true, m.shown.Alerts.Last()
	}
	return s
}

// notHeld is what a source does that another process may hold.
const notHeld = "not held here"

// shown is the row of a source.
func (f *Feed) shown(now time.Time, h *histories, problems []page.Problem) page.Source {
	r, stats := &f.Reader, &f.Pipe.Stats
	lag, caughtUp := f.lag(now)
	s := page.Source{
		Instance: f.Settings.Instance,
		From:     f.Settings.URL.Scheme + "://" + f.Settings.URL.Host,
		To:       cmp.Or(f.to, "standard output"),
		Lag:      lag,
		History:  &h.taken,
		Records:  stats.Taken.Load(),
		Buffered: int64(f.Pipe.UnderWay()),
		Gaps:     page.Gaps{Open: uint64(max(0, r.HolesOpen.Load())), Filled: r.HolesFilled.Load(), GivenUp: r.HolesGivenUp.Load()},
		Swept:    r.Swept(),
		Late:     r.SweepFound.Load(),
		Calls:    r.Calls.Load(),
		Answered: r.LastSuccess(),
	}
	for _, n := range r.Errors() {
		s.Failed += n
	}
	if f.Listener != nil {
		usage := f.Listener.Usage()
		s.Webhooks = &page.Webhooks{
			Address: f.Listener.Addr(), Accepted: f.Listener.Accepted(), Refused: f.Listener.Refused(), Repeated: f.Listener.Repeated(),
			Unknown: f.Listener.Unknown(), Reasons: f.Listener.RefusedBy(), Waiting: usage.Entries, SpoolBytes: usage.Bytes, SpoolLimit: usage.MaxBytes,
		}
	}
	for _, p := range problems {
		s.Level = max(s.Level, p.Level)
	}
	switch {
	case s.Level == page.Failing:
		s.Doing = "failing"
	case s.Level == page.Warning:
		s.Doing = "attention"
	case f.Relays():
		s.Doing = notHeld
	case s.Answered.IsZero():
		s.Doing = "starting"
	case !caughtUp || lag > f.behindAfter():
		s.Doing = "catching up"
	default:
		s.Doing = "reading"
	}
	return s
}

// lag is how far the receiver is behind now, negative before that is known.
func (f *Feed) lag(now time.Time) (lag time.Duration, caughtUp bool) {
	lag, caughtUp = f.ReadLag(now)
	if waits := f.Pipe.WaitingSince(); lag >= 0 && !waits.IsZero() {
		lag = max(lag, now.Sub(waits))
	}
	return lag, caughtUp
}

// ReadLag is how far the reader is behind now, negative before that is known. Until it has
// caught up for the first time, it is the age of the newest event that was read. Afterwards
// it does not grow while ZITADEL writes nothing.
func (f *Feed) ReadLag(now time.Time) (lag time.Duration, caughtUp bool) {
	if upTo := f.Reader.ReadUpTo(); !upTo.IsZero() {
		return max(0, now.Sub(upTo)), true
	}
	if newest := f.Reader.Newest(); !newest.IsZero() {
		return max(0, now.Sub(newest)), false
	}
	return -1, false
}

// behindAfter is the lag that is not normal: three polls, and a minute at least.
func (f *Feed) behindAfter() time.Duration {
	return max(time.Minute, 3*(f.Settings.Settle+f.Settings.PollInterval))
}

// mostOften is the most frequent reason of refusals; empty: none.
func mostOften(by map[string]uint64) (most string) {
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		if by[reason] > by[most] {
			most = reason
		}
	}
	return most
}
