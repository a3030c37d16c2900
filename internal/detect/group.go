package detect

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// maxKept is how many occurrences a group keeps at least. A correlation keeps four times
// as many as it needs, if that is more.
const maxKept = 64

// occurrence is one event that matched a part of a correlation.
type occurrence struct {
	at    int64  // time of the event, Unix ns
	id    string // of the event
	value string // of the field that a value_count counts
	part  int
	ids   []string // the events behind it, if it is a correlation itself
}

// own clones the texts: until then they are parts of a record, which does not last.
func (o *occurrence) own() {
	o.id, o.value = strings.Clone(o.id), strings.Clone(o.value)
	o.ids = cloned(o.ids)
}

// cloned copies a list and its texts.
func cloned(list []string) []string {
	list = slices.Clone(list)
	for i, s := range list {
		list[i] = strings.Clone(s)
	}
	return list
}

// group is what a correlation knows about one combination of values of group-by.
type group struct {
	rule   *Rule
	key    string
	values []string
	list   []occurrence // by time; not complete yet

	// These are about the last time that it was complete. Events up to muted do not count.
	muted int64
	quiet int64 // up to which no alert is given
	firing
	owed []firing // earlier firings whose alerts the sink may not have, oldest first

	// These are used only by a silence.
	heard    int64 // this machine's time, Unix ns
	reported bool

	bytes      int
	prev, next *group
}

// firing describes one completion of a correlation.
type firing struct {
	alerted     bool     // an alert was given
	in          uint64   // number of the record that completed it, counted by this process
	firedBy     string   // id of that event; empty: it was never complete
	fired       []string // event ids
	count       int
	first, last int64
}

// unsettled reports whether the sink may not have the alert. The margin is for events
// that came late.
func (f *firing) unsettled(settled int64) bool {
	return f.firedBy != "" && settled < math.MaxInt64 && f.last+int64(Lateness) >= settled
}

func (g *group) unlink() { g.prev.next, g.next.prev = g.next, g.prev }

// ref stands for the correlation in a state file.
func (g *group) ref() string { return g.rule.ID + "/" + g.rule.Correlation.def }

// setBack forgets what is after limit, Unix ns: the clock of this machine was ahead, and was
// set back. Otherwise the group would be muted until that time comes.
func (g *group) setBack(limit int64) {
	if g.muted > limit+int64(g.rule.Correlation.Timespan) {
		g.muted, g.quiet = 0, 0
	}
	for n := len(g.list); n > 0 && g.list[n-1].at > limit; n-- {
		g.list = g.list[:n-1]
	}
}

type verdict uint8

const (
	counts verdict = iota
	known          // it was counted before, or belongs to an alert that was given
	again          // it is the event that completed an alert which the sink may not have
)

// verdict says how an occurrence counts. With again, it also returns the firing to repeat.
func (g *group) verdict(o *occurrence, record uint64) (verdict, *firing) {
	if g.firedBy == o.id && g.in != record {
		return again, &g.firing
	}
	if o.at <= g.muted {
		for i := range g.owed {
			if f := &g.owed[i]; f.firedBy == o.id && f.in != record {
				return again, f
			}
		}
		return known, nil
	}
	for i := range g.list {
		if l := &g.list[i]; l.id == o.id && l.part == o.part && l.value == o.value {
			return known, nil
		}
	}
	return counts, nil
}

// add inserts o. If that completes the correlation, the occurrences move from the list to
// fired.
func (g *group) add(o occurrence, settled int64) (complete bool, dropped int) {
	c := g.rule.Correlation
	i, _ := slices.BinarySearchFunc(g.list, o, func(a, b occurrence) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.part, b.part), -1) // after equal ones
	})
	g.list = slices.Insert(g.list, i, o)
	if used := g.complete(i); used != nil {
		g.done(o.id, used, settled)
		return true, 0
	}
	oldest := g.list[len(g.list)-1].at - int64(c.Timespan+Lateness)
	n := 0
	for g.list[n].at < oldest {
		n++
	}
	g.list = slices.Delete(g.list, 0, n)
	for len(g.list) > max(maxKept, 4*c.Count) {
		g.drop()
		dropped++
	}
	return false, dropped
}

// done notes a completion, and removes its occurrences from the list. The correlation is then
// muted for a timespan, so that an attack that goes on gives one alert in each timespan. A
// correlation that is a part of another one is not muted.
func (g *group) done(by string, used []occurrence, settled int64) {
	c := g.rule.Correlation
	g.owed = slices.DeleteFunc(g.owed, func(f firing) bool { return !f.unsettled(settled) })
	if g.unsettled(settled) {
		g.owed = append(g.owed, g.firing)
	}
	g.firedBy, g.fired, g.count = by, g.fired[:0:0], len(used)
	g.first, g.last = used[0].at, used[len(used)-1].at
	for i := range used {
		o := &used[i]
		if o.ids == nil {
			g.addFired(o.id)
		}
		for _, id := range o.ids {
			g.addFired(id)
		}
	}
	g.muted = g.last
	if !c.chain {
		g.muted += int64(c.Timespan)
	}
	if g.alerted = g.last > g.quiet; g.alerted {
		g.quiet = g.last + int64(c.Timespan)
	}
	// A late event can complete older ones while the list has newer ones that are no part of
	// the alert. Those that are not muted stay.
	g.list = slices.DeleteFunc(g.list, func(o occurrence) bool { return o.at <= g.muted })
}

