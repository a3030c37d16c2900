package pseudonym

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Value is a personal value that belongs to a record.
type Value struct {
	Kind Kind
	Text string
}

// minKnown is the length from which a value is looked for under other keys: shorter ones
// are words like "de" that mean something else there.
const minKnown = 3

// Payload replaces the personal values of the payload p of an event of the given type in
// place, and returns how many. known are personal values of the same record that are not in
// the payload, such as the names that enrichment adds; strings of the payload that equal
// one are replaced too. p may be nil. It is called once, after redaction.
func (t *Tokens) Payload(eventType string, p *structpb.Struct, known ...Value) (replaced int) {
	if p == nil {
		return 0
	}
	w := walk{tokens: t, known: make(map[string]Kind)}
	for _, v := range known {
		w.remember(v.Kind, v.Text)
	}
	w.object(p.Fields, table().types[eventType], "", 1)
	if len(w.known) > 0 {
		w.equal(p.Fields, 1)
	}
	return w.replaced
}

type walk struct {
	tokens   *Tokens
	known    map[string]Kind // in lower case; nil in bodies, of which every text is replaced
	made     map[*structpb.Value]struct{}
	replaced int
}

// remember keeps a value that names a person or a place on the network.
func (w *walk) remember(k Kind, s string) {
	if w.known == nil {
		return
	}
	switch k {
	case User, Mail, Phone, IP, Name:
		if len(s) >= minKnown && s != redact.Redacted {
			w.known[strings.ToLower(s)] = k
		}
	}
}

// object replaces the personal values among fields. within is the kind of what they are a
// part of, "" where that is not personal.
func (w *walk) object(fields map[string]*structpb.Value, n *node, within Kind, depth int) {
	for key, v := range fields {
		child := n.child(key)
		if replaced := w.value(v, child, kindOf(key, child, within), depth); replaced != v {
			fields[key] = replaced
		}
	}
}

// kindOf decides what is under a key. The table, where it knows the path, overrules the name.
func kindOf(key string, child *node, within Kind) Kind {
	switch {
	case child != nil && child.harmless:
		return ""
	case child != nil && child.kind != "":
		return child.kind
	}
	if n := table().any.child(key); n != nil {
		return n.kind
	}
	return within
}

// value returns what stands in the place of v.
func (w *walk) value(v *structpb.Value, n *node, k Kind, depth int) *structpb.Value {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if k != "" {
			return w.token(v, k, kind.StringValue)
		}
	case *structpb.Value_NumberValue:
		if k != "" {
			return w.token(v, k, strconv.FormatFloat(kind.NumberValue, 'f', -1, 64))
		}
	case *structpb.Value_StructValue:
		if depth < record.MaxDepth {
			w.object(kind.StructValue.GetFields(), n, k, depth+1)
		}
	case *structpb.Value_ListValue:
		if depth < record.MaxDepth {
			values := kind.ListValue.GetValues()
			for i, element := range values {
				values[i] = w.value(element, n, k, depth+1)
			}
		}
	}
	return v // booleans and nulls tell nothing
}

func (w *walk) token(v *structpb.Value, k Kind, s string) *structpb.Value {
	token := w.tokens.Token(k, s)
	if token == s {
		return v
	}
	w.remember(k, s)
	w.replaced++
	made := structpb.NewStringValue(token)
	if w.made == nil {
		w.made = make(map[*structpb.Value]struct{})
	}
	w.made[made] = struct{}{}
	return made
}

// equal replaces the strings among fields that are a known value, wherever they are.
func (w *walk) equal(fields map[string]*structpb.Value, depth int) {
	for key, v := range fields {
		if replaced := w.equalValue(v, depth); replaced != v {
			fields[key] = replaced
		}
	}
}

func (w *walk) equalValue(v *structpb.Value, depth int) *structpb.Value {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if _, ok := w.made[v]; ok {
			return v
		}
		if k, ok := w.known[strings.ToLower(kind.StringValue)]; ok {
			return w.token(v, k, kind.StringValue)
		}
	case *structpb.Value_StructValue:
		if depth < record.MaxDepth {
			w.equal(kind.StructValue.GetFields(), depth+1)
		}
	case *structpb.Value_ListValue:
		if depth < record.MaxDepth {
			values := kind.ListValue.GetValues()
			for i, element := range values {
				values[i] = w.equalValue(element, depth+1)
			}
		}
	}
	return v
}
