package webhook

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Source is the field "source" of records of events and executions that were received here.
const Source = record.SourceWebhook

// Message is an [*Event], a [*Login] or an [*Execution].
type Message interface{ message() }

// Delivery is how a message was received.
type Delivery struct {
	Target   string    // first segment of the path: the name of the key file
	Received time.Time // when it was received
	Sent     time.Time // when ZITADEL signed it, whole seconds; zero for V1
}

func (Delivery) message() {}

// Event is an event as in the Events API, redacted. Aggregate type, aggregate id and
// sequence are those of the API, so that its record has the same id, if the label of
// the instance is the same. The names of editors and languages are missing.
type Event struct {
	Delivery
	// InstanceID is ZITADEL's own id, as the sender states it: whoever has one key
	// can write any id. Only Target is proved by the key.
	InstanceID string
	Event      *eventpb.Event
	// Odd means that the payload was not an object, and is under the key
	// "event_payload"; or that the time was invalid.
	Odd bool
}

// Login is a message of post_auth_webhook.js. Its AuthRequestID is also in the payload
// of the password.check events of the same login.
type Login struct {
	Delivery
	// Record has no instance: the caller sets its label.
	Record parser.Record
}

// The kinds of executions.
const (
	KindRequest  = "request"
	KindResponse = "response"
	KindFunction = "function"
	// KindUnknown is a payload of unknown form. Only its size is kept.
	KindUnknown = "unknown"
)

// Execution is the call of a request, response or function target: an allow-list of what
// ZITADEL sent, redacted.
type Execution struct {
	Delivery `json:"-"`
	// ID is the same whenever the same request is sent, and differs otherwise.
	ID string `json:"-"`

	Kind          string `json:"kind"`
	Method        string `json:"method,omitempty"`   // full RPC name
	Function      string `json:"function,omitempty"` // such as function/preuserinfo
	InstanceID    string `json:"instance_id,omitempty"`
	OrgID         string `json:"org_id,omitempty"`
	ProjectID     string `json:"project_id,omitempty"`
	UserID        string `json:"user_id,omitempty"`        // who called, or the function's user
	ApplicationID string `json:"application_id,omitempty"` // of a function
	ForwardedFor  string `json:"forwarded_for,omitempty"`  // the client can choose it
	UserAgent     string `json:"user_agent,omitempty"`     // the client chooses it; ZITADEL leaves it out so far
	Host          string `json:"host,omitempty"`           // that the client asked for; it can choose it
	Error         string `json:"error,omitempty"`          // of a response
	// ChangeDate is the date that a response gives the change, which is the creation date of
	// the event.
	ChangeDate time.Time `json:"change_date,omitzero"`
	Size       int       `json:"size"` // bytes of the payload
	// Pair is the same for the request and the response of one call, and tells nothing of
	// them. It is zero in what [Decode] returns: its key ends with the process.
	Pair [16]byte `json:"-"`
	// Body has "request" and "response", if webhook_bodies is on.
	Body *structpb.Struct `json:"-"`
}

// Record returns the execution as a record of type api.request, api.response,
// api.function or api.unknown, with the fields in the payload. The time is that of
// the signature.
func (x *Execution) Record(instance string) record.Event {
	payload := &structpb.Struct{Fields: map[string]*structpb.Value{"size": structpb.NewNumberValue(float64(x.Size)), "target": structpb.NewStringValue(x.Target)}}
	for _, f := range [...]struct{ name, value string }{
		{"method", x.Method}, {"function", x.Function}, {"instance_id", x.InstanceID}, {"project_id", x.ProjectID}, {"application_id", x.ApplicationID},
		{"forwarded_for", x.ForwardedFor}, {"user_agent", x.UserAgent}, {"host", x.Host}, {"change_date", dateText(x.ChangeDate)}, {"error", x.Error},
	} {
		if f.value != "" {
			payload.Fields[f.name] = structpb.NewStringValue(f.value)
		}
	}
	for name, v := range x.Body.GetFields() {
		payload.Fields[name] = v
	}
	return record.Event{
		Key:           record.Key{Instance: label(instance, x.InstanceID), AggregateType: "webhook", AggregateID: x.ID},
		Time:          x.Sent,
		Read:          x.Received,
		Type:          "api." + x.Kind,
		ResourceOwner: x.OrgID,
		Editor:        record.Editor{ID: x.UserID},
		Payload:       payload,
		Source:        Source,
	}
}

// dateText has microseconds, as the creation date of an event.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func label(instance, id string) string {
	if instance != "" {
		return instance
	}
	return id
}

