package record

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// MaxDepth is how many levels of lists and maps of a payload are written,
	// the payload itself being the first. The recorded payloads have four.
	MaxDepth = 64
	// TooDeep stands where a list or map lay deeper than [MaxDepth].
	TooDeep = "[TOO DEEP]"
)

// AppendMsgpack appends r to b as one Fluent Bit event: [EventTime, map].
func AppendMsgpack(b []byte, r *Record) []byte {
	b = msgp.AppendArrayHeader(b, 2)
	b = appendEventTime(b, r)
	return appendRecord(b, asMsgpack, r)
}

// AppendJSON appends r to b as one line of JSON without the newline.
func AppendJSON(b []byte, r *Record) []byte {
	return appendRecord(b, asJSON, r)
}

// appendEventTime writes Fluent Bit's EventTime: fixext 8 (0xd7) of type 0,
// seconds and nanoseconds in big endian.
func appendEventTime(b []byte, r *Record) []byte {
	t := r.Time
	if t.IsZero() {
		t = r.Read
	}
	// EventTime has 32 bits for the seconds: 1970 to 2106.
	seconds := min(max(t.Unix(), 0), math.MaxUint32)
	nanos := t.Nanosecond()
	return append(b, 0xd7, 0,
		byte(seconds>>24), byte(seconds>>16), byte(seconds>>8), byte(seconds),
		byte(nanos>>24), byte(nanos>>16), byte(nanos>>8), byte(nanos))
}

// appendRecord is the one walk over the fields.
func appendRecord(b []byte, f format, r *Record) []byte {
	hasEditor := r.Editor != Editor{}
	b = f.openMap(b, 4+count(hasEditor)+count(r.Payload != nil))

	b = f.field(b, 0, "event")
	b = f.openMap(b, 3+count(r.LocalizedType != "")+count(!r.Time.IsZero())+count(!r.Read.IsZero()))
	b = f.field(b, 0, "id")
	b = f.id(b, r.Key)
	b = f.field(b, 1, "type")
	b = f.text(b, r.Type)
	if r.LocalizedType != "" {
		b = f.field(b, 1, "type_localized")
		b = f.text(b, r.LocalizedType)
	}
	b = f.field(b, 1, "sequence")
	b = f.unsigned(b, r.Sequence)
	b = appendTime(b, f, "time", r.Time)
	b = appendTime(b, f, "read_at", r.Read)
	b = f.closeMap(b)

	b = f.field(b, 1, "aggregate")
	b = f.openMap(b, 2+count(r.ResourceOwner != ""))
	b = f.field(b, 0, "type")
	b = f.text(b, r.AggregateType)
	b = f.field(b, 1, "id")
	b = f.text(b, r.AggregateID)
	if r.ResourceOwner != "" {
		b = f.field(b, 1, "resource_owner")
		b = f.text(b, r.ResourceOwner)
	}
	b = f.closeMap(b)

	if hasEditor {
		b = f.field(b, 1, "editor")
		b = appendEditor(b, f, &r.Editor)
	}
	if r.Payload != nil {
		b = f.field(b, 1, "payload")
		s := scratchPool.Get().(*scratch)
		b = s.appendMap(b, f, r.Payload.Fields, 1)
		s.release()
	}
	b = f.field(b, 1, "instance")
	b = f.text(b, r.Instance)
	b = f.field(b, 1, "source")
	b = f.text(b, r.Source)
	return f.closeMap(b)
}

func appendEditor(b []byte, f format, e *Editor) []byte {
	n := 0
	b = f.openMap(b, count(e.ID != "")+count(e.Name != "")+count(e.Service != ""))
	for _, m := range [...]struct{ name, value string }{{"id", e.ID}, {"name", e.Name}, {"service", e.Service}} {
		if m.value != "" {
			b = f.field(b, n, m.name)
			b = f.text(b, m.value)
			n++
		}
	}
	return f.closeMap(b)
}

func appendTime(b []byte, f format, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = f.field(b, 1, name)
	return f.time(b, t)
}

func count(present bool) int {
	if present {
		return 1
	}
	return 0
}

// scratch is a stack of map keys: each open map owns a piece of it, sorted.
type scratch struct{ keys []string }

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// release gives s back to the pool without the strings it pointed to. A
// stack that one huge payload grew is let go, so that clearing stays cheap.
func (s *scratch) release() {
	if cap(s.keys) > 256 {
		return
	}
	clear(s.keys[:cap(s.keys)])
	s.keys = s.keys[:0]
	scratchPool.Put(s)
}

func (s *scratch) appendMap(b []byte, f format, fields map[string]*structpb.Value, depth int) []byte {
	from := len(s.keys)
	for k := range fields {
		s.keys = append(s.keys, k)
	}
	slices.Sort(s.keys[from:])

	b = f.openMap(b, len(fields))
	for i := range len(fields) {
		// By index: a nested map may have moved the stack.
		k := s.keys[from+i]
		b = f.key(b, i, k)
		b = s.appendValue(b, f, fields[k], depth)
	}
	s.keys = s.keys[:from]
	return f.closeMap(b)
}

// appendValue writes a value that stands in a list or map of the given depth.
func (s *scratch) appendValue(b []byte, f format, v *structpb.Value, depth int) []byte {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return f.text(b, v.StringValue)
	case *structpb.Value_NumberValue:
		return f.number(b, v.NumberValue)
	case *structpb.Value_BoolValue:
		return f.boolean(b, v.BoolValue)
	case *structpb.Value_StructValue:
		if depth == MaxDepth {
			return f.text(b, TooDeep)
		}
		return s.appendMap(b, f, v.StructValue.GetFields(), depth+1)
	case *structpb.Value_ListValue:
		if depth == MaxDepth {
			return f.text(b, TooDeep)
		}
		values := v.ListValue.GetValues()
		b = f.openList(b, len(values))
		for i, element := range values {
			b = f.element(b, i)
			b = s.appendValue(b, f, element, depth+1)
		}
		return f.closeList(b)
	default: // null, or a value without a kind
		return f.null(b)
	}
}
