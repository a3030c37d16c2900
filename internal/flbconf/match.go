package flbconf

import (
	"regexp"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// meet reports whether some tag matches both patterns, in which "*" is any text as in
// Fluent Bit (flb_router.c). row[j] is the answer for the part of a so far and b[:j].
func meet(a, b string) bool {
	const most = 4096 // the work grows with the product
	if len(a) > most || len(b) > most {
		return a == b || strings.Contains(a+b, "*")
	}
	row := make([]bool, len(b)+1)
	row[0] = true
	for j := range len(b) {
		row[j+1] = row[j] && b[j] == '*'
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = row[0] && a[i] == '*'
		for j := range len(b) {
			above := row[j+1]
			if a[i] == '*' || b[j] == '*' {
				row[j+1] = above || row[j]
			} else {
				row[j+1] = diagonal && a[i] == b[j]
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// selector decides which tags a filter or an output gets.
type selector struct {
	pattern string
	regex   *regexp.Regexp
	all     bool // a regular expression that Go cannot read: assume that it matches
}

// selector returns the match of a filter or an output. What cannot be known here is
// assumed to match, and noted.
func (c *checker) selector(s *section) selector {
	sel, known := c.takes[s]
	if known {
		return sel
	}
	defer func() { c.takes[s] = sel }()
	if p, ok := c.get(s, "match"); ok {
		e := c.expand(p.value)
		sel.pattern = e.value
		if e.file {
			sel.all = true
			c.find(Note, s, p.line, "match is not known here", "its value is in a file; this check assumes that it matches every tag", "write the value itself, if this check is to judge it")
		}
	}
	if p, ok := c.get(s, "match_regex"); ok {
		// Fluent Bit anchors at the start only, and allows /.../ around it.
		text := strings.TrimSuffix(strings.TrimPrefix(c.expand(p.value).value, "/"), "/")
		re, err := regexp.Compile("^(?:" + text + ")")
		if sel.regex = re; err != nil {
			sel.all = true
			c.find(Note, s, p.line, "match_regex cannot be judged", "it uses a syntax that only Fluent Bit knows; this check assumes that it matches every tag", "use match instead, if this check is to judge it")
		}
	}
	return sel
}

func (s selector) matches(tag string) bool {
	return s.all || s.pattern != "" && meet(s.pattern, tag) || s.regex != nil && s.regex.FindString(strings.ReplaceAll(tag, "*", "x")) != ""
}

// tagsOf are the tags that an input's records can have: with tag_by one for
// each type that it reads, and one for the types of a newer ZITADEL.
func tagsOf(tag string, settings config.Settings) []string {
	var types, read []string
	switch settings.TagBy {
	case "aggregate_type":
		types, read = config.AggregateTypes(), settings.AggregateTypes
	case "event_type":
		types, read = config.EventTypes(), settings.EventTypes
	default:
		return []string{tag}
	}
	if len(read) > 0 {
		types = read
	} else {
		types = append(slices.Clone(types), "a-newer-type")
	}
	tags := make([]string, 0, len(types))
	for _, t := range types {
		tags = append(tags, tag+"."+t)
	}
	return tags
}

// meets reports whether one tag can match both. With a regular expression that is not
// known.
func (s selector) meets(other selector) bool {
	if s.all || other.all || s.regex != nil || other.regex != nil {
		return true
	}
	return meet(s.pattern, other.pattern)
}
