package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// Alert is what a rule found. It is a record, in the Elastic Common Schema, and is valid
// only until the function that got it returns; see [Alert.Clone].
type Alert struct {
	Rule   *Rule
	Events []string // ids, by time
	Count  int      // of the events that made it; Events has at most maxCount of them
	First  time.Time
	Last   time.Time
	Read   time.Time // this machine's time

	id     string
	values []string // of the fields of group-by
	f      *fields  // of the event that completed it, or of the instance alone
}

// Tag is the default tag of alerts.
const Tag = "zitadel.alert"

// Dataset stands in event.dataset of alerts.
const Dataset = "zitadel.alert"

// EventType is the value of event.action.
func (a *Alert) EventType() string { return "alert" }

// ID is a hash of the rule's id and of the ids of the events.
func (a *Alert) ID() string { return a.id }

// Timestamp is the time of the newest event.
func (a *Alert) Timestamp() time.Time { return a.Last }

// Who says who did it, to whom, and from where, as the event that completed the alert has it:
// a name, or else an id or a part of ZITADEL. All of them may be empty.
func (a *Alert) Who() (who, whom, from string) {
	who = a.first(slotUserName, slotUserEmail, slotUserFull, slotUserID, slotSystem)
	whom = a.first(slotTargetName, slotTargetID, slotEffectiveName, slotEffectiveID)
	if whom == who || a.f.text(slotTargetID) == a.f.text(slotUserID) {
		whom = ""
	}
	return who, whom, a.first(slotIP, slotAddress)
}

func (a *Alert) first(slots ...int) string {
	for _, slot := range slots {
		if s := a.f.text(slot); s != "" {
			return s
		}
	}
	return ""
}

// alertID makes the id. Ids are sorted: events of one date have no order.
func alertID(r *Rule, events []string) string {
	h := sha256.New()
	h.Write([]byte(r.ID))
	for _, id := range slices.Sorted(slices.Values(events)) {
		h.Write([]byte{0})
		h.Write([]byte(id))
	}
	return "alert/" + hex.EncodeToString(h.Sum(nil)[:16])
}

// Clone returns a copy that stays valid.
func (a *Alert) Clone() *Alert {
	c := *a
	c.Events = cloned(a.Events)
	f := &fields{values: make([][]value, len(ownFields))}
	for slot := range ownFields {
		if s := a.f.text(slot); s != "" {
			f.values[slot] = []value{{isText, strings.Clone(s)}}
		}
	}
	c.f = f
	return &c
}

// severities are the values of event.severity by level, on the scale of the other records.
var severities = [...]uint64{LevelNone: 1, Informational: 1, Low: 3, Medium: 5, High: 8, Critical: 10}

// WriteFields implements [document.Record].
func (a *Alert) WriteFields(d *document.Doc) {
	d.Time("@timestamp", a.Last)
	d.Text("message", a.Rule.Title)
	head(d)
	a.event(d)
	a.rule(d)
	a.threat(d)
	a.who(d)
	a.own(d)
}

func head(d *document.Doc) {
	d.Map("ecs")
	d.Text("version", "9.4.0")
	d.End()
	d.Map("service")
	d.Text("name", "zitadel")
	d.Text("type", "zitadel")
	d.End()
	d.Map("observer")
	d.Text("vendor", "ZITADEL")
	d.Text("product", "ZITADEL")
	d.End()
}

func (a *Alert) event(d *document.Doc) {
	d.Map("event")
	d.Text("id", a.id)
	d.Text("kind", "alert")
	d.Text("action", "alert")
	texts(d, "category", "intrusion_detection")
	texts(d, "type", "info")
	d.Uint("severity", severities[a.Rule.Level])
	d.Text("module", "zitadel")
	d.Text("dataset", Dataset)
	d.Text("provider", "zitadel_siem")
	d.Some("reason", a.Rule.Description)
	d.Time("start", a.First)
	d.Time("end", a.Last)
	d.Time("created", a.Read)
	d.End()
}

