package record

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

const (
	// MaxDepth is how many levels of lists and maps of a payload are written,
	// the payload itself being the first. The recorded payloads have four.
	MaxDepth = 64
	// TooDeep stands where a list or map lay deeper than [MaxDepth].
	TooDeep = "[TOO DEEP]"
)

// WriteFields implements [Record].
func (e *Event) WriteFields(d *document.Doc) {
	d.Map("event")
	var room [128]byte
	d.TextBytes("id", e.AppendID(room[:0]))
	d.Text("type", e.Type)
	d.Some("type_localized", e.LocalizedType)
	d.Uint("sequence", e.Sequence)
	d.Time("time", e.Time)
	d.Time("read_at", e.Read)
	d.End()

	d.Map("aggregate")
	d.Text("type", e.AggregateType)
	d.Text("id", e.AggregateID)
	d.Some("resource_owner", e.ResourceOwner)
	d.End()

	d.Optional("editor")
	d.Some("id", e.Editor.ID)
	d.Some("name", e.Editor.Name)
	d.Some("service", e.Editor.Service)
	d.End()

	if e.Payload != nil {
		s := scratchPool.Get().(*scratch)
		s.writeMap(d, "payload", e.Payload.Fields, 1)
		scratchPool.Put(s)
	}
	d.Text("instance", e.Instance)
	d.Text("source", e.Source)
}

// scratch is a stack of map keys: each open map owns a piece of it, sorted.
type scratch struct {
	keys []string
	room [32]string
}

var scratchPool = sync.Pool{New: func() any {
	s := new(scratch)
	s.keys = s.room[:0]
	return s
}}

// writeMap writes a map of the given depth.
func (s *scratch) writeMap(d *document.Doc, key string, fields map[string]*structpb.Value, depth int) {
	from := len(s.keys)
	for k := range fields {
		s.keys = append(s.keys, k)
	}
	slices.Sort(s.keys[from:])

	d.Map(key)
	for i := range len(fields) {
		// By index: a nested map may have moved the stack.
		k := s.keys[from+i]
		d.Key(k)
		s.writeValue(d, fields[k], depth)
	}
	clear(s.keys[from:]) // the pool must not keep the strings
	s.keys = s.keys[:from]
	d.End()
}

// writeValue writes a value that is in a list, or behind a key of a map, of the given depth.
func (s *scratch) writeValue(d *document.Doc, v *structpb.Value, depth int) {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		d.Text("", v.StringValue)
	case *structpb.Value_NumberValue:
		d.Number("", v.NumberValue)
	case *structpb.Value_BoolValue:
		d.Bool("", v.BoolValue)
	case *structpb.Value_StructValue:
		if depth == MaxDepth {
			d.Text("", TooDeep)
			return
		}
		s.writeMap(d, "", v.StructValue.GetFields(), depth+1)
	case *structpb.Value_ListValue:
		if depth == MaxDepth {
			d.Text("", TooDeep)
			return
		}
		d.List("")
		for _, element := range v.ListValue.GetValues() {
			s.writeValue(d, element, depth+1)
		}
		d.End()
	default: // null, or a value without a kind
		d.Null("")
	}
}
