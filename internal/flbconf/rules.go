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
	*loader
	opts    Options
	inputs  []Input
	parsers []Output
	ofInput map[*section]bool // processors of inputs
	unset   map[string]string // variables that are not set, with the place of the first
	seen    map[Finding]bool
	looked  map[*section]bool // filters, processors and outputs that the verdict rests on
	takes   map[*section]selector
	secrets map[string]string // values that no finding may repeat, with what to write instead
}

func newChecker(opts Options, l *loader) *checker {
	c := &checker{loader: l, opts: opts, ofInput: map[*section]bool{}, unset: map[string]string{},
		seen: map[Finding]bool{}, looked: map[*section]bool{}, takes: map[*section]selector{}, secrets: map[string]string{}}
	for _, s := range c.kind("input") {
		for _, p := range s.processors {
			c.ofInput[p] = true
		}
	}
	return c
}

func (c *checker) find(sev Severity, s *section, line int, what, why, fix string) {
	c.report(Finding{sev, s.file, line, what, why, fix})
}

// report adds a finding once, without secrets.
func (c *checker) report(f Finding) {
	f.Line, f.What, f.Why, f.Fix = max(f.Line, 1), c.scrub(f.What), c.scrub(f.Why), c.scrub(f.Fix)
	if !c.seen[f] {
		c.seen[f] = true
		c.findings = append(c.findings, f)
	}
}

func (c *checker) check(main string) {
	inputs, outputs := c.named("input"), c.named("output")
	if len(inputs)+len(outputs) == 0 {
		if len(c.findings) == 0 { // else it may be in a file that could not be read
			c.noInput(main)
		}
		return
	}
	c.variables()
	c.nameless()
	var events []flow
	for _, s := range inputs {
		events = append(events, c.input(s))
	}
	for _, s := range outputs {
		c.parser(s)
	}
	c.loading()
	c.service()
	for _, s := range slices.Concat(c.kind("filter"), c.kind("output")) {
		c.twice(s)
	}
	c.sharedState(inputs)
	lines, parsed := c.lines(outputs)
	stored := inputs
	for _, f := range slices.Concat(lines, parsed) {
		if !slices.Contains(stored, f.at) {
			stored = append(stored, f.at)
		}
	}
	c.storagePath(stored)
	for _, f := range lines {
		f.lines = true
		c.onTheWay(f)
	}
	for _, f := range slices.Concat(events, parsed) {
		c.onTheWay(f)
	}
	c.deliver(slices.Concat(events, parsed))
}

// nameless finds sections without a name.
func (c *checker) nameless() {
	for _, s := range slices.Concat(c.kind("input"), c.kind("filter"), c.kind("output")) {
		if c.value(s, "name") == "" {
			c.find(Error, s, s.line, s.kind+" without a name", "Fluent Bit does not start with it", s.write("name", "the plugin"))
		}
	}
}

// named returns our own sections of a kind.
func (c *checker) named(kind string) []*section {
	return slices.DeleteFunc(c.kind(kind), func(s *section) bool { return c.name(s) != PluginName })
}

func (c *checker) name(s *section) string {
	name := strings.ToLower(c.value(s, "name"))
	if name == "elasticsearch" && s.kind == "output" {
		return "es"
	}
	return name
}

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
	return slices.DeleteFunc(slices.Clone(c.sections), func(s *section) bool { return s.kind != kind })
}

// get returns the property that counts where the key is given more than once.
func (c *checker) get(s *section, key string) (found property, ok bool) {
	last := lastCounts(s, key)
	for _, p := range s.props {
		switch {
		case p.key != key || ok && !last:
		case ok && c.expand(p.value).value == "" && !slices.Contains(emptied, key):
		default:
			found, ok = p, true
		}
	}
	return found, ok
}

// value is the property that counts after expansion, "" where it is not set.
func (c *checker) value(s *section, key string) string {
	p, ok := c.get(s, key)
	if !ok {
		return ""
	}
	return c.expand(p.value).value
}

// lineOf is the line of key, or that of its section.
func (c *checker) lineOf(s *section, key string) int {
	if p, ok := c.get(s, key); ok {
		return p.line
	}
	return s.line
}

// twice finds keys that Fluent Bit takes itself and that are given more than once.
func (c *checker) twice(s *section) {
	lines := map[string][]int{}
	for _, p := range s.props {
		if p.nth == 0 && (lastCounts(s, p.key) || slices.Contains(firstCounts, p.key)) {
			lines[p.key] = append(lines[p.key], p.line)
		}
	}
	for key, at := range lines {
		if len(at) < 2 || s.kind == "service" && (key == "parsers_file" || key == "plugins_file") {
			continue
		}
		which, counts := "last", c.lineOf(s, key)
		if slices.Contains(firstCounts, key) {
			which = "first"
		}
		c.find(Warning, s, at[len(at)-1], key+" is given twice", fmt.Sprintf("the %s one counts, line %d", which, counts), "keep one of them")
	}
}

