package dashboards

import "strings"

// field is a field of a record in ECS and the label that a query gives it. Loki's parser
// json leaves arrays out unless an element is named.
type field struct{ label, path string }

var (
	category     = field{"category", "event.category[0]"}
	action       = field{"action", "event.action"}
	outcome      = field{"outcome", "event.outcome"}
	userName     = field{"user", "user.name"}
	userID       = field{"user_id", "user.id"}
	sourceIP     = field{"address", "source.ip"}
	organization = field{"organization", "organization.id"}
	editorID     = field{"editor", "user.id"} // zitadel.actor is there only if the editor is another than user
	message      = field{"what", "message"}
	kind         = field{"kind", "event.kind"}
)

// stream selects the records that conf/loki.yaml sends. It makes labels of event.provider
// and zitadel.instance.
const stream = `{job="zitadel", instance=~"$instance"}`

// lines is the records with these fields as labels, of which filters keep some.
func lines(fields []field, filters ...string) string {
	var b strings.Builder
	b.WriteString(stream + " | json ")
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.label + `="` + f.path + `"`)
	}
	for _, f := range filters {
		b.WriteString(" | " + f)
	}
	return b.String()
}

// of are the event types of these groups of the table, as a filter.
func of(groups []string) string {
	return `action=~"` + strings.ReplaceAll(strings.Join(typesOf(groups), "|"), ".", `\\.`) + `"`
}

// audit is the dashboard of the records.
func audit() dashboard {
	source, choice := from("loki", "Loki")
	over := func(by field, fields []field, filters ...string) []query {
		fields = append([]field{by}, fields...)
		return []query{{"sum by (" + by.label + ") (count_over_time(" + lines(fields, filters...) + " [$__interval]))", "{{" + by.label + "}}"}}
	}
	top := func(by field, fields []field, filters ...string) []query {
		fields = append([]field{by}, fields...)
		filters = append(filters, by.label+`!=""`)
		return []query{{"topk(10, sum by (" + by.label + ") (count_over_time(" + lines(fields, filters...) + " [$__range])))", "{{" + by.label + "}}"}}
	}
	failed := []string{`category="authentication"`, `outcome="failure"`}
	seen := []field{category, outcome}
	return dashboard{
		UID: "zitadel-siem-audit", Title: "ZITADEL: audit trail", Description: "Records of zitadel-siem in ECS, sent to Loki by conf/loki.yaml.", Tags: []string{"zitadel"},
		SchemaVersion: schemaVersion, Refresh: "1m", Time: timeRange{"now-24h", "now"},
		Templating: templating{[]variable{choice, {Name: "instance", Label: "Instance", Type: "query",
			Query:      map[string]any{"label": "instance", "stream": `{job="zitadel"}`, "type": 1, "refId": "instance"},
			Datasource: &source, IncludeAll: true, AllValue: ".+", Multi: true, Refresh: 2}}},
		Panels: lay(source, []view{
			{title: "Logins by outcome", kind: "timeseries", width: 16, queries: over(outcome, []field{action}, of(logins))},
			{title: "Heartbeats of the reader", about: "Nothing here: the reader or the way from it is down. Needs the option heartbeat.", kind: "stat", width: 8,
				queries: []query{{"sum(count_over_time(" + lines([]field{kind, action}, `kind="metric"`, `action="heartbeat"`) + " [10m]))", "in 10 minutes"}}},
			{title: "Failures by user", kind: "bargauge", width: 8, queries: top(userName, seen, failed...)},
			{title: "Failures by user id", about: "For records without names.", kind: "bargauge", width: 8, queries: top(userID, seen, failed...)},
			{title: "Failures by address", kind: "bargauge", width: 8, queries: top(sourceIP, seen, failed...)},
			{title: "Second factors", kind: "timeseries", width: 12, queries: over(message, []field{action}, of(factors))},
			{title: "New credentials", about: "Keys, secrets and tokens of service users and applications.", kind: "timeseries", width: 12, queries: over(message, []field{action}, of(credentials))},
			{title: "Changes by editor", kind: "bargauge", width: 8, queries: top(editorID, []field{category}, `category=~"iam|configuration"`)},
			{title: "Changes by organization", kind: "bargauge", width: 8, queries: top(organization, []field{category}, `category=~"iam|configuration"`)},
			{title: "Events by type", kind: "bargauge", width: 8, queries: top(action, nil)},
			{title: "Impersonation, locks, removed factors, new credentials", kind: "logs", width: 24,
				queries: []query{{lines([]field{action}, of(notable)), ""}}},
		}),
	}
}
