package detect

import (
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// The class Detection Finding of OCSF, and its activity Create.
const (
	findingClass    = 2004
	findingCategory = 2
	findingCreate   = 1
)

// Finding is an alert as a Detection Finding of the Open Cybersecurity Schema Framework. It
// has the same content and the same id. It is valid as long as its alert.
type Finding struct {
	*Alert
	Version string // of OCSF, such as 1.8.0
}

// findingSeverities are OCSF's severity_id by level.
var findingSeverities = [...]struct {
	id      uint64
	caption string
}{LevelNone: {0, "Unknown"}, Informational: {1, "Informational"}, Low: {2, "Low"}, Medium: {3, "Medium"}, High: {4, "High"}, Critical: {5, "Critical"}}

// WriteFields implements [document.Record]. What OCSF has no attribute for is in "unmapped".
func (f Finding) WriteFields(d *document.Doc) {
	a := f.Alert
	severity := findingSeverities[a.Rule.Level]
	d.Uint("category_uid", findingCategory)
	d.Text("category_name", "Findings")
	d.Uint("class_uid", findingClass)
	d.Text("class_name", "Detection Finding")
	d.Uint("activity_id", findingCreate)
	d.Text("activity_name", "Create")
	d.Uint("type_uid", findingClass*100+findingCreate)
	d.Text("type_name", "Detection Finding: Create")
	d.Uint("severity_id", severity.id)
	d.Text("severity", severity.caption)
	d.Uint("status_id", 1)
	d.Text("status", "New")
	d.Bool("is_alert", true)
	d.Millis("time", a.Last)
	d.Millis("start_time", a.First)
	d.Millis("end_time", a.Last)
	d.Uint("timezone_offset", 0)
	d.Uint("count", uint64(max(1, a.Count))) // a silence may have no event, and OCSF asks for 1 at least
	d.Text("message", a.Rule.Title)
	f.metadata(d)
	f.info(d)
	f.evidence(d)
	d.Optional("remediation")
	d.Some("desc", a.Rule.Respond)
	d.End()
	f.unmapped(d)
}

func (f Finding) metadata(d *document.Doc) {
	d.Map("metadata")
	d.Text("version", f.Version)
	d.Map("product")
	d.Text("name", "ZITADEL")
	d.Text("vendor_name", "ZITADEL")
	d.End()
	d.Text("event_code", "alert")
	d.Text("uid", f.id)
	d.Text("log_name", Dataset)
	d.Text("log_provider", "zitadel_siem")
	d.Some("tenant_uid", f.f.text(slotInstance))
	d.Time("original_time", f.Last)
	d.Millis("logged_time", f.Read)
	d.End()
}

func (f Finding) info(d *document.Doc) {
	r := f.Rule
	d.Map("finding_info")
	d.Text("uid", f.id)
	d.Text("title", r.Title)
	d.Some("desc", r.Description)
	d.Millis("created_time", f.Read)
	d.Millis("first_seen_time", f.First)
	d.Millis("last_seen_time", f.Last)
	d.Map("analytic")
	d.Text("uid", r.ID)
	d.Text("name", r.Title)
	d.Uint("type_id", 1)
	d.Text("type", "Rule")
	d.Some("version", r.version())
	d.End()
	attacks(d, r.Tags)
	d.OptionalList("related_events")
	for _, id := range f.Events {
		d.Map("")
		d.Text("uid", id)
		d.End()
	}
	d.End()
	d.Uint("related_events_count", uint64(f.Count))
	if len(r.References) > 0 && strings.HasPrefix(r.References[0], "https://") {
		d.Text("src_url", r.References[0])
	}
	d.End()
}

// attacks writes one object for each technique. If the rule has one tactic, each object has
// it. A rule with several tactics does not say which technique belongs to which, so tactics
// then get objects of their own.
func attacks(d *document.Doc, tags []string) {
	tactics, techniques := Attack(tags)
	d.OptionalList("attacks")
	tactic := func(t Tactic) {
		d.Map("tactic")
		d.Text("uid", t.ID)
		d.Text("name", t.Name)
		d.End()
	}
	for _, id := range techniques {
		d.Map("")
		if len(tactics) == 1 {
			tactic(tactics[0])
		}
		technique, _, sub := strings.Cut(id, ".")
		d.Map("technique")
		d.Text("uid", technique)
		d.End()
		if sub {
			d.Map("sub_technique")
			d.Text("uid", id)
			d.End()
		}
		d.End()
	}
	if len(tactics) > 1 || len(techniques) == 0 {
		for _, t := range tactics {
			d.Map("")
			tactic(t)
			d.End()
		}
	}
	d.End()
}

// evidence writes who, whom and from where, by the event that completed the alert.
func (f Finding) evidence(d *document.Doc) {
	text := f.f.text
	user := func(key string, id, name, full string) {
		if id == "" && name == "" {
			if full == "" {
				return
			}
			name = full // OCSF asks for one of the two
		}
		d.Map(key)
		d.Some("uid", id)
		d.Some("name", name)
		d.Some("full_name", full)
		d.End()
	}
	d.OptionalList("evidences")
	d.Optional("")
	d.Optional("actor")
	user("user", text(slotUserID), f.first(slotUserName, slotUserEmail), text(slotUserFull))
	d.Some("app_name", text(slotSystem))
	d.End()
	target, whom := text(slotTargetID), text(slotTargetName)
	if target == "" && whom == "" {
		target, whom = text(slotEffectiveID), text(slotEffectiveName)
	}
	user("user", target, whom, "")
	d.Optional("src_endpoint")
	if ip := text(slotIP); ip != "" {
		d.Text("ip", ip)
	} else {
		d.Some("uid", text(slotAddress))
	}
	d.End()
	d.End()
	d.End()
}

func (f Finding) unmapped(d *document.Doc) {
	d.Map("unmapped")
	d.Optional("organization")
	d.Some("id", f.f.text(slotOrgID))
	d.Some("name", f.f.text(slotOrgName))
	d.End()
	d.Optional("user_agent")
	d.Some("original", f.f.text(slotAgent))
	d.End()
	d.Map("alert")
	f.rank(d)
	f.group(d)
	d.End()
	d.End()
}