func (c *checker) noInput(main string) {
	f := Finding{Error, main, 1, "no input named " + PluginName, "this configuration reads nothing from ZITADEL", "add an input with name " + PluginName}
	if len(c.sections) > 0 && len(c.kind("plugins")) == len(c.sections) {
		f.What, f.Why, f.Fix = "a file of plugins", "it is not a configuration by itself", "use the file whose plugins_file names this one"
	}
	for _, s := range append(c.kind("output"), c.kind("input")...) {
		bare := strings.TrimPrefix(strings.TrimPrefix(c.name(s), "in_"), "out_")
		if config.Nearest(bare, []string{PluginName}) != "" {
			f.What = "no " + s.kind + " named " + PluginName
			f.File, f.Line, f.Fix = s.file, c.lineOf(s, "name"), s.write("name", PluginName)
			if s.kind == "output" {
				f.Why = "this configuration parses nothing of ZITADEL's log"
			}
		}
	}
	c.findings = append(c.findings, f)
}

// input checks one of our inputs by itself.
func (c *checker) input(s *section) flow {
	settings, usable := checkOptions(c, s, config.Input)
	if !isOff(c.value(s, "threaded")) { // a Go input is threaded by default
		c.threaded(s)
	}
	c.storageType(s)
	c.routable(s)
	tag := c.tagOf(s)
	c.inputs = append(c.inputs, Input{File: s.file, Line: s.line, Tag: tag, Settings: settings, Usable: usable})
	plain := tagsOf(tag, settings)
	return c.enter(flow{at: s, tag: tag, tags: limited(plain, settings.MaxChunk), plain: plain, limit: settings.MaxChunk, limiter: s})
}

func (c *checker) routable(s *section) {
	if isOff(c.value(s, "routable")) {
		c.find(Error, s, c.lineOf(s, "routable"), "routable is off", "Fluent Bit drops all records of this input", s.write("routable", "true"))
	}
}

func (c *checker) threaded(s *section) {
	c.find(Warning, s, c.lineOf(s, "threaded"), "threaded is not off",
		"on an input thread, records wait in memory after Fluent Bit has accepted them; if the process is killed, they are lost or read twice", s.write("threaded", "off"))
}

// filesystem says whether an input's chunks go to disk. The service gives a
// default only together with storage.inherit (flb_storage.c).
func (c *checker) filesystem(s *section) bool {
	own := c.value(s, "storage.type")
	if own == "" && isOn(c.setting("storage.inherit")) {
		own = c.setting("storage.type")
	}
	return strings.EqualFold(own, "filesystem")
}

// setting is one of the service. Several sections of the classic format are one.
func (c *checker) setting(key string) (value string) {
	for _, s := range c.kind("service") {
		if v := c.value(s, key); v != "" {
			value = v
		}
	}
	return value
}

// service finds settings given twice, also in two sections of the classic format.
func (c *checker) service() {
	sections := c.kind("service")
	if len(sections) == 0 {
		return
	}
	all := *sections[0]
	for _, s := range sections[1:] {
		if s.format == classicFormat && s.file == all.file {
			all.props = append(slices.Clone(all.props), s.props...)
		}
	}
	c.twice(&all)
}

func (c *checker) storageType(s *section) {
	if !c.filesystem(s) {
		c.find(Warning, s, c.lineOf(s, "storage.type"), "storage.type is not filesystem",
			"records that Fluent Bit holds in memory are lost if it is stopped while an output is stuck", s.write("storage.type", "filesystem"))
	}
}

func (c *checker) storagePath(ours []*section) {
	if c.setting("storage.path") != "" || !slices.ContainsFunc(ours, c.filesystem) {
		return
	}
	at := ours[0]
	if services := c.kind("service"); len(services) > 0 {
		at = services[0]
	}
	c.find(Error, at, at.line, "storage.path is missing in the service section",
		"storage.type filesystem needs a directory; without one, Fluent Bit does not start", at.write("storage.path", "/var/lib/fluent-bit/storage"))
}

// sharedState finds inputs that use the same state file.
func (c *checker) sharedState(ours []*section) {
	first := map[string]*section{}
	for _, s := range ours {
		state := c.value(s, "state_path")
		if state == "" {
			continue
		}
		state = filepath.Clean(state)
		if other := first[state]; other != nil {
			c.find(Error, s, c.lineOf(s, "state_path"), "state_path is used by another input",
				fmt.Sprintf("the input at %s:%d keeps its state there; each reader needs a file of its own", other.file, other.line),
				s.write("state_path", strings.TrimSuffix(state, path.Ext(state))+"-2"+path.Ext(state)))
			continue
		}
		first[state] = s
	}
}

// loading looks at how a YAML configuration loads the plugin.
func (c *checker) loading() {
	for _, p := range c.plugins {
		base := path.Base(p.path)
		at := &section{file: p.file}
		switch {
		case !strings.Contains(base, PluginName):
		case !strings.Contains(p.path, "/"):
			c.find(Error, at, p.line, "plugins: "+short(p.path), "Fluent Bit does not load a bare file name", "./"+base+" or an absolute path")
		case strings.HasPrefix(base, "flb-"):
			c.find(Error, at, p.line, "plugins: "+short(p.path), "Fluent Bit treats a file named flb-* as a native plugin", strings.TrimPrefix(base, "flb-"))
		}
	}
}
