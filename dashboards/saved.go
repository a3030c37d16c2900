package dashboards

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Saved objects of Kibana and of OpenSearch Dashboards, which was forked from Kibana 7.10. They
// are in the form of 7.10, which OpenSearch Dashboards still writes, and which Kibana migrates
// when it imports them: that is what migrationVersion is for. Lens is not in OpenSearch
// Dashboards, so the pictures are visualizations by aggregations, which both have.
type savedObject struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Attributes any               `json:"attributes"`
	References []savedReference  `json:"references"`
	Migration  map[string]string `json:"migrationVersion"`
}

type savedReference struct {
	Name string `json:"name"`
	Type string `json:"type"`
	ID   string `json:"id"`
}

type indexPattern struct {
	Title         string `json:"title"`
	TimeFieldName string `json:"timeFieldName"`
}

type savedMeta struct {
	SearchSource string `json:"searchSourceJSON"`
}

type visualization struct {
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Version     int       `json:"version"`
	VisState    string    `json:"visState"`
	UIState     string    `json:"uiStateJSON"`
	Meta        savedMeta `json:"kibanaSavedObjectMeta"`
}

type savedSearch struct {
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Version     int         `json:"version"`
	Hits        int         `json:"hits"`
	Columns     []string    `json:"columns"`
	Sort        [][2]string `json:"sort"`
	Meta        savedMeta   `json:"kibanaSavedObjectMeta"`
}

type savedDashboard struct {
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Version     int            `json:"version"`
	Hits        int            `json:"hits"`
	Panels      string         `json:"panelsJSON"`
	Options     string         `json:"optionsJSON"`
	TimeRestore bool           `json:"timeRestore"`
	TimeFrom    string         `json:"timeFrom"`
	TimeTo      string         `json:"timeTo"`
	Refresh     map[string]any `json:"refreshInterval"`
	Meta        savedMeta      `json:"kibanaSavedObjectMeta"`
}

const (
	dataView   = "zitadel-siem"
	sourceName = "kibanaSavedObjectMeta.searchSourceJSON.index"
	// formVersion is the Kibana whose form the panels have.
	formVersion = "7.10.0"
)

