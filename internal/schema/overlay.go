package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// overlay changes the table by the rows of a user's file:
//
//	events:
//	  user.locked: {severity: high}
//	  user.metadata.set: {tier: noise}
//	  my.own.type: {group: cfg_change, severity: medium, title: My own event}
//
// A row starts from what the table, or a rule, says of its type. All errors are
// reported at once.
func (t *Table) overlay(b []byte, name string) error {
	if len(strings.TrimSpace(string(b))) == 0 {
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("%s: %w; the file must be YAML such as \"events: {user.locked: {severity: high}}\"", name, err)
	}
	o := overlay{table: t, name: name}
	if len(doc.Content) > 0 { // not only comments
		o.file(doc.Content[0])
	}
	return errors.Join(o.errs...)
}

type overlay struct {
	table *Table
	name  string
	errs  []error
}

func (o *overlay) fail(n *yaml.Node, format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf("%s: line %d: %s", o.name, n.Line, fmt.Sprintf(format, args...)))
}

func (o *overlay) file(n *yaml.Node) {
	o.entries(n, "the file", func(key, v *yaml.Node) {
		if key.Value != "events" {
			o.fail(key, "%q is no part of the file: put rows under \"events:\"", key.Value)
			return
		}
		o.entries(v, "events", o.row)
	})
}

// entries calls f for each entry of a map.
func (o *overlay) entries(n *yaml.Node, what string, f func(key, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		o.fail(n, "%s must be a map of \"name: value\"", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			o.fail(key, "%s has %q twice: remove one of the two", what, key.Value)
			continue
		}
		seen[key.Value] = true
		f(key, n.Content[i+1])
	}
}

func (o *overlay) row(key, v *yaml.Node) {
	typ := key.Value
	if typ == "" {
		o.fail(key, "a row needs the type of an event as its name, such as user.locked")
		return
	}
	old, known := o.table.Row(typ)
	r := *old
	if !known {
		r.Title = typ
	}
	r.Rule, r.Overlay = "", true
	before := len(o.errs)
	o.entries(v, typ, func(field, v *yaml.Node) {
		if field.Value == "group" { // first, whatever the order: the other fields change what it says
			o.group(&r, v)
		}
	})
	if len(o.errs) > before {
		return
	}
	o.entries(v, typ, func(field, v *yaml.Node) { o.field(&r, field, v) })
	if len(o.errs) > before {
		return
	}
	r.prepare()
	o.table.rows[typ] = &r
}

func (o *overlay) group(r *Row, v *yaml.Node) {
	g, ok := o.table.groups[v.Value]
	if !ok {
		o.oneOf(r.Type+".group", v, slices.Sorted(maps.Keys(o.table.groups)))
		return
	}
	r.Group = v.Value
	r.Tier, r.Severity, r.Outcome, r.OCSF, r.OCSF19, r.Category, r.Kinds = g.Tier, g.Severity, g.Outcome, g.OCSF, g.OCSF19, g.Category, g.Kinds
}

var rowFields = []string{"group", "tier", "severity", "outcome", "ocsf", "ocsf_1_9", "ecs", "user", "roles", "factor", "protocol", "entity", "title", "note"}

func (o *overlay) field(r *Row, field, v *yaml.Node) {
	what := r.Type + "." + field.Value
	switch field.Value {
	case "group":
	case "tier":
		r.Tier = Tier(o.index(what, v, tierNames))
	case "severity":
		r.Severity = Severity(o.index(what, v, severityNames[1:]) + 1)
	case "outcome":
		r.Outcome = Outcome(o.index(what, v, outcomeNames))
	case "ocsf":
		r.OCSF = o.class(what, v, ocsf18)
		r.OCSF19 = r.OCSF
	case "ocsf_1_9":
		r.OCSF19 = o.class(what, v, ocsf19)
	case "ecs":
		o.ecs(r, what, v)
	case "user":
		if o.scalar(what, v) {
			r.User = o.user(what, v)
		}
	case "roles":
		if o.scalar(what, v) {
			r.Roles = v.Value
		}
	case "factor":
		if n := o.number(what, v, other); n <= 11 || n == other {
			r.Factor = uint8(n)
		} else {
			o.fail(v, "%s is %d: use 0 to 11, or 99 for a factor of another kind", what, n)
		}
	case "protocol":
		r.Protocol = uint8(o.number(what, v, len(protocolNames)-1))
	case "entity":
		o.entity(r, what, v)
	case "title":
		if o.scalar(what, v) {
			r.Title = v.Value
		}
	case "note":
		if o.scalar(what, v) {
			r.Note = v.Value
		}
	default:
		o.oneOf("a field of "+r.Type, field, rowFields)
	}
}

