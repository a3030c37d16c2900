package flbconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// flow is where records come in, and the ways that they can go. A tag may hold
// "*", for a part that is known at run time only.
type flow struct {
	at      *section
	tag     string                // for advice: to be matched, less what is appended
	tags    []string              // with which its records come to the filters
	direct  map[string][]*section // the outputs of routes with a condition, by tag; then there are no others
	only    []*section            // the outputs of routes without one, which must match as well
	lines   bool                  // lines of a log, not yet our records
	limit   config.ChunkSettings  // of its chunks
	plain   []string              // the tags that it would have without the limit
	limiter *section              // ours that can limit them
	faults  []Finding             // of its routes
}

// enter takes the tags that an input gives through its processors and routes.
func (c *checker) enter(f flow) flow {
	for _, p := range f.at.processors {
		for _, rule := range c.rules(p) {
			f.tags = append(f.tags, rule.apply(f.tags)...)
		}
	}
	if c.lone() {
		return f // Fluent Bit does not look at routes then
	}
	taken := map[*section]bool{}
	plain, covered := []*section{}, false
	direct := map[string][]*section{}
	for _, r := range f.at.routes {
		outs, faults := c.targets(f.at, r, taken)
		f.faults = append(f.faults, faults...)
		switch {
		case !r.conditional():
			plain = append(plain, outs...)
		case !r.condition: // per_record_routing alone selects nothing
			f.faults = append(f.faults, Finding{Error, f.at.file, r.line, "route " + short(r.name) + " has per_record_routing and no condition", "Fluent Bit then gives nothing to its outputs", "condition: {default: true}"})
			direct[r.name] = nil
		case len(outs) > 0:
			direct[r.name] = outs
			covered = covered || r.fallback
		}
	}
	switch {
	case len(direct) > 0:
		if !covered && len(plain) == 0 {
			f.faults = append(f.faults, Finding{Warning, f.at.file, c.lineOf(f.at, "routes"), "routes without a default", "Fluent Bit drops the records that no condition takes", "a last route with condition: {default: true} to an output of its own"})
		}
		if len(plain) > 0 {
			for _, t := range f.tags {
				direct[t] = plain
			}
		} else {
			f.tags = nil
		}
		for _, r := range f.at.routes {
			if direct[r.name] != nil && !slices.Contains(f.tags, r.name) {
				f.tags = append(f.tags, r.name)
			}
		}
		f.direct = direct
	case len(plain) > 0:
		f.only = plain
	}
	return f
}

// targets are the outputs of a route. Fluent Bit connects an input and an output
// once: what a second route to the same output takes is lost.
func (c *checker) targets(in *section, r route, taken map[*section]bool) (outs []*section, faults []Finding) {
	for _, t := range r.outputs {
		out := c.outputNamed(t.name)
		if out == nil {
			out = c.outputNamed(t.fallback)
		}
		switch {
		case out == nil:
			faults = append(faults, Finding{Error, in.file, r.line, "route " + short(r.name) + " names the output " + short(t.name), "there is no output with this name or alias: nothing goes this way", "alias: " + short(t.name) + " at an output"})
		case taken[out]:
			faults = append(faults, Finding{Error, in.file, r.line, "route " + short(r.name) + " is the second one to the output " + short(t.name),
				"Fluent Bit keeps the first route to an output and drops what the second one takes", "an output of its own for each route"})
		default:
			taken[out] = true
			outs = append(outs, out)
		}
	}
	return outs, faults
}

// outputNamed finds an output by alias, instance (http.0) or plugin.
func (c *checker) outputNamed(name string) *section {
	nth := map[string]int{}
	for _, s := range c.kind("output") {
		plugin := c.name(s)
		instance := fmt.Sprintf("%s.%d", plugin, nth[plugin])
		nth[plugin]++
		if name != "" && (name == c.value(s, "alias") || name == instance || name == plugin) {
			return s
		}
	}
	return nil
}

