package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// maxRuleFile bounds a file of rules. The largest of SigmaHQ has about 100 kB.
const maxRuleFile = 1 << 20

// Load reads the rules of all .yml and .yaml files in dir and below it. It leaves out
// directories that are hidden or called testdata. Its error joins those of all files; each
// names file and line.
func Load(dir fs.FS) (*Set, error) {
	l := &loader{slots: newSlots(), byName: map[string]*Rule{}}
	err := fs.WalkDir(dir, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := e.Name(); {
		case e.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".yaml"):
			return nil
		}
		l.file = path
		b, err := fs.ReadFile(dir, l.file)
		switch {
		case err != nil:
			l.errs = append(l.errs, fmt.Errorf("%s: %w", l.file, err))
		case len(b) > maxRuleFile:
			l.errs = append(l.errs, fmt.Errorf("%s: is larger than 1 MiB, so it is no rule: use a directory that has only rules", l.file))
		default:
			l.documents(b)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(l.rules) == 0 && len(l.errs) == 0 {
		return nil, errors.New("rules: there is no .yml file with a Sigma rule: use a directory that has one")
	}
	l.resolve()
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return &Set{Rules: l.rules, slots: l.slots}, nil
}

type loader struct {
	slots  *slots
	rules  []*Rule
	byName map[string]*Rule // by name and by id
	file   string
	rule   *Rule // that is being read
	errs   []error
}

// fail adds an error about the line of y.
func (l *loader) fail(y *yaml.Node, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s:%d: "+format, append([]any{l.file, y.Line}, args...)...))
}

func (l *loader) documents(b []byte) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %s", l.file, strings.TrimPrefix(err.Error(), "yaml: ")))
			return
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			l.document(doc.Content[0])
		} else {
			l.fail(&doc, "is no Sigma rule: write a map with title, logsource and detection")
		}
	}
}

// attributes are those of Sigma that are read or known, and ours.
var attributes = []string{
	"author", "correlation", "date", "description", "detection", "falsepositives", "fields", "id", "level", "license", "logsource", "modified", "name", "references",
	"related", "respond", "scope", "sources", "status", "tags", "taxonomy", "title",
}

func (l *loader) document(y *yaml.Node) {
	r := &Rule{File: l.file, Line: y.Line}
	l.rule = r
	failed := len(l.errs)
	var detection, logsource, correlation *yaml.Node
	for key, v := range pairs(y) {
		switch key.Value {
		case "title":
			r.Title = l.text(v)
		case "id":
			r.ID = l.text(v)
		case "name":
			r.Name = l.text(v)
		case "status":
			r.Status = l.text(v)
		case "description":
			r.Description = l.text(v)
		case "date":
			r.Date = l.text(v)
		case "modified":
			r.Modified = l.text(v)
		case "respond":
			r.Respond = l.text(v)
		case "tags":
			r.Tags = l.texts(v)
		case "references":
			r.References = l.texts(v)
		case "falsepositives":
			r.FalsePositives = l.texts(v)
		case "sources":
			r.Sources = l.texts(v)
		case "level":
			var err error
			if r.Level, err = ParseLevel(v.Value); err != nil {
				l.fail(v, "level: %v", err)
			}
		case "logsource":
			logsource = v
		case "detection":
			detection = v
		case "correlation":
			correlation = v
		default:
			if near := nearAttribute(key.Value); near != "" {
				l.fail(key, "%q is no attribute of a rule: did you mean %s?", key.Value, near)
			}
		}
	}
	if r.Title == "" {
		l.fail(y, "the rule has no title: add title")
	}
	if r.ID == "" {
		l.fail(y, "the rule has no id, from which the ids of its alerts are made: add id, with the output of uuidgen")
	}
	switch {
	case correlation != nil && detection != nil:
		l.fail(y, "the rule has both detection and correlation: make two documents of it, separated by ---")
	case correlation != nil:
		l.correlation(correlation)
	case detection == nil:
		l.fail(y, "the rule has neither detection nor correlation: add one of them")
	default:
		l.logsource(y, logsource)
		l.detection(detection)
	}
	if len(l.errs) > failed {
		return
	}
	for _, name := range []string{r.ID, r.Name} {
		if name == "" {
			continue
		}
		if other := l.byName[name]; other != nil {
			l.fail(y, "%q is the id or name of another rule, in %s:%d: change one", name, other.File, other.Line)
		}
		l.byName[name] = r
	}
	r.index = len(l.rules)
	l.rules = append(l.rules, r)
}

func (l *loader) logsource(rule, y *yaml.Node) {
	if y == nil || y.Kind != yaml.MappingNode {
		l.fail(rule, "the rule has no logsource: write product: zitadel and service: audit")
		return
	}
	for key, v := range pairs(y) {
		switch {
		case key.Value == "product" && v.Value != "zitadel":
			l.fail(v, "the rule is for the product %s, and the records are of zitadel: remove the rule", v.Value)
		case key.Value == "service" && v.Value != "audit":
			l.fail(v, "the rule is for the service %s, and the records are of audit: write service: audit, or remove the rule", v.Value)
		case key.Value == "category":
			l.fail(v, "the rule is for a category of log sources: write product: zitadel and service: audit instead")
		}
	}
}

func (l *loader) detection(y *yaml.Node) {
	if y.Kind != yaml.MappingNode {
		l.fail(y, "detection must be a map of searches with a condition")
		return
	}
	searches := map[string]*node{}
	var names []string
	var cond *yaml.Node
	failed := len(l.errs)
	for key, v := range pairs(y) {
		switch key.Value {
		case "condition":
			cond = v
		case "timeframe":
			l.fail(key, "timeframe belongs to Sigma 1: write a correlation rule with timespan")
		default:
			names = append(names, key.Value)
			searches[key.Value] = l.search(v)
		}
	}
	if cond == nil || cond.Kind != yaml.ScalarNode {
		l.fail(y, "detection has no condition that is a text: add one, such as condition: selection")
		return
	}
	if len(l.errs) > failed {
		return
	}
	var err error
	if l.rule.search, err = parseCondition(cond.Value, names, searches); err != nil {
		l.fail(cond, "%v", err)
	}
}

func (l *loader) text(y *yaml.Node) string {
	if y.Kind != yaml.ScalarNode {
		l.fail(y, "this must be a text")
		return ""
	}
	return strings.TrimSpace(y.Value)
}

func (l *loader) texts(y *yaml.Node) (list []string) {
	if y.Kind == yaml.ScalarNode {
		return []string{l.text(y)}
	}
	if y.Kind != yaml.SequenceNode {
		l.fail(y, "this must be a text, or a list of texts")
		return nil
	}
	for _, v := range y.Content {
		list = append(list, l.text(v))
	}
	return list
}

// pairs yields the keys and values of a map.
func pairs(y *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) {
		for i := 0; i+1 < len(y.Content); i += 2 {
			v := y.Content[i+1]
			if v.Kind == yaml.AliasNode {
				v = v.Alias
			}
			if !yield(y.Content[i], v) {
				return
			}
		}
	}
}

// nearAttribute returns the attribute that a key probably is a typing error of, or nothing.
// Sigma allows other keys, as attributes of the author's own.
func nearAttribute(key string) string {
	if slices.Contains(attributes, key) {
		return ""
	}
	return config.Nearest(key, attributes)
}
