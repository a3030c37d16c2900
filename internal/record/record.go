package record

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// Record is what a source hands over and an [Encoder] writes: an [*Event], a
// *parser.Record or a heartbeat.
type Record interface {
	// EventType is what stands in event.type.
	EventType() string
	// ID is what stands in event.id.
	ID() string
	document.Record
}

// Encoder appends one record to b in the form that a sink takes.
type Encoder func(b []byte, r Record) []byte

// AppendMsgpack is the [Encoder] of Fluent Bit events: [EventTime, map].
func AppendMsgpack(b []byte, r Record) []byte { return document.AppendEvent(b, r, 0, nil) }

// AppendJSON appends r to b as one line of JSON without the newline.
func AppendJSON(b []byte, r Record) []byte { return document.AppendJSON(b, r) }

// AppendLine is the [Encoder] of JSON lines.
func AppendLine(b []byte, r Record) []byte { return append(AppendJSON(b, r), '\n') }

// Values of the field source: the way by which a record came.
const (
	SourceEventsAPI = "events_api"
	SourceWebhook   = "actions_webhook"
)

// Key is the identity of an event. ZITADEL's own answer has no id: sequence
// counts per aggregate, and the instance comes from configuration.
type Key struct {
	Instance      string // label of the ZITADEL instance, without "/"
	AggregateType string // without "/" in every known type
	AggregateID   string // chosen by API clients, may hold any character
	Sequence      uint64
}

// ID returns "instance/aggregate type/aggregate id/sequence". Only the
// aggregate id may hold a "/", so that no two keys have one id.
func (k Key) ID() string {
	return string(k.AppendID(make([]byte, 0, len(k.Instance)+len(k.AggregateType)+len(k.AggregateID)+23)))
}

// AppendID appends [Key.ID] to b.
func (k Key) AppendID(b []byte) []byte {
	b = append(b, k.Instance...)
	b = append(b, '/')
	b = append(b, k.AggregateType...)
	b = append(b, '/')
	b = append(b, k.AggregateID...)
	b = append(b, '/')
	return strconv.AppendUint(b, k.Sequence, 10)
}

// Editor is who caused the event: a user, or a part of ZITADEL such as LOGIN
// or SYSTEM. ID is empty where ZITADEL did not say.
type Editor struct {
	ID      string
	Name    string
	Service string
}

// Event is one audit event.
type Event struct {
	Key
	Time          time.Time // when ZITADEL created the event; microseconds
	Read          time.Time // when it was read here
	Type          string    // event type, for example "user.human.added"
	LocalizedType string    // the type in the language asked for
	ResourceOwner string    // organisation (or instance) that owns the aggregate
	Editor        Editor
	Payload       *structpb.Struct // the event's own data, nil where it has none
	Source        string           // Source* constant
}

// EventType implements [Record].
func (e *Event) EventType() string { return e.Type }

// Timestamp implements [Record]: when ZITADEL created the event, or when it was
// read if that is unknown.
func (e *Event) Timestamp() time.Time {
	if e.Time.IsZero() {
		return e.Read
	}
	return e.Time
}

// DropPayload puts a mark in the place of the payload. It is for an event that
// cannot be encoded: the event then comes out without its data.
func (e *Event) DropPayload() {
	e.Payload = &structpb.Struct{Fields: map[string]*structpb.Value{
		"zitadel_siem_error": structpb.NewStringValue("payload left out: it could not be encoded"),
	}}
}
