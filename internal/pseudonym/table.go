package pseudonym

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate go run ./gen -o table.txt ../redact/payload/testdata/events.json.gz

// table.txt holds a line per event type: its name, then PATH=KIND for the personal keys of
// its payload; !PATH is a key that is not personal in this type. The type "*" lists keys
// that are personal in every type and at any depth.
//
//go:embed table.txt
var tableText string

// node is a key of a payload on the way to a known path.
type node struct {
	kind     Kind // "" where it is not personal itself
	harmless bool
	keys     map[string]*node
}

// child returns the node of a key, nil where the table has none.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	return n.keys[key]
}

func (n *node) add(path string, kind Kind, harmless bool) {
	for key := range strings.SplitSeq(path, ".") {
		key = strings.TrimSuffix(key, "[]") // lists are passed through
		if n.keys == nil {
			n.keys = map[string]*node{}
		}
		if n.keys[key] == nil {
			n.keys[key] = &node{}
		}
		n = n.keys[key]
	}
	n.kind, n.harmless = kind, harmless
}

type keyTable struct {
	types map[string]*node
	any   *node // keys of every type
}

var table = sync.OnceValue(func() keyTable { return parseTable(tableText) })

func parseTable(text string) keyTable {
	t := keyTable{types: map[string]*node{}, any: &node{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		n := &node{}
		if words[0] == "*" {
			n = t.any
		} else {
			t.types[words[0]] = n
		}
		for _, w := range words[1:] {
			path, harmless := strings.CutPrefix(w, "!")
			path, kind, _ := strings.Cut(path, "=")
			if kind != "" {
				kind += "-"
			}
			n.add(path, Kind(kind), harmless)
		}
	}
	return t
}
