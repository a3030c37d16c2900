package detect

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// modifiers are those that this package knows.
var modifiers = []string{"all", "cased", "cidr", "contains", "endswith", "exists", "fieldref", "gt", "gte", "i", "lt", "lte", "m", "neq", "re", "s", "startswith"}

// search compiles a search: a map of fields, all of which match, or a list of such maps,
// one of which matches.
func (l *loader) search(y *yaml.Node) *node {
	switch y.Kind {
	case yaml.MappingNode:
		n := &node{op: opAnd}
		for key, v := range pairs(y) {
			if f := l.field(key, v); f != nil {
				n.kids = append(n.kids, f)
			}
		}
		if len(y.Content) == 0 {
			l.fail(y, "the search is empty: name a field and its values")
		}
		return n
	case yaml.SequenceNode:
		n := &node{op: opOr}
		for _, item := range y.Content {
			if item.Kind != yaml.MappingNode {
				l.fail(item, "a search for keywords is not supported: name the field, such as message|contains")
				continue
			}
			n.kids = append(n.kids, l.search(item))
		}
		return n
	}
	l.fail(y, "a search must be a map of fields, or a list of maps")
	return &node{op: opOr}
}

// field compiles one field with its modifiers and values.
func (l *loader) field(key, y *yaml.Node) *node {
	parts := strings.Split(key.Value, "|")
	name, mods := parts[0], parts[1:]
	if name == "" {
		l.fail(key, "a search for keywords is not supported: name the field, such as message|contains")
		return nil
	}
	for _, m := range mods {
		if !slices.Contains(modifiers, m) {
			l.fail(key, "the modifier %q is not supported: use one of %s", m, strings.Join(modifiers, ", "))
			return nil
		}
	}
	l.rule.fields = append(l.rule.fields, name)
	n := &node{op: opField, slot: l.slots.slot(name)}
	has := func(m string) bool { return slices.Contains(mods, m) }
	n.all, n.negated = has("all"), has("neq")
	values := y.Content
	switch {
	case y.Kind == yaml.ScalarNode:
		values = []*yaml.Node{y}
	case y.Kind != yaml.SequenceNode || len(values) == 0:
		l.fail(y, "%s needs a value, or a list of values", name)
		return nil
	}
	if n.all && len(values) < 2 {
		l.fail(key, "the modifier all needs a list of two values or more: remove it")
	}
	if has("exists") {
		want, err := strconv.ParseBool(values[0].Value)
		if err != nil || len(values) > 1 || len(mods) > 1 {
			l.fail(y, "the modifier exists must stand alone, with the value true or false")
		}
		n.exists = 1
		if !want {
			n.exists = -1
		}
		return n
	}
	for _, v := range values {
		if v.Kind != yaml.ScalarNode {
			l.fail(v, "a value of %s must be a text, a number, true, false or null", name)
			continue
		}
		t, err := l.test(mods, v)
		if err != nil {
			l.fail(v, "%s: %v", key.Value, err)
			continue
		}
		n.tests = append(n.tests, t)
	}
	return n
}

func (l *loader) test(mods []string, v *yaml.Node) (test, error) {
	kind, flags, cased := "", "", false
	for _, m := range mods {
		switch m {
		case "all", "neq":
		case "cased":
			cased = true
		case "i", "m", "s":
			flags += m
		default:
			if kind != "" {
				return nil, fmt.Errorf("the modifiers %s and %s contradict each other: use one", kind, m)
			}
			kind = m
		}
	}
	switch {
	case flags != "" && kind != "re":
		return nil, fmt.Errorf("the modifier %s has no effect without re: write |re|%s", flags[:1], flags[:1])
	case cased && kind != "" && kind != "contains" && kind != "startswith" && kind != "endswith":
		return nil, fmt.Errorf("the modifier cased does not fit %s: remove it", kind)
	case v.Tag == "!!null" && kind == "":
		return null{}, nil
	case v.Tag == "!!null":
		return nil, fmt.Errorf("null does not fit the modifier %s: write the field without it", kind)
	}
	switch kind {
	case "re":
		if flags != "" {
			flags = "(?" + flags + ")"
		}
		re, err := regexp.Compile(flags + v.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: use the syntax of RE2", err)
		}
		return pattern{re}, nil
	case "cidr":
		p, err := netip.ParsePrefix(v.Value)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: write it as 10.0.0.0/8", v.Value)
		}
		return network{p}, nil
	case "lt", "lte", "gt", "gte":
		n, err := strconv.ParseFloat(v.Value, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number: write one such as 10", v.Value)
		}
		return compare{kind, n}, nil
	case "fieldref":
		l.rule.fields = append(l.rule.fields, v.Value)
		return reference{l.slots.slot(v.Value)}, nil
	}
	return newGlob(v.Value, kind == "contains" || kind == "endswith", kind == "contains" || kind == "startswith", cased), nil
}
