package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxTimespan bounds how long a correlation remembers.
const maxTimespan = 31 * 24 * time.Hour

// maxCount bounds the events of one alert: their ids are in it.
const maxCount = 1000

func (l *loader) correlation(y *yaml.Node) {
	c := &Correlation{alias: map[string]map[string]string{}}
	l.rule.Correlation = c
	if y.Kind != yaml.MappingNode {
		l.fail(y, "correlation must be a map with type, rules, group-by, timespan and condition")
		return
	}
	var condition, grouped *yaml.Node
	for key, v := range pairs(y) {
		switch key.Value {
		case "type":
			c.Type = l.text(v)
			if !slices.Contains([]string{EventCount, ValueCount, Temporal, TemporalOrdered}, c.Type) {
				l.fail(v, "the type %q is not supported: use event_count, value_count, temporal or temporal_ordered", c.Type)
			}
		case "rules":
			names := v.Content
			if v.Kind == yaml.ScalarNode {
				names = []*yaml.Node{v}
			}
			for _, n := range names {
				c.refs = append(c.refs, ref{l.text(n), n.Line})
			}
		case "group-by":
			grouped = v
			c.GroupBy = l.texts(v)
		case "timespan":
			var err error
			if c.Timespan, err = parseTimespan(v.Value); err != nil {
				l.fail(v, "timespan: %v", err)
			}
		case "condition":
			condition = v
		case "field": // the JSON schema of the specification asks for it here
			c.Field = l.text(v)
		case "generate":
			c.Generate = v.Value == "true"
		case "aliases":
			for name, rules := range pairs(v) {
				c.alias[name.Value] = map[string]string{}
				for rule, field := range pairs(rules) {
					c.alias[name.Value][rule.Value] = l.text(field)
				}
			}
		default:
			l.fail(key, "%q is no attribute of a correlation: use type, rules, group-by, timespan, condition, aliases and generate", key.Value)
		}
	}
	switch {
	case c.Type == "":
		l.fail(y, "the correlation has no type: use event_count, value_count, temporal or temporal_ordered")
	case len(c.refs) == 0:
		l.fail(y, "the correlation has no rules: give the names or ids of rules of single events")
	case c.Timespan == 0:
		l.fail(y, "the correlation has no timespan, such as 10m")
	case grouped == nil:
		l.fail(y, "the correlation has no group-by: give the fields that its events share, or [] for all together")
	default:
		l.condition(y, condition)
	}
}

// condition reads what has to be in the timespan.
func (l *loader) condition(y, cond *yaml.Node) {
	c := l.rule.Correlation
	temporal := c.Type == Temporal || c.Type == TemporalOrdered
	if cond == nil && temporal {
		c.Count = len(c.refs)
		return
	}
	if cond == nil || cond.Kind != yaml.MappingNode {
		l.fail(y, "the correlation has no condition, such as gte: 10")
		return
	}
	bounds := 0
	for key, v := range pairs(cond) {
		if key.Value == "field" {
			c.Field = l.text(v)
			continue
		}
		n, err := strconv.Atoi(v.Value)
		if err != nil {
			l.fail(v, "%s: %q is no number: write one such as 10", key.Value, v.Value)
			return
		}
		bounds++
		switch key.Value {
		case "gt":
			c.Count = n + 1
		case "gte":
			c.Count = n
		case "lt":
			c.Silence = n == 1
		case "lte", "eq":
			c.Silence = n == 0
		}
		if c.Count == 0 && !c.Silence {
			l.fail(v, "%s: %d cannot be evaluated on a stream: use gt or gte for many events, lt: 1 for none", key.Value, n)
			return
		}
	}
	switch {
	case bounds != 1:
		l.fail(cond, "the condition needs one bound, such as gte: 10")
	case !c.Silence && (c.Count < 1 || c.Count > maxCount):
		l.fail(cond, "the condition asks for %d, give 1 to %d", c.Count, maxCount)
	case c.Silence && c.Type != EventCount:
		l.fail(cond, "only the type event_count can wait for no event: change the type, or use gte")
	case (c.Type == ValueCount) != (c.Field != ""):
		l.fail(cond, "the attribute field belongs to a value_count, and a value_count needs one")
	case temporal && c.Count > len(c.refs), c.Type == TemporalOrdered && c.Count != len(c.refs):
		l.fail(cond, "the condition asks for %d of %d rules: remove it, all are needed", c.Count, len(c.refs))
	}
}

