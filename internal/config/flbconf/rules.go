package flbconf

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

type checker struct {
	opts     Options
	doc      *document
	findings []Finding
	inputs   []Input
	parsers  []Output
	secrets  map[string]string // values that no finding may repeat, with what to write instead
}

// flow is where records come in, with the tags that they can have before any
// filter. A tag may hold "*", for a part that is known at run time only.
type flow struct {
	at   *section
	tag  string // to be matched, less what is appended
	tags []string
}

func (c *checker) find(sev Severity, s *section, line int, what, why, mend string) {
	c.findings = append(c.findings, Finding{sev, s.file, max(line, 1), c.scrub(what), c.scrub(why), c.scrub(mend)})
}

func (c *checker) check(main string) {
	inputs, outputs := c.named("input"), c.named("output")
	if len(inputs)+len(outputs) == 0 {
		if len(c.findings) == 0 { // else it may stand in what could not be read
			c.noInput(main)
		}
		return
	}
	var events []flow
	for _, s := range inputs {
		events = append(events, c.input(s))
	}
	for _, s := range outputs {
		c.parser(s)
	}
	c.loading()
	c.sharedState(inputs)
	lines, parsed := c.lines(outputs)
	stored := inputs
	for _, f := range slices.Concat(lines, parsed) {
		if !slices.Contains(stored, f.at) {
			stored = append(stored, f.at)
		}
	}
	c.storagePath(stored)
	tags := c.follow(tagsIn(append(events, parsed...)))
	c.emitters(append(c.follow(tagsIn(lines)), tags...))
	c.outputs(append(events, parsed...), tags)
}

// named are our own sections of a kind.
func (c *checker) named(kind string) []*section {
	return slices.DeleteFunc(c.kind(kind), func(s *section) bool { return c.name(s) != PluginName })
}

func (c *checker) name(s *section) string { return strings.ToLower(c.value(s, "name")) }

// tagOf is an input's own tag; Fluent Bit numbers the inputs of one plugin.
func (c *checker) tagOf(s *section) string {
	if tag := c.value(s, "tag"); tag != "" {
		return tag
	}
	nth := 0
	for _, other := range c.kind("input") {
		if other == s {
			break
		}
		if c.name(other) == c.name(s) {
			nth++
		}
	}
	return fmt.Sprintf("%s.%d", c.name(s), nth)
}

func (c *checker) kind(kind string) []*section {
	var list []*section
	for _, s := range c.doc.sections {
		if s.kind == kind {
			list = append(list, s)
		}
	}
	return list
}

// value is a property after expansion, "" where it is not set.
func (c *checker) value(s *section, key string) string {
	p, ok := s.get(key)
	if !ok {
		return ""
	}
	return c.expand(p.value).value
}

// lineOf is where to mend key: its own line, or that of its section.
func lineOf(s *section, key string) int {
	if p, ok := s.get(key); ok {
		return p.line
	}
	return s.line
}

func (c *checker) noInput(main string) {
	f := Finding{Error, main, 1, "no input named " + PluginName, "this configuration reads nothing from ZITADEL", "add an input with name " + PluginName}
	for _, s := range append(c.kind("output"), c.kind("input")...) {
		bare := strings.TrimPrefix(strings.TrimPrefix(c.name(s), "in_"), "out_")
		if config.Nearest(bare, []string{PluginName}) != "" {
			f.What = "no " + s.kind + " named " + PluginName
			f.File, f.Line, f.Mend = s.file, lineOf(s, "name"), s.write("name", PluginName)
			if s.kind == "output" {
				f.Why = "this configuration parses nothing of ZITADEL's log"
			}
		}
	}
	c.findings = append(c.findings, f)
}

// checkOptions checks what one of our sections says to the plugin. It is
// usable where nothing is wrong or unknown.
func checkOptions[S any](c *checker, s *section, table config.Table[S]) (settings S, usable bool) {
	values, seen := map[string]string{}, map[string]bool{}
	opts := c.opts.Parse
	opts.Unknown = slices.Clone(opts.Unknown)
	for _, p := range s.props {
		option, known := table.Lookup(p.key)
		switch {
		case !known:
			c.foreignKey(s, p, table.Options)
		case seen[p.key]:
			c.find(Warning, s, p.line, p.key+" is given twice", "Fluent Bit takes the first one only", "keep one of them")
		default:
			if value, ok := c.optionValue(s, p, option); ok {
				values[p.key] = value
			} else {
				opts.Unknown = append(opts.Unknown, p.key)
			}
		}
		seen[p.key] = true
	}
	settings, warnings, problems := table.Check(values, opts)
	for _, p := range problems {
		c.find(Error, s, lineOf(s, p.Option), strings.TrimSpace(p.Option+" "+p.Value), p.Why, p.Mend)
	}
	for _, p := range warnings {
		c.find(Warning, s, lineOf(s, p.Option), strings.TrimSpace(p.Option+" "+p.Value), p.Why, p.Mend)
	}
	return settings, len(problems)+len(opts.Unknown) == 0
}

