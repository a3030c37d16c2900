package record

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

const (
	// MaxDepth is how many levels of lists and maps of a payload are written,
	// the payload itself being the first. The recorded payloads have four.
	MaxDepth = 64
	// TooDeep stands where a list or map lay deeper than [MaxDepth].
	TooDeep = "[TOO DEEP]"
)

// AppendMap implements [Record].
func (e *Event) AppendMap(b []byte, f encode.Format) []byte {
	hasEditor := e.Editor != Editor{}
	b = f.OpenMap(b, 4+count(hasEditor)+count(e.Payload != nil))

	b = f.Field(b, 0, "event")
	b = f.OpenMap(b, 3+count(e.LocalizedType != "")+count(!e.Time.IsZero())+count(!e.Read.IsZero()))
	b = f.Field(b, 0, "id")
	b = appendID(b, f, e.Key)
	b = f.Field(b, 1, "type")
	b = f.Text(b, e.Type)
	if e.LocalizedType != "" {
		b = f.Field(b, 1, "type_localized")
		b = f.Text(b, e.LocalizedType)
	}
	b = f.Field(b, 1, "sequence")
	b = f.Uint(b, e.Sequence)
	b = appendTime(b, f, "time", e.Time)
	b = appendTime(b, f, "read_at", e.Read)
	b = f.CloseMap(b)

	b = f.Field(b, 1, "aggregate")
	b = f.OpenMap(b, 2+count(e.ResourceOwner != ""))
	b = f.Field(b, 0, "type")
	b = f.Text(b, e.AggregateType)
	b = f.Field(b, 1, "id")
	b = f.Text(b, e.AggregateID)
	if e.ResourceOwner != "" {
		b = f.Field(b, 1, "resource_owner")
		b = f.Text(b, e.ResourceOwner)
	}
	b = f.CloseMap(b)

	if hasEditor {
		b = f.Field(b, 1, "editor")
		b = appendEditor(b, f, &e.Editor)
	}
	if e.Payload != nil {
		b = f.Field(b, 1, "payload")
		s := scratchPool.Get().(*scratch)
		b = s.appendMap(b, f, e.Payload.Fields, 1)
		s.release()
	}
	b = f.Field(b, 1, "instance")
	b = f.Text(b, e.Instance)
	b = f.Field(b, 1, "source")
	b = f.Text(b, e.Source)
	return f.CloseMap(b)
}

// appendID writes [Key.ID] without building it apart where no part needs a change.
func appendID(b []byte, f encode.Format, k Key) []byte {
	if !encode.Plain(k.Instance) || !encode.Plain(k.AggregateType) || !encode.Plain(k.AggregateID) {
		return f.Text(b, k.ID())
	}
	var room [20]byte
	sequence := strconv.AppendUint(room[:0], k.Sequence, 10)
	if f == encode.Msgpack {
		b = encode.AppendStringHeader(b, len(k.Instance)+len(k.AggregateType)+len(k.AggregateID)+3+len(sequence))
		return k.AppendID(b)
	}
	b = append(b, '"')
	b = k.AppendID(b)
	return append(b, '"')
}

func appendEditor(b []byte, f encode.Format, e *Editor) []byte {
	n := 0
	b = f.OpenMap(b, count(e.ID != "")+count(e.Name != "")+count(e.Service != ""))
	for _, m := range [...]struct{ name, value string }{{"id", e.ID}, {"name", e.Name}, {"service", e.Service}} {
		if m.value != "" {
			b = f.Field(b, n, m.name)
			b = f.Text(b, m.value)
			n++
		}
	}
	return f.CloseMap(b)
}

func appendTime(b []byte, f encode.Format, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = f.Field(b, 1, name)
	return f.Time(b, t)
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

func (s *scratch) appendMap(b []byte, f encode.Format, fields map[string]*structpb.Value, depth int) []byte {
	from := len(s.keys)
	for k := range fields {
		s.keys = append(s.keys, k)
	}
	slices.Sort(s.keys[from:])

	b = f.OpenMap(b, len(fields))
	for i := range len(fields) {
		// By index: a nested map may have moved the stack.
		k := s.keys[from+i]
		b = f.Key(b, i, k)
		b = s.appendValue(b, f, fields[k], depth)
	}
	s.keys = s.keys[:from]
	return f.CloseMap(b)
}

// appendValue writes a value that stands in a list or map of the given depth.
func (s *scratch) appendValue(b []byte, f encode.Format, v *structpb.Value, depth int) []byte {
	switch v := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return f.Text(b, v.StringValue)
	case *structpb.Value_NumberValue:
		return f.Number(b, v.NumberValue)
	case *structpb.Value_BoolValue:
		return f.Bool(b, v.BoolValue)
	case *structpb.Value_StructValue:
		if depth == MaxDepth {
			return f.Text(b, TooDeep)
		}
		return s.appendMap(b, f, v.StructValue.GetFields(), depth+1)
	case *structpb.Value_ListValue:
		if depth == MaxDepth {
			return f.Text(b, TooDeep)
		}
		values := v.ListValue.GetValues()
		b = f.OpenList(b, len(values))
		for i, element := range values {
			b = f.Element(b, i)
			b = s.appendValue(b, f, element, depth+1)
		}
		return f.CloseList(b)
	default: // null, or a value without a kind
		return f.Null(b)
	}
}
