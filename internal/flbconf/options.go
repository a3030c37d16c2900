package flbconf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// checkOptions checks the plugin's options in one of our sections. They are usable if
// none is wrong or unknown.
func checkOptions[S any](c *checker, s *section, table config.Table[S]) (settings S, usable bool) {
	values, seen := map[string]string{}, map[string]int{}
	opts := c.opts.Parse
	opts.Unknown = slices.Clone(opts.Unknown)
	for _, p := range s.props {
		option, known := table.Lookup(p.key)
		switch {
		case !known:
			c.foreignKey(s, p, table.Options)
		case p.nth > 0: // the first element of the list says it
		case seen[p.key] > 0:
			c.find(Warning, s, p.line, p.key+" is given twice", fmt.Sprintf("the plugin gets the first one, line %d", seen[p.key]), "keep one of them")
		default:
			if value, ok := c.optionValue(s, p, option); ok {
				values[p.key] = value
			} else {
				opts.Unknown = append(opts.Unknown, p.key)
			}
			seen[p.key] = p.line
		}
	}
	c.twice(s)
	settings, warnings, problems := table.Check(values, opts)
	for i, p := range slices.Concat(problems, warnings) {
		sev := Error
		if i >= len(problems) {
			sev = Warning
		}
		c.find(sev, s, c.lineOf(s, p.Option), strings.TrimSpace(p.Option+" "+p.Value), p.Why, p.Fix)
	}
	return settings, len(problems)+len(opts.Unknown) == 0
}

// optionValue is what the plugin will read; false if that is not known here.
func (c *checker) optionValue(s *section, p property, option config.Option) (string, bool) {
	switch {
	case p.nested:
		c.find(Error, s, p.line, p.key, "Fluent Bit needs plain text here, not a structure", s.write(p.key, option.Example))
		return "", false
	case p.list != "":
		fix := "one value, not a list"
		if option.Kind == config.KindList {
			fix = s.write(p.key, p.list)
		}
		c.find(Error, s, p.line, p.key, "Fluent Bit passes only the first element of a YAML list to a plugin", fix)
		return "", false
	}
	e := c.expand(p.value)
	if len(e.unset) > 0 {
		c.find(Error, s, p.line, p.key, "the variable ${"+short(e.unset[0])+"} is not set, so Fluent Bit replaces it with nothing",
			"set it in the environment of Fluent Bit")
	}
	if len(e.unset) > 0 || e.file {
		return "", false
	}
	if option.Secret {
		c.keep(e.value, "[REDACTED]")
	}
	return e.value, true
}

// foreignKey checks a key that is not an option of ours.
func (c *checker) foreignKey(s *section, p property, options config.Options) {
	key, host := short(p.key), hostedBy[s.kind]
	if slices.Contains(host.keys, p.key) {
		return
	}
	if ours, ok := host.ignored(p.key); ok {
		fix := ""
		if ours != "" {
			option, _ := options.Lookup(ours)
			fix = s.write(ours, option.Example)
		}
		if p.key == "tls" && isOn(c.expand(p.value).value) {
			c.find(Error, s, p.line, key, "Fluent Bit does not start: this "+s.kind+" does not take TLS from it, "+host.tlsBy+" decides", fix)
			return
		}
		if p.key == "listen" { // meant for webhooks, which then nobody receives
			c.find(Error, s, p.line, key, "Fluent Bit takes this option itself, so the plugin never gets it and receives no webhooks", s.write(ours, p.value))
			return
		}
		c.find(Warning, s, p.line, key, "Fluent Bit takes this option itself, so the plugin never gets it", fix)
		return
	}
	near := options.Meant(p.key)
	if near == "" {
		near = config.Nearest(p.key, append(options.Names(), host.keys...))
	}
	fix := ""
	if near != "" {
		fix = "did you mean " + near + "?"
	}
	c.find(Error, s, p.line, key, "neither the plugin nor Fluent Bit knows this option, and Fluent Bit does not report it", fix)
}