// optionValue is what the plugin will read, as far as that is known here.
func (c *checker) optionValue(s *section, p property, option config.Option) (string, bool) {
	switch {
	case p.nested:
		c.find(Error, s, p.line, p.key, "it holds a structure where Fluent Bit takes plain text", s.write(p.key, option.Example))
		return "", false
	case p.list && strings.Contains(p.value, ","):
		mend := "one value, not a list"
		if option.Kind == config.KindList {
			mend = s.write(p.key, p.value)
		}
		c.find(Error, s, p.line, p.key, "Fluent Bit hands a plugin only the first element of a YAML list", mend)
		return "", false
	}
	e := c.expand(p.value)
	if len(e.unset) > 0 {
		c.find(Error, s, p.line, p.key, "the variable ${"+bounded(e.unset[0])+"} is not set, and Fluent Bit puts nothing in its place",
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

// input checks one of our inputs by itself.
func (c *checker) input(s *section) flow {
	settings, usable := checkOptions(c, s, config.Input)
	if !isOff(c.value(s, "threaded")) { // a Go input is threaded by default
		c.threaded(s)
	}
	c.storageType(s)
	tag := c.tagOf(s)
	c.inputs = append(c.inputs, Input{File: s.file, Line: s.line, Tag: tag, Settings: settings, Usable: usable})
	return flow{s, tag, tagsOf(tag, settings.TagBy)}
}

// foreignKey is a key that is no option of ours.
func (c *checker) foreignKey(s *section, p property, options config.Options) {
	key, host := bounded(p.key), hostedBy[s.kind]
	if slices.Contains(host.keys, p.key) {
		return
	}
	if ours, ok := host.swallowed(p.key); ok {
		mend := ""
		if ours != "" {
			option, _ := options.Lookup(ours)
			mend = s.write(ours, option.Example)
		}
		if p.key == "tls" && isOn(c.expand(p.value).value) {
			c.find(Error, s, p.line, key, "Fluent Bit does not start: this "+s.kind+" does not take TLS from it, "+host.tlsBy+" decides", mend)
			return
		}
		c.find(Warning, s, p.line, key, "Fluent Bit swallows it and the plugin never sees it", mend)
		return
	}
	near := options.Meant(p.key)
	if near == "" {
		names := slices.Clone(host.keys)
		for _, o := range options {
			names = append(names, o.Name)
		}
		near = config.Nearest(p.key, names)
	}
	mend := ""
	if near != "" {
		mend = "did you mean " + near + "?"
	}
	c.find(Error, s, p.line, key, "neither the plugin nor Fluent Bit knows this option, and Fluent Bit says nothing about it", mend)
}

func (c *checker) threaded(s *section) {
	c.find(Warning, s, lineOf(s, "threaded"), "threaded is not off",
		"on an input thread records wait in memory after Fluent Bit took them, and a killed process loses them or reads them twice", s.write("threaded", "off"))
}

// filesystem says whether an input's chunks go to disk. The service gives a
// default only together with storage.inherit (flb_storage.c).
func (c *checker) filesystem(s *section) bool {
	own := c.value(s, "storage.type")
	if own == "" && isOn(c.service("storage.inherit")) {
		own = c.service("storage.type")
	}
	return strings.EqualFold(own, "filesystem")
}

func (c *checker) service(key string) string {
	for _, s := range c.kind("service") {
		if v := c.value(s, key); v != "" {
			return v
		}
	}
	return ""
}

func (c *checker) storageType(s *section) {
	if !c.filesystem(s) {
		c.find(Warning, s, lineOf(s, "storage.type"), "storage.type is not filesystem",
			"what Fluent Bit holds in memory is lost when it is stopped while an output is stuck", s.write("storage.type", "filesystem"))
	}
}

func (c *checker) storagePath(ours []*section) {
	if c.service("storage.path") != "" || !slices.ContainsFunc(ours, c.filesystem) {
		return
	}
	at := ours[0]
	if services := c.kind("service"); len(services) > 0 {
		at = services[0]
	}
	c.find(Error, at, at.line, "storage.path is missing in the service section",
		"storage.type filesystem needs a directory, and Fluent Bit does not start without", at.write("storage.path", "/var/lib/fluent-bit/storage"))
}

// sharedState finds inputs that would fight for one state file.
func (c *checker) sharedState(ours []*section) {
	first := map[string]*section{}
	for _, s := range ours {
		state := c.value(s, "state_path")
		if state == "" {
			continue
		}
		state = filepath.Clean(state)
		if other := first[state]; other != nil {
			c.find(Error, s, lineOf(s, "state_path"), "state_path is that of another input",
				fmt.Sprintf("the input at %s:%d keeps its state there, and one file serves one reader", other.file, other.line),
				s.write("state_path", strings.TrimSuffix(state, path.Ext(state))+"-2"+path.Ext(state)))
			continue
		}
		first[state] = s
	}
}

// loading looks at how a YAML configuration loads the plugin.
func (c *checker) loading() {
	for _, p := range c.doc.plugins {
		base := path.Base(p.path)
		at := &section{file: p.file}
		switch {
		case !strings.Contains(base, PluginName):
		case !strings.Contains(p.path, "/"):
			c.find(Error, at, p.line, "plugins: "+bounded(p.path), "Fluent Bit does not load a bare file name", "./"+base+" or an absolute path")
		case strings.HasPrefix(base, "flb-"):
			c.find(Error, at, p.line, "plugins: "+bounded(p.path), "Fluent Bit takes a file named flb-* for a native plugin", strings.TrimPrefix(base, "flb-"))
		}
	}
}