// text is a value as JSON in a text, as saved objects hold it. No value here can fail.
func text(v any) string {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// searchSource is a query in KQL, which OpenSearch Dashboards calls DQL, on the data view.
func searchSource(kql string, onDataView bool) savedMeta {
	s := map[string]any{"query": map[string]any{"query": kql, "language": "kuery"}, "filter": []any{}}
	if onDataView {
		s["indexRefName"] = sourceName
	}
	return savedMeta{text(s)}
}

// picture is a visualization before it has a form.
type picture struct {
	slug, title, about string
	kind               string   // over (time), last, top or count
	kql                string   // which records
	by                 []string // fields whose values are told apart
	max                string   // the field of which it shows the largest value; empty: counts records
	width              int      // of 48
}

// actions are the event types of groups of the table, as KQL.
func actions(groups []string) string {
	return `event.action : ("` + strings.Join(typesOf(groups), `" or "`) + `")`
}

var pictures = func() []picture {
	failed := "event.category : authentication and event.outcome : failure"
	changes := "event.category : (iam or configuration)"
	beats := "event.kind : metric and event.action : heartbeat"
	return []picture{
		{slug: "logins", title: "Logins by outcome", kind: "over", kql: actions(logins), by: []string{"event.outcome"}, width: 24},
		{slug: "alerts", title: "Alerts", about: "Of the option detect.", kind: "top", kql: "event.kind : alert", by: []string{"rule.name"}, width: 16},
		{slug: "heartbeats", title: "Heartbeats", about: "None: the reader or the way from it is down. Needs the option heartbeat.", kind: "count", kql: beats, width: 8},
		{slug: "failures-user", title: "Failures by user", kind: "top", kql: failed, by: []string{"user.name"}, width: 16},
		{slug: "failures-address", title: "Failures by address", kind: "top", kql: failed, by: []string{"source.ip"}, width: 16},
		{slug: "failures-application", title: "Failures by application", kind: "top", kql: failed, by: []string{"zitadel.application.name"}, width: 16},
		{slug: "factors", title: "Second factors", kind: "over", kql: actions(factors), by: []string{"event.action"}, width: 24},
		{slug: "credentials", title: "New credentials", about: "Keys, secrets and tokens of service users and applications.", kind: "over", kql: actions(credentials), by: []string{"event.action"}, width: 24},
		{slug: "privileged", title: "Privileged changes", kind: "over", kql: changes, by: []string{"event.action"}, width: 24},
		{slug: "lag", title: "Lag of the reader in seconds", kind: "over", kql: beats, max: "zitadel.heartbeat.lag_seconds", by: []string{"zitadel.instance"}, width: 24},
		{slug: "editors", title: "Changes by editor", kind: "top", kql: changes, by: []string{"user.id", "user.name"}, width: 24},
		{slug: "organizations", title: "Changes by organization", kind: "top", kql: changes, by: []string{"organization.id", "organization.name"}, width: 24},
	}
}()

// kindsOfVis are the names of visualizations, and of the places of their buckets.
var kindsOfVis = map[string]struct{ vis, bucket string }{
	"over": {"histogram", "group"}, "top": {"table", "bucket"}, "count": {"metric", ""},
}

// aggregations are the metric and the buckets of a picture.
func (p picture) aggregations() []map[string]any {
	one := func(id, kind, place string, params map[string]any) map[string]any {
		return map[string]any{"id": id, "enabled": true, "type": kind, "schema": place, "params": params}
	}
	list := []map[string]any{one("1", "count", "metric", map[string]any{})}
	if p.max != "" {
		list[0] = one("1", "max", "metric", map[string]any{"field": p.max})
	}
	id := '2'
	if p.kind == "over" {
		list = append(list, one("2", "date_histogram", "segment", map[string]any{"field": "@timestamp", "interval": "auto", "min_doc_count": 1, "drop_partials": false, "extended_bounds": map[string]any{}}))
		id++
	}
	for i, field := range p.by {
		list = append(list, one(string(id), "terms", kindsOfVis[p.kind].bucket, map[string]any{"field": field, "orderBy": "1", "order": "desc", "size": 10,
			"otherBucket": false, "otherBucketLabel": "Other", "missingBucket": i > 0, "missingBucketLabel": "-"})) // a name may be missing beside its id
		id++
	}
	return list
}

// parameters are those of the visualization; both programs complete them with their defaults.
func (p picture) parameters() map[string]any {
	switch p.kind {
	case "top":
		return map[string]any{"perPage": 10, "showPartialRows": false, "showMetricsAtAllLevels": false, "showTotal": false, "totalFunc": "sum", "percentageCol": ""}
	case "count":
		return map[string]any{"type": "metric", "addTooltip": true, "addLegend": false, "metric": map[string]any{"percentageMode": false, "useRanges": false, "colorSchema": "Green to Red",
			"metricColorMode": "None", "colorsRange": []any{map[string]any{"from": 0, "to": 10000}}, "labels": map[string]any{"show": true}, "invertColors": false,
			"style": map[string]any{"bgFill": "#000", "bgColor": false, "labelColor": false, "subText": "", "fontSize": 60}}}
	}
	axis := func(id, kind, position string) map[string]any {
		return map[string]any{"id": id, "type": kind, "position": position, "show": true, "style": map[string]any{}, "scale": map[string]any{"type": "linear"},
			"labels": map[string]any{"show": true, "filter": true, "truncate": 100}, "title": map[string]any{}}
	}
	value := axis("ValueAxis-1", "value", "left")
	value["name"] = "LeftAxis-1"
	value["scale"] = map[string]any{"type": "linear", "mode": "normal"}
	series := map[string]any{"show": true, "type": "histogram", "mode": "stacked", "data": map[string]any{"label": "Count", "id": "1"}, "valueAxis": "ValueAxis-1", "drawLinesBetweenPoints": true, "lineWidth": 2, "showCircles": true}
	if p.max != "" {
		series["type"], series["mode"], series["data"] = "line", "normal", map[string]any{"label": "Max " + p.max, "id": "1"}
	}
	return map[string]any{"type": "histogram", "grid": map[string]any{"categoryLines": false}, "categoryAxes": []any{axis("CategoryAxis-1", "category", "bottom")}, "valueAxes": []any{value},
		"seriesParams": []any{series}, "addTooltip": true, "addLegend": true, "legendPosition": "right", "times": []any{}, "addTimeMarker": false, "labels": map[string]any{"show": false},
		"thresholdLine": map[string]any{"show": false, "value": 10, "width": 1, "style": "full", "color": "#E7664C"}}
}

func (p picture) object() savedObject {
	state := map[string]any{"title": p.title, "type": kindsOfVis[p.kind].vis, "aggs": p.aggregations(), "params": p.parameters()}
	return savedObject{ID: "zitadel-siem-" + p.slug, Type: "visualization", References: []savedReference{{sourceName, "index-pattern", dataView}},
		Migration:  map[string]string{"visualization": "7.10.0"},
		Attributes: visualization{"ZITADEL: " + p.title, p.about, 1, text(state), "{}", searchSource(p.kql, true)}}
}

// savedObjects are the data view, the pictures, a search, and the dashboard with all of them.
func savedObjects() []savedObject {
	objects := []savedObject{{ID: dataView, Type: "index-pattern", Attributes: indexPattern{"zitadel-*", "@timestamp"}, References: []savedReference{}, Migration: map[string]string{"index-pattern": "7.6.0"}}}
	const height = 13
	var panels []map[string]any
	var references []savedReference
	x, y := 0, 0
	place := func(o savedObject, width int) {
		if x+width > 48 {
			x, y = 0, y+height
		}
		n := string(rune('a' + len(panels)))
		panels = append(panels, map[string]any{"version": formVersion, "panelIndex": n, "panelRefName": "panel_" + n, "embeddableConfig": map[string]any{},
			"gridData": map[string]any{"x": x, "y": y, "w": width, "h": height, "i": n}})
		references = append(references, savedReference{"panel_" + n, o.Type, o.ID})
		objects = append(objects, o)
		x += width
	}
	for _, p := range pictures {
		place(p.object(), p.width)
	}
	place(savedObject{ID: "zitadel-siem-notable", Type: "search", References: []savedReference{{sourceName, "index-pattern", dataView}}, Migration: map[string]string{"search": "7.9.3"},
		Attributes: savedSearch{Title: "ZITADEL: impersonation, locks, removed factors, new credentials", Version: 1, Columns: []string{"event.action", "message", "user.name", "user.target.name", "source.ip", "organization.name"},
			Sort: [][2]string{{"@timestamp", "desc"}}, Meta: searchSource(actions(notable), true)}}, 48)
	return append(objects, savedObject{ID: "zitadel-siem-audit", Type: "dashboard", References: references, Migration: map[string]string{"dashboard": "7.9.3"},
		Attributes: savedDashboard{Title: "ZITADEL: audit trail", Description: "Records of zitadel-siem in ECS.", Version: 1, Panels: text(panels), Options: text(map[string]any{"useMargins": true, "hidePanelTitles": false}),
			TimeRestore: true, TimeFrom: "now-24h", TimeTo: "now", Refresh: map[string]any{"pause": true, "value": 0}, Meta: searchSource("", false)}})
}

// savedFile has one object on each line, as both programs import it.
func savedFile() []byte {
	var b bytes.Buffer
	for _, o := range savedObjects() {
		b.WriteString(text(o) + "\n")
	}
	return b.Bytes()
}
