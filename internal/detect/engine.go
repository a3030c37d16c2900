package detect

import (
	"encoding/binary"
	"log/slog"
	"math"
	"strings"
	"time"
	"unsafe"
)

// Lateness is how late an event may come: it may be older by this than the newest event of
// its group, and still counts. ZITADEL's events become visible seconds late. The rest is for
// lines and webhooks that were delayed on their way.
const Lateness = 5 * time.Minute

// Defaults of [Options]. A group of ten failed logins takes about 1.5 kB.
const (
	DefaultGroups = 100_000
	DefaultBytes  = 64 << 20
)

// maxActions bounds the index by event.action. ZITADEL has about 600 types; a file of
// records could have any number.
const maxActions = 4096

// Options of an [Engine].
type Options struct {
	MinLevel  Level // rules below it are evaluated, because others may need them, but give no alerts
	MaxGroups int   // of all correlations together; 0: DefaultGroups
	MaxBytes  int   // estimated, of all groups; 0: DefaultBytes
	// Emit takes an alert, which is valid until Emit returns.
	Emit func(*Alert)
	Log  *slog.Logger
}

// Stats counts since the engine was made.
type Stats struct {
	Records   uint64 // that were evaluated
	Malformed uint64 // lines that are no ECS record with event.action and event.id
	Alerts    uint64
	Evicted   uint64 // groups that were forgotten for lack of room, and could still have made an alert
	Dropped   uint64 // events that were forgotten because their group had too many
	Ahead     uint64 // records dated more than Lateness after they came
	Groups    int
	Bytes     int
}

// Engine evaluates the rules of a set. One goroutine at a time may use it.
type Engine struct {
	Stats  Stats
	set    *Set
	o      Options
	byType map[string][]*Rule // rules that can match a record of that event.action
	corrs  map[string]*Rule   // correlations by their name in a state file, see group.ref

	f    fields
	id   string    // of the record at hand
	at   time.Time // of the record
	when time.Time // at which correlations count it
	now  time.Time
	high int64 // the newest time of an event, Unix ns
	// settled is the time of events, Unix ns, up to which the sink has the alerts.
	settled int64

	groups map[string]*group
	lru    group // sentinel of a list of all groups; the group used last is the first
	key    []byte
	alert  Alert
	note   func(*entry) // takes what the state has to remember; nil: nothing

	recounting bool // within Recount

	beside bool      // within Beside
	unsent []*unsent // alerts given within Beside, oldest first
}

