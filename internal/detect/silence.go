package detect

import "time"

// heard notes that the event that a silence waits for has come.
func (e *Engine) heard(g *group, o occurrence) {
	if g.firedBy != "" && (g.firedBy == o.id || o.at < g.last) {
		return // read again, or held up on its way
	}
	o.own()
	g.heard, g.reported, g.firedBy, g.last = e.now.UnixNano(), false, o.id, o.at
	e.noteHeard(g)
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

// Renew makes rules that watch what is never read again, such as heartbeats, alert anew
// after a start: nobody knows whether the sink got what they gave last. again reports
// whether the event with an id is read again.
func (e *Engine) Renew(again func(id string) bool) {
	for _, g := range e.groups {
		if g.firedBy == "" || again(g.firedBy) {
			continue
		}
		if g.rule.Correlation.Silence {
			g.reported = false
		} else {
			g.muted, g.quiet, g.firing, g.owed = 0, 0, firing{}, nil
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
		if c := g.rule.Correlation; c.Silence && !g.reported && now.UnixNano()-g.heard > int64(c.Timespan) {
			silent = append(silent, g)
		}
	}
	for _, g := range silent {
		e.f.reset(len(e.set.slots.names)) // an alert about nothing has no record
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
