package detect

import (
	"slices"
	"strings"
)

// Actions returns those of the event types that can match the rule, or a part of it.
func (s *Set) Actions(r *Rule, types []string) (list []string) {
	if c := r.Correlation; c != nil {
		for _, part := range c.Rules {
			list = append(list, s.Actions(part, types)...)
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	for _, t := range types {
		if r.search.possible(s.action(t)) >= 0 {
			list = append(list, t)
		}
	}
	return list
}

// DeadActions returns the values of event.action in a rule of single events that match none
// of the event types, which are typing errors.
func (s *Set) DeadActions(r *Rule, types []string) (dead []string) {
	if r.search == nil {
		return nil
	}
	var all []*fields
	for _, t := range types {
		all = append(all, s.action(t))
	}
	var walk func(n *node)
	walk = func(n *node) {
		for _, k := range n.kids {
			walk(k)
		}
		if n.op != opField || n.slot != slotAction {
			return
		}
		for _, t := range n.tests {
			if !slices.ContainsFunc(all, func(f *fields) bool { return anyValue(t, f.values[slotAction], f) }) {
				text := "a value of event.action"
				if g, ok := t.(*glob); ok {
					text = strings.Join(g.parts, "*")
				}
				dead = append(dead, text)
			}
		}
	}
	walk(r.search)
	return dead
}

// action is a record of which only event.action is known.
func (s *Set) action(t string) *fields {
	f := &fields{}
	f.reset(len(s.slots.names))
	f.add(&name{slot: slotAction}, value{isText, t})
	return f
}
