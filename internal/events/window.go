package events

import (
	"context"
	"slices"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// tick is the resolution of creation dates: PostgreSQL's timestamptz.
const tick = time.Microsecond

// logBegins is before the first event of any ZITADEL (the first release was in 2020). The time
// before it is read as one window.
var logBegins = time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	firstWidth  = 24 * time.Hour
	oneDateWide = 2 * tick // a window that holds exactly one creation date
	// leastWidth is the narrowest that windows become by themselves. If it is still too
	// wide, the page is cut. From here, a few doublings lead back to a second.
	leastWidth = 10 * time.Millisecond
	// mostWidth only keeps doubling from overflowing.
	mostWidth = 20 * 365 * 24 * time.Hour
	// fill is how full a page is meant to be. A window that fits into a page needs no second
	// call, so some room saves calls. More room costs calls.
	fill = 0.98
)

// stretch is a part of the log that was read completely: every visible event that was created
// after the previous stretch and up to done, inclusive.
type stretch struct {
	events    []*eventpb.Event
	done      time.Time
	asked     time.Time // before the first call for it, on the monotonic clock
	onlyHoles bool      // the answer to a hole; other events in it are ignored
	group     *group    // if all events have one date, and were read as such
}

// windows walks through time in windows that hold about a page each: narrow
// where events are dense, doubling where there are none. It is used by one
// goroutine at a time.
type windows struct {
	r     *Reader
	width time.Duration
	limit int  // events asked for at once; shrinks while pages are too large
	again bool // these are those of the sweep

	// groups are the dates whose group had to be read in parts, with many calls. When the
	// overlap is read again, its ends are enough: the events of one transaction become visible
	// together, and those of another one are added at the end.
	groups map[time.Time]bool
}

