package record

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

// Sources: the way by which a record came.
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

// Record is one audit event on its way to a SIEM.
type Record struct {
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