// New returns an engine.
func New(set *Set, o Options) *Engine {
	if o.MaxGroups == 0 {
		o.MaxGroups = DefaultGroups
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{set: set, o: o, byType: map[string][]*Rule{}, corrs: map[string]*Rule{}, groups: map[string]*group{}, settled: math.MaxInt64}
	e.lru.prev, e.lru.next = &e.lru, &e.lru
	for _, r := range set.Rules {
		if r.Correlation != nil {
			e.corrs[r.ID+"/"+r.Correlation.def] = r
		}
	}
	return e
}

// Record evaluates one record, a JSON object in ECS form. now is this machine's time. The
// line is not kept. It reports whether it is such a record; alerts of ours are skipped.
func (e *Engine) Record(line []byte, now time.Time) bool {
	s := unsafe.String(unsafe.SliceData(line), len(line)) // all that outlives the call is cloned
	if e.f.read(e.set.slots, s) != nil {
		e.Stats.Malformed++
		return false
	}
	action := e.f.text(slotAction)
	e.id = e.f.text(slotID)
	if e.f.text(slotKind) == "alert" {
		return true
	}
	if action == "" || e.id == "" {
		e.Stats.Malformed++
		return false
	}
	e.Stats.Records++
	e.now = now
	var err error
	if e.at, err = time.Parse(time.RFC3339Nano, e.f.text(slotTime)); err != nil {
		e.at = now
	}
	e.when = e.countedAt()
	if e.high > e.limit() {
		e.high = 0 // a clock was set back
	}
	e.high = max(e.high, e.when.UnixNano())
	for _, r := range e.candidates(action) {
		if r.search.match(&e.f) {
			e.matched(r)
		}
	}
	return true
}

// Recount evaluates a record whose alerts the sink has from an earlier process. It counts as with
// [Engine.Record], also as the end of an alert that mutes its group, and gives no alert.
func (e *Engine) Recount(line []byte, now time.Time) {
	e.recounting = true
	defer func() { e.recounting = false }()
	e.Record(line, now)
}

// countedAt is the time at which correlations count the record at hand.
func (e *Engine) countedAt() time.Time {
	switch {
	// A date in the future, of a clock that is wrong, would make all else in its group old,
	// and mute the group until then.
	case e.at.After(e.now.Add(Lateness)):
		e.Stats.Ahead++
		return e.now
	// The nanoseconds since 1970 of a date before 1678 are no int64, and 0 stands for none.
	case e.at.Before(oldest):
		return oldest
	}
	return e.at
}

// oldest is before all events of ZITADEL.
var oldest = time.Unix(1, 0)

// limit is the latest time that a group can know of, Unix ns, unless the clock of this
// machine was ahead before. It has room for small corrections of the clock.
func (e *Engine) limit() int64 { return e.now.Add(2 * Lateness).UnixNano() }

// candidates are the rules of single events that can match a record of that action.
func (e *Engine) candidates(action string) []*Rule {
	if list, ok := e.byType[action]; ok {
		return list
	}
	var list []*Rule
	for _, r := range e.set.Rules {
		if r.search != nil && r.search.possible(&e.f) >= 0 {
			list = append(list, r)
		}
	}
	if len(e.byType) < maxActions && len(e.f.values[slotAction]) == 1 {
		e.byType[strings.Clone(action)] = list
	}
	return list
}

// matched emits the alert of a rule that matches the record at hand, and gives the record to
// the correlations that refer to the rule.
func (e *Engine) matched(r *Rule) {
	if r.Alerts() {
		e.emit(r, nil, []string{e.id}, 1, e.at, e.at)
	}
	for _, feed := range r.feeds {
		e.feed(feed, e.when, nil)
	}
}

// feed gives the record at hand to a correlation. ids are the events behind it, if it
// completed another correlation.
func (e *Engine) feed(to feed, at time.Time, ids []string) {
	c := to.to.Correlation
	var room [4]string // not shared: completing a correlation calls feed again for another one
	values := room[:0]
	for _, slot := range c.paths[to.part] {
		v := e.f.text(e.instead(slot))
		if v == "" {
			return // records without the field belong to no group, and are not a group either
		}
		values = append(values, v)
	}
	if c.Field == "" {
		e.occur(to, values, occurrence{at: at.UnixNano(), id: e.id, part: to.part, ids: ids})
		return
	}
	for _, v := range e.f.values[e.instead(c.field[to.part])] {
		if text := v.text(); text != "" {
			e.occur(to, values, occurrence{at: at.UnixNano(), id: e.id, value: text, part: to.part, ids: ids})
		}
	}
}

// instead returns the slot to read for slot. With pseudonyms, source.ip is empty, because it
// takes only addresses; source.address then has the token of the address.
func (e *Engine) instead(slot int) int {
	if slot == slotIP && len(e.f.values[slotIP]) == 0 {
		return slotAddress
	}
	return slot
}

// occur adds an occurrence to its group, and handles what it completes.
func (e *Engine) occur(to feed, values []string, o occurrence) {
	g := e.group(to.to, values)
	if to.to.Correlation.Silence {
		e.heard(g, o)
		return
	}
	g.setBack(e.limit())
	switch verdict, owed := g.verdict(&o, e.Stats.Records); verdict {
	case known:
		return
	case again: // after a crash: the sink may not have the alert
		owed.in = e.Stats.Records
		e.fire(g, *owed)
		return
	}
	o.own()
	if e.note != nil {
		e.note(&entry{Rule: g.ref(), Group: g.values, Part: o.part, At: o.at, ID: o.id, Value: o.value, IDs: o.ids})
	}
	if e.add(g, o) {
		g.in = e.Stats.Records
		e.fire(g, g.firing)
	}
	e.shrink(g)
}

// add adds o to g, and reports whether the correlation is complete now.
func (e *Engine) add(g *group, o occurrence) (complete bool) {
	complete, dropped := g.add(o, e.settled)
	e.measure(g)
	e.Stats.Dropped += uint64(dropped)
	return complete
}

// measure counts the memory of g again, after a change.
func (e *Engine) measure(g *group) {
	e.Stats.Bytes -= g.bytes
	g.measure()
	e.Stats.Bytes += g.bytes
}

// fire emits the alert of a complete correlation, and gives it to the correlations that refer
// to it.
func (e *Engine) fire(g *group, f firing) {
	first, last := time.Unix(0, f.first), time.Unix(0, f.last)
	if g.rule.Alerts() && f.alerted {
		e.emit(g.rule, g.values, f.fired, f.count, first, last)
	}
	for _, feed := range g.rule.feeds {
		e.feed(feed, last, f.fired)
	}
}

// Settle says up to which time of events the sink has the records and their alerts. Alerts of
// later events are remembered, and are given again if their events are read again. Without a
// call, only the last alert of each group is remembered.
func (e *Engine) Settle(upTo time.Time) {
	if upTo.IsZero() {
		e.settled = 0 // its nanoseconds since 1970 have no int64
		return
	}
	e.settled = upTo.UnixNano()
}

// emit gives an alert to Options.Emit. The record at hand says who it was.
func (e *Engine) emit(r *Rule, group, ids []string, count int, first, last time.Time) {
	if r.Level < e.o.MinLevel || e.recounting {
		return
	}
	e.Stats.Alerts++
	a := &e.alert
	*a = Alert{Rule: r, Events: ids, Count: count, First: first.UTC(), Last: last.UTC(), Read: e.now.UTC(), values: group, f: &e.f}
	a.id = alertID(r, ids)
	if e.beside {
		e.owe(a)
	}
	if e.o.Emit != nil {
		e.o.Emit(a)
	}
}

// group returns the group of a correlation with these values, or makes it. It counts as used.
func (e *Engine) group(r *Rule, values []string) *group {
	e.key = binary.AppendUvarint(e.key[:0], uint64(r.index))
	for _, v := range values {
		e.key = append(binary.AppendUvarint(e.key, uint64(len(v))), v...)
	}
	g, ok := e.groups[string(e.key)]
	if ok {
		g.unlink()
	} else {
		g = &group{rule: r, key: string(e.key), values: cloned(values)}
		e.groups[g.key] = g
		e.measure(g)
	}
	g.prev, g.next = &e.lru, e.lru.next
	g.prev.next, g.next.prev = g, g
	e.Stats.Groups = len(e.groups)
	return g
}

// shrink forgets the groups that were not used for longest, until the rest fits. It spares
// keep, the group at hand.
func (e *Engine) shrink(keep *group) {
	for len(e.groups) > e.o.MaxGroups || e.Stats.Bytes > e.o.MaxBytes {
		g := e.lru.prev
		if g == keep || g == &e.lru {
			return
		}
		if !g.over(e.high, e.settled) {
			e.Stats.Evicted++
		}
		e.forget(g)
	}
}

func (e *Engine) forget(g *group) {
	g.unlink()
	delete(e.groups, g.key)
	e.Stats.Bytes -= g.bytes
	e.Stats.Groups = len(e.groups)
}

// Matching returns the rules of single events that match a record, and nothing more.
func (e *Engine) Matching(line []byte) (list []*Rule) {
	if e.f.read(e.set.slots, string(line)) != nil {
		return nil
	}
	for _, r := range e.candidates(e.f.text(slotAction)) {
		if r.search.match(&e.f) {
			list = append(list, r)
		}
	}
	return list
}