func (a *Alert) rule(d *document.Doc) {
	r := a.Rule
	d.Map("rule")
	d.Text("id", r.ID)
	d.Text("name", r.Title)
	d.Text("ruleset", "zitadel-siem")
	if len(r.References) > 0 {
		d.Text("reference", r.References[0])
	}
	d.Some("version", r.version())
	d.End()
}

func (a *Alert) threat(d *document.Doc) {
	tactics, techniques := Attack(a.Rule.Tags)
	if len(tactics) == 0 && len(techniques) == 0 {
		return
	}
	d.Map("threat")
	d.Text("framework", "MITRE ATT&CK")
	if len(tactics) > 0 {
		d.Map("tactic")
		d.List("id")
		for _, t := range tactics {
			d.Text("", t.ID)
		}
		d.End()
		d.List("name")
		for _, t := range tactics {
			d.Text("", t.Name)
		}
		d.End()
		d.End()
	}
	d.Optional("technique")
	d.OptionalList("id")
	for _, t := range techniques {
		if !strings.Contains(t, ".") {
			d.Text("", t)
		}
	}
	d.End()
	d.Optional("subtechnique")
	d.OptionalList("id")
	for _, t := range techniques {
		if strings.Contains(t, ".") {
			d.Text("", t)
		}
	}
	d.End()
	d.End()
	d.End()
	d.End()
}

// who copies what the event that completed the alert says of people and places.
func (a *Alert) who(d *document.Doc) {
	some := func(key string, slot int) { d.Some(key, a.f.text(slot)) }
	d.Optional("user")
	some("id", slotUserID)
	some("name", slotUserName)
	some("email", slotUserEmail)
	some("full_name", slotUserFull)
	d.Optional("target")
	some("id", slotTargetID)
	some("name", slotTargetName)
	d.End()
	d.Optional("effective")
	some("id", slotEffectiveID)
	some("name", slotEffectiveName)
	d.End()
	d.End()
	d.Optional("source")
	some("ip", slotIP)
	some("address", slotAddress)
	d.End()
	d.Optional("user_agent")
	some("original", slotAgent)
	d.End()
	d.Optional("organization")
	some("id", slotOrgID)
	some("name", slotOrgName)
	d.End()
	d.Optional("related")
	d.OptionalList("user")
	var written []string
	for _, slot := range [...]int{slotUserID, slotUserName, slotUserEmail, slotTargetID, slotTargetName, slotEffectiveID, slotEffectiveName} {
		if s := a.f.text(slot); s != "" && !slices.Contains(written, s) {
			written = append(written, s)
			d.Text("", s)
		}
	}
	d.End()
	d.OptionalList("ip")
	d.Some("", a.f.text(slotIP))
	d.End()
	d.End()
}

// own writes the fields that ECS does not have.
func (a *Alert) own(d *document.Doc) {
	d.Map("zitadel")
	d.Some("instance", a.f.text(slotInstance))
	d.Optional("actor")
	d.Some("system", a.f.text(slotSystem))
	d.End()
	d.Map("alert")
	a.rank(d)
	d.Uint("count", uint64(a.Count))
	texts(d, "events", a.Events...)
	a.group(d)
	d.Some("respond", a.Rule.Respond)
	d.End()
	d.End()
}

// rank writes the level and the tags of the rule.
func (a *Alert) rank(d *document.Doc) {
	d.Some("level", a.Rule.Level.String())
	if len(a.Rule.Tags) > 0 {
		texts(d, "tags", a.Rule.Tags...)
	}
}

// group writes the fields of group-by with their values.
func (a *Alert) group(d *document.Doc) {
	d.OptionalList("group")
	for i, v := range a.values {
		d.Text("", a.Rule.Correlation.GroupBy[i]+"="+v)
	}
	d.End()
}

func texts(d *document.Doc, key string, list ...string) {
	d.List(key)
	for _, s := range list {
		d.Text("", s)
	}
	d.End()
}
