package pseudonym

import (
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// Event replaces the personal values of an event in place: those of its payload and the
// display name of its editor. It returns how many. It is called once, after redaction and
// after the event was learned from.
func (t *Tokens) Event(e *record.Event, known ...Value) (replaced int) {
	if e.AggregateType == callAggregate {
		return t.call(e)
	}
	if e.Editor.Name != "" {
		known = append(known[:len(known):len(known)], Value{Name, e.Editor.Name})
	}
	replaced = t.Payload(e.Type, e.Payload, known...)
	if token := t.Token(Name, e.Editor.Name); token != e.Editor.Name {
		e.Editor.Name = token
		replaced++
	}
	return replaced
}

// callAggregate is the aggregate type of API calls that came by webhook. The reader makes
// these records, so that the names of their keys are known.
const callAggregate = "webhook"

// call replaces the personal values of an API call. Of bodies only what is an id stays:
// they may hold anything.
func (t *Tokens) call(e *record.Event) (replaced int) {
	fields := e.Payload.GetFields()
	for key, v := range fields {
		s, isText := v.GetKind().(*structpb.Value_StringValue)
		switch {
		case !isText:
			w := walk{tokens: t}
			fields[key] = w.body(key, v, 1)
			replaced += w.replaced
			continue
		case key == "forwarded_for":
			s.StringValue = t.Addresses(s.StringValue)
		case key == "user_agent":
			s.StringValue = t.Token(Agent, s.StringValue)
		case key == "error":
			s.StringValue = t.Text(s.StringValue)
		default:
			continue
		}
		replaced++
	}
	return replaced
}

// body replaces every text of a body that is no id.
func (w *walk) body(key string, v *structpb.Value, depth int) *structpb.Value {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		if isID(kind.StringValue) {
			return v
		}
		k := kindOf(key, nil, Data)
		return w.token(v, k, kind.StringValue)
	case *structpb.Value_StructValue:
		if depth >= record.MaxDepth {
			return v // no encoder writes what is below
		}
		for key, child := range kind.StructValue.GetFields() {
			kind.StructValue.Fields[key] = w.body(key, child, depth+1)
		}
	case *structpb.Value_ListValue:
		if depth >= record.MaxDepth {
			return v
		}
		values := kind.ListValue.GetValues()
		for i, child := range values {
			values[i] = w.body(key, child, depth+1)
		}
	}
	return v
}

// isID reports whether s can be an id of ZITADEL, which are 18 digits. A phone number
// without "+" is shorter.
func isID(s string) bool {
	if len(s) < 16 || len(s) > 20 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
