package webhook

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

const (
	// maxPayloadDepth is more than an encoder writes (see record.MaxDepth), and
	// small enough for every stack.
	maxPayloadDepth = 100
	// maxText limits a field of an execution. ids have 18 bytes, user agents some hundred.
	maxText = 512
	// maxID limits the names and ids of an event. ZITADEL's longest is an event type
	// of 64 bytes. The reader keeps them in memory and in every state, and whoever
	// has the key of a target can choose them.
	maxID = 200
)

// reduced is what is kept of a payload.
type reduced struct {
	entry    []byte
	call     *Execution // a request or a response
	instance string     // ZITADEL's id; empty if the payload names none
	unknown  bool       // the payload has an unknown form
}

// reduce turns a verified payload into an entry of the spool: redacted, and of API
// calls only an allow-list. A payload of unknown form, one that is nested too deeply,
// has a key twice or is not JSON becomes an execution of KindUnknown.
func reduce(d Delivery, key id, raw []byte, bodies bool) (r reduced, err error) {
	doc := new(structpb.Struct)
	if err := (protojson.UnmarshalOptions{RecursionLimit: maxPayloadDepth}).Unmarshal(raw, doc); err == nil {
		f := fields(doc.GetFields())
		switch {
		case f.has("aggregateID") && f.has("aggregateType") && f.has("event_type"):
			if e, ok := newEvent(d, f, raw); ok {
				payload.Redact(e.Event.GetType().GetType(), e.Event.GetPayload())
				r.instance = e.InstanceID
				r.entry, err = e.entry(key)
				return r, err
			}
		case f.has("fullMethod"), f.has("function"):
			x := newExecution(d, f, len(raw))
			if bodies {
				x.takeBody(f)
			}
			r.instance = x.InstanceID
			if x.Kind != KindFunction {
				x.Pair = pairOf(x, raw)
				r.call = x
			}
			r.entry, err = x.entry(key)
			return r, err
		}
	}
	x := &Execution{Delivery: d, Kind: KindUnknown, Size: len(raw)}
	r.unknown = true
	r.entry, err = x.entry(key)
	return r, err
}

// fields of an object.
type fields map[string]*structpb.Value

func (f fields) has(name string) bool {
	_, ok := f[name].GetKind().(*structpb.Value_StringValue)
	return ok
}

func (f fields) text(name string) string { return f[name].GetStringValue() }

func (f fields) in(name string) fields { return f[name].GetStructValue().GetFields() }

// newEvent reads an event. ok is false if its identity is incomplete, or cannot be
// ZITADEL's.
func newEvent(d Delivery, f fields, payload []byte) (e *Event, ok bool) {
	// A Struct has only float64, which is not exact enough for a sequence.
	sequence, err := strconv.ParseUint(gjson.GetBytes(payload, "sequence").Raw, 10, 64)
	if err != nil || f.text("aggregateID") == "" || f.text("aggregateType") == "" || f.text("event_type") == "" {
		return nil, false
	}
	e = &Event{Delivery: d, InstanceID: f.text("instanceID"), Event: &eventpb.Event{
		Editor: &eventpb.Editor{UserId: f.text("userID")},
		Aggregate: &eventpb.Aggregate{
			Id:            f.text("aggregateID"),
			Type:          &eventpb.AggregateType{Type: f.text("aggregateType")},
			ResourceOwner: f.text("resourceOwner"),
		},
		Sequence: sequence,
		Type:     &eventpb.EventType{Type: f.text("event_type")},
	}}
	// Microseconds, as in the Events API.
	if created, err := time.Parse(time.RFC3339Nano, f.text("created_at")); err == nil {
		e.Event.CreationDate = timestamppb.New(created.Truncate(time.Microsecond))
	} else {
		e.Odd = true
	}
	switch v := f["event_payload"]; v.GetKind().(type) {
	case nil, *structpb.Value_NullValue:
	case *structpb.Value_StructValue:
		e.Event.Payload = v.GetStructValue()
	default:
		e.Odd = true
		e.Event.Payload = &structpb.Struct{Fields: map[string]*structpb.Value{"event_payload": v}}
	}
	return e, e.named()
}