// lone says that Fluent Bit joins the only input with the only output. Storage on
// disk and filters that emit bring inputs of their own.
func (c *checker) lone() bool {
	emits := func(s *section) bool { return c.name(s) == "rewrite_tag" || c.name(s) == "multiline" }
	return len(c.kind("input")) == 1 && len(c.kind("output")) == 1 && c.setting("storage.path") == "" && !slices.ContainsFunc(c.kind("filter"), emits)
}

// taker says what an output takes by its match.
func (c *checker) taker(s *section) selector {
	sel := c.selector(s)
	if sel.pattern == "" && sel.regex == nil && c.lone() {
		sel.all = true
	}
	return sel
}

// gets says whether an output gets the records of a flow that have this tag.
func (c *checker) gets(f flow, tag string, out *section) bool {
	switch {
	case f.direct != nil:
		return slices.Contains(f.direct[tag], out)
	case f.only != nil && !slices.Contains(f.only, out):
		return false
	}
	return c.taker(out).matches(tag)
}

// reaches says whether an output gets any record of a flow.
func (c *checker) reaches(f flow, out *section) bool {
	for _, t := range f.tags {
		if c.gets(f, t, out) {
			return true
		}
	}
	sel := c.taker(out)
	return slices.ContainsFunc(c.emitted(f.tags), func(e emission) bool { return sel.matches(e.tag) })
}

// rewriteRule is a rule of rewrite_tag: "$key regex tag keep".
type rewriteRule struct {
	at   *section
	line int
	tag  string
	keep bool
}

func (c *checker) rules(s *section) (rules []rewriteRule) {
	if c.name(s) != "rewrite_tag" || !c.active(s) {
		return nil
	}
	for _, p := range s.props {
		fields := strings.Fields(c.expand(p.value).value)
		if n := len(fields); p.key == "rule" && n >= 3 {
			rules = append(rules, rewriteRule{s, p.line, strings.Trim(fields[n-2], `"'`), isOn(fields[n-1])})
		}
	}
	return rules
}

// active is Fluent Bit's switch for a filter.
func (c *checker) active(s *section) bool {
	for _, p := range s.props {
		if v := c.expand(p.value).value; p.key == "active" && (strings.EqualFold(v, "false") || v == "0") {
			return false
		}
	}
	return true
}

// apply is the new tag of records that had one of these.
func (r rewriteRule) apply(tags []string) (rewritten []string) {
	for _, tag := range tags {
		parts := strings.Split(tag, ".")
		made := dollarPart.ReplaceAllStringFunc(r.tag, func(part string) string {
			if strings.EqualFold(part, "$TAG") {
				return tag
			}
			var n int
			if _, err := fmt.Sscanf(strings.ToUpper(part), "$TAG[%d]", &n); err == nil && n >= 0 && n < len(parts) {
				return parts[n]
			}
			return "*"
		})
		if !slices.Contains(rewritten, made) {
			rewritten = append(rewritten, made)
		}
	}
	return rewritten
}

var dollarPart = regexp.MustCompile(`\$[A-Za-z_0-9]+(\[[^\]]*\])*`)

// emission is a tag that a filter gives to records, which then go through all
// filters again.
type emission struct {
	tag  string
	rule rewriteRule
}

// emitted are the tags that filters make of these, and again of what they made.
func (c *checker) emitted(tags []string) (made []emission) {
	const most = 1000 // rules can make ever longer tags
	seen := map[string]bool{}
	for len(tags) > 0 && len(made) < most {
		var next []string
		for _, s := range c.kind("filter") {
			rules := c.rules(s)
			if len(rules) == 0 {
				continue
			}
			sel := c.selector(s)
			mine := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return !sel.matches(t) })
			for _, rule := range rules {
				for _, t := range rule.apply(mine) {
					if !seen[t] {
						seen[t] = true
						made, next = append(made, emission{t, rule}), append(next, t)
					}
				}
			}
		}
		tags = next
	}
	return made
}

// follow adds the tags that filters make of these.
func (c *checker) follow(tags []string) []string {
	tags = slices.Clone(tags)
	for _, e := range c.emitted(tags) {
		tags = append(tags, e.tag)
	}
	return tags
}

func tagsIn(flows []flow) []string {
	var tags []string
	for _, f := range flows {
		tags = append(tags, f.tags...)
	}
	return tags
}
