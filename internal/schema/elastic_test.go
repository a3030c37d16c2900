package schema_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// A document that does not fit the mapping of an index is refused, and Fluent Bit sends its
// chunk forever. So every ECS record must fit the index templates that conf/elasticsearch.yaml
// and conf/opensearch.yaml advise.

// mappings are those of an index template.
type mappings struct {
	Template struct {
		Mappings struct {
			DateDetection *bool `json:"date_detection"`
			Properties    map[string]property
		}
	}
}

type property struct {
	Type       string
	Properties map[string]property
}

// advised reads the template of an engine.
func advised(t *testing.T, engine string) map[string]property {
	t.Helper()
	var x mappings
	if err := json.Unmarshal(readFile(t, templates[engine].path), &x); err != nil {
		t.Fatal(err)
	}
	// A user name such as 2026-11-22 would make its field a date, and all other names misfits.
	if x.Template.Mappings.DateDetection == nil || *x.Template.Mappings.DateDetection {
		t.Errorf("%s: date_detection is not off", engine)
	}
	return x.Template.Mappings.Properties
}

// leavesOf calls f for every value that is no object, lists value by value.
func leavesOf(doc map[string]any, at string, f func(path string, v any)) {
	for key, v := range doc {
		switch v := v.(type) {
		case map[string]any:
			f(at+key, v)
			leavesOf(v, at+key+".", f)
		case []any:
			for _, v := range v {
				if m, ok := v.(map[string]any); ok {
					leavesOf(m, at+key+".", f)
				} else {
					f(at+key, v)
				}
			}
		default:
			f(at+key, v)
		}
	}
}

// fits reports whether a value can be stored in a field of a type.
func fits(typ string, v any) bool {
	text, isText := v.(string)
	switch typ {
	case "object":
		_, is := v.(map[string]any)
		return is
	case "ip":
		_, err := netip.ParseAddr(text)
		return err == nil
	case "date":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	case "long", "double":
		_, is := v.(json.Number)
		return is
	case "boolean":
		_, is := v.(bool)
		return is
	default:
		return isText
	}
}

func TestECS_FitsTheIndexTemplates(t *testing.T) {
	engines, seen := map[string]map[string]property{}, map[string]int{}
	for engine := range templates {
		engines[engine] = advised(t, engine)
	}
	everyECS(t, func(name string, doc map[string]any) {
		leavesOf(doc, "", func(at string, v any) {
			if _, isObject := v.(map[string]any); isObject || strings.HasPrefix(at, "zitadel.heartbeat.") {
				return // the names of metrics grow
			}
			for engine, properties := range engines {
				p := property{Properties: properties}
				for part := range strings.SplitSeq(at, ".") {
					p = p.Properties[part]
				}
				seen[p.Type]++
				if p.Type == "" || !fits(p.Type, v) {
					t.Errorf("%s: %s: %s is mapped as %q and is %v", engine, name, at, p.Type, v)
				}
			}
		})
	})
	if seen["ip"] < 100 || seen["date"] < 3000 || seen["keyword"] < 1000 {
		t.Errorf("%v", seen)
	}
}

// everyECS calls f with records of the corpus in ECS: some of the recorded ones, and one of each
// type. It checks that a field has one JSON type in all of them.
func everyECS(t *testing.T, f func(name string, doc map[string]any)) {
	t.Helper()
	w := schema.NewWriter(schema.Options{Format: schema.ECS, KeepOriginal: true})
	types, n := map[string]string{}, 0
	everything(t, func(name string, a *schema.Activity) {
		if n++; n%5 != 0 && n < 7000 { // those that are made up are at the end
			return
		}
		doc := decodeLine(t, w.AppendLine(nil, a))
		leavesOf(doc, "", func(at string, v any) {
			typ := "text"
			switch v.(type) {
			case map[string]any:
				typ = "object"
			case json.Number:
				typ = "number"
			case bool:
				typ = "boolean"
			case nil:
				return
			}
			if was := types[at]; was != "" && was != typ {
				t.Errorf("%s: %s is %s here, and %s elsewhere", name, at, typ, was)
			}
			types[at] = typ
		})
		f(name, doc)
	})
}