// named reports whether no name or id of the event is longer than maxID.
func (e *Event) named() bool {
	agg := e.Event.GetAggregate()
	return max(len(e.InstanceID), len(agg.GetId()), len(agg.GetType().GetType()), len(agg.GetResourceOwner()),
		len(e.Event.GetEditor().GetUserId()), len(e.Event.GetType().GetType())) <= maxID
}

func newExecution(d Delivery, f fields, size int) *Execution {
	x := &Execution{
		Delivery:   d,
		Kind:       KindRequest,
		Method:     plain(f.text("fullMethod")),
		InstanceID: plain(f.text("instanceID")),
		OrgID:      plain(f.text("orgID")),
		ProjectID:  plain(f.text("projectID")),
		UserID:     plain(f.text("userID")),
		Size:       size,
	}
	if _, ok := f["response"]; ok {
		x.Kind = KindResponse
		x.ChangeDate = changeDate(f.in("response"))
	}
	if f.has("function") {
		x.Kind = KindFunction
		x.Function = plain(f.text("function"))
		x.UserID = plain(f.in("user").text("id"))
		x.OrgID = plain(f.in("org").text("id"))
		x.ApplicationID = plain(f.in("application").text("client_id"))
	}
	headers := f.in("headers")
	x.ForwardedFor = plainEnd(forwardedFor(headers))
	x.UserAgent = plain(cmp.Or(headerOf(headers, "grpcgateway-user-agent"), headerOf(headers, "user-agent")))
	x.Host = plain(cmp.Or(headerOf(headers, "x-forwarded-host"), headerOf(headers, "host")))
	x.Error = plain(errorOf(f["error"]))
	return x
}

// plain returns text without what looks like a secret, and cut to maxText.
func plain(s string) string {
	s = redact.String(s)
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// plainEnd is plain for a list of addresses. It keeps whole ones from the end, which the proxies
// wrote: the client chose the beginning.
func plainEnd(list string) string {
	list = redact.String(list)
	if len(list) <= maxText {
		return list
	}
	_, list, _ = strings.Cut(list[len(list)-maxText:], ",")
	return strings.TrimLeft(list, " ")
}

// headerOf returns the values of a header. ZITADEL keeps the spelling of the name
// that the caller of the API used.
func headerOf(headers fields, name string) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		if !strings.EqualFold(key, name) {
			continue
		}
		for _, line := range headers[key].GetListValue().GetValues() {
			lines = append(lines, line.GetStringValue())
		}
	}
	return strings.Join(lines, ", ")
}

func errorOf(v *structpb.Value) string {
	if f := fields(v.GetStructValue().GetFields()); f != nil {
		return f.text("message")
	}
	return v.GetStringValue()
}

// takeBody keeps request and response, redacted.
func (x *Execution) takeBody(f fields) {
	body := &structpb.Struct{Fields: make(map[string]*structpb.Value)}
	for _, name := range [...]string{"request", "response"} {
		if v, ok := f[name]; ok {
			body.Fields[name] = v
		}
	}
	if len(body.Fields) == 0 {
		return
	}
	x.Body = body
	if strings.Contains(x.Method, "Metadata") {
		hideValues(structpb.NewStructValue(body))
	}
	payload.Redact("", body)
}

// hideValues redacts the values of metadata, which may be anything. In events,
// redact recognizes them by the event type.
func hideValues(v *structpb.Value) {
	for key, child := range v.GetStructValue().GetFields() {
		if key == "value" && child.GetStringValue() != "" {
			v.GetStructValue().Fields[key] = structpb.NewStringValue(redact.Redacted)
			continue
		}
		hideValues(child)
	}
	for _, child := range v.GetListValue().GetValues() {
		hideValues(child)
	}
}