// walk sends the stretches between since and until, both exclusive. It runs on a separate
// goroutine, and returns a panic as an error, because a panic would end the host (law 10).
func (w *windows) walk(ctx context.Context, since, until time.Time, out chan<- stretch) (err error) {
	defer fault.Catch(&err)
	for since.Add(tick).Before(until) {
		asked := time.Now()
		s, err := w.read(ctx, since, until)
		if err != nil {
			return err
		}
		s.asked = asked
		select {
		case out <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
		since = s.done
	}
	return nil
}

// read returns the next stretch after since, at most up to until (exclusive).
// A zero since is the beginning of time.
func (w *windows) read(ctx context.Context, since, until time.Time) (stretch, error) {
	u := logBegins
	if !since.IsZero() {
		u = since.Add(w.width)
	}
	if u.After(until) {
		u = until
	}
	othersDecode := false
	for {
		page, err := w.ask(ctx, since, u, w.limit, true)
		switch {
		case isClass(err, zitadel.TooLarge) && w.limit > 1:
			w.limit /= 2
			continue
		case unreadablePage(err) && !othersDecode:
			if err := w.r.awaitDecodable(ctx); err != nil {
				return stretch{}, err
			}
			othersDecode = true
			continue
		case unreadablePage(err):
			if oneDate(since, u) {
				return w.readGroup(ctx, effective(since).Add(tick))
			}
			u = middle(since, u)
			continue
		case err != nil:
			return stretch{}, err
		}
		if len(page) < w.limit {
			// The page has room left, so the window holds nothing else.
			w.adapt(len(page), u.Sub(since), since.IsZero(), u.Equal(until))
			w.restoreLimit(page)
			return stretch{events: page, done: u.Add(-tick)}, nil
		}
		if w.r.filter.tiedOrder && !oneDate(since, u) {
			u = middle(since, u)
			continue
		}
		s, again, err := w.cut(ctx, since, page)
		if err != nil {
			return stretch{}, err
		}
		if again.IsZero() {
			w.restoreLimit(page)
			return s, nil
		}
		u = again
	}
}

// cut makes a stretch of a full page. It consists of the events that were created before the date
// of the last one. The log is ordered by position, so if the last event of the window
// (since, that date) is on the page, the page has the complete window. Otherwise the window must be
// read separately, and again is its end.
func (w *windows) cut(ctx context.Context, since time.Time, page []*eventpb.Event) (s stretch, again time.Time, err error) {
	last := created(page[len(page)-1])
	kept := make([]*eventpb.Event, 0, len(page))
	oldest := last
	for _, e := range page {
		c := created(e)
		if c.Before(last) {
			kept = append(kept, e)
		}
		if c.Before(oldest) {
			oldest = c
		}
	}
	if len(kept) == 0 {
		return w.cutGroup(ctx, since, last)
	}
	probe, err := w.ask(ctx, since, last, 1, false)
	if unreadablePage(err) {
		return stretch{}, last, nil
	}
	if err != nil {
		return stretch{}, time.Time{}, err
	}
	if len(probe) == 1 && !contains(kept, probe[0]) {
		return stretch{}, last, nil // newer by position, older by date
	}
	w.adapt(len(kept), last.Sub(oldest), false, false)
	return stretch{events: kept, done: last.Add(-tick)}, time.Time{}, nil
}

// cutGroup handles a page on which no event is older than date. It reads the group of that date
// completely, unless there are older events behind the page.
func (w *windows) cutGroup(ctx context.Context, since, date time.Time) (s stretch, again time.Time, err error) {
	if !date.Add(-tick).After(since) {
		s, err = w.readGroup(ctx, date)
		return s, time.Time{}, err
	}
	older, err := w.ask(ctx, since, date, 1, true)
	if unreadablePage(err) || err == nil && len(older) > 0 {
		return stretch{}, date, nil
	}
	if err != nil {
		return stretch{}, time.Time{}, err
	}
	s, err = w.readGroup(ctx, date)
	return s, time.Time{}, err
}

// adapt sets the width of the next window from what this one held. atEnd says that the window was
// the last one of a pass, and may have been cut short by its end.
func (w *windows) adapt(n int, span time.Duration, openEnded, atEnd bool) {
	if openEnded {
		return
	}
	want := mostWidth
	if n > 0 {
		want = time.Duration(min(float64(mostWidth), float64(span)*fill*float64(w.limit)/float64(n)))
	}
	// Growth is limited, because the next events may be denser.
	most := 2 * max(span, leastWidth)
	if atEnd {
		// A short end is no reason for narrow windows: the next poll of a quiet log would need
		// several calls, and end in a short one again.
		most = max(most, w.width)
	}
	w.width = min(max(want, leastWidth), most, mostWidth)
}

// restoreLimit lets the limit grow back after a page that was well received.
func (w *windows) restoreLimit(page []*eventpb.Event) {
	if len(page) > 0 {
		w.limit = min(w.limit+w.limit/4+1, w.r.pageSize)
	}
}

func (w *windows) ask(ctx context.Context, since, until time.Time, limit int, asc bool) ([]*eventpb.Event, error) {
	req := w.r.filter.request()
	setRange(req, effective(since), until)
	req.Limit, req.Asc = uint32(limit), asc
	return w.r.askFor(ctx, req, w.again)
}

// readGroup returns all events of one creation date.
func (w *windows) readGroup(ctx context.Context, date time.Time) (stretch, error) {
	g := group{r: w.r, date: date, endsOnly: w.groups[date], again: w.again}
	if err := g.read(ctx); err != nil {
		return stretch{}, err
	}
	g.report()
	// The sweep compares a read with another one, so it reads a group whole each time.
	if g.inParts && !w.again {
		if w.groups == nil || len(w.groups) >= 1000 { // an overlap holds few
			w.groups = make(map[time.Time]bool)
		}
		w.groups[date] = true
	}
	return stretch{events: g.events, done: date, group: &g}, nil
}

func created(e *eventpb.Event) time.Time {
	return e.GetCreationDate().AsTime().Truncate(tick)
}

// oneDate reports whether (since, until) holds a single creation date.
func oneDate(since, until time.Time) bool {
	return until.Sub(effective(since)) <= oneDateWide
}

// middle halves a window; an open one is first given an end.
func middle(since, until time.Time) time.Time {
	since = effective(since)
	half := (until.Sub(since) / 2).Truncate(tick)
	return since.Add(max(half, oneDateWide))
}

// effective returns the begin of an open window. ZITADEL treats 1970 itself as no date, and a
// window without a begin costs as much as the whole log.
func effective(since time.Time) time.Time {
	if since.IsZero() {
		return time.Unix(1, 0).UTC()
	}
	return since
}

// contains searches from the end, where the answer to a probe is expected.
func contains(events []*eventpb.Event, e *eventpb.Event) bool {
	key := keyOf(e)
	for _, other := range slices.Backward(events) {
		if keyOf(other) == key {
			return true
		}
	}
	return false
}
