package flbconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// yaml reads the YAML format (flb_cf_yaml.c).
func (l *loader) yaml(file string, data []byte, depth int) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if line := unknownAlias(data, err); line > 0 {
			l.add(Error, file, line, "YAML alias without an anchor", "Fluent Bit does not support aliases and does not start", "write the value itself; if it begins with *, put it in quotes")
			return
		}
		if err != nil {
			l.unread = append(l.unread, file)
			l.add(Error, file, errorLine(err), "the file is not valid YAML", strings.TrimPrefix(err.Error(), "yaml: "), "repair the line")
			return
		}
		if n := firstAlias(&doc); n != nil {
			l.add(Error, file, n.Line, "YAML alias *"+short(n.Value), "Fluent Bit does not support aliases and does not start", "the value itself")
		}
		if len(doc.Content) > 0 {
			l.yamlTop(file, doc.Content[0], depth)
		}
	}
}

// decode turns a panic of the YAML library into an error of this file.
func decode(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: cannot be read: %v", r)
		}
	}()
	return dec.Decode(into)
}

var lineInError = regexp.MustCompile(`line (\d+)`)

func errorLine(err error) int {
	if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 1
}

var aliasInError = regexp.MustCompile(`unknown anchor '(.*)' referenced$`)

// unknownAlias returns the line of an alias that err is about, or 0. Such an
// error must not be shown: the alias may be a secret without quotes.
func unknownAlias(data []byte, err error) int {
	if err == nil {
		return 0
	}
	m := aliasInError.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
	return 1 + bytes.Count(before, []byte("\n"))
}

// topKeys are the sections of a YAML configuration. Any other is a plain
// mapping that nothing reads, and Fluent Bit refuses a list or a scalar there.
var topKeys = []string{"env", "service", "includes", "plugins", "pipeline", "parsers", "multiline_parsers", "stream_processor", "upstream_servers", "customs", "extensions"}

// yamlTop reads the sections in their order, since includes add filters at
// their place.
func (l *loader) yamlTop(file string, top *yaml.Node, depth int) {
	for key, value := range pairs(top) {
		switch name := strings.ToLower(key.Value); name {
		case "env":
			l.yamlEnv(value)
		case "includes":
			for _, n := range value.Content {
				if n = resolve(n); n.Kind == yaml.ScalarNode && n.Value != "" {
					l.include(n.Value, file, n.Line, yamlFormat, depth)
				}
			}
		case "service":
			l.yamlService(file, key, value)
		case "plugins":
			for _, n := range value.Content {
				if n = resolve(n); n.Kind == yaml.ScalarNode {
					l.plugins = append(l.plugins, plugin{n.Value, file, n.Line})
				}
			}
		case "pipeline":
			l.yamlPipeline(file, value)
		case "customs":
			l.customs = true
		default:
			if value.Kind != yaml.MappingNode && !slices.Contains(topKeys, name) {
				l.refuse(file, key.Line, key.Value, "Fluent Bit has no section with this name", near(name, append(topKeys, "inputs", "filters", "outputs")))
			}
		}
	}
}

// near suggests a section; inputs, filters and outputs belong below pipeline.
func near(name string, names []string) string {
	switch found := config.Nearest(name, names); found {
	case "":
		return ""
	case "inputs", "filters", "outputs":
		return "put " + found + ": below pipeline:"
	default:
		return "did you mean " + found + "?"
	}
}

func (l *loader) refuse(file string, line int, what, why, fix string) {
	l.add(Error, file, line, short(what), "Fluent Bit does not start: "+why, fix)
}

func (l *loader) yamlService(file string, key, value *yaml.Node) {
	for _, other := range l.sections {
		if other.kind == "service" && other.format == yamlFormat {
			l.refuse(file, key.Line, "service is given twice", fmt.Sprintf("it is already at %s:%d", other.file, other.line), "one service section with the settings of both")
		}
	}
	s := &section{kind: "service", format: yamlFormat, file: file, line: key.Line}
	s.read(value)
	l.sections = append(l.sections, s)
}

