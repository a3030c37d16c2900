package flbconf

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// route is one entry of an input's own routes (flb_router_config.c).
type route struct {
	name      string
	line      int
	condition bool // it has one, so that it gets some records only
	fallback  bool // condition: default: true, so that it gets what no other route gets
	perRecord bool
	outputs   []target
}

type target struct{ name, fallback string }

// conditional routes get records under the route's name as their tag, and reach
// their outputs whatever these match (flb_input_log.c).
func (r route) conditional() bool { return r.condition || r.perRecord }

func (l *loader) yamlRoutes(s *section, key, value *yaml.Node) {
	s.routes = []route{}
	if value.Kind != yaml.MappingNode {
		l.refuse(s.file, key.Line, "routes", "they must be below logs:", "logs:")
		return
	}
	for signal, list := range pairs(value) {
		if !signalsOf(signal.Value) {
			l.refuse(s.file, signal.Line, "routes: "+signal.Value, "only logs, metrics, traces and any are allowed there", "logs:")
			continue
		}
		entries := list.Content
		if list.Kind == yaml.MappingNode {
			entries = []*yaml.Node{list}
		}
		for _, n := range entries {
			l.yamlRoute(s, resolve(n))
		}
	}
}

func signalsOf(key string) bool {
	words := strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return strings.ContainsRune(" \t,|+", r) })
	for _, w := range words {
		if w != "logs" && w != "metrics" && w != "traces" && w != "any" {
			return false
		}
	}
	return len(words) > 0
}

func (l *loader) yamlRoute(s *section, n *yaml.Node) {
	r := route{line: n.Line}
	var broken string
	for key, value := range pairs(n) {
		switch key.Value {
		case "name":
			r.name = value.Value
		case "condition":
			r.condition = true
			broken = r.readCondition(value)
		case "per_record_routing":
			r.perRecord = strings.EqualFold(value.Value, "true")
		case "to":
			r.readTargets(value)
		}
	}
	switch {
	case broken != "":
	case r.name == "":
		broken = "the route has no name"
	case len(r.outputs) == 0:
		broken = "the route has no to: outputs:"
	}
	for _, other := range s.routes {
		if other.name == r.name {
			broken = "two routes have this name"
		}
	}
	if broken != "" {
		l.refuse(s.file, n.Line, "route "+r.name, broken, "")
	}
	s.routes = append(s.routes, r)
}

func (r *route) readCondition(n *yaml.Node) (broken string) {
	rules := 0
	for key, value := range pairs(n) {
		switch key.Value {
		case "default":
			r.fallback = strings.EqualFold(value.Value, "true")
		case "rules":
			rules = len(value.Content)
		}
	}
	if rules == 0 && !r.fallback {
		return "its condition has neither rules nor default: true"
	}
	r.fallback = r.fallback && rules == 0
	return ""
}

// readTargets reads to: {outputs: [...]}, to: [...] and to: name.
func (r *route) readTargets(n *yaml.Node) {
	for key, value := range pairs(n) {
		if key.Value == "outputs" {
			n = value
			break
		}
	}
	entries := n.Content
	if n.Kind == yaml.ScalarNode && n.Value != "" || n.Kind == yaml.MappingNode {
		entries = []*yaml.Node{n}
	}
	for _, e := range entries {
		e = resolve(e)
		t := target{}
		if e.Kind == yaml.ScalarNode {
			t.name = e.Value
		}
		for key, value := range pairs(e) {
			switch key.Value {
			case "name":
				t.name = value.Value
			case "fallback":
				t.fallback = value.Value
			}
		}
		if t.name != "" {
			r.outputs = append(r.outputs, t)
		}
	}
}
