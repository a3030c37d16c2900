package payload

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate go run ./gen -o table.txt testdata/events.json.gz

// table.txt has a line for each event type: its name, then the paths of its secret keys. A path
// with "!" is not a secret although its name looks like one.
//
//go:embed table.txt
var tableText string

// node is a key on a path of the table.
type node struct {
	secret bool // everything below is secret
	known  bool // known not to be a secret itself
	keys   map[string]*node
}

// child returns the node of a key, or nil.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	return n.keys[key]
}

func (n *node) add(path string, mark func(*node)) {
	for key := range strings.SplitSeq(path, ".") {
		key = strings.TrimSuffix(key, "[]") // lists have no node
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

// metadataSet is the rule for a "…metadata.set" that the table does not have. Metadata is free text,
// as in those that it has.
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
