package detect

import (
	"slices"
	"strings"
	"time"
)

// maxUnsent bounds the alerts that wait for [Engine.Sent]. The pipe queues as many.
const maxUnsent = 256

// unsent is an alert that the sink may not have, and that no event leads to again: events
// are read again after a crash, heartbeats and silences are not.
type unsent struct {
	rule        *Rule
	id          string
	instance    string
	group       []string
	events      []string
	count       int
	first, last int64 // Unix ns
}

// Beside calls f. Alerts that are emitted meanwhile are remembered, also over a restart,
// until [Engine.Sent] says that the sink has them. It is for what is never read again:
// heartbeats and silences.
func (e *Engine) Beside(f func()) {
	e.beside = true
	defer func() { e.beside = false }()
	f()
}

// owe remembers an alert until it is sent. If there are too many, the oldest is forgotten.
func (e *Engine) owe(a *Alert) {
	u := &unsent{
		rule: a.Rule, id: a.id, instance: strings.Clone(a.f.text(slotInstance)), group: slices.Clone(a.values), events: cloned(a.Events),
		count: a.Count, first: a.First.UnixNano(), last: a.Last.UnixNano(),
	}
	e.remember(u)
	if e.note != nil {
		n := u.entry()
		e.note(&n)
	}
}

func (e *Engine) remember(u *unsent) {
	e.forgetUnsent(u.id)
	if e.unsent = append(e.unsent, u); len(e.unsent) > maxUnsent {
		e.unsent = slices.Delete(e.unsent, 0, 1)
	}
}

func (e *Engine) forgetUnsent(id string) (found bool) {
	before := len(e.unsent)
	e.unsent = slices.DeleteFunc(e.unsent, func(u *unsent) bool { return u.id == id })
	return len(e.unsent) < before
}

// Sent says that the sink has the alert with this id.
func (e *Engine) Sent(id string) {
	if e.forgetUnsent(id) && e.note != nil {
		e.note(&entry{ID: id, Sent: true})
	}
}

// Resend emits the alerts that an earlier process gave and that the sink may not have, with
// the ids that they had. Of the events that led to them, only the ids are known by now.
func (e *Engine) Resend(now time.Time) {
	e.now = now
	for _, u := range slices.Clone(e.unsent) {
		e.f.reset(len(e.set.slots.names))
		e.f.about(u.instance)
		e.emit(u.rule, u.group, u.events, u.count, time.Unix(0, u.first), time.Unix(0, u.last))
	}
}

// entry is u in a state file.
func (u *unsent) entry() entry {
	return entry{Rule: u.rule.ID, Group: u.group, Value: u.instance, Fired: u.events, Count: u.count, First: u.first, At: u.last, Unsent: true}
}

// restoreUnsent applies an entry about an unsent alert. It is left out if its rule is gone.
func (e *Engine) restoreUnsent(n *entry) {
	if n.Sent {
		e.forgetUnsent(n.ID)
		return
	}
	i := slices.IndexFunc(e.set.Rules, func(r *Rule) bool { return r.ID == n.Rule })
	if i < 0 {
		return
	}
	r, groupBy := e.set.Rules[i], 0
	if r.Correlation != nil {
		groupBy = len(r.Correlation.GroupBy)
	}
	if len(n.Group) == groupBy {
		e.remember(&unsent{r, alertID(r, n.Fired), n.Value, n.Group, n.Fired, n.Count, n.First, n.At})
	}
}
