package dashboards

// reader is the dashboard of the figures at /metrics. Their names are in docs/metrics.md.
func reader() dashboard {
	source, choice := from("prometheus", "Prometheus")
	const of = `{instance=~"$instance"}`
	rate := func(name string) string { return "rate(zitadel_siem_" + name + "_total" + of + "[$__rate_interval])" }
	hour := func(name string) string { return "increase(zitadel_siem_" + name + "_total" + of + "[1h])" }
	now := func(name string) string { return "zitadel_siem_" + name + of }
	one := func(expr string) []query { return []query{{expr, "{{instance}}"}} }
	return dashboard{
		UID: "zitadel-siem-reader", Title: "zitadel-siem: reader", Description: "How the reader of ZITADEL's events is: docs/metrics.md.", Tags: []string{"zitadel"},
		SchemaVersion: schemaVersion, Refresh: "30s", Time: timeRange{"now-6h", "now"},
		Templating: templating{[]variable{choice, {Name: "instance", Label: "Instance", Type: "query", Query: "label_values(zitadel_siem_events_total, instance)",
			Datasource: &source, IncludeAll: true, AllValue: ".*", Multi: true, Refresh: 2}}},
		Panels: lay(source, []view{
			{title: "Since ZITADEL answered", about: "A source is unhealthy after five minutes.", kind: "stat", unit: "s", width: 8, alarm: 300, queries: one(now("last_success_age_seconds"))},
			{title: "Read up to", about: "How late reading is, also while ZITADEL writes nothing.", kind: "stat", unit: "s", width: 8, alarm: 300, queries: one(now("read_up_to_age_seconds"))},
			{title: "May be lost, last hour", about: "Gaps given up, events that ZITADEL cannot return, groups that may be incomplete, events without payload. The log names them.", kind: "stat", width: 8, alarm: 1,
				queries: []query{{hour("holes_given_up"), "{{instance}}: gaps"}, {hour("unreadable"), "{{instance}}: unreadable"}, {hour("unproved"), "{{instance}}: unproved"}, {hour("damaged"), "{{instance}}: damaged"}}},
			{title: "Records handed over", kind: "timeseries", unit: "cps", width: 12, queries: one(rate("events"))},
			{title: "Lag", about: "Age of the newest event handed over. It also grows while ZITADEL writes nothing.", kind: "timeseries", unit: "s", width: 12, queries: one(now("lag_seconds"))},
			{title: "Errors by kind", about: "A gRPC code of ZITADEL, or refused by the receiver.", kind: "timeseries", unit: "cps", width: 12, queries: []query{{rate("errors"), "{{instance}}: {{kind}}"}}},
			{title: "Calls", kind: "timeseries", unit: "cps", width: 12, queries: []query{{rate("calls"), "{{instance}}: calls"}, {rate("retries"), "{{instance}}: retries"}}},
			{title: "Waiting for the receiver", kind: "timeseries", unit: "decbytes", width: 12, queries: one(now("buffered_bytes"))},
			{title: "Since records were accepted", kind: "timeseries", unit: "s", width: 12, queries: one(now("last_handover_age_seconds"))},
			{title: "Gaps and late events", kind: "timeseries", width: 12, queries: []query{{now("holes_open"), "{{instance}}: open"}, {hour("holes_filled"), "{{instance}}: filled in 1 h"}, {hour("late_events"), "{{instance}}: late in 1 h"}}},
			{title: "Webhooks", kind: "timeseries", unit: "cps", width: 12, queries: []query{{rate("webhooks_accepted"), "{{instance}}: accepted"}, {rate("webhooks_refused"), "{{instance}}: refused"}, {rate("webhooks_repeated"), "{{instance}}: repeated"}}},
			{title: "Spool", kind: "timeseries", width: 12, queries: one(now("webhooks_spooled"))},
			{title: "Left out and unknown", kind: "timeseries", unit: "cps", width: 12, queries: []query{{rate("filtered"), "{{instance}}: filters"}, {rate("tier_left_out"), "{{instance}}: tier"}, {rate("types_unknown"), "{{instance}}: unknown type"}}},
		}),
	}
}