// oneOf reports that v is not one of names, with the nearest of them.
func (o *overlay) oneOf(what string, v *yaml.Node, names []string) {
	hint := ""
	for _, n := range names {
		if near(n, v.Value) {
			hint = fmt.Sprintf("; did you mean %s?", n)
		}
	}
	o.fail(v, "%s is %q: use one of %s%s", what, v.Value, strings.Join(names, ", "), hint)
}

// near reports whether two words differ by one letter, or by two that changed places.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

func (o *overlay) index(what string, v *yaml.Node, names []string) int {
	if i := slices.Index(names, v.Value); i >= 0 && v.Kind == yaml.ScalarNode {
		return i
	}
	o.oneOf(what, v, names)
	return 0
}

func (o *overlay) scalar(what string, v *yaml.Node) bool {
	if v.Kind != yaml.ScalarNode || v.Value == "" {
		o.fail(v, "%s must be a text", what)
		return false
	}
	return true
}

func (o *overlay) number(what string, v *yaml.Node, limit int) int {
	n, err := strconv.Atoi(v.Value)
	if err != nil || n < 0 || n > limit {
		o.fail(v, "%s is %q: use a number from 0 to %d", what, v.Value, limit)
		return 0
	}
	return n
}

func (o *overlay) user(what string, v *yaml.Node) string {
	switch kind, key, _ := strings.Cut(v.Value, "."); {
	case v.Value == "none":
		return ""
	case v.Value == "aggregate", kind == "payload" && key != "":
		return v.Value
	}
	o.fail(v, "%s is %q: use aggregate, none, or payload.KEY with the key of the payload that holds the user id", what, v.Value)
	return ""
}

// class reads {class: 3004, activity: 3}. The name of the activity is OCSF's, and can
// be given only for 99, which is "other".
func (o *overlay) class(what string, v *yaml.Node, allowed map[uint16]map[uint8]string) (c Class) {
	before := len(o.errs)
	name := ""
	o.entries(v, what, func(key, v *yaml.Node) {
		switch key.Value {
		case "class":
			c.Class = uint16(o.number(what+".class", v, 9999))
			if _, ok := allowed[c.Class]; !ok {
				o.fail(v, "%s.class is %s: use one of %s", what, v.Value, strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(allowed))), "[]"))
			}
		case "activity":
			c.Activity = uint8(o.number(what+".activity", v, 99))
		case "name":
			if o.scalar(what+".name", v) {
				name = v.Value
			}
		default:
			o.oneOf("a field of "+what, key, []string{"class", "activity", "name"})
		}
	})
	if len(o.errs) > before {
		return c
	}
	caption, ok := allowed[c.Class][c.Activity]
	switch {
	case !ok:
		o.fail(v, "%s: class %d has no activity %d: use one of %s", what, c.Class, c.Activity, strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(allowed[c.Class]))), "[]"))
	case c.Activity == other && name == "":
		o.fail(v, "%s: activity 99 needs a name of its own: add \"name: ...\"", what)
	case c.Activity == other:
		c.Name = name
	default:
		c.Name = caption
	}
	return c
}

func (o *overlay) ecs(r *Row, what string, v *yaml.Node) {
	before := len(o.errs)
	var category, kinds []string
	o.entries(v, what, func(key, v *yaml.Node) {
		switch key.Value {
		case "category", "type":
			if v.Kind != yaml.SequenceNode {
				o.fail(v, "%s.%s must be a list, such as [iam]", what, key.Value)
				return
			}
			for _, e := range v.Content {
				if key.Value == "category" {
					category = append(category, e.Value)
				} else {
					kinds = append(kinds, e.Value)
				}
			}
		default:
			o.oneOf("a field of "+what, key, []string{"category", "type"})
		}
	})
	if len(o.errs) > before {
		return
	}
	if err := ecsPairs(category, kinds); err != nil {
		o.fail(v, "%s: %v", what, err)
		return
	}
	r.Category, r.Kinds = category, kinds
}

func (o *overlay) entity(r *Row, what string, v *yaml.Node) {
	var e Entity
	o.entries(v, what, func(key, v *yaml.Node) {
		switch key.Value {
		case "id":
			if n := o.number(what+".id", v, 99); n <= 7 || n == other {
				e.ID = uint8(n)
			} else {
				o.fail(v, "%s.id is %d: use 0 to 7, or 99 for a kind of your own", what, n)
			}
		case "name":
			if o.scalar(what+".name", v) {
				e.Name = v.Value
			}
		default:
			o.oneOf("a field of "+what, key, []string{"id", "name"})
		}
	})
	if e.Name == "" {
		o.fail(v, "%s needs a name, such as {id: 99, name: Policy}", what)
	}
	r.Entity = e
}
