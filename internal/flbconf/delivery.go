package flbconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// onTheWay looks at the processors of an input, and at each filter that takes a
// tag of its records.
func (c *checker) onTheWay(f flow) {
	for _, x := range f.faults {
		c.report(x)
	}
	for _, p := range f.at.processors {
		c.judge(p, f.lines, " of the input "+c.name(f.at))
	}
	tags := c.follow(f.tags)
	c.passedBy(f, "filter", func(s *section) bool { return slices.ContainsFunc(tags, c.selector(s).matches) })
	for _, s := range c.kind("filter") {
		sel := c.selector(s)
		if sel.pattern == "" && sel.regex == nil && !sel.all {
			c.find(Error, s, s.line, "filter "+short(c.name(s))+" has no match", "Fluent Bit does not start with it", s.write("match", "the tag that it is for"))
			continue
		}
		i := slices.IndexFunc(tags, sel.matches)
		if i < 0 || !c.active(s) {
			continue
		}
		c.once(s)
		c.judge(s, f.lines, " takes the tag "+short(tags[i]))
	}
}

// once finds options that Fluent Bit's own plugins do not accept twice.
func (c *checker) once(s *section) {
	seen := map[string]bool{}
	for _, p := range s.props {
		if seen[p.key] && slices.Contains([]string{emitter, "buffer", "mode", "discard_logs", "logical_op", "k8s-logging.exclude"}, p.key) {
			c.find(Error, s, p.line, p.key+" is given twice", "Fluent Bit does not start with it", "keep one of them")
		}
		seen[p.key] = true
	}
}

// judge reports what a filter, a processor or an output does to our records.
func (c *checker) judge(s *section, lines bool, where string) {
	c.looked[s] = true
	a, known := c.abilityOf(s)
	line, of, fix := s.line, "events", ""
	if lines {
		of = "lines"
	}
	if a.key != "" {
		line = c.lineOf(s, a.key)
	}
	if key, value, ok := strings.Cut(a.fix, " "); ok {
		fix = s.write(key, value)
	} else if a.effect == drops && s.kind == "filter" {
		fix = "a match that takes none of our tags, or no such filter"
	}
	sev, what, why := Note, s.kind+" "+short(c.name(s))+where, "it "+a.does
	switch {
	case !known:
		why = "this check does not know it and cannot judge what it does with the " + of
	case a.does == "", a.effect == changes && lines, a.effect == empties && s.kind == "output":
		return
	case a.effect == drops && lines && a.picks:
		why, fix = why+": whether all lines of ZITADEL pass was not judged", ""
	case a.effect == drops:
		sev, why = Warning, why+", and the "+of+" that it drops are lost"
	case a.effect == empties:
		sev, why = Error, why+": nothing arrives"
	case a.effect == holds:
		sev, what, why = Warning, a.key+" is not filesystem", c.name(s)+" "+a.does
	case a.effect == loses:
		sev = Warning
	case a.effect == waits:
		why += ": if Fluent Bit is killed in that moment, they are lost"
	case a.effect == opaque:
		why += ": what it does with the " + of + " cannot be judged here"
	case a.effect == changes:
		why += ": whether what arrives still has all that you need was not judged"
	}
	c.find(sev, s, line, what, why, fix)
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
				c.tooMuch(f, t, strings.Contains(t, "*"), s)
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
		if len(missing) < len(f.tags) { // else that says it
			c.passedBy(f, "output", func(s *section) bool { return c.reaches(f, s) })
		}
		for _, e := range c.emitted(f.tags) {
			c.emission(f, e, outputs, hit)
		}
	}
	for _, s := range outputs {
		if hit[s] {
			c.output(s)
		}
	}
}

