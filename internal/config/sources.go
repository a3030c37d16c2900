package config

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

// Sources are what a file of `zitadel-siem pull --config` describes.
type Sources struct {
	MetricsListen string // empty: no metrics
	Dir           string // the setting sources_dir; empty: the file has all sources
	State         SharedState
	List          []PullSettings
	Warnings      []string
	// Stamp is what [StampSources] gave before the files were read: if it gives something else
	// later, they have changed since.
	Stamp string
}

// ReadSources reads a YAML file:
//
//	metrics_listen: 127.0.0.1:9464
//	state_dir: /var/lib/zitadel-siem # for sources without state_path
//	state: postgres://USER@HOST/DB   # instead of files, for several processes that share the sources
//	state_lease: 15s                 # the sources of a process that is gone are free after it
//	sources_dir: /etc/zitadel-siem/sources # more files: each a source, or a list of them
//	defaults:                        # for each source that does not say otherwise
//	  forward: tls://siem.example.com:24224
//	sources:
//	  - url: https://zitadel.example.com
//	    token_file: /etc/zitadel-siem/token
//	    state_path: /var/lib/zitadel-siem/prod.state
//
// The names below defaults and sources are those of [Pull]; lists may be YAML
// lists. ${NAME} in a value is replaced from the environment. With sources_dir, there
// may be no source at all. The error lists everything that is wrong, each with its line; Dir and
// Stamp are then set all the same, unless the file itself cannot be read.
func ReadSources(path string, lookupEnv func(string) (string, bool), opts ParseOptions) (Sources, error) {
	f := sourcesFile{lookupEnv: lookupEnv, opts: opts, told: map[string]bool{}}
	f.opts.NeedState = true
	f.out.Stamp = stampFile(path)
	root, info, err := readYAML(path, "`sources:`, a list, or `sources_dir:`")
	if err != nil {
		return Sources{}, fmt.Errorf("--config %s: %w", path, err)
	}
	f.read(root)
	f.exposed(path, info.mode)
	f.readDir()
	f.apart()
	if len(f.problems) > 0 {
		return Sources{Dir: f.out.Dir, Stamp: f.out.Stamp}, fmt.Errorf("--config %s: %s", path, f.shown())
	}
	return f.out, nil
}

// sourcesFile is the file that is read, and later each one of sources_dir.
type sourcesFile struct {
	lookupEnv func(string) (string, bool)
	opts      ParseOptions
	name      string // of the file of sources_dir; empty: the file of --config
	defaults  map[string]value
	dirAt     place // where sources_dir stands
	places    []place
	out       Sources
	secret    bool // the file itself contains one
	problems  []string
	told      map[string]bool // problems and warnings
}

// place is where a source or a value stands.
type place struct {
	file string // of sources_dir; empty: the file of --config
	line int
}

func (p place) String() string {
	if p.file == "" {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("%s line %d", p.file, p.line)
}

// maxProblems is how many problems an error lists: a wrong default may be wrong for
// thousands of sources.
const maxProblems = 100

func (f *sourcesFile) shown() string {
	if n := len(f.problems) - maxProblems; n > 0 {
		return strings.Join(f.problems[:maxProblems], "\n  ") + fmt.Sprintf("\n  and %d more", n)
	}
	return strings.Join(f.problems, "\n  ")
}

func (f *sourcesFile) fail(line int, format string, args ...any) {
	f.failAt(place{f.name, line}, format, args...)
}

// failAt adds a problem once, because defaults are read for each source.
func (f *sourcesFile) failAt(at place, format string, args ...any) {
	if problem := at.String() + ": " + fmt.Sprintf(format, args...); !f.told[problem] {
		f.told[problem] = true
		f.problems = append(f.problems, problem)
	}
}

func (f *sourcesFile) warn(warning string) {
	if !f.told[warning] {
		f.told[warning] = true
		f.out.Warnings = append(f.out.Warnings, warning)
	}
}

// exposed warns of a file with a secret that others can read.
func (f *sourcesFile) exposed(path string, mode fs.FileMode) {
	if f.secret && keyfile.Exposed(mode) != "" {
		f.warn(fmt.Sprintf("%s contains a secret and can be read by other users: chmod 600, or name a file or ${VARIABLE} instead", path))
	}
	f.secret = false
}

// value is one option as the file has it.
type value struct {
	text string
	at   place
}

func (f *sourcesFile) read(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		f.fail(root.Line, "must be a map with `sources:`")
		return
	}
	var list *yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		if first, ok := lines[key.Value]; ok {
			f.fail(key.Line, "%s is already in line %d: remove one of the two", quote(key.Value), first)
			continue
		}
		lines[key.Value] = key.Line
		switch key.Value {
		case "metrics_listen":
			f.out.MetricsListen = f.plain(key.Value, node, "HOST:PORT")
		case "state_dir":
			f.stateDir(node)
		case "state":
			f.sharedState(node)
		case "state_lease":
			f.stateLease(node)
		case "sources_dir":
			f.out.Dir, f.dirAt = f.plain(key.Value, node, "the path of a directory"), place{line: node.Line}
		case "defaults":
			f.defaults = f.values(node)
		case "sources":
			list = node
		default:
			f.fail(key.Line, "%s is not known here: use metrics_listen, state_dir, state, state_lease, sources_dir, defaults or sources%s", quote(key.Value), f.belongs(key.Value))
		}
	}
	if lines["state"] > 0 && lines["state_dir"] > 0 {
		f.fail(lines["state_dir"], "state_dir and state contradict each other: a state is in a file or in a store; keep one of the two")
	}
	if lines["state_lease"] > 0 && !f.out.State.On() && lines["state"] == 0 {
		f.fail(lines["state_lease"], "state_lease has no effect without state: remove it, or add state")
	}
	_, hasDir := lines["sources_dir"]
	switch {
	case list == nil && !hasDir:
		f.fail(root.Line, "`sources:` is missing: add it, a list of at least one source, each beginning with `- url:`, or add `sources_dir:`")
	case list == nil:
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0 && !hasDir:
		f.fail(list.Line, "`sources:` must be a list of at least one source, each beginning with `- url:`")
	default:
		f.list(list)
	}
}