// parseTimespan reads a number and a letter: s, m, h or d.
func parseTimespan(s string) (time.Duration, error) {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	bad := fmt.Errorf("%q is no timespan: write a number and s, m, h or d, such as 10m, up to 31d", s)
	if len(s) < 2 {
		return 0, bad
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 31)
	unit, ok := units[s[len(s)-1:]]
	if err != nil || !ok || n == 0 || n > uint64(maxTimespan/unit) {
		return 0, bad
	}
	return time.Duration(n) * unit, nil
}

// resolve finds the rules that correlations refer to, once all are read.
func (l *loader) resolve() {
	for _, r := range l.rules {
		if c := r.Correlation; c != nil {
			l.file = r.File
			l.parts(r, c)
		}
	}
	for _, r := range l.rules {
		if r.Correlation != nil && len(r.Correlation.Rules) > 0 && reaches(r, r, map[*Rule]bool{}) {
			l.errs = append(l.errs, fmt.Errorf("%s:%d: the correlation refers to itself: remove its own name from rules", r.File, r.Line))
		}
	}
	for _, r := range l.rules {
		if len(r.feeds) == 0 {
			continue
		}
		r.silent = !slices.ContainsFunc(r.feeds, func(f feed) bool { return f.to.Correlation.Generate })
		if r.Correlation != nil {
			r.Correlation.chain = true
		}
	}
}

func (l *loader) parts(r *Rule, c *Correlation) {
	def := sha256.New()
	fmt.Fprintf(def, "%s %d %d %s %t\n", c.Type, c.Timespan, c.Count, c.Field, c.Silence)
	for i, ref := range c.refs {
		part := l.byName[ref.name]
		if part == nil {
			l.errs = append(l.errs, fmt.Errorf("%s:%d: no rule has the name or id %q: use the name or id of a rule in this directory", l.file, ref.line, ref.name))
			return
		}
		if part.Correlation != nil && part.Correlation.Silence {
			l.errs = append(l.errs, fmt.Errorf("%s:%d: %q waits for no event, and cannot be a part of a correlation: use another rule", l.file, ref.line, ref.name))
			return
		}
		c.Rules = append(c.Rules, part)
		part.feeds = append(part.feeds, feed{r, i})
		fmt.Fprintln(def, part.ID)
	}
	for i := range c.Rules {
		var group []int
		for _, name := range c.GroupBy {
			f := c.resolve(i, name)
			if f == "" {
				l.errs = append(l.errs, fmt.Errorf("%s:%d: the alias %q has no field for the rule %q: add it below aliases", l.file, r.Line, name, c.refs[i].name))
				continue
			}
			group = append(group, l.slots.slot(f))
			fmt.Fprintln(def, f)
		}
		c.paths = append(c.paths, group)
		field := -1
		if c.Field != "" {
			field = l.slots.slot(c.resolve(i, c.Field))
		}
		c.field = append(c.field, field)
	}
	c.def = hex.EncodeToString(def.Sum(nil)[:4])
}

// reaches reports whether the parts of from lead to r.
func reaches(from, r *Rule, seen map[*Rule]bool) bool {
	if seen[from] || from.Correlation == nil {
		return false
	}
	seen[from] = true
	for _, part := range from.Correlation.Rules {
		if part == r || reaches(part, r, seen) {
			return true
		}
	}
	return false
}

// FormatTimespan writes a timespan as rules have it.
func FormatTimespan(d time.Duration) string {
	for _, unit := range []struct {
		letter string
		of     time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d%unit.of == 0 {
			return strconv.Itoa(int(d/unit.of)) + unit.letter
		}
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}
