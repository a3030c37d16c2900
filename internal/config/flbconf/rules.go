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
	tags     []string          // every tag that our records can have
	secrets  map[string]string // values that no finding may repeat, with what to write instead
}

func (c *checker) find(sev Severity, s *section, line int, what, why, mend string) {
	c.findings = append(c.findings, Finding{sev, s.file, max(line, 1), c.scrub(what), c.scrub(why), c.scrub(mend)})
}

func (c *checker) check(main string) {
	var ours []*section
	nth := map[string]int{} // Fluent Bit numbers the instances of one plugin
	for _, s := range c.kind("input") {
		name := strings.ToLower(c.value(s, "name"))
		if name == PluginName {
			ours = append(ours, s)
			c.input(s, nth[name])
		}
		nth[name]++
	}
	if len(ours) == 0 {
		if len(c.findings) == 0 { // else it may stand in what could not be read
			c.noInput(main)
		}
		return
	}
	c.loading()
	c.storagePath(ours)
	c.sharedState(ours)
	c.filters()
	c.outputs(ours)
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
	for _, s := range c.kind("input") {
		if name := c.value(s, "name"); config.Nearest(strings.TrimPrefix(strings.ToLower(name), "in_"), []string{PluginName}) != "" {
			f.File, f.Line, f.Mend = s.file, lineOf(s, "name"), s.write("name", PluginName)
		}
	}
	c.findings = append(c.findings, f)
}

// input checks one of our inputs by itself.
func (c *checker) input(s *section, nth int) {
	values, seen := map[string]string{}, map[string]bool{}
	opts := c.opts.Parse
	opts.Unknown = slices.Clone(opts.Unknown)
	for _, p := range s.props {
		option, known := config.Lookup(p.key)
		switch {
		case !known:
			c.foreignKey(s, p)
		case p.nested:
			c.find(Error, s, p.line, p.key, "it holds a structure where Fluent Bit takes plain text", s.write(p.key, option.Example))
			opts.Unknown = append(opts.Unknown, p.key)
		case p.list && strings.Contains(p.value, ","):
			mend := "one value, not a list"
			if option.Kind == config.KindList {
				mend = s.write(p.key, p.value)
			}
			c.find(Error, s, p.line, p.key, "Fluent Bit hands a plugin only the first element of a YAML list", mend)
			opts.Unknown = append(opts.Unknown, p.key)
		case seen[p.key]:
			c.find(Warning, s, p.line, p.key+" is given twice", "Fluent Bit takes the first one only", "keep one of them")
		default:
			e := c.expand(p.value)
			if len(e.unset) > 0 {
				c.find(Error, s, p.line, p.key, "the variable ${"+bounded(e.unset[0])+"} is not set, and Fluent Bit puts nothing in its place",
					"set it in the environment of Fluent Bit")
			}
			if len(e.unset) > 0 || e.file {
				opts.Unknown = append(opts.Unknown, p.key)
			} else {
				values[p.key] = e.value
				if option.Secret {
					c.keep(e.value, "[REDACTED]")
				}
			}
		}
		seen[p.key] = true
	}
	settings, warnings, problems := config.Check(values, opts)
	for _, p := range problems {
		c.find(Error, s, lineOf(s, p.Option), strings.TrimSpace(p.Option+" "+p.Value), p.Why, p.Mend)
	}
	for _, p := range warnings {
		c.find(Warning, s, lineOf(s, p.Option), strings.TrimSpace(p.Option+" "+p.Value), p.Why, p.Mend)
	}
	c.threaded(s)
	c.storageType(s)

	tag := c.value(s, "tag")
	if tag == "" {
		tag = fmt.Sprintf("%s.%d", PluginName, nth)
	}
	c.inputs = append(c.inputs, Input{File: s.file, Line: s.line, Tag: tag, Settings: settings, Usable: len(problems)+len(opts.Unknown) == 0})
	c.tags = append(c.tags, tagsOf(tag, settings.TagBy)...)
}

// foreignKey is a key that is no option of ours.
func (c *checker) foreignKey(s *section, p property) {
	key := bounded(p.key)
	if isHostKey(p.key) {
		return
	}
	if ours, ok := idle(p.key); ok {
		mend := ""
		if ours != "" {
			option, _ := config.Lookup(ours)
			mend = s.write(ours, option.Example)
		}
		if p.key == "tls" && isOn(c.expand(p.value).value) {
			c.find(Error, s, p.line, key, "Fluent Bit does not start: this input does not take TLS from it, the url decides", mend)
			return
		}
		c.find(Warning, s, p.line, key, "Fluent Bit swallows it and the plugin never sees it", mend)
		return
	}
	near := config.Meant(p.key)
	if near == "" {
		names := slices.Clone(hostKeys)
		for _, o := range config.Options {
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
	if !isOff(c.value(s, "threaded")) {
		c.find(Warning, s, lineOf(s, "threaded"), "threaded is not off",
			"on an input thread records wait in memory after Fluent Bit took them, and a killed process loses them or reads them twice", s.write("threaded", "off"))
	}
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
			c.find(Error, at, p.line, "plugins: "+bounded(p.path), "Fluent Bit takes a file named flb-* for a native plugin", "in_zitadel.so")
		}
	}
}
