package enrich

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Learn remembers the values that an event teaches. It is called for every event that is
// emitted, after its redaction and before its lookups. Learning an event again changes
// nothing.
func (s *Store) Learn(e *record.Event) {
	if e.Instance != s.instance || e.AggregateID == "" {
		return
	}
	s.tick(e.Time)
	rules := s.rules[e.Type]
	for i := range rules {
		if rules[i].read(e, &s.taught) {
			s.learn(&s.taught)
		}
	}
}

// Pass is called instead of Learn for an event of a type that does not teach, see [Teaches].
// It forgets names that were removed long before the event.
func (s *Store) Pass(e *record.Event) {
	if e.Instance == s.instance && e.AggregateID != "" {
		s.tick(e.Time)
	}
}

// read fills n with the values that the rule takes from an event.
func (r *rule) read(e *record.Event, n *entry) (ok bool) {
	id := e.AggregateID
	payload := e.Payload.GetFields()
	switch {
	case r.anyID:
		id = ""
	case r.id != nil:
		id = text(payload, r.id)
		if id == "" || id == redact.Redacted || !strings.HasPrefix(id, r.idPrefix) {
			return false
		}
	}
	order := e.Sequence
	if r.byTime {
		order = uint64(max(0, e.Time.UnixMicro()))
	}
	if order == 0 || len(id) > maxID || r.payload && e.Payload == nil {
		return false
	}
	*n = entry{kind: r.kind, id: id}
	if r.removed {
		n.gone, n.goneAt = order, e.Time.UnixMicro()
		return true
	}
	for i := range r.values {
		v := &r.values[i]
		s := v.literal
		switch {
		case v.from == fromOwner:
			s = e.ResourceOwner
		case v.from == fromAggregate:
			s = e.AggregateID
		case v.from == fromList:
			s = packList(lookup(payload, v.path).GetListValue())
		case v.path != nil:
			s = text(payload, v.path)
		}
		if v.optional && s == "" {
			continue // unchanged
		}
		n.f[v.field] = bound(v.field, s)
		n.order[v.group] = order
		ok = true
	}
	return ok
}

func lookup(fields map[string]*structpb.Value, path []string) *structpb.Value {
	for _, key := range path[:len(path)-1] {
		fields = fields[key].GetStructValue().GetFields()
	}
	return fields[path[len(path)-1]]
}

// text returns a string, or "true" for a boolean that is set.
func text(fields map[string]*structpb.Value, path []string) string {
	switch v := lookup(fields, path).GetKind().(type) {
	case *structpb.Value_StringValue:
		return v.StringValue
	case *structpb.Value_BoolValue:
		if v.BoolValue {
			return "true"
		}
		return "false"
	}
	return ""
}

// bound cuts a value at MaxText, and returns nothing for a redacted one.
func bound(f field, s string) string {
	if s == redact.Redacted {
		return ""
	}
	if f == fRoles || len(s) <= MaxText {
		return s
	}
	if f.reference() {
		return ""
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// maxList bounds a packed list, in bytes.
const maxList = 4 * MaxText

// packList puts strings into one, each behind two bytes of length. What does not fit is
// left out, and a last empty string says so.
func packList(list *structpb.ListValue) string {
	var b []byte
	for _, v := range list.GetValues() {
		s := v.GetStringValue()
		if s == "" || s == redact.Redacted {
			continue
		}
		if len(b)+2+len(s)+2 > maxList {
			b = append(b, 0, 0)
			break
		}
		b = append(append(b, byte(len(s)>>8), byte(len(s))), s...)
	}
	return string(b)
}

// unpackList returns the strings, and whether some were left out.
func unpackList(s string) (list []string, more bool) {
	for len(s) >= 2 {
		n := int(s[0])<<8 | int(s[1])
		if n == 0 || n > len(s)-2 {
			return list, true
		}
		list = append(list, s[2:2+n])
		s = s[2+n:]
	}
	return list, false
}
