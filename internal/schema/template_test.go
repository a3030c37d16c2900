package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// templates are the index templates for the records in ECS. -update writes them anew,
// as make docs does (-run TestTemplate_).
var templates = map[string]struct {
	path    string
	types   map[string]string // types of ECS that the engine does not have, or not in every version in use
	flat    string            // the type of an object with keys of any name
	comment string
}{
	"elasticsearch": {path: "../../conf/elasticsearch/index-template.json", flat: "flattened", comment: "Elasticsearch 8 and later"},
	"opensearch": {
		path: "../../conf/opensearch/index-template.json", flat: "flat_object", comment: "OpenSearch 2.7 and later",
		types: map[string]string{"match_only_text": "text", "wildcard": "keyword", "constant_keyword": "keyword"},
	},
}

var usedOnce struct {
	sync.Once
	fields map[string]string
}

// usedInECS are the fields of every record: the field to its kind, text, number or bool.
func usedInECS(t *testing.T) map[string]string {
	t.Helper()
	usedOnce.Do(func() {
		usedOnce.fields = map[string]string{}
		w := schema.NewWriter(schema.Options{Format: schema.ECS, KeepOriginal: true})
		add := func(a *schema.Activity) { collect(t, usedOnce.fields, "", decodeLine(t, w.AppendLine(nil, a))) }
		n := map[string]int{}
		everything(t, func(typ string, a *schema.Activity) {
			if n[typ]++; n[typ] > 4 {
				return // of its type, these show what there is: the next lines fill what they lack
			}
			add(a)
			if n[typ] > 1 {
				return
			}
			fill(a)
			add(a)
			a.Impersonated, a.IP, a.Address = true, netip.Addr{}, "[address]"
			a.Call.Protocol, a.Call.Path = "grpc", ""
			add(a)
		})
	})
	return usedOnce.fields
}

func collect(t *testing.T, used map[string]string, path string, v any) {
	kind := ""
	switch v := v.(type) {
	case map[string]any:
		for key, v := range v {
			collect(t, used, strings.TrimPrefix(path+"."+key, "."), v)
		}
		return
	case []any:
		for _, one := range v {
			if _, ok := one.(string); !ok {
				t.Errorf("%s is a list of %T", path, one)
			}
		}
		kind = "text"
	case string:
		kind = "text"
	case bool:
		kind = "bool"
	case json.Number:
		kind = "number"
	default:
		t.Errorf("%s is %T", path, v)
	}
	if had := used[path]; had != "" && had != kind {
		t.Errorf("%s is %s and %s", path, had, kind)
	}
	used[path] = kind
}

// fill sets what is empty in an activity, whatever its row is, so that each branch of the
// writer is taken. TestTemplate_NoKeyOfTheWriterIsForgotten says whether one is not.
func fill(a *schema.Activity) {
	v := reflect.ValueOf(a).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() && v.Type().Field(i).Name != "Row" && v.Type().Field(i).Name != "Metrics" && v.Type().Field(i).Name != "Errors" {
			fillValue(f)
		}
	}
	a.Outcome, a.Factored, a.Step = schema.Failure, 2, schema.StepLogin
	a.Known, a.Cut = false, true
}

func fillValue(v reflect.Value) {
	if !v.IsZero() || !v.CanSet() {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(readAt))
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("203.0.113.7")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("filled")
	case reflect.Bool:
		v.SetBool(false)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fillValue(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0))
	}
}

// indexTemplate is the index template for an engine.
func indexTemplate(t *testing.T, engine string, used map[string]string) []byte {
	t.Helper()
	e, official := templates[engine], loadECS(t)
	properties := map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(used)) {
		if strings.HasPrefix(path, "zitadel.heartbeat.") {
			continue // the names of metrics grow: see the dynamic templates
		}
		typ := strings.TrimSuffix(official[path], "*")
		if typ == "" {
			typ = map[string]string{"text": "keyword", "number": "long", "bool": "boolean"}[used[path]]
		}
		if other := e.types[typ]; other != "" {
			typ = other
		}
		field := map[string]any{"type": typ}
		if typ == "keyword" {
			field["ignore_above"] = 1024
		}
		if path == "event.original" { // as ECS has it: stored, not searched
			field = map[string]any{"type": "keyword", "index": false, "doc_values": false}
		}
		put(properties, strings.Split(path, "."), field)
	}
	// The labels of a pod can be "app" and "app.kubernetes.io/name" at once, which is no
	// object. A document that does not fit would be retried forever.
	put(properties, []string{"kubernetes", "labels"}, map[string]any{"type": e.flat})
	out, err := json.MarshalIndent(map[string]any{
		"index_patterns": []string{"zitadel-*"},
		"priority":       200,
		"_meta":          map[string]any{"description": "Records of zitadel-siem in ECS, for " + e.comment + ". Generated from the fields in use: make docs."},
		"template": map[string]any{
			"settings": map[string]any{"index": map[string]any{"codec": "best_compression"}},
			"mappings": map[string]any{
				"date_detection": false,
				"dynamic_templates": []any{
					map[string]any{"heartbeat_errors": map[string]any{"path_match": "zitadel.heartbeat.errors.*", "mapping": map[string]any{"type": "long"}}},
					map[string]any{"heartbeat": map[string]any{"path_match": "zitadel.heartbeat.*", "match_mapping_type": "long", "mapping": map[string]any{"type": "double"}}},
					map[string]any{"texts": map[string]any{"match_mapping_type": "string", "mapping": map[string]any{"type": "keyword", "ignore_above": 1024}}},
				},
				"properties": properties,
			},
		},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func put(properties map[string]any, path []string, field map[string]any) {
	if len(path) == 1 {
		properties[path[0]] = field
		return
	}
	object, ok := properties[path[0]].(map[string]any)
	if !ok {
		object = map[string]any{"properties": map[string]any{}}
		properties[path[0]] = object
	}
	put(object["properties"].(map[string]any), path[1:], field)
}

// The index templates have each field that any record can have, with the type that ECS
// gives it, and no other.
func TestTemplate_IsThatOfTheFieldsInUse(t *testing.T) {
	used := usedInECS(t)
	if len(used) < 90 {
		t.Errorf("only %d fields were found: does the test still see them?", len(used))
	}
	for engine, e := range templates {
		got := indexTemplate(t, engine, used)
		if *update {
			if err := os.WriteFile(e.path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(readFile(t, e.path)), string(got)); diff != "" {
			t.Errorf("%s (-update writes it anew):\n%s", e.path, diff)
		}
	}
}

// Each literal key of the writers of ECS is in a field that was found, so that a branch
// that nothing reaches cannot hide one.
func TestTemplate_NoKeyOfTheWriterIsForgotten(t *testing.T) {
	used := usedInECS(t)
	keys := map[string]bool{}
	for path := range used {
		for _, key := range strings.Split(path, ".") {
			keys[key] = true
		}
	}
	for _, key := range writtenKeys(t, "ecs.go", "writer.go", "details.go") {
		if !keys[key] {
			t.Errorf("no record has the key %s", key)
		}
	}
	if missing := fmt.Sprint(keys["mfa"], keys["effective"], keys["grpc_status"]); missing != "true true true" {
		t.Error("the search finds nothing:", missing)
	}
}
