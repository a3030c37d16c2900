package flbconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// yaml reads the YAML format (flb_cf_yaml.c). Sections it does not know are
// passed over.
func (l *loader) yaml(file string, data []byte, depth int) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := decode(dec, &doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if line := unknownAlias(data, err); line > 0 {
			l.add(Error, file, line, "YAML alias of nothing", "Fluent Bit knows no aliases and does not start", "the value itself, in quotes where it begins with *")
			return
		}
		if err != nil {
			l.add(Error, file, errorLine(err), "the file is no YAML", strings.TrimPrefix(err.Error(), "yaml: "), "")
			return
		}
		if n := firstAlias(&doc); n != nil {
			l.add(Error, file, n.Line, "YAML alias *"+bounded(n.Value), "Fluent Bit knows no aliases and does not start", "the value itself")
		}
		if len(doc.Content) > 0 {
			l.yamlTop(file, doc.Content[0], depth)
		}
	}
}

// decode keeps a panic of the YAML library, if there is one, to this file.
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
// error is not to be shown: the alias may be a secret that wants quotes.
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

func (l *loader) yamlTop(file string, top *yaml.Node, depth int) {
	var includes []*yaml.Node
	for key, value := range pairs(top) {
		switch strings.ToLower(key.Value) {
		case "env":
			l.yamlEnv(value)
		case "includes":
			includes = append(includes, value.Content...)
		case "service":
			s := &section{kind: "service", format: yamlFormat, file: file, line: key.Line}
			s.read(value)
			l.doc.sections = append(l.doc.sections, s)
		case "plugins":
			for _, n := range value.Content {
				if n = resolve(n); n.Kind == yaml.ScalarNode {
					l.doc.plugins = append(l.doc.plugins, plugin{n.Value, file, n.Line})
				}
			}
		case "pipeline":
			l.yamlPipeline(file, value)
		}
	}
	for _, n := range includes {
		if n = resolve(n); n.Kind == yaml.ScalarNode && n.Value != "" {
			l.include(n.Value, file, n.Line, yamlFormat, depth)
		}
	}
}

func (l *loader) yamlPipeline(file string, pipeline *yaml.Node) {
	for key, list := range pairs(pipeline) {
		kind := strings.TrimSuffix(strings.ToLower(key.Value), "s")
		if kind != "input" && kind != "filter" && kind != "output" || list.Kind != yaml.SequenceNode {
			continue
		}
		for _, n := range list.Content {
			s := &section{kind: kind, format: yamlFormat, file: file, line: n.Line}
			s.read(resolve(n))
			l.doc.sections = append(l.doc.sections, s)
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
		case yaml.SequenceNode:
			p.list = true
			var words []string
			for _, n := range value.Content {
				n = resolve(n)
				p.nested = p.nested || n.Kind != yaml.ScalarNode
				words = append(words, n.Value)
			}
			p.value = strings.Join(words, ",")
		default:
			p.nested = true
		}
		if p.key == "routes" {
			s.routes = append(s.routes, outputNames(value, 0)...)
		}
		s.props = append(s.props, p)
	}
}

// outputNames collects the outputs of an input's own routes: routes.logs[].to.outputs.
func outputNames(n *yaml.Node, depth int) []string {
	var names []string
	if n = resolve(n); depth > 8 {
		return nil
	}
	for key, value := range pairs(n) {
		if key.Value != "outputs" {
			names = append(names, outputNames(value, depth+1)...)
			continue
		}
		for _, o := range value.Content {
			o = resolve(o)
			if o.Kind == yaml.ScalarNode {
				names = append(names, o.Value)
			}
			for k, v := range pairs(o) {
				if k.Value == "name" && v.Kind == yaml.ScalarNode {
					names = append(names, v.Value)
				}
			}
		}
	}
	if n.Kind == yaml.SequenceNode {
		for _, e := range n.Content {
			names = append(names, outputNames(e, depth+1)...)
		}
	}
	return names
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
		var name, value string
		fromFile := false
		for k, v := range pairs(resolve(entry)) {
			switch k.Value {
			case "name":
				name = v.Value
			case "value":
				value = v.Value
			case "uri":
				fromFile = true
			}
		}
		if name != "" {
			l.setEnv(name, value, fromFile)
		}
	}
}

func (l *loader) setEnv(name, value string, fromFile bool) {
	l.doc.env[name] = value
	l.doc.fileEnv[name] = fromFile || strings.HasPrefix(value, "file://")
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

// resolve makes nothing of an alias: Fluent Bit does not take it, and not
// following any keeps the work in proportion to the file.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
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
