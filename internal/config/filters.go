package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// TypePrefix returns the prefix that an item of an event type filter such as
// user.human.* stands for, with its last dot.
func TypePrefix(item string) (prefix string, ok bool) {
	prefix, ok = strings.CutSuffix(item, "*")
	return prefix, ok && len(prefix) > 1 && strings.HasSuffix(prefix, ".") && !strings.ContainsAny(prefix, "*?%")
}

// Covers reports whether item, a type or a prefix with .*, takes all that other takes.
func Covers(item, other string) bool {
	prefix, ok := TypePrefix(item)
	return item == other || ok && strings.HasPrefix(other, prefix)
}

// known are the known event types that item takes.
func known(item string) (types []string) {
	for _, t := range EventTypes() {
		if Covers(item, t) {
			types = append(types, t)
		}
	}
	return types
}

// checkEventTypes checks an event type filter. A type that does not exist matches
// nothing, so a misspelt one would leave a gap in the audit trail that nobody sees.
func checkEventTypes(p *parser, o Option, types *[]string) {
	all, aggregates := EventTypes(), AggregateTypes()
	for _, t := range *types {
		prefix, isPrefix := TypePrefix(t)
		switch {
		case catalogue()[t] != "":
		case isPrefix:
			if len(known(t)) == 0 {
				p.warn(o.Name, p.show(o, t), "matches no event type known here; if it is misspelt, it matches nothing", didYouMean(nearestPrefix(prefix, all)))
			}
		case t == "*":
			fix := "leave the option out to get every event type"
			if o.Name == "exclude_event_types" {
				fix = "leave the option out to exclude none"
			}
			p.fail(o.Name, p.show(o, t), "would take every event type", fix)
		case strings.ContainsAny(t, "*?%"):
			fix := matching(t, all)
			if near := strings.TrimRight(t, "*?%.") + ".*"; len(known(near)) > 0 {
				fix = "did you mean " + near + "?"
			}
			p.fail(o.Name, p.show(o, t), "is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*", fix)
		case strings.ContainsAny(t, " \t;|"):
			p.fail(o.Name, p.show(o, t), "is not an event type", "separate by commas: "+quote(splitLoose(t)))
		case slices.Contains(aggregates, t):
			fix := "did you mean aggregate_types?"
			if len(known(t+".*")) > 0 {
				fix = "did you mean " + t + ".*?"
				if o.Name == "event_types" {
					fix = "did you mean aggregate_types, or " + t + ".*?"
				}
			} else if o.Name == "exclude_event_types" {
				fix = "write each event type in full"
			}
			p.fail(o.Name, p.show(o, t), "is an aggregate type, not an event type", fix)
		default:
			p.warn(o.Name, p.show(o, t), "is not an event type known here; if it is misspelt, it matches nothing", didYouMean(Nearest(t, all)))
		}
	}
}

// nearestPrefix is the known prefix that a misspelt one most likely means, with .*
// at its end.
func nearestPrefix(prefix string, types []string) string {
	var prefixes []string
	for _, t := range types {
		for i, c := range t {
			if c == '.' {
				prefixes = append(prefixes, t[:i])
			}
		}
	}
	slices.Sort(prefixes)
	near := Nearest(strings.TrimSuffix(prefix, "."), slices.Compact(prefixes))
	if near == "" {
		return ""
	}
	return near + ".*"
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
			p.fail(o.Name, p.show(o, t), "is not an aggregate type", "separate by commas: "+quote(splitLoose(t)))
		case strings.Contains(t, "."): // no aggregate type has one, every event type has
			p.fail(o.Name, p.show(o, t), "looks like an event type", "did you mean event_types?")
		default:
			p.warn(o.Name, p.show(o, t), "is not an aggregate type known here; if it is misspelt, it matches nothing", didYouMean(Nearest(t, known)))
		}
	}
}

// crossFilters finds filters that exclude each other.
func crossFilters(p *parser, s *Settings) {
	var both []string
	for _, t := range s.EventTypes {
		if slices.Contains(s.ExcludeEventTypes, t) {
			both = append(both, t)
			continue
		}
		for _, e := range s.ExcludeEventTypes {
			if Covers(e, t) {
				p.fail("event_types", quote(t), "matches nothing, because exclude_event_types contains "+quote(e), "remove it from one of the two")
			}
		}
	}
	if len(both) > 0 {
		p.fail("exclude_event_types", quote(strings.Join(both, ",")), "is also in event_types", "remove it from one of the two")
	}
	if len(s.AggregateTypes) == 0 {
		return
	}
	for _, t := range s.EventTypes {
		var left []string // aggregate types that are left out
		some := false     // of the types can match
		for _, k := range known(t) {
			if a := catalogue()[k]; slices.Contains(s.AggregateTypes, a) {
				some = true
			} else if !slices.Contains(left, a) {
				left = append(left, a)
			}
		}
		slices.Sort(left)
		switch {
		case len(left) == 0:
		case !some:
			p.warn("event_types", quote(t), "matches nothing, because aggregate_types excludes its aggregate type", "add "+strings.Join(left, ",")+" there")
		default:
			p.warn("event_types", quote(t), "takes events of "+strings.Join(left, ",")+" too, which aggregate_types excludes", "add "+strings.Join(left, ",")+" there, if they are wanted")
		}
	}
}

// matching names some of the types that a pattern would match.
func matching(pattern string, known []string) string {
	pattern = strings.ReplaceAll(pattern, "%", "*")
	var hits []string
	for _, k := range known {
		if ok, _ := path.Match(pattern, k); ok { // a pattern that is wrong matches nothing
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
