package flbconf

import (
	"slices"
	"strings"
)

// filters finds emitters that hold our records in memory, and follows the
// tags that they make.
func (c *checker) filters() {
	for _, s := range c.kind("filter") {
		if !strings.EqualFold(c.value(s, "name"), "rewrite_tag") || !c.selector(s).any(c.tags) {
			continue
		}
		for _, p := range s.props {
			if tag := ruleTag(c.expand(p.value).value); p.key == "rule" && tag != "" {
				c.tags = append(c.tags, tag)
			}
		}
		if !strings.EqualFold(c.value(s, "emitter_storage.type"), "filesystem") {
			c.find(Warning, s, lineOf(s, "emitter_storage.type"), "emitter_storage.type is not filesystem",
				"rewrite_tag takes our records out of the files and holds them in memory, where a stop loses them", s.write("emitter_storage.type", "filesystem"))
		}
	}
}

// sure are outputs that cannot fail, so that nothing is to be retried.
var sure = []string{"stdout", "null", "counter", "flowcounter"}

// outputs checks those that get our records.
func (c *checker) outputs(ours []*section) {
	all := c.kind("output")
	single := len(all) == 1 && len(c.kind("input")) == 1
	var routed []string
	for _, s := range ours {
		routed = append(routed, s.routes...)
	}
	reached := map[string]bool{}
	direct := false
	for _, s := range all {
		sel := c.selector(s)
		if single && sel.pattern == "" && sel.regex == nil && !sel.all {
			sel.all = true // Fluent Bit joins a lone input and a lone output
		}
		hit := false
		for _, t := range c.tags {
			if sel.matches(t) {
				hit, reached[t] = true, true
			}
		}
		if slices.Contains(routed, c.value(s, "alias")) && c.value(s, "alias") != "" || slices.Contains(routed, c.value(s, "name")) {
			hit, direct = true, true
		}
		if hit {
			c.output(s)
		}
	}
	if !direct {
		c.unmatched(ours, reached)
	}
}

func (c *checker) output(s *section) {
	name := strings.ToLower(c.value(s, "name"))
	switch limit := strings.ToLower(c.value(s, "retry_limit")); {
	case slices.Contains(sure, name), limit == "no_limits", limit == "false", limit == "off":
	default:
		c.find(Warning, s, lineOf(s, "retry_limit"), "retry_limit is not no_limits",
			"Fluent Bit drops our records after that many failed tries, by default after one", s.write("retry_limit", "no_limits"))
	}
	if v := c.value(s, "storage.total_limit_size"); v != "" && !isOff(v) && v != "0" {
		c.find(Warning, s, lineOf(s, "storage.total_limit_size"), "storage.total_limit_size is set",
			"when the buffer is full Fluent Bit drops the oldest records and goes on", s.write("storage.total_limit_size", "off"))
	}
	if isOff(c.value(s, "tls.verify")) {
		c.find(Warning, s, lineOf(s, "tls.verify"), "tls.verify is off",
			"anybody on the way can read and change the audit trail", s.write("tls.verify", "on"))
	}
}

// unmatched finds records that no output gets.
func (c *checker) unmatched(ours []*section, reached map[string]bool) {
	for i, s := range ours {
		in := c.inputs[i]
		tags := tagsOf(in.Tag, in.Settings.TagBy)
		missing := slices.DeleteFunc(tags, func(t string) bool { return reached[t] })
		total := len(tagsOf(in.Tag, in.Settings.TagBy))
		if len(missing) == 0 {
			continue
		}
		key, severity, why := "tag", Error, "Fluent Bit drops records that no output matches"
		if len(missing) < total {
			key, severity = "tag_by", Warning
		}
		if c.rewritten(missing) {
			severity, why = Warning, "Fluent Bit drops what no rule of rewrite_tag takes"
		}
		c.find(severity, s, lineOf(s, key), "no output matches the tag "+bounded(c.scrub(missing[0])), why, s.write(matchKey(s), in.Tag+"*")+" in an output")
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
	for _, s := range c.kind("filter") {
		if strings.EqualFold(c.value(s, "name"), "rewrite_tag") {
			sel := c.selector(s)
			tags = slices.DeleteFunc(slices.Clone(tags), sel.matches)
		}
	}
	return len(tags) == 0
}
