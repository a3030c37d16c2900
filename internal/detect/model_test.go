package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oracle keeps every event for ever and looks at all windows anew for each.
type oracle struct {
	kind   string
	count  int
	span   time.Duration
	events map[string][]modelEvent // by group
	muted  map[string]time.Time
}

type modelEvent struct {
	at    time.Time
	id    string
	value string
	part  int
}

// add returns whether e completes an alert of its group.
func (o *oracle) add(group string, e modelEvent) bool {
	if end, ok := o.muted[group]; ok && !e.at.After(end) {
		return false
	}
	list := append(slices.Clone(o.events[group]), e)
	slices.SortStableFunc(list, func(a, b modelEvent) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.part - b.part
	})
	o.events[group] = list
	if last, ok := o.window(list, e); ok {
		o.muted[group] = last.Add(o.span)
		o.events[group] = slices.DeleteFunc(list, func(e modelEvent) bool { return !e.at.After(o.muted[group]) })
		return true
	}
	return false
}

// window looks for a span with enough in it that has e, and returns its end; where there is an
// order, the earliest end.
func (o *oracle) window(list []modelEvent, e modelEvent) (last time.Time, ok bool) {
	for _, first := range list {
		var in []modelEvent
		has := false
		for _, other := range list {
			if !other.at.Before(first.at) && other.at.Sub(first.at) <= o.span {
				in = append(in, other)
				has = has || other.id == e.id
			}
		}
		if !has || !o.enough(in) {
			continue
		}
		if o.kind != TemporalOrdered {
			return in[len(in)-1].at, true
		}
		if end, found := inOrder(in, 0, o.count, time.Time{}); found && (!ok || end.Before(last)) {
			last, ok = end, true
		}
	}
	return last, ok
}

func (o *oracle) enough(in []modelEvent) bool {
	seen := map[string]bool{}
	for _, e := range in {
		switch o.kind {
		case EventCount:
			seen[e.id] = true
		case ValueCount:
			seen[e.value] = true
		default:
			seen[strconv.Itoa(e.part)] = true
		}
	}
	return len(seen) >= o.count
}

// inOrder tries every way to find parts from..count in their order, and returns the earliest end.
func inOrder(in []modelEvent, from, count int, after time.Time) (end time.Time, ok bool) {
	if from == count {
		return after, true
	}
	for _, e := range in {
		if e.part != from || e.at.Before(after) {
			continue
		}
		if at, found := inOrder(in, from+1, count, e.at); found && (!ok || at.Before(end)) {
			end, ok = at, true
		}
	}
	return end, ok
}

func modelRules(tb testing.TB, kind string, count int, span time.Duration) *Set {
	tb.Helper()
	var b strings.Builder
	parts := []string{}
	for i := range 3 {
		name := fmt.Sprintf("part%d", i)
		parts = append(parts, name)
		fmt.Fprintf(&b, "title: T\nid: p%d\nname: %s\nlogsource: {product: zitadel, service: audit}\ndetection: {a: {event.action: %s}, condition: a}\n---\n", i, name, name)
	}
	condition := fmt.Sprintf("  condition: {gte: %d}\n", count)
	switch kind {
	case ValueCount:
		condition = fmt.Sprintf("  condition: {field: v, gte: %d}\n", count)
	case Temporal, TemporalOrdered:
		condition = ""
	}
	fmt.Fprintf(&b, "title: C\nid: c\ncorrelation:\n  type: %s\n  rules: [%s]\n  group-by: [g]\n  timespan: %ds\n%s", kind, strings.Join(parts, ", "), int(span.Seconds()), condition)
	set, err := load(tb, b.String())
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// TestCorrelationsAgreeWithANaiveOracle: events of several groups, late by up to the lateness
// that is promised, repeated, with equal dates.
func TestCorrelationsAgreeWithANaiveOracle(t *testing.T) {
	for _, kind := range []string{EventCount, ValueCount, Temporal, TemporalOrdered} {
		t.Run(kind, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				count := 3
				if kind == EventCount || kind == ValueCount {
					count = rapid.IntRange(1, 5).Draw(t, "count")
				}
				span := time.Duration(rapid.IntRange(1, 60).Draw(t, "span")) * time.Second
				o := &oracle{kind: kind, count: count, span: span, events: map[string][]modelEvent{}, muted: map[string]time.Time{}}
				var fired []string
				e := New(modelRules(&rapidTB{}, kind, count, span), Options{Emit: func(a *Alert) { fired = append(fired, a.values[0]) }})
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				var seen []string
				for i := range rapid.IntRange(1, 40).Draw(t, "events") {
					now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "pause")) * time.Second)
					late := time.Duration(rapid.IntRange(0, 30).Draw(t, "late")) * time.Second * time.Duration(rapid.IntRange(0, 1).Draw(t, "is late"))
					m := modelEvent{at: now.Add(-late), id: strconv.Itoa(i), value: strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "value")), part: rapid.IntRange(0, 2).Draw(t, "part")}
					group := strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "group"))
					line := fmt.Sprintf(`{"@timestamp":%q,"event":{"id":%q,"action":"part%d"},"g":%q,"v":%q}`, m.at.Format(time.RFC3339Nano), m.id, m.part, group, m.value)
					fired = fired[:0]
					if !e.Record([]byte(line), now) {
						t.Fatal(line)
					}
					var want []string
					if o.add(group, m) {
						want = []string{group}
					}
					if !slices.Equal(fired, want) {
						t.Fatalf("event %d: alerts of groups %q, want %q\n%s", i, fired, want, line)
					}
					// The same event again gives nothing new, or the same alert.
					if seen = append(seen, line); rapid.IntRange(0, 3).Draw(t, "again") == 0 {
						fired = fired[:0]
						e.Record([]byte(seen[rapid.IntRange(max(0, i-3), i).Draw(t, "which")]), now)
						if len(fired) > 1 {
							t.Fatalf("an event that came again gave %d alerts", len(fired))
						}
					}
				}
			})
		})
	}
}

// rapidTB fails a set of rules that cannot be loaded.
type rapidTB struct{ testing.TB }

func (*rapidTB) Helper()           {}
func (*rapidTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
