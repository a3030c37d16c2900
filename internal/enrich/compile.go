package enrich

import (
	"fmt"
	"slices"
	"strings"
)

// compile reads the table. The table is compiled into the program, so an error in it is a
// bug and panics in every test.
func compile(text string) rules {
	c := rules{byType: map[string][]rule{}}
	lasting := true
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "----" {
			lasting = false
			continue
		}
		for _, t := range expand(words[0]) {
			c.add(t, parseRule(t, words), lasting)
		}
	}
	for provider := range strings.FieldsSeq(providers) {
		word := provider[strings.LastIndexByte(provider, '.')+1:]
		if word == "v2" {
			word = "ldap"
		}
		for _, level := range []string{"instance.idp.", "org.idp."} {
			t := level + provider
			if t == "instance.idp.ldap" || t == "org.idp.ldap.v2" {
				continue // the other name is in use
			}
			added := parseRule(t, []string{t, "idp#id", "org=@owner", "kind:" + word, "name=name"})
			if strings.Contains(provider, "migrated") {
				c.add(t, added, true)
				continue
			}
			c.add(t+".added", added, true)
			c.add(t+".changed", parseRule(t, []string{t, "idp#id", "name?=name"}), true)
		}
	}
	slices.SortStableFunc(c.lasts, func(a, b string) int { return rank(a) - rank(b) })
	return c
}

func (c *rules) add(eventType string, r rule, lasting bool) {
	c.byType[eventType] = append(c.byType[eventType], r)
	if lasting && !slices.Contains(c.lasts, eventType) {
		c.lasts = append(c.lasts, eventType)
	}
}

// rank sorts the most useful kinds first.
func rank(eventType string) int {
	for i, part := range []string{"user.grant.", ".policy.", "user.pat.", "user.machine.key.", "project.grant.", ".oidc.key.", ".idp."} {
		if strings.Contains(eventType, part) {
			return 1 + i
		}
	}
	for _, part := range []string{"user.", "org.", "project."} {
		if strings.HasPrefix(eventType, part) {
			return 0
		}
	}
	return 7
}

// expand replaces {a,b} and lists.
func expand(s string) []string {
	var all []string
	depth, start := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && depth == 0:
			all = append(all, braces(s[start:i])...)
			start = i + 1
		case s[i] == '{':
			depth++
		case s[i] == '}':
			depth--
		}
	}
	return all
}

func braces(s string) (all []string) {
	before, rest, ok := strings.Cut(s, "{")
	if !ok {
		return []string{s}
	}
	choice, after, _ := strings.Cut(rest, "}")
	for c := range strings.SplitSeq(choice, ",") {
		all = append(all, braces(before+c+after)...)
	}
	return all
}

func parseRule(eventType string, words []string) (r rule) {
	bad := func(why string) { panic(fmt.Sprintf("enrich: table: %s %q: %s", eventType, words[1:], why)) }
	if len(words) < 3 {
		bad("too short")
	}
	name := words[1]
	if name == "$0" {
		name, _, _ = strings.Cut(eventType, ".")
	}
	name, r.byTime = strings.CutSuffix(name, "~")
	name, r.idPrefix, _ = strings.Cut(name, "^")
	name, id, ok := strings.Cut(name, "#")
	if ok && id == "" {
		r.anyID = true
	} else if ok {
		r.id = strings.Split(id, ".")
	}
	if r.kind, ok = kindNames[name]; !ok {
		bad("no such kind")
	}
	if words[2] == "removed" {
		r.removed = true
		return r
	}
	for _, w := range words[2:] {
		v, ok := parseValue(w)
		if !ok {
			bad("cannot read " + w)
		}
		v.group = slices.IndexFunc(layouts[r.kind], func(fs []field) bool { return slices.Contains(fs, v.field) })
		if v.group < 0 {
			bad(w + " is no field of the kind")
		}
		r.values = append(r.values, v)
		r.payload = r.payload || v.path != nil
	}
	for g, fs := range layouts[r.kind] {
		n := 0
		for _, v := range r.values {
			if v.group == g {
				n++
			}
		}
		if n != 0 && n != len(fs) {
			bad("teaches a part of a group")
		}
	}
	return r
}

func parseValue(w string) (v value, ok bool) {
	name, what, ok := strings.Cut(w, "=")
	if !ok {
		name, v.literal, ok = strings.Cut(w, ":")
		v.field = fieldNames[name]
		return v, ok
	}
	name, v.optional = strings.CutSuffix(name, "?")
	if v.field, ok = fieldNames[name]; !ok {
		return v, false
	}
	switch {
	case what == "@owner":
		v.from = fromOwner
	case what == "@":
		v.from = fromAggregate
	case strings.HasPrefix(what, "["):
		v.from, what = fromList, strings.Trim(what, "[]")
		fallthrough
	default:
		v.path = strings.Split(what, ".")
	}
	return v, true
}
