package detect

import (
	"slices"
	"time"
)

// heard notes that the event that a silence waits for has come.
func (e *Engine) heard(g *group, o occurrence) {
	// An older one is read again, or was held up on its way. If the last one is dated in the
	// future, a clock was set back, and dates say nothing.
	if g.firedBy != "" && (g.firedBy == o.id || o.at < g.last && g.last <= e.now.UnixNano()) {
		return
	}
	o.own()
	g.heard, g.reported, g.firedBy, g.last = e.now.UnixNano(), false, o.id, o.at
	e.noteHeard(g)
	e.measure(g)
	e.shrink(g)
}

func (e *Engine) noteHeard(g *group) {
	if e.note != nil {
		e.note(&entry{Rule: g.ref(), Group: g.values, ID: g.firedBy, At: g.last, Heard: g.heard, Reported: g.reported})
	}
}

// Start begins the wait of silences. What was expected while the program did not run is
// not silence: each group has a whole timespan from now. A silence without group-by waits
// from now on; the others wait for groups that were heard at least once.
func (e *Engine) Start(now time.Time) {
	e.now = now
	for _, r := range e.set.Rules {
		if c := r.Correlation; c != nil && c.Silence && len(c.GroupBy) == 0 {
			e.group(r, nil)
		}
	}
	for _, g := range e.groups {
		if g.rule.Correlation.Silence && !g.reported {
			g.heard = now.UnixNano()
		}
	}
}

// Newest is the time of the newest event.
func (e *Engine) Newest() time.Time { return time.Unix(0, e.high) }

// Tick gives the alerts of silences. now is this machine's time. Call it only while all
// that has come was given to [Engine.Record]: a sink that holds the program up is no silence.
func (e *Engine) Tick(now time.Time) {
	e.now = now
	var silent []*group
	for g := e.lru.prev; g != &e.lru; g = g.prev { // a fixed order
		c := g.rule.Correlation
		if !c.Silence || g.reported {
			continue
		}
		g.heard = min(g.heard, now.UnixNano()) // the clock may have been set back
		if now.UnixNano()-g.heard > int64(c.Timespan) {
			silent = append(silent, g)
		}
	}
	for _, g := range silent {
		e.f.reset(len(e.set.slots.names)) // an alert about nothing has no record
		if i := slices.Index(g.rule.Correlation.GroupBy, ownFields[slotInstance]); i >= 0 {
			e.f.about(g.values[i])
		}
		var ids []string
		first := now
		if g.firedBy != "" {
			ids = []string{g.firedBy}
			first = time.Unix(0, g.last)
		}
		g.reported = true
		e.noteHeard(g)
		e.emit(g.rule, g.values, ids, len(ids), first, now)
	}
}
