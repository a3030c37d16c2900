package flbconf

import (
	"fmt"
	"slices"
	"strings"
)

// looked counts what a verdict rests on.
type looked struct{ filters, processors, outputs map[*section]bool }

func (l *looked) at(m *map[*section]bool, s *section) {
	if *m == nil {
		*m = map[*section]bool{}
	}
	(*m)[s] = true
}

// onTheWay looks at the processors of an input, and at each filter that takes a
// tag of its records.
func (c *checker) onTheWay(f flow) {
	for _, x := range f.faults {
		c.find(x.severity, f.at, x.line, x.what, x.why, x.fix)
	}
	for _, p := range f.at.processors {
		c.looked.at(&c.looked.processors, p)
		c.judge(p, "processor", f.lines, "of the input "+c.name(f.at))
	}
	tags := c.follow(f.tags)
	for _, s := range c.kind("filter") {
		sel := c.selector(s)
		if sel.pattern == "" && sel.regex == nil && !sel.all {
			c.find(Error, s, s.line, "filter "+bounded(c.name(s))+" has no match", "Fluent Bit does not start with it", s.write(matchKey(s), "the tag that it is for"))
			continue
		}
		i := slices.IndexFunc(tags, sel.matches)
		if i < 0 || !c.active(s) {
			continue
		}
		c.looked.at(&c.looked.filters, s)
		c.once(s)
		c.judge(s, "filter", f.lines, "takes the tag "+bounded(tags[i]))
	}
}

// once finds options of Fluent Bit's own plugins that it does not take twice.
func (c *checker) once(s *section) {
	seen := map[string]bool{}
	for _, p := range s.props {
		if seen[p.key] && slices.Contains([]string{emitter, "buffer", "mode", "discard_logs", "logical_op", "k8s-logging.exclude"}, p.key) {
			c.find(Error, s, p.line, p.key+" is given twice", "Fluent Bit does not start with it", "keep one of them")
		}
		seen[p.key] = true
	}
}

// judge says what a filter or a processor does to our records.
func (c *checker) judge(s *section, kind string, lines bool, where string) {
	name := bounded(c.name(s))
	a, known := c.abilityOf(s)
	line := s.line
	if a.key != "" {
		line = c.lineOf(s, a.key)
	}
	what := kind + " " + name + " " + where
	fix := ""
	if key, value, ok := strings.Cut(a.fix, " "); ok {
		fix = s.write(key, value)
	}
	if a.effect == drops && fix == "" && kind == "filter" {
		fix = "a match that takes none of our tags, or no such filter"
	}
	of := "events"
	if lines {
		of = "lines"
	}
	switch {
	case !known:
		c.find(Note, s, line, what, "this check does not know it and cannot say what it does with the "+of, "")
	case a.effect == drops && lines && a.picks:
		c.find(Note, s, line, what, "it "+a.does+": whether all lines of ZITADEL pass was not judged", "")
	case a.effect == drops:
		c.find(Warning, s, line, what, "it "+a.does+", and the "+of+" that it leaves out are lost", fix)
	case a.effect == empties:
		c.find(Error, s, line, what, "it "+a.does+": nothing arrives", fix)
	case a.effect == holds:
		c.find(Warning, s, line, a.key+" is not filesystem", name+" "+a.does, fix)
	case a.effect == ends:
		c.find(Warning, s, line, what, "it "+a.does, fix)
	case a.effect == waits:
		c.find(Note, s, line, what, "it "+a.does+": a kill in that moment loses them", "")
	case a.effect == opaque:
		c.find(Note, s, line, what, "it "+a.does+": what it does with the "+of+" cannot be judged here", "")
	case a.effect == changes && !lines:
		c.find(Note, s, line, what, "it "+a.does+": whether what arrives still holds all that you need was not judged", "")
	}
}

// deliver checks the outputs that get our records, and finds records that none gets.
func (c *checker) deliver(flows []flow) {
	outputs := c.kind("output")
	hit := map[*section]bool{}
	for _, s := range c.named("output") {
		hit[s] = true
	}
	for _, f := range flows {
		var missing []string
		var waste *section // gets them and keeps none
		for _, t := range f.tags {
			kept := false
			for _, s := range outputs {
				if !c.gets(f, t, s) {
					continue
				}
				hit[s] = true
				if c.keeping(s) {
					kept = true
				} else {
					waste = s
				}
			}
			if !kept {
				missing = append(missing, t)
			}
		}
		c.unmatched(f, missing, waste)
		for _, e := range c.emitted(f.tags) {
			c.emission(e, outputs, hit)
		}
	}
	for _, s := range outputs {
		if hit[s] {
			c.output(s)
		}
	}
}

// keeping says that an output delivers what comes to it.
func (c *checker) keeping(s *section) bool {
	d, known := deliveries[c.name(s)]
	return !known || d.keeps
}

