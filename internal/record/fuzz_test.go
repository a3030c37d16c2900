package record_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

// tree grows a payload out of fuzzed bytes: any kind, any text, NaN too.
type tree struct{ data []byte }

func (t *tree) next() byte {
	if len(t.data) == 0 {
		return 0
	}
	c := t.data[0]
	t.data = t.data[1:]
	return c
}

func (t *tree) text() string {
	n := min(int(t.next()), len(t.data))
	s := string(t.data[:n])
	t.data = t.data[n:]
	return s
}

func (t *tree) value() *structpb.Value {
	switch c := t.next(); c % 8 {
	case 0:
		return nil
	case 1:
		return structpb.NewNullValue()
	case 2:
		return structpb.NewBoolValue(c > 127)
	case 3:
		return structpb.NewNumberValue(float64(int8(t.next())))
	case 4:
		var bits [8]byte
		t.data = t.data[copy(bits[:], t.data):]
		return structpb.NewNumberValue(math.Float64frombits(binary.BigEndian.Uint64(bits[:])))
	case 5:
		return structpb.NewStringValue(t.text())
	case 6:
		list := &structpb.ListValue{}
		for range t.next() % 8 {
			list.Values = append(list.Values, t.value())
		}
		return structpb.NewListValue(list)
	default:
		return structpb.NewStructValue(t.fields())
	}
}

func (t *tree) fields() *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for range t.next() % 8 {
		s.Fields[t.text()] = t.value()
	}
	return s
}

func addSeeds(f *testing.F) {
	f.Add("", "", "", []byte{})
	f.Add("demo", "a\xff/b", "user.\x00added", []byte("\x03\x03key\x05\x03v\x9b\x80\x01a\x04\x7f\xf8\x00\x00\x00\x00\x00\x00\x01b\x06\x02\x03\xff\x01"))
	for _, e := range recordedREST(f)[:50] {
		raw, err := proto.Marshal(e.GetPayload())
		if err != nil {
			f.Fatal(err)
		}
		f.Add("demo", e.GetAggregate().GetId(), e.GetType().GetType(), raw)
	}
}

func fuzzed(instance, id, typ string, data []byte) *record.Event {
	r := &record.Event{
		Key:  record.Key{Instance: instance, AggregateType: typ, AggregateID: id, Sequence: uint64(len(data))},
		Type: typ, Read: readAt, Time: time.Unix(int64(len(id))<<len(typ), 1000), Editor: record.Editor{Name: id},
		Payload: &structpb.Struct{},
	}
	// Bytes that are a protobuf message are taken as one.
	if err := proto.Unmarshal(data, r.Payload); err != nil {
		r.Payload = (&tree{data}).fields()
	}
	return r
}

// Any record gives valid JSON, and the same as its msgpack.
func FuzzJSON(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, instance, id, typ string, data []byte) {
		check(t, fuzzed(instance, id, typ, data))
	})
}

// Any record gives msgpack that a decoder reads to its last byte, and that
// stands behind what the buffer held already.
func FuzzMsgpack(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, instance, id, typ string, data []byte) {
		r := fuzzed(instance, id, typ, data)
		b := record.AppendMsgpack([]byte("before"), r)
		if string(b[:6]) != "before" {
			t.Fatal("the buffer's own bytes changed")
		}
		if _, fields := decode(t, b[6:]); fields["payload"] == nil {
			t.Fatal("no payload")
		}
	})
}
