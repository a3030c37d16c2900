package payload

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate go run ./gen -o table.txt testdata/events.json.gz

// table.txt holds a line per event type: its name, then the paths of its
// secret keys; a path behind "!" is no secret although its name looks like one.
//
//go:embed table.txt
var tableText string

// node is a key of a payload on the way to a known path.
type node struct {
	secret bool // everything from here on is secret
	known  bool // known to be no secret itself
	keys   map[string]*node
}

// child returns the node of a key, nil where the table has none.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	return n.keys[key]
}

func (n *node) add(path string, mark func(*node)) {
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
	mark(n)
}

var table = sync.OnceValue(func() map[string]*node { return parseTable(tableText) })

func parseTable(text string) map[string]*node {
	t := map[string]*node{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		n := &node{}
		for _, path := range words[1:] {
			if path, ok := strings.CutPrefix(path, "!"); ok {
				n.add(path, func(n *node) { n.known = true })
			} else {
				n.add(path, func(n *node) { n.secret = true })
			}
		}
		t[words[0]] = n
	}
	return t
}

// metadataSet is the rule for a "…metadata.set" that the table does not know:
// metadata is free text, as in those that it knows.
var metadataSet = parseTable("any value metadata")["any"]

func tableFor(eventType string) *node {
	if n, ok := table()[eventType]; ok {
		return n
	}
	if strings.HasSuffix(eventType, "metadata.set") {
		return metadataSet
	}
	return nil
}