// emission checks that an output takes a tag that a rule gives.
func (c *checker) emission(f flow, e emission, outputs []*section, hit map[*section]bool) {
	kept := e.rule.keep
	if strings.Contains(e.tag, "*") {
		c.find(Note, e.rule.at, e.rule.line, "the tag "+short(c.scrub(e.tag))+" of this rule", "it is known only at run time: whether an output takes each such tag was not judged", "make sure that the match of an output takes each of them")
	}
	for _, s := range outputs {
		if c.taker(s).matches(e.tag) {
			hit[s] = true
			c.tooMuch(f, e.tag, keepsPart(e), s)
			kept = kept || c.keeping(s)
		}
	}
	if !kept {
		at := e.rule.at
		c.find(Error, at, e.rule.line, "no output delivers the tag "+short(c.scrub(e.tag))+" of this rule", "Fluent Bit drops the records that the rule takes", at.write("match", short(e.tag))+" in an output")
	}
}

func (c *checker) output(s *section) {
	switch limit := strings.ToLower(c.value(s, "retry_limit")); {
	case !c.keeping(s), c.name(s) == "stdout": // nothing is retried
	case c.name(s) == "s3":
		c.limitOfS3(s, limit)
	case limit == "no_limits", limit == "false", limit == "off":
	default:
		c.find(Warning, s, c.lineOf(s, "retry_limit"), "retry_limit is not no_limits",
			"Fluent Bit drops records after that many failed retries, by default after one", s.write("retry_limit", "no_limits"))
	}
	if v := c.value(s, "storage.total_limit_size"); v != "" && !isOff(v) && v != "0" {
		c.find(Warning, s, c.lineOf(s, "storage.total_limit_size"), "storage.total_limit_size is set",
			"when the buffer is full, Fluent Bit drops the oldest records", s.write("storage.total_limit_size", "off"))
	}
	if isOff(c.value(s, "tls.verify")) && c.name(s) != PluginName { // ours does not get it
		c.find(Warning, s, c.lineOf(s, "tls.verify"), "tls.verify is off",
			"anybody on the network path can read and change the audit trail", s.write("tls.verify", "on"))
	}
	c.judge(s, false, "")
	for _, p := range s.processors {
		c.judge(p, c.name(s) == PluginName, " of the output "+c.name(s))
	}
}

// limitOfS3 knows that the output s3 takes no_limits for 5 (Fluent Bit 5.1.1,
// plugins/out_s3/s3.c), and other numbers as they are. An upload that failed so often is
// moved aside for good.
func (c *checker) limitOfS3(s *section, limit string) {
	const enough = 1_000_000
	if n, err := strconv.Atoi(limit); err != nil || n < enough {
		c.find(Warning, s, c.lineOf(s, "retry_limit"), "retry_limit is below "+strconv.Itoa(enough),
			"the output s3 gives an upload up after that many failures, with no_limits after five", s.write("retry_limit", strconv.Itoa(enough)))
	}
}

// unmatched finds records that no output delivers.
func (c *checker) unmatched(f flow, missing []string, waste *section) {
	if len(missing) == 0 {
		return
	}
	what, why := "no output matches the tag "+short(c.scrub(missing[0])), "Fluent Bit drops records that no output matches"
	key, severity := "tag", Error
	if len(missing) < len(f.tags) {
		key, severity = "tag_by", Warning
	}
	fix := f.at.write("match", short(f.tag)+"*") + " in an output"
	switch {
	case waste != nil:
		what = fmt.Sprintf("only the output %s gets the tag %s", c.name(waste), short(c.scrub(missing[0])))
		a, _ := c.abilityOf(waste)
		why = "it " + a.does
	case f.direct != nil:
		what, why, key = "route "+short(missing[0])+" reaches no output", "Fluent Bit drops what it takes", "routes"
		fix = ""
	case f.only != nil:
		key, why = "routes", "a route without a condition reaches an output only if its match takes the tag as well"
		fix = f.at.write("match", short(f.tag)+"*") + " in the output of the route"
	case c.rewritten(missing):
		severity, why = Warning, "Fluent Bit drops records that no rule of rewrite_tag takes, and records that arrive faster than emitter_mem_buf_limit allows"
	}
	c.find(severity, f.at, c.lineOf(f.at, key), what, why, fix)
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
