package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

// Sources are what a file of `zitadel-siem pull --config` describes.
type Sources struct {
	MetricsListen string // empty: no metrics
	List          []PullSettings
	Warnings      []string
}

// maxSources bounds the file: more than 1 MiB describes no sources.
const maxSources = 1 << 20

// ReadSources reads a YAML file:
//
//	metrics_listen: 127.0.0.1:9464
//	defaults:                        # for each source that does not say otherwise
//	  forward: tls://siem.example.com:24224
//	sources:
//	  - url: https://zitadel.example.com
//	    token_file: /etc/zitadel-siem/token
//	    state_path: /var/lib/zitadel-siem/prod.state
//
// The names below defaults and sources are those of [Pull]; lists may be YAML
// lists. ${NAME} in a value is replaced from the environment. The error lists
// everything that is wrong, each with its line.
func ReadSources(path string, lookupEnv func(string) (string, bool), opts ParseOptions) (Sources, error) {
	f := sourcesFile{lookupEnv: lookupEnv, opts: opts}
	f.opts.NeedState = true
	root, err := readYAML(path)
	if err != nil {
		return Sources{}, fmt.Errorf("--config %s: %w", path, err)
	}
	f.read(root)
	if len(f.problems) > 0 {
		return Sources{}, fmt.Errorf("--config %s: %s", path, strings.Join(f.problems, "\n  "))
	}
	if info, err := os.Stat(path); err == nil && f.secret && keyfile.Exposed(info.Mode()) != "" {
		f.out.Warnings = append(f.out.Warnings, fmt.Sprintf("%s contains a secret and can be read by other users: chmod 600, or name a file or ${VARIABLE} instead", path))
	}
	return f.out, nil
}

func readYAML(path string) (*yaml.Node, error) {
	r, err := os.Open(path) // may be a pipe
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fileError(err)
	case err != nil:
		return nil, fmt.Errorf("%w; name the YAML file of the sources", bounded.WithoutPath(err)) // the message has the path
	}
	defer r.Close()
	data, err := bounded.ReadAll(r, maxSources)
	switch {
	case errors.Is(err, bounded.ErrTooLarge):
		return nil, errors.New("is larger than 1 MiB, so it is no file of sources: name the YAML file of the sources")
	case err != nil:
		return nil, fmt.Errorf("%w; name the YAML file of the sources", bounded.WithoutPath(err))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, notYAML(data, err)
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("is empty: it must have `sources:`, a list")
	}
	return doc.Content[0], nil
}

var (
	yamlLine   = regexp.MustCompile(`^yaml: line (\d+): `)
	yamlAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// notYAML keeps only the line number of the library's error: its text can repeat a
// secret that begins with a special character.
func notYAML(data []byte, err error) error {
	where := ""
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		where = "line " + m[1] + ": "
	} else if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		if before, _, ok := bytes.Cut(data, []byte("*"+m[1])); ok {
			where = fmt.Sprintf("line %d: ", 1+bytes.Count(before, []byte("\n")))
		}
	}
	return errors.New(where + "is not valid YAML; put a value that begins with a special character, such as * or &, in quotes")
}

type sourcesFile struct {
	lookupEnv func(string) (string, bool)
	opts      ParseOptions
	out       Sources
	secret    bool // the file itself contains one
	problems  []string
}

// fail adds a problem once, because defaults are read for each source.
func (f *sourcesFile) fail(line int, format string, args ...any) {
	problem := fmt.Sprintf("line %d: ", line) + fmt.Sprintf(format, args...)
	if !slices.Contains(f.problems, problem) {
		f.problems = append(f.problems, problem)
	}
}

// value is one option as the file has it.
type value struct {
	text string
	line int
}

func (f *sourcesFile) read(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		f.fail(root.Line, "must be a map with `sources:`")
		return
	}
	var defaults map[string]value
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
			if node.Kind != yaml.ScalarNode {
				f.fail(node.Line, "%s must be a plain value, HOST:PORT", quote(key.Value))
			}
			f.out.MetricsListen = f.expand(node.Value)
		case "defaults":
			defaults = f.values(node)
		case "sources":
			list = node
		default:
			f.fail(key.Line, "%s is not known here: use metrics_listen, defaults or sources%s", quote(key.Value), f.belongs(key.Value))
		}
	}
	switch {
	case list == nil:
		f.fail(root.Line, "`sources:` is missing: add it, a list of at least one source, each beginning with `- url:`")
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		f.fail(list.Line, "`sources:` must be a list of at least one source, each beginning with `- url:`")
	default:
		for _, node := range list.Content {
			f.source(node, defaults)
		}
		f.apart(list)
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
func (f *sourcesFile) source(node *yaml.Node, defaults map[string]value) {
	values := maps.Clone(defaults)
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
	line := func(p Problem) int {
		if v, ok := values[p.Option]; ok {
			return v.line
		}
		return node.Line
	}
	for _, p := range problems {
		f.fail(line(p), "%s", p)
	}
	for _, w := range warnings {
		f.out.Warnings = append(f.out.Warnings, fmt.Sprintf("line %d: %s", line(w), w))
	}
	f.out.List = append(f.out.List, settings)
}

// apart refuses two sources with one state, spool or address, and two with one
// label: their events would have the same ids, and their metrics the same names.
func (f *sourcesFile) apart(list *yaml.Node) {
	type own struct{ option, value string }
	taken := map[own]int{} // by the first source that has it, its line
	for i, s := range f.out.List {
		at := list.Content[i].Line
		refuse := func(option, value, same, fix string) bool {
			if value == "" {
				return false
			}
			first, ok := taken[own{option, same}]
			if !ok {
				taken[own{option, same}] = at
				return false
			}
			f.fail(at, "%s %s is also used by the source in line %d; %s", option, quote(value), first, fix)
			return true
		}
		const each = "each needs its own"
		// The spool is named after the state where nothing else is said.
		if !refuse("state_path", s.StatePath, filepath.Clean(s.StatePath), each) {
			refuse("spool_path", s.Listen.SpoolPath, filepath.Clean(s.Listen.SpoolPath), each)
		}
		if _, port, _ := net.SplitHostPort(s.Listen.Address); port != "0" { // which means another port each time
			refuse("webhook_listen", s.Listen.Address, s.Listen.Address, each)
		}
		refuse("instance", s.Instance, s.Instance, "set another `instance` for one of them, or merge the two sources into one")
	}
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
			f.fail(key.Line, "%s is already in line %d: remove one of the two", quote(key.Value), first.line)
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
		values[key.Value] = value{f.expand(text), v.Line}
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