func (l *loader) yamlPipeline(file string, pipeline *yaml.Node) {
	for key, list := range pairs(pipeline) {
		kind := strings.TrimSuffix(strings.ToLower(key.Value), "s")
		if !slices.Contains([]string{"input", "filter", "output"}, kind) || kind == strings.ToLower(key.Value) {
			l.refuse(file, key.Line, "pipeline: "+key.Value, "only inputs, filters and outputs are allowed there", near(kind+"s", []string{"inputs", "filters", "outputs"}))
			continue
		}
		if list.Kind != yaml.SequenceNode {
			if list.Kind != yaml.ScalarNode || list.Value != "" {
				l.refuse(file, key.Line, key.Value, "it is a list", "- name: ...")
			}
			continue
		}
		for _, n := range list.Content {
			n = resolve(n)
			s := &section{kind: kind, format: yamlFormat, file: file, line: n.Line}
			s.read(n)
			l.sections = append(l.sections, s)
			for key, value := range pairs(n) {
				switch {
				case key.Value == "processors" && kind != "filter" && len(s.processors) == 0: // the first counts
					l.yamlProcessors(s, key, value)
				case key.Value == "routes" && kind == "input" && s.routes == nil:
					l.yamlRoutes(s, key, value)
				}
			}
		}
	}
}

func (l *loader) yamlProcessors(s *section, key, value *yaml.Node) {
	if value.Kind != yaml.MappingNode {
		l.refuse(s.file, key.Line, "processors", "they must be below logs:, metrics: or traces:", "logs:")
		return
	}
	for signal, list := range pairs(value) {
		switch strings.ToLower(signal.Value) {
		case "logs":
		case "metrics", "traces": // not for log records
			continue
		default:
			l.refuse(s.file, signal.Line, "processors: "+signal.Value, "only logs, metrics and traces are allowed there", "logs:")
			continue
		}
		for _, n := range list.Content {
			n = resolve(n)
			p := &section{kind: "processor", format: yamlFormat, file: s.file, line: n.Line}
			p.read(n)
			s.processors = append(s.processors, p)
		}
	}
}

// read takes the properties of one mapping.
func (s *section) read(mapping *yaml.Node) {
	for key, value := range pairs(mapping) {
		p := property{key: snake(key.Value), line: key.Line}
		switch value.Kind {
		case yaml.ScalarNode:
			p.value = strings.TrimSpace(value.Value)
			s.props = append(s.props, p)
		case yaml.SequenceNode:
			s.readList(p, value)
		default:
			p.nested = true
			s.props = append(s.props, p)
		}
	}
}

func (s *section) readList(p property, list *yaml.Node) {
	var words []string
	for _, n := range list.Content {
		n = resolve(n)
		if n.Kind != yaml.ScalarNode {
			p.nested = true
			s.props = append(s.props, p)
			return
		}
		words = append(words, strings.TrimSpace(n.Value))
	}
	if len(words) > 1 {
		p.list = strings.Join(words, ",")
	}
	for i, word := range words {
		p.value, p.nth = word, i
		s.props = append(s.props, p)
	}
}

// yamlEnv reads a mapping, or a list of {name, value, uri}.
func (l *loader) yamlEnv(n *yaml.Node) {
	for key, value := range pairs(n) {
		l.setEnv(key.Value, value.Value, value.Kind != yaml.ScalarNode)
	}
	if n.Kind != yaml.SequenceNode {
		return
	}
	for _, entry := range n.Content {
		keys := keysOf(entry)
		if name := text(keys["name"]); name != "" {
			l.setEnv(name, text(keys["value"]), keys["uri"] != nil)
		}
	}
}

func (l *loader) setEnv(name, value string, fromFile bool) {
	l.env[name] = value
	l.fileEnv[name] = fromFile || strings.HasPrefix(value, "file://")
}

// pairs walks a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n = resolve(n); n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], resolve(n.Content[i+1])) {
				return
			}
		}
	}
}

// keysOf returns the keys of a mapping, with their values.
func keysOf(n *yaml.Node) map[string]*yaml.Node {
	keys := map[string]*yaml.Node{}
	for key, value := range pairs(n) {
		keys[key.Value] = value
	}
	return keys
}

// text returns the value of a scalar, and "" for nil.
func text(n *yaml.Node) string { return resolve(n).Value }

func isTrue(n *yaml.Node) bool { return strings.EqualFold(text(n), "true") }

// resolve replaces an alias by an empty node: Fluent Bit does not support aliases, and
// following none keeps the work in proportion to the file.
func resolve(n *yaml.Node) *yaml.Node {
	if n == nil || n.Kind == yaml.AliasNode {
		return &yaml.Node{}
	}
	return n
}

func firstAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, e := range n.Content {
		if found := firstAlias(e); found != nil {
			return found
		}
	}
	return nil
}

// snake makes a key what Fluent Bit makes of it (flb_cf_key_translate):
// camelCase becomes snake_case where it begins small and has no underscore.
func snake(key string) string {
	key = strings.TrimSpace(key)
	if key == "" || !unicode.IsLower(rune(key[0])) || strings.Contains(key, "_") {
		return strings.ToLower(key)
	}
	var b strings.Builder
	for i, r := range key {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