func (g *group) addFired(id string) {
	if len(g.fired) < maxCount && !slices.Contains(g.fired, id) {
		g.fired = append(g.fired, id)
	}
}

// drop forgets one occurrence: one that has a newer one with the same value or part, or else
// the oldest.
func (g *group) drop() {
	at := 0
	switch g.rule.Correlation.Type {
	case ValueCount, Temporal:
		for i := range g.list {
			if slices.ContainsFunc(g.list[i+1:], func(o occurrence) bool { return g.same(&o, &g.list[i]) }) {
				at = i
				break
			}
		}
	case TemporalOrdered:
		for i := range g.list[1:] {
			if g.list[i].part == g.list[i+1].part {
				at = i
				break
			}
		}
	}
	g.list = slices.Delete(g.list, at, at+1)
}

// same reports whether a and b count as one.
func (g *group) same(a, b *occurrence) bool {
	if g.rule.Correlation.Type == ValueCount {
		return a.value == b.value
	}
	return a.part == b.part
}

// complete looks for a window of one timespan that contains g.list[i] and completes the
// correlation. It returns the occurrences in it, or nil.
func (g *group) complete(i int) []occurrence {
	c := g.rule.Correlation
	switch c.Type {
	case EventCount:
		for from := max(0, i-c.Count+1); from <= i && from+c.Count <= len(g.list); from++ {
			if used := g.list[from : from+c.Count]; used[len(used)-1].at-used[0].at <= int64(c.Timespan) {
				return used
			}
		}
		return nil
	case TemporalOrdered:
		return g.ordered()
	}
	lo, hi := i, i+1
	for lo > 0 && g.list[i].at-g.list[lo-1].at <= int64(c.Timespan) {
		lo--
	}
	for hi < len(g.list) && g.list[hi].at-g.list[i].at <= int64(c.Timespan) {
		hi++
	}
	if g.different(g.list[lo:hi]) < c.Count {
		return nil // no window with i has more than all of them together
	}
	for from := lo; from <= i; from++ {
		to := i + 1
		for to < len(g.list) && g.list[to].at-g.list[from].at <= int64(c.Timespan) {
			to++
		}
		if used := g.list[from:to]; g.different(used) >= c.Count {
			return used
		}
	}
	return nil
}

// different counts different values or parts.
func (g *group) different(list []occurrence) (n int) {
	for i := range list {
		if !slices.ContainsFunc(list[:i], func(o occurrence) bool { return g.same(&o, &list[i]) }) {
			n++
		}
	}
	return n
}

// ordered returns one occurrence for each part, in the order of the parts, or nil. All are of
// different events. Events with the same date count in any order, because the events of one
// transaction share their date; the list sorts them by part.
func (g *group) ordered() []occurrence {
	c := g.rule.Correlation
	chains := make([][]int, len(c.Rules)) // for each part, the chain that begins last and ends with it
	for i := range g.list {
		o := &g.list[i]
		if o.part == 0 {
			chains[0] = []int{i}
		} else if before := chains[o.part-1]; before != nil && g.list[before[len(before)-1]].id != o.id {
			chains[o.part] = append(slices.Clip(before), i)
		}
		last := chains[len(chains)-1]
		if last != nil && last[len(last)-1] == i && o.at-g.list[last[0]].at <= int64(c.Timespan) {
			used := make([]occurrence, 0, len(last))
			for _, at := range last {
				used = append(used, g.list[at])
			}
			return used
		}
	}
	return nil
}

// over reports whether g can be forgotten: what it knows can neither complete an alert with
// events to come, nor is it needed for an alert that may come again.
func (g *group) over(high, settled int64) bool {
	c := g.rule.Correlation
	if c.Silence {
		return g.reported
	}
	newest := g.muted
	if len(g.list) > 0 {
		newest = max(newest, g.list[len(g.list)-1].at+int64(c.Timespan))
	}
	return newest+int64(Lateness) < min(high, settled)
}

// measure estimates the memory of g: the texts, and Go's overhead for the structures.
func (g *group) measure() {
	n := 320 + len(g.key) + len(g.firedBy)
	for _, v := range g.values {
		n += 16 + len(v)
	}
	for _, id := range g.fired {
		n += 16 + len(id)
	}
	for i := range g.owed {
		f := &g.owed[i]
		n += 96 + len(f.firedBy)
		for _, id := range f.fired {
			n += 16 + len(id)
		}
	}
	for i := range g.list {
		o := &g.list[i]
		n += 96 + len(o.id) + len(o.value)
		for _, id := range o.ids {
			n += 16 + len(id)
		}
	}
	g.bytes = n
}
