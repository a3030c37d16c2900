package flbconf

import (
	"slices"
	"strings"
)

// rewriters are the filters that give records another tag.
func (c *checker) rewriters() []*section {
	return slices.DeleteFunc(c.kind("filter"), func(s *section) bool { return c.name(s) != "rewrite_tag" })
}

// follow adds the tags that filters make of these.
func (c *checker) follow(tags []string) []string {
	tags = slices.Clone(tags)
	for _, s := range c.rewriters() {
		if !c.selector(s).any(tags) {
			continue
		}
		for _, p := range s.props {
			if tag := ruleTag(c.expand(p.value).value); p.key == "rule" && tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// emitters finds those that hold our records in memory.
func (c *checker) emitters(tags []string) {
	for _, s := range c.rewriters() {
		if c.selector(s).any(tags) && !strings.EqualFold(c.value(s, "emitter_storage.type"), "filesystem") {
			c.find(Warning, s, lineOf(s, "emitter_storage.type"), "emitter_storage.type is not filesystem",
				"rewrite_tag takes our records out of the files and holds them in memory, where a stop loses them", s.write("emitter_storage.type", "filesystem"))
		}
	}
}

// taker says what an output gets by its own words.
func (c *checker) taker(s *section) selector {
	sel := c.selector(s)
	if sel.pattern == "" && sel.regex == nil && len(c.kind("output")) == 1 && len(c.kind("input")) == 1 {
		sel.all = true // Fluent Bit joins a lone input and a lone output
	}
	return sel
}

// routed says that one of the inputs names the output in its own routes.
func (c *checker) routed(inputs []flow, output *section) bool {
	alias, name := c.value(output, "alias"), c.value(output, "name")
	return slices.ContainsFunc(inputs, func(f flow) bool {
		return alias != "" && slices.Contains(f.at.routes, alias) || slices.Contains(f.at.routes, name)
	})
}

// sure are outputs that cannot fail, so that nothing is to be retried.
var sure = []string{"stdout", "null", "counter", "flowcounter"}

// outputs checks those that get our records, and those that are ours.
func (c *checker) outputs(flows []flow, tags []string) {
	reached := map[string]bool{}
	direct := false
	for _, s := range c.kind("output") {
		sel := c.taker(s)
		hit := c.name(s) == PluginName
		for _, t := range tags {
			if sel.matches(t) {
				hit, reached[t] = true, true
			}
		}
		if c.routed(flows, s) {
			hit, direct = true, true
		}
		if hit {
			c.output(s)
		}
	}
	if !direct {
		c.unmatched(flows, reached)
	}
}

func (c *checker) output(s *section) {
	switch limit := strings.ToLower(c.value(s, "retry_limit")); {
	case slices.Contains(sure, c.name(s)), limit == "no_limits", limit == "false", limit == "off":
	default:
		c.find(Warning, s, lineOf(s, "retry_limit"), "retry_limit is not no_limits",
			"Fluent Bit drops our records after that many failed tries, by default after one", s.write("retry_limit", "no_limits"))
	}
	if v := c.value(s, "storage.total_limit_size"); v != "" && !isOff(v) && v != "0" {
		c.find(Warning, s, lineOf(s, "storage.total_limit_size"), "storage.total_limit_size is set",
			"when the buffer is full Fluent Bit drops the oldest records and goes on", s.write("storage.total_limit_size", "off"))
	}
	if isOff(c.value(s, "tls.verify")) && c.name(s) != PluginName { // ours does not get it
		c.find(Warning, s, lineOf(s, "tls.verify"), "tls.verify is off",
			"anybody on the way can read and change the audit trail", s.write("tls.verify", "on"))
	}
}

// unmatched finds records that no output gets.
func (c *checker) unmatched(flows []flow, reached map[string]bool) {
	for _, f := range flows {
		missing := slices.DeleteFunc(slices.Clone(f.tags), func(t string) bool { return reached[t] })
		if len(missing) == 0 {
			continue
		}
		key, severity, why := "tag", Error, "Fluent Bit drops records that no output matches"
		if len(missing) < len(f.tags) {
			key, severity = "tag_by", Warning
		}
		if c.rewritten(missing) {
			severity, why = Warning, "Fluent Bit drops what no rule of rewrite_tag takes"
		}
		c.find(severity, f.at, lineOf(f.at, key), "no output matches the tag "+bounded(c.scrub(missing[0])), why,
			f.at.write(matchKey(f.at), bounded(f.tag)+"*")+" in an output")
	}
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
	for _, s := range c.rewriters() {
		tags = slices.DeleteFunc(slices.Clone(tags), c.selector(s).matches)
	}
	return len(tags) == 0
}
