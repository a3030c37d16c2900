// Package dashboards makes Grafana's dashboards: one of the reader's own figures, from
// Prometheus, and one of the records in ECS, from Loki. It also makes the saved objects of
// Kibana and OpenSearch Dashboards. The files are written by
//
//	go test ./dashboards -update
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// schemaVersion is that of Grafana 10 and 11. Newer ones migrate it.
const schemaVersion = 39

// dashboard is a part of Grafana's model, in the order of its files.
type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Editable      bool       `json:"editable"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Annotations   templating `json:"annotations"`
	Panels        []panel    `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"` // empty for annotations
}

// variable is one of type datasource, query or textbox.
type variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"`
	Query      any         `json:"query"`
	Datasource *datasource `json:"datasource,omitempty"`
	IncludeAll bool        `json:"includeAll,omitempty"`
	AllValue   string      `json:"allValue,omitempty"`
	Multi      bool        `json:"multi,omitempty"`
	Refresh    int         `json:"refresh,omitempty"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Datasource  datasource  `json:"datasource"`
	GridPos     position    `json:"gridPos"`
	FieldConfig fieldConfig `json:"fieldConfig"`
	Targets     []target    `json:"targets"`
}

type position struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type fieldConfig struct {
	Defaults  defaults `json:"defaults"`
	Overrides []string `json:"overrides"`
}

type defaults struct {
	Unit       string      `json:"unit,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat,omitempty"`
	QueryType    string     `json:"queryType,omitempty"`
	Instant      bool       `json:"instant,omitempty"`
}

// query is an expression with its legend.
type query struct{ expr, legend string }

// view is a panel before it has a place.
type view struct {
	title, about string
	kind         string // Grafana's name of the panel
	unit         string
	width        int // of 24
	alarm        float64
	queries      []query
}

// lay places the views from left to right and from top to bottom.
func lay(source datasource, views []view) (panels []panel) {
	const height = 8
	x, y, zero := 0, 0, 0.0
	for i, v := range views {
		if x+v.width > 24 {
			x, y = 0, y+height
		}
		p := panel{ID: i + 1, Type: v.kind, Title: v.title, Description: v.about, Datasource: source,
			GridPos: position{H: height, W: v.width, X: x, Y: y}, FieldConfig: fieldConfig{Defaults: defaults{Unit: v.unit}, Overrides: []string{}}}
		if v.kind == "timeseries" {
			p.FieldConfig.Defaults.Min = &zero
		}
		if v.alarm > 0 {
			p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: []step{{Color: "green"}, {Color: "red", Value: &v.alarm}}}
		}
		for n, q := range v.queries {
			t := target{RefID: string(rune('A' + n)), Datasource: source, Expr: q.expr, LegendFormat: q.legend}
			now := v.kind == "stat" || v.kind == "bargauge"
			switch {
			case source.Type != "loki":
				t.Instant = now
			case now:
				t.QueryType = "instant"
			default:
				t.QueryType = "range"
			}
			p.Targets = append(p.Targets, t)
		}
		panels = append(panels, p)
		x += v.width
	}
	return panels
}

// from is the variable with which a user chooses the data source.
func from(kind, label string) (datasource, variable) {
	return datasource{Type: kind, UID: "${datasource}"}, variable{Name: "datasource", Label: label, Type: "datasource", Query: kind}
}

// Files are the dashboards by the names of their files.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{"saved-objects.ndjson": savedFile()}
	for name, d := range map[string]dashboard{"reader.json": reader(), "audit.json": audit()} {
		d.Annotations.List = []variable{}
		var b bytes.Buffer
		out := json.NewEncoder(&b)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		if err := out.Encode(d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}
