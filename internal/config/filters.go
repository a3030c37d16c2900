package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// checkEventTypes looks at an event type filter. ZITADEL matches exactly and
// answers a wrong type with nothing, so that a slip of the pen would be a
// silent hole in the audit trail.
func checkEventTypes(p *parser, o Option, types *[]string) {
	known, aggregates := EventTypes(), AggregateTypes()
	for _, t := range *types {
		switch {
		case catalogue()[t] != "":
		case strings.ContainsAny(t, "*?%"):
			mend := matching(t, known)
			if a, ok := strings.CutSuffix(t, ".*"); ok && o.Name == "event_types" && slices.Contains(aggregates, a) {
				mend = "did you mean aggregate_types " + a + "? Otherwise " + mend
			}
			p.fail(o.Name, p.show(o, t), "is a pattern, but ZITADEL matches event types exactly", mend)
		case strings.ContainsAny(t, " \t;|"):
			p.fail(o.Name, p.show(o, t), "is no event type", "separate by commas: "+quote(splitLoose(t)))
		case slices.Contains(aggregates, t):
			right := "aggregate_types"
			if o.Name == "exclude_event_types" {
				p.fail(o.Name, p.show(o, t), "is an aggregate type, not an event type", matching(t+".*", known))
				continue
			}
			p.fail(o.Name, p.show(o, t), "is an aggregate type, not an event type", "did you mean "+right+"?")
		default:
			p.warn(o.Name, p.show(o, t), "is no event type known here, and would match nothing if it is misspelt", didYouMean(Nearest(t, known)))
		}
	}
}

func checkAggregateTypes(p *parser, o Option, types *[]string) {
	known := AggregateTypes()
	for _, t := range *types {
		switch {
		case slices.Contains(known, t):
		case catalogue()[t] != "":
			p.fail(o.Name, p.show(o, t), "is an event type, not an aggregate type", "did you mean event_types?")
		case strings.ContainsAny(t, "*?%"):
			p.fail(o.Name, p.show(o, t), "is a pattern, but ZITADEL matches aggregate types exactly", matching(t, known))
		case strings.ContainsAny(t, " \t;|"):
			p.fail(o.Name, p.show(o, t), "is no aggregate type", "separate by commas: "+quote(splitLoose(t)))
		case strings.Contains(t, "."): // no aggregate type has one, every event type has
			p.fail(o.Name, p.show(o, t), "looks like an event type", "did you mean event_types?")
		default:
			p.warn(o.Name, p.show(o, t), "is no aggregate type known here, and would match nothing if it is misspelt", didYouMean(Nearest(t, known)))
		}
	}
}

// crossFilters finds filters that shut each other out.
func crossFilters(p *parser, s *Settings) {
	var both []string
	for _, t := range s.EventTypes {
		if slices.Contains(s.ExcludeEventTypes, t) {
			both = append(both, t)
		}
	}
	if len(both) > 0 {
		p.fail("exclude_event_types", quote(strings.Join(both, ",")), "stands in event_types as well", "take it out of one of the two")
	}
	if len(s.AggregateTypes) == 0 {
		return
	}
	for _, t := range s.EventTypes {
		if a := catalogue()[t]; a != "" && !slices.Contains(s.AggregateTypes, a) {
			p.warn("event_types", quote(t), "can match nothing, since its aggregate type is left out by aggregate_types", "add "+a+" there")
		}
	}
}

// matching names some of the types that a pattern would match.
func matching(pattern string, known []string) string {
	pattern = strings.ReplaceAll(pattern, "%", "*")
	var hits []string
	for _, k := range known {
		if ok, _ := path.Match(pattern, k); ok {
			hits = append(hits, k)
		}
	}
	switch n := len(hits); {
	case n == 0:
		return "write each type in full"
	case n <= 3:
		return "write " + quote(strings.Join(hits, ","))
	default:
		return fmt.Sprintf("write each of the %d types in full: %s,...", n, strings.Join(hits[:3], ","))
	}
}

func splitLoose(t string) string {
	return strings.Join(strings.FieldsFunc(t, func(r rune) bool { return strings.ContainsRune(" \t;|", r) }), ",")
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}