// plain reads a value of the file itself.
func (f *sourcesFile) plain(name string, node *yaml.Node, what string) string {
	if node.Kind != yaml.ScalarNode {
		f.fail(node.Line, "%s must be a plain value, %s", quote(name), what)
		return ""
	}
	text := f.expand(node.Value)
	if text == "" || unexpanded.MatchString(text) {
		f.fail(node.Line, "%s is %s: write %s", quote(name), quote(text), what)
		return ""
	}
	return text
}

func (f *sourcesFile) list(list *yaml.Node) {
	for _, node := range list.Content {
		f.source(node)
	}
}

// belongs says where to put an option that is at the wrong level.
func (f *sourcesFile) belongs(name string) string {
	if _, ok := Pull.Lookup(name); ok {
		return "; move it below a source, or below defaults"
	}
	if meant := Pull.Meant(name); meant != "" {
		return "; " + meant + " goes below a source, or below defaults"
	}
	return ""
}

// source reads one element of the list.
func (f *sourcesFile) source(node *yaml.Node) {
	f.places = append(f.places, place{f.name, node.Line})
	values := maps.Clone(f.defaults)
	if values == nil {
		values = map[string]value{}
	}
	own := f.values(node)
	if own == nil {
		f.out.List = append(f.out.List, PullSettings{})
		return
	}
	maps.Copy(values, own)
	texts := map[string]string{}
	for name, v := range values {
		texts[name] = v.text
	}
	settings, warnings, problems := Pull.Check(texts, f.opts)
	at := func(p Problem) place {
		if v, ok := values[p.Option]; ok {
			return v.at
		}
		return place{f.name, node.Line}
	}
	for _, p := range problems {
		f.failAt(at(p), "%s", p)
	}
	for _, w := range warnings {
		f.warn(fmt.Sprintf("%s: %s", at(w), w))
	}
	f.out.List = append(f.out.List, settings)
}

// values reads a map of options.
func (f *sourcesFile) values(node *yaml.Node) map[string]value {
	if node.Kind != yaml.MappingNode {
		f.fail(node.Line, "must be a map of options")
		return nil
	}
	values := map[string]value{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, v := node.Content[i], node.Content[i+1]
		if first, ok := values[key.Value]; ok {
			f.fail(key.Line, "%s is already in line %d: remove one of the two", quote(key.Value), first.at.line)
			continue
		}
		var text string
		switch {
		case v.Kind == yaml.ScalarNode:
			text = v.Value
		case v.Kind == yaml.SequenceNode && !slices.ContainsFunc(v.Content, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode }):
			var items []string
			for _, n := range v.Content {
				items = append(items, n.Value)
			}
			text = strings.Join(items, ",")
		default:
			f.fail(v.Line, "%s must be a plain value or a list of plain values", quote(key.Value))
			continue
		}
		if o, ok := Pull.Lookup(key.Value); ok && o.Secret && !strings.HasPrefix(text, "${") {
			f.secret = true
		}
		values[key.Value] = value{f.expand(text), place{f.name, v.Line}}
	}
	return values
}

// expand replaces ${NAME}. A variable that is not set stays in the text, and is
// then refused with the name of its option.
func (f *sourcesFile) expand(text string) string {
	return unexpanded.ReplaceAllStringFunc(text, func(m string) string {
		name := strings.Trim(m, "${}")
		if v, ok := f.lookupEnv(name); ok {
			return v
		}
		return m
	})
}
