package zitadel

import (
	"bytes"
	"cmp"
	"fmt"
	"math"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A decoder can turn two bytes of an answer into a hundred and more, so the values of
// an answer are counted before it is decoded.
const (
	// maxMessageSize and maxBody limit one uncompressed answer, in bytes. ZITADEL
	// sends protobuf of at most 10 MiB. As JSON with escapes the same page can be
	// a few times as long, and is then requested in parts.
	maxMessageSize = 16 << 20
	maxBody        = 32 << 20

	// maxValues limits the values in one answer, including those of payloads. It is
	// far above 1000 events, which have some 20,000, and takes about 150 MB decoded.
	maxValues = 1 << 20

	// maxNesting is the depth at which protobuf and encoding/json give up.
	maxNesting = 10_000

	// defaultLimit is ZITADEL's own limit for a request without one.
	defaultLimit = 1000
)

const textTooMany = "the answer has more events than were asked for"

// eventsAsked is how many events the answer to req may have at most.
func eventsAsked(req proto.Message) int {
	if list, ok := req.(*adminpb.ListEventsRequest); ok {
		return int(cmp.Or(list.GetLimit(), defaultLimit))
	}
	return math.MaxInt
}

func tooManyEvents(limit int) *failure {
	return &failure{code: codes.OutOfRange, said: byForeign, text: fmt.Sprintf("%s (%d)", textTooMany, limit)}
}

func largerThanMax(max int, unit string) *failure {
	return &failure{code: codes.ResourceExhausted, said: byNobody, text: fmt.Sprintf("the answer is larger than max (%d %s)", max, unit)}
}

// boundJSON counts the values of a JSON answer, or of the start of one.
func boundJSON(answer []byte, limit int) *failure {
	depth, events, values := 0, 0, 0
	var key []byte // the last string of the outer object
	inEvents := false
	for i := 0; i < len(answer); i++ {
		switch answer[i] {
		case '"':
			end := i + 1 + stringLength(answer[i+1:])
			if depth == 1 {
				key = answer[i+1 : end]
			}
			i = end
		case ',':
			values++
		case '{', '[':
			values++
			if depth == 1 {
				// A name with escapes may be the same name.
				inEvents = string(key) == "events" || bytes.IndexByte(key, '\\') >= 0
			}
			if depth == 2 && inEvents {
				events++
			}
			depth++
		case '}', ']':
			depth--
		}
		if events > limit {
			return tooManyEvents(limit)
		}
		if values > maxValues {
			return largerThanMax(maxValues, "values")
		}
	}
	return nil
}

// stringLength is the index of the quote that ends the string at the start of text.
func stringLength(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++ // the escaped byte
		}
	}
	return len(text)
}

// boundedCodec is gRPC's codec for protobuf, which counts before it decodes.
// It is for one call.
type boundedCodec struct {
	encoding.CodecV2
	limit   int
	refused *failure
}

func newBoundedCodec(limit int) *boundedCodec {
	return &boundedCodec{CodecV2: encoding.GetCodecV2("proto"), limit: limit}
}

func (c *boundedCodec) Unmarshal(data mem.BufferSlice, into any) error {
	msg, ok := into.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, into)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if c.refused = boundProto(buffer.ReadOnlyData(), msg.ProtoReflect().Descriptor(), c.limit); c.refused != nil {
		return fmt.Errorf("%s", c.refused.text)
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), msg)
}

// boundProto counts the values of a protobuf answer. Malformed data is left to the
// decoder.
func boundProto(answer []byte, d protoreflect.MessageDescriptor, limit int) *failure {
	if list := d.Fields().ByName("events"); list != nil {
		events := 0
		for rest := answer; len(rest) > 0; {
			number, _, n := protowire.ConsumeField(rest)
			if n < 0 {
				break
			}
			if number == list.Number() {
				events++
			}
			if events > limit {
				return tooManyEvents(limit)
			}
			rest = rest[n:]
		}
	}
	// Two bytes are the smallest message.
	if len(answer) > 2*maxValues && countMessages(answer, d, 0, 0) > maxValues {
		return largerThanMax(maxValues, "values")
	}
	return nil
}

// countMessages adds to count the messages and list elements in b, a d. It
// stops above maxValues.
func countMessages(b []byte, d protoreflect.MessageDescriptor, depth, count int) int {
	for len(b) > 0 && count <= maxValues && depth < maxNesting {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			break
		}
		if field := d.Fields().ByNumber(number); field != nil && (field.IsList() || field.Message() != nil) {
			count++
			if inner, n := protowire.ConsumeBytes(b); kind == protowire.BytesType && field.Message() != nil && n >= 0 {
				count = countMessages(inner, field.Message(), depth+1, count)
			}
		}
		b = b[n:]
	}
	return count
}
