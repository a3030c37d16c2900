package detect

import (
	"fmt"
	"slices"
	"strings"
)

// node is a condition: of other conditions, or of one field.
type node struct {
	op   op
	kids []*node
	// of opField
	slot  int
	all   bool   // every test has to match, each of them any value
	tests []test // one match is enough
	// exists tests only whether there is a value: 1 that there is, -1 that there is none
	exists int8
	// negated: the field is there, and no test matches
	negated bool
}

type op uint8

const (
	opAnd op = iota
	opOr
	opNot
	opField
)

func (n *node) match(f *fields) bool {
	switch n.op {
	case opAnd:
		for _, k := range n.kids {
			if !k.match(f) {
				return false
			}
		}
		return true
	case opOr:
		for _, k := range n.kids {
			if k.match(f) {
				return true
			}
		}
		return false
	case opNot:
		return !n.kids[0].match(f)
	}
	return n.matchField(f)
}

func (n *node) matchField(f *fields) bool {
	values := f.values[n.slot]
	switch {
	case n.exists != 0:
		return (len(values) > 0) == (n.exists > 0)
	case n.negated:
		return len(values) > 0 && !n.anyTest(values, f)
	case n.all:
		for _, t := range n.tests {
			if !anyValue(t, values, f) {
				return false
			}
		}
		return true
	}
	return n.anyTest(values, f)
}

func (n *node) anyTest(values []value, f *fields) bool {
	for _, t := range n.tests {
		if anyValue(t, values, f) {
			return true
		}
	}
	return false
}

// anyValue reports whether one of the values matches. A field that is absent counts as null.
func anyValue(t test, values []value, f *fields) bool {
	if len(values) == 0 {
		_, isNull := t.(null)
		return isNull
	}
	for _, v := range values {
		if t.match(v, f) {
			return true
		}
	}
	return false
}

// maybe is the result of a condition of which only event.action is known: -1 is false, 1 is
// true, 0 is unknown.
type maybe int8

// possible evaluates n for an action. A condition on another field is unknown (0).
func (n *node) possible(f *fields) maybe {
	switch n.op {
	case opAnd, opOr:
		decides := maybe(-1) // an operand with this result decides alone
		if n.op == opOr {
			decides = 1
		}
		result := -decides
		for _, k := range n.kids {
			switch p := k.possible(f); p {
			case decides:
				return decides
			case 0:
				result = 0
			}
		}
		return result
	case opNot:
		return -n.kids[0].possible(f)
	}
	if n.slot != slotAction || slices.ContainsFunc(n.tests, func(t test) bool { _, is := t.(reference); return is }) {
		return 0
	}
	if n.matchField(f) {
		return 1
	}
	return -1
}

// condition parses Sigma's condition over searches, which are by name.
type condition struct {
	words    []string
	searches map[string]*node
	names    []string // of searches, in their order
	used     map[string]bool
}

func parseCondition(s string, names []string, searches map[string]*node) (*node, error) {
	c := &condition{words: conditionWords(s), names: names, searches: searches, used: map[string]bool{}}
	n, err := c.or()
	if err != nil {
		return nil, err
	}
	if len(c.words) > 0 {
		if strings.HasPrefix(c.words[0], "|") {
			return nil, fmt.Errorf("the condition has an aggregation (%q), which Sigma 2 has no more: write a correlation rule", strings.Join(c.words, " "))
		}
		return nil, fmt.Errorf("the condition cannot be read from %q on: write and, or, not between the names of searches", c.words[0])
	}
	for _, name := range names {
		if !c.used[name] {
			return nil, fmt.Errorf("the search %q is in no condition: use it, or remove it", name)
		}
	}
	return n, nil
}

func conditionWords(s string) []string {
	s = strings.NewReplacer("(", " ( ", ")", " ) ", "|", " | ").Replace(s)
	return strings.Fields(s)
}

func (c *condition) next(word string) bool {
	if len(c.words) > 0 && strings.EqualFold(c.words[0], word) {
		c.words = c.words[1:]
		return true
	}
	return false
}

func (c *condition) or() (*node, error) { return c.chain("or", opOr, c.and) }

func (c *condition) and() (*node, error) { return c.chain("and", opAnd, c.not) }

func (c *condition) chain(word string, o op, operand func() (*node, error)) (*node, error) {
	n, err := operand()
	if err != nil {
		return nil, err
	}
	list := []*node{n}
	for c.next(word) {
		if n, err = operand(); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		return n, nil
	}
	return &node{op: o, kids: list}, nil
}

func (c *condition) not() (*node, error) {
	if c.next("not") {
		n, err := c.not()
		if err != nil {
			return nil, err
		}
		return &node{op: opNot, kids: []*node{n}}, nil
	}
	if c.next("(") {
		n, err := c.or()
		if err != nil {
			return nil, err
		}
		if !c.next(")") {
			return nil, fmt.Errorf("the condition has a ( without its ): add the )")
		}
		return n, nil
	}
	return c.operand()
}

func (c *condition) operand() (*node, error) {
	if len(c.words) == 0 {
		return nil, fmt.Errorf("the condition ends too early: add the name of a search")
	}
	word := c.words[0]
	c.words = c.words[1:]
	if n, ok := c.searches[word]; ok {
		c.used[word] = true
		return n, nil
	}
	quantity := strings.ToLower(word)
	if len(c.words) < 2 || !strings.EqualFold(c.words[0], "of") {
		return nil, fmt.Errorf("the condition names the search %q, which the rule does not have: use one of %s", word, strings.Join(c.names, ", "))
	}
	which := c.words[1]
	c.words = c.words[2:]
	o := opOr
	switch quantity {
	case "1", "any":
	case "all":
		o = opAnd
	default:
		return nil, fmt.Errorf("the condition has %q: use 1 of, any of or all of", word+" of")
	}
	n := &node{op: o}
	for _, name := range c.names {
		if which == "them" && !strings.HasPrefix(name, "_") || which != "them" && newGlob(which, false, false, true).text(name) {
			c.used[name] = true
			n.kids = append(n.kids, c.searches[name])
		}
	}
	if len(n.kids) == 0 {
		return nil, fmt.Errorf("the condition has %q, and no search has such a name: use one of %s", word+" of "+which, strings.Join(c.names, ", "))
	}
	return n, nil
}