// An entry of the spool:
//
//	1   version
//	1   kind
//	8   received, Unix nanoseconds
//	8   sent, Unix seconds; 0 for V1
//	16  id of the request; zero for V1
//	1   length of the target's name
//	... name, content
//
// with the content of an event: 1 byte odd, then two parts; of a login: the document; of an
// execution: two parts. A part is its length (uvarint) and its bytes.
const (
	entryVersion = 1
	entryHead    = 35

	kindEvent     = 1
	kindLogin     = 2
	kindExecution = 3
)

func appendHead(kind byte, d *Delivery, key id) []byte {
	b := make([]byte, 0, 512)
	b = append(b, entryVersion, kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(d.Received.UnixNano()))
	sent := int64(0)
	if !d.Sent.IsZero() {
		sent = d.Sent.Unix()
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(sent))
	b = append(b, key[:]...)
	b = append(b, byte(len(d.Target))) // at most keyfile.MaxName
	return append(b, d.Target...)
}

func appendPart(b, part []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}

func cutPart(b []byte) (part, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// deterministic: the same message has the same bytes.
var deterministic = proto.MarshalOptions{Deterministic: true}

func (e *Event) entry(key id) ([]byte, error) {
	event, err := deterministic.Marshal(e.Event)
	if err != nil {
		return nil, err
	}
	b := appendHead(kindEvent, &e.Delivery, key)
	odd := byte(0)
	if e.Odd {
		odd = 1
	}
	return appendPart(appendPart(append(b, odd), []byte(e.InstanceID)), event), nil
}

func (x *Execution) entry(key id) ([]byte, error) {
	fields, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	var body []byte
	if x.Body != nil {
		if body, err = deterministic.Marshal(x.Body); err != nil {
			return nil, err
		}
	}
	return appendPart(appendPart(appendHead(kindExecution, &x.Delivery, key), fields), body), nil
}

var errEntry = errors.New("an entry of the spool is not what this version writes: empty the spool with the version that wrote it, or move its directory away")

// Decode reads an entry of the spool.
func Decode(entry []byte) (Message, error) {
	if len(entry) < entryHead || entry[0] != entryVersion || len(entry) < entryHead+int(entry[34]) {
		return nil, errEntry
	}
	var key id
	copy(key[:], entry[18:])
	content := entry[entryHead+int(entry[34]):]
	d := Delivery{
		Target:   string(entry[entryHead : entryHead+int(entry[34])]),
		Received: time.Unix(0, int64(binary.LittleEndian.Uint64(entry[2:]))).UTC(),
	}
	if sent := int64(binary.LittleEndian.Uint64(entry[10:])); sent != 0 {
		d.Sent = time.Unix(sent, 0).UTC()
	}
	switch entry[1] {
	case kindEvent:
		return decodeEvent(d, content)
	case kindLogin:
		l := &Login{Delivery: d}
		if !parser.New(parser.Options{}).ParseDocument(content, &l.Record) {
			return nil, errEntry
		}
		l.Record.Read = d.Received
		return l, nil
	case kindExecution:
		return decodeExecution(d, key, content)
	}
	return nil, errEntry
}

func decodeEvent(d Delivery, content []byte) (Message, error) {
	if len(content) == 0 || content[0] > 1 {
		return nil, errEntry
	}
	instance, rest, ok := cutPart(content[1:])
	if !ok {
		return nil, errEntry
	}
	event, rest, ok := cutPart(rest)
	if !ok || len(rest) > 0 {
		return nil, errEntry
	}
	e := &Event{Delivery: d, InstanceID: string(instance), Event: new(eventpb.Event), Odd: content[0] == 1}
	if err := proto.Unmarshal(event, e.Event); err != nil {
		return nil, fmt.Errorf("%w (%w)", errEntry, err)
	}
	if !e.named() {
		return nil, errEntry
	}
	return e, nil
}

func decodeExecution(d Delivery, key id, content []byte) (Message, error) {
	fields, rest, ok := cutPart(content)
	if !ok {
		return nil, errEntry
	}
	body, rest, ok := cutPart(rest)
	if !ok || len(rest) > 0 {
		return nil, errEntry
	}
	x := &Execution{Delivery: d, ID: hex.EncodeToString(key[:])}
	if err := json.Unmarshal(fields, x); err != nil {
		return nil, fmt.Errorf("%w (%w)", errEntry, err)
	}
	if len(body) > 0 {
		x.Body = new(structpb.Struct)
		if err := proto.Unmarshal(body, x.Body); err != nil {
			return nil, fmt.Errorf("%w (%w)", errEntry, err)
		}
	}
	return x, nil
}
