package flbconf

import (
	"slices"
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
	keys := keysOf(n)
	r := route{name: text(keys["name"]), line: n.Line, perRecord: isTrue(keys["per_record_routing"])}
	broken := ""
	if keys["condition"] != nil {
		broken = r.readCondition(keysOf(keys["condition"]))
	}
	r.readTargets(resolve(keys["to"]))
	switch {
	case broken != "":
	case r.name == "":
		broken = "the route has no name"
	case len(r.outputs) == 0:
		broken = "the route has no to: outputs:"
	}
	if slices.ContainsFunc(s.routes, func(other route) bool { return other.name == r.name }) {
		broken = "two routes have this name"
	}
	if broken != "" {
		l.refuse(s.file, n.Line, "route "+r.name, broken, "name, condition and to: {outputs: [...]} in each route")
	}
	s.routes = append(s.routes, r)
}

func (r *route) readCondition(keys map[string]*yaml.Node) (broken string) {
	r.condition = true
	hasRules := keys["rules"] != nil && len(keys["rules"].Content) > 0
	r.fallback = isTrue(keys["default"]) && !hasRules
	if !hasRules && !r.fallback {
		return "its condition has neither rules nor default: true"
	}
	return ""
}

// readTargets reads to: {outputs: [...]}, to: [...] and to: name.
func (r *route) readTargets(n *yaml.Node) {
	if list := keysOf(n)["outputs"]; list != nil {
		n = list
	}
	entries := n.Content
	if n.Kind == yaml.ScalarNode || n.Kind == yaml.MappingNode {
		entries = []*yaml.Node{n}
	}
	for _, e := range entries {
		keys := keysOf(e)
		t := target{text(keys["name"]), text(keys["fallback"])}
		if e.Kind == yaml.ScalarNode {
			t.name = e.Value
		}
		if t.name != "" {
			r.outputs = append(r.outputs, t)
		}
	}
}
