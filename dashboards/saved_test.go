package dashboards

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// imported is a line of the file as a program reads it.
type imported struct {
	ID, Type         string
	Attributes       map[string]json.RawMessage
	References       []savedReference
	MigrationVersion map[string]string
}

func importAll(t *testing.T) (list []imported) {
	t.Helper()
	for line := range bytes.Lines(files(t)["saved-objects.ndjson"]) {
		var o imported
		in := json.NewDecoder(bytes.NewReader(line))
		in.DisallowUnknownFields()
		if err := in.Decode(&o); err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

// inner decodes JSON that stands in a text.
func inner(t *testing.T, raw json.RawMessage, v any) {
	t.Helper()
	var s string
	err := json.Unmarshal(raw, &s)
	if err == nil {
		err = json.Unmarshal([]byte(s), v)
	}
	if err != nil {
		t.Fatalf("%.200s: %v", raw, err)
	}
}

func (o imported) source(t *testing.T) (s struct {
	Query        struct{ Query, Language string }
	Filter       []any
	IndexRefName string
}) {
	t.Helper()
	var meta map[string]json.RawMessage
	if err := json.Unmarshal(o.Attributes["kibanaSavedObjectMeta"], &meta); err != nil {
		t.Fatal(err)
	}
	inner(t, meta["searchSourceJSON"], &s)
	return s
}

// kibanaAllows are the keys that an object may have: Kibana's schemas of the model version
// for imports (visualization.ts 8.8.0, dashboard_saved_object/schema/v1/v1.ts) refuse others, and
// so does the strict mapping of OpenSearch Dashboards. The version is the last one before
// the fork that has a migration for the type.
var kibanaAllows = map[string]struct{ version, keys string }{
	"visualization": {"7.10.0", "title description version kibanaSavedObjectMeta uiStateJSON visState savedSearchRefName"},
	"dashboard":     {"7.9.3", "title description hits version panelsJSON optionsJSON timeRestore timeFrom timeTo refreshInterval kibanaSavedObjectMeta"},
	"search":        {"7.9.3", "title description hits version columns sort kibanaSavedObjectMeta"},
	"index-pattern": {"7.6.0", "title timeFieldName"},
}

func TestSavedObjects_HaveTheKeysThatBothProgramsTake(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range importAll(t) {
		allowed, ok := kibanaAllows[o.Type]
		if !ok || o.MigrationVersion[o.Type] != allowed.version || len(o.MigrationVersion) != 1 {
			t.Errorf("%s: type %s of version %v", o.ID, o.Type, o.MigrationVersion)
		}
		for key := range o.Attributes {
			if !slices.Contains(strings.Fields(allowed.keys), key) {
				t.Errorf("%s: key %s", o.ID, key)
			}
		}
		if seen[o.ID] || !strings.HasPrefix(o.ID, "zitadel-siem") {
			t.Errorf("id %q", o.ID)
		}
		seen[o.ID] = true
	}
	if len(seen) < 12 {
		t.Errorf("%d objects", len(seen))
	}
}

func TestSavedObjects_EveryReferenceLeadsToAnObjectBeforeIt(t *testing.T) {
	before := map[string]bool{}
	for _, o := range importAll(t) {
		names := map[string]bool{}
		for _, r := range o.References {
			if names[r.Name] || !before[r.Type+"/"+r.ID] {
				t.Errorf("%s: reference %+v", o.ID, r)
			}
			names[r.Name] = true
		}
		used := map[string]bool{}
		if o.Type != "index-pattern" {
			if name := o.source(t).IndexRefName; name != "" {
				used[name] = true
			}
		}
		if o.Type == "dashboard" {
			var panels []struct {
				PanelRefName, PanelIndex string
				GridData                 struct {
					X, Y, W, H int
					I          string
				}
			}
			inner(t, o.Attributes["panelsJSON"], &panels)
			right := map[int]int{}
			for _, p := range panels {
				used[p.PanelRefName] = true
				g := p.GridData
				if g.X < right[g.Y] || g.X+g.W > 48 || g.I != p.PanelIndex {
					t.Errorf("panel %s at %+v", p.PanelIndex, g)
				}
				right[g.Y] = g.X + g.W
			}
			if len(panels) != len(before)-1 {
				t.Errorf("%d panels of %d objects", len(panels), len(before)-1)
			}
		}
		for name := range names {
			if !used[name] {
				t.Errorf("%s: nothing uses the reference %s", o.ID, name)
			}
		}
		if len(used) != len(names) {
			t.Errorf("%s: uses %v, has %v", o.ID, used, names)
		}
		before[o.Type+"/"+o.ID] = true
	}
}

// storedFields are those of the index templates, of heartbeats and of alerts, with their types.
func storedFields(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../conf/opensearch/index-template.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Template struct{ Mappings map[string]any }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	var walk func(string, map[string]any)
	walk = func(path string, m map[string]any) {
		if typ, ok := m["type"].(string); ok {
			fields[path] = typ
		}
		properties, _ := m["properties"].(map[string]any)
		for key, v := range properties {
			walk(strings.TrimPrefix(path+"."+key, "."), v.(map[string]any))
		}
	}
	walk("", file.Template.Mappings)
	for path := range ecsFields(t) { // the golden records: heartbeats
		if strings.HasPrefix(path, "zitadel.heartbeat.") {
			fields[path] = "double"
		}
	}
	// An alert is ECS: package schema tests alerts against the same list.
	for line := range strings.Lines(string(recorded.Unzip(t, "../internal/schema/testdata/ecs-9.4.0.tsv.gz"))) {
		if cells := strings.Split(line, "\t"); len(cells) > 1 && strings.HasPrefix(cells[0], "rule.") {
			fields[cells[0]] = cells[1]
		}
	}
	return fields
}

var (
	kqlField = regexp.MustCompile(`([\w.@]+) : (\([^)]*\)|\S+)`)
	kqlValue = regexp.MustCompile(`[\w.]+`)
)

func TestSavedObjects_NameFieldsAndValuesThatRecordsHave(t *testing.T) {
	fields := storedFields(t)
	values := recordValues()
	known := func(where, field string, types ...string) {
		if !slices.Contains(types, strings.TrimSpace(fields[field])) {
			t.Errorf("%s: the field %s is of type %q", where, field, fields[field])
		}
	}
	checked := 0
	for _, o := range importAll(t) {
		if o.Type == "index-pattern" {
			continue
		}
		kql := o.source(t).Query.Query
		for _, m := range kqlField.FindAllStringSubmatch(kql, -1) {
			known(o.ID, m[1], "keyword")
			for _, v := range kqlValue.FindAllString(m[2], -1) {
				if checked++; v != "or" && !values[strings.TrimPrefix(m[1], "event.")][v] {
					t.Errorf("%s: %s is never %q", o.ID, m[1], v)
				}
			}
		}
		switch o.Type {
		case "search":
			var columns []string
			if err := json.Unmarshal(o.Attributes["columns"], &columns); err != nil {
				t.Fatal(err)
			}
			for _, c := range columns {
				known(o.ID, c, "keyword", "ip", "match_only_text", "text")
			}
		case "visualization":
			var state struct {
				Title, Type string
				Aggs        []struct {
					ID, Type, Schema string
					Params           struct{ Field, OrderBy string }
				}
				Params map[string]any
			}
			inner(t, o.Attributes["visState"], &state)
			ids := map[string]bool{}
			for _, a := range state.Aggs {
				switch a.Type {
				case "date_histogram":
					known(o.ID, a.Params.Field, "date")
				case "terms": // both programs refuse full text here
					known(o.ID, a.Params.Field, "keyword", "ip")
					if !ids[a.Params.OrderBy] {
						t.Errorf("%s: ordered by %q", o.ID, a.Params.OrderBy)
					}
				case "max":
					known(o.ID, a.Params.Field, "double", "long")
				case "count":
				default:
					t.Errorf("%s: aggregation %s", o.ID, a.Type)
				}
				if ids[a.ID] {
					t.Errorf("%s: the aggregation %s is there twice", o.ID, a.ID)
				}
				ids[a.ID] = true
			}
			if !slices.Contains([]string{"histogram", "table", "metric"}, state.Type) || len(ids) == 0 {
				t.Errorf("%s: %s", o.ID, state.Type)
			}
		}
	}
	if checked < 50 {
		t.Errorf("%d values", checked)
	}
}