// emission wants an output for a tag that a rule gives.
func (c *checker) emission(e emission, outputs []*section, hit map[*section]bool) {
	kept := e.rule.keep
	if strings.Contains(e.tag, "*") {
		c.find(Note, e.rule.at, e.rule.line, "the tag "+bounded(c.scrub(e.tag))+" of this rule", "it is known at run time only: whether an output takes each such tag was not judged", "")
	}
	for _, s := range outputs {
		if c.taker(s).matches(e.tag) {
			hit[s] = true
			kept = kept || c.keeping(s)
		}
	}
	if !kept {
		at := e.rule.at
		c.find(Error, at, e.rule.line, "no output delivers the tag "+bounded(c.scrub(e.tag))+" of this rule", "Fluent Bit drops what the rule takes", at.write(matchKey(at), bounded(e.tag))+" in an output")
	}
}

func (c *checker) output(s *section) {
	d, known := deliveries[c.name(s)]
	c.looked.at(&c.looked.outputs, s)
	if !known {
		c.find(Note, s, s.line, "output "+bounded(c.name(s)), "this check does not know it and cannot say what it loses", "")
	}
	switch limit := strings.ToLower(c.value(s, "retry_limit")); {
	case d.sure, limit == "no_limits", limit == "false", limit == "off":
	default:
		c.find(Warning, s, c.lineOf(s, "retry_limit"), "retry_limit is not no_limits",
			"Fluent Bit drops our records after that many failed tries, by default after one", s.write("retry_limit", "no_limits"))
	}
	if v := c.value(s, "storage.total_limit_size"); v != "" && !isOff(v) && v != "0" {
		c.find(Warning, s, c.lineOf(s, "storage.total_limit_size"), "storage.total_limit_size is set",
			"when the buffer is full Fluent Bit drops the oldest records and goes on", s.write("storage.total_limit_size", "off"))
	}
	if isOff(c.value(s, "tls.verify")) && c.name(s) != PluginName { // ours does not get it
		c.find(Warning, s, c.lineOf(s, "tls.verify"), "tls.verify is off",
			"anybody on the way can read and change the audit trail", s.write("tls.verify", "on"))
	}
	c.loses(s, d)
	for _, p := range s.processors {
		c.looked.at(&c.looked.processors, p)
		c.judge(p, "processor", c.name(s) == PluginName, "of the output "+c.name(s))
	}
}

// loses says what an output loses by its nature.
func (c *checker) loses(s *section, d delivery) {
	switch key, value, _ := strings.Cut(d.fix, " "); {
	case d.why != "" && (d.when == nil || d.when(c, s)):
		fix := ""
		if key != "" {
			fix = s.write(key, value)
		}
		c.find(Warning, s, c.lineOf(s, d.key), "output "+c.name(s), d.why, fix)
	case d.keeps && d.does != "":
		c.find(Note, s, s.line, "output "+c.name(s), "it "+d.does, "")
	}
}

// unmatched finds records that no output delivers.
func (c *checker) unmatched(f flow, missing []string, waste *section) {
	if len(missing) == 0 {
		return
	}
	what, why := "no output matches the tag "+bounded(c.scrub(missing[0])), "Fluent Bit drops records that no output matches"
	key, severity := "tag", Error
	if len(missing) < len(f.tags) {
		key, severity = "tag_by", Warning
	}
	fix := f.at.write(matchKey(f.at), bounded(f.tag)+"*") + " in an output"
	switch {
	case waste != nil:
		what = fmt.Sprintf("only the output %s gets the tag %s", c.name(waste), bounded(c.scrub(missing[0])))
		why = "it " + deliveries[c.name(waste)].does
	case f.direct != nil:
		what, why, key = "route "+bounded(missing[0])+" reaches no output", "Fluent Bit drops what it takes", "routes"
		fix = ""
	case f.only != nil:
		key, why = "routes", "a route without a condition reaches an output only if its match takes the tag as well"
		fix = f.at.write("match", bounded(f.tag)+"*") + " in the output of the route"
	case c.rewritten(missing):
		severity, why = Warning, "Fluent Bit drops what no rule of rewrite_tag takes, and what comes faster than emitter_mem_buf_limit lets it"
	}
	c.find(severity, f.at, c.lineOf(f.at, key), what, why, fix)
}

// matchKey is "match" as each format writes it by custom.
func matchKey(s *section) string {
	if s.format == classicFormat {
		return "Match"
	}
	return "match"
}

// rewritten says that a rewrite_tag filter gives all these tags another name.
func (c *checker) rewritten(tags []string) bool {
	for _, s := range c.kind("filter") {
		if len(c.rules(s)) > 0 {
			tags = slices.DeleteFunc(slices.Clone(tags), c.selector(s).matches)
		}
	}
	return len(tags) == 0
}
