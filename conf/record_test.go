package conf

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// record is what the tests look at, in any format: what raw calls source, event and
// trust.
type record struct {
	Source string
	Event  map[string]any // id, type and time
	Trust  string
	Login  map[string]any // of raw
}

// id is the event id; "" where it is made of the time of reading, since the line
// tells none.
func (r record) id() string {
	id, _ := r.Event["id"].(string)
	if r.Event["time"] == nil {
		return ""
	}
	return id
}

// UnmarshalJSON reads raw, ECS and OCSF.
func (r *record) UnmarshalJSON(data []byte) error {
	var in struct {
		Source   any
		Event    map[string]any
		Trust    string
		Login    map[string]any
		Metadata map[string]any
		Zitadel  struct{ Trust string }
		Unmapped struct{ Trust string }
		Time     string `json:"@timestamp"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	switch {
	case in.Metadata["log_provider"] != nil:
		m := in.Metadata
		r.Source, _ = m["log_provider"].(string)
		r.Trust = in.Unmapped.Trust
		r.Event = map[string]any{"id": m["uid"], "type": m["event_code"], "time": m["original_time"]}
	case in.Event["provider"] != nil || in.Event["module"] != nil: // a label has left the line of Loki
		r.Source, _ = in.Event["provider"].(string)
		r.Trust = in.Zitadel.Trust
		r.Event = map[string]any{"id": in.Event["id"], "type": in.Event["action"], "time": in.Time}
		if in.Event["action"] == "log.malformed" { // the time is that of reading
			delete(r.Event, "time")
		}
	default:
		r.Source, _ = in.Source.(string)
		r.Event, r.Trust, r.Login = in.Event, in.Trust, in.Login
	}
	return nil
}

// syslogRecord reads a message in CEF or LEEF.
func syslogRecord(t *testing.T, message string) (r record, ok bool) {
	t.Helper()
	fields, ok := syslogFields(t, message)
	if !ok {
		return record{}, false
	}
	id, at, trust := fields["externalId"], fields["rt"], fields["ZITADELTrust"]
	if strings.HasPrefix(message, "LEEF:") {
		id, at, trust = fields["eventId"], fields["devTime"], fields["trust"]
	}
	r = record{Source: "events_api", Trust: trust, Event: map[string]any{"id": id, "type": fields["type"], "time": at}}
	if trust != "" {
		r.Source = "action_log"
	}
	if fields["type"] == "log.malformed" {
		delete(r.Event, "time")
	}
	return r, true
}

// hashed is an event id as CEF and LEEF have it.
func hashed(ids []string) (list []string) {
	for _, id := range ids {
		if id != "" {
			sum := sha256.Sum256([]byte(id))
			id = hex.EncodeToString(sum[:20])
		}
		list = append(list, id)
	}
	return list
}

var (
	cefHead  = regexp.MustCompile(`^CEF:0\|ZITADEL\|ZITADEL\|((?:[^|\\]|\\.)*)\|((?:[^|\\]|\\.)*)\|((?:[^|\\]|\\.)*)\|([0-9]+)\|`)
	cefKey   = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)
	leefHead = regexp.MustCompile(`^LEEF:2\.0\|ZITADEL\|ZITADEL\|([^|\t]*)\|([^|\t]*)\|x09\|`)
)

// syslogFields are the fields of a message in CEF or LEEF, as their documents say that
// it is read, and its type.
func syslogFields(t *testing.T, message string) (fields map[string]string, ok bool) {
	t.Helper()
	fields = map[string]string{}
	set := func(key, value string) {
		if _, twice := fields[key]; twice {
			t.Errorf("%s is twice in %.300q", key, message)
		}
		fields[key] = value
	}
	if head := leefHead.FindStringSubmatch(message); head != nil {
		set("type", head[2])
		for _, pair := range strings.Split(message[len(head[0]):], "\t") {
			key, value, found := strings.Cut(pair, "=")
			if !found {
				t.Errorf("%q is no attribute: %.300q", pair, message)
			}
			set(key, value)
		}
		return fields, true
	}
	head := cefHead.FindStringSubmatch(message)
	if head == nil {
		return nil, false
	}
	unescaped := strings.NewReplacer(`\\`, `\`, `\=`, "=", `\|`, "|", `\n`, "\n", `\r`, "\r").Replace
	set("type", unescaped(head[2]))
	rest := message[len(head[0]):]
	keys := cefKey.FindAllStringSubmatchIndex(rest, -1)
	for i, at := range keys {
		end := len(rest)
		if i+1 < len(keys) {
			end = keys[i+1][0]
		}
		set(rest[at[2]:at[3]], unescaped(rest[at[1]:end]))
	}
	return fields, true
}
