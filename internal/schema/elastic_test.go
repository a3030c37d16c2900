package schema_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// A document that does not fit the mapping of an index is refused, and Fluent Bit sends its
// chunk forever. So every ECS record must fit the mapping that conf/elasticsearch.yaml and
// conf/opensearch.yaml advise.

// template is the index template that a configuration has in its comment.
type template struct {
	ComposedOf []string `json:"composed_of"`
	Template   struct {
		Mappings struct {
			DateDetection    *bool `json:"date_detection"`
			Properties       map[string]property
			DynamicTemplates []map[string]struct {
				MatchMappingType string `json:"match_mapping_type"`
				Mapping          property
			} `json:"dynamic_templates"`
		}
	}
}

type property struct {
	Type       string
	Properties map[string]property
}

// advised reads the template behind PUT _index_template.
func advised(t *testing.T, file string) (x template) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "PUT _index_template/zitadel\n")
	if !found {
		t.Fatalf("%s advises no template", file)
	}
	text, _, _ = strings.Cut(text, "\n#\n")
	if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "#", "")), &x); err != nil {
		t.Fatalf("%s: %v in %s", file, err, text)
	}
	// A user name such as 2026-11-22 would make its field a date, and all other names misfits.
	if x.Template.Mappings.DateDetection == nil || *x.Template.Mappings.DateDetection {
		t.Errorf("%s: date_detection is not off", file)
	}
	return x
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

// elasticPatterns are the paths that the component template ecs@mappings of Elasticsearch
// maps otherwise than by the JSON type of the value. A * stands for anything.
var elasticPatterns = []struct {
	typ      string
	patterns []string
}{
	{"date", []string{"@timestamp"}},
	{"match_only_text", []string{"message", "*.message"}},
	{"ip", []string{"ip", "*.ip", "*_ip"}},
	{"wildcard", []string{"*.io.text", "*.message_id", "*registry.data.strings", "*url.path", "*.body.content", "*url.full", "*url.original", "*command_line", "*stack_trace"}},
	{"keyword", []string{
		"*.title", "*.executable", "*.name", "*.working_directory", "*.full_name", "*file.path", "*file.target_path", "*os.full", "email.subject", "vulnerability.description", "user_agent.original",
	}},
	{"date", []string{"*.timestamp", "*_timestamp", "*.not_after", "*.not_before", "*.accessed", "created", "*.created", "*.installed", "*.creation_date", "*.ctime", "*.mtime", "ingested", "*.ingested", "*.start", "*.end"}},
	{"double", []string{"*.score.*", "*_score*", "*.usage"}},
	{"geo_point or flattened", []string{"location", "*.location", "*structured_data", "*exports", "*imports"}},
}

// elasticType returns what the component template makes of a path, or "".
func elasticType(t *testing.T, at string) string {
	t.Helper()
	for _, p := range elasticPatterns {
		for _, pattern := range p.patterns {
			// A path has no slash, so that * matches all of it.
			switch ok, err := path.Match(pattern, at); {
			case err != nil:
				t.Fatal(err)
			case ok:
				return p.typ
			}
		}
	}
	return ""
}

func TestECS_FitsTheMappingThatElasticsearchHas(t *testing.T) {
	if got := advised(t, "../../conf/elasticsearch.yaml").ComposedOf; len(got) != 1 || got[0] != "ecs@mappings" {
		t.Errorf("composed of %v", got)
	}
	mapped, special := map[string]int{}, map[string]string{}
	everyECS(t, func(name string, doc map[string]any) {
		leavesOf(doc, "", func(at string, v any) {
			typ, known := special[at]
			if !known {
				typ = elasticType(t, at)
				special[at] = typ
			}
			if typ == "" {
				return
			}
			if mapped[typ]++; strings.HasPrefix(typ, "geo") || !fits(typ, v) {
				t.Errorf("%s: %s is mapped as %s and is %v", name, at, typ, v)
			}
		})
	})
	if mapped["ip"] < 100 || mapped["date"] < 3000 || mapped["keyword"] < 1000 {
		t.Errorf("%v", mapped)
	}
}

func TestECS_FitsTheMappingForOpenSearch(t *testing.T) {
	mappings := advised(t, "../../conf/opensearch.yaml").Template.Mappings
	if len(mappings.DynamicTemplates) != 1 || mappings.DynamicTemplates[0]["words"].MatchMappingType != "string" || mappings.DynamicTemplates[0]["words"].Mapping.Type != "keyword" {
		t.Errorf("%+v", mappings.DynamicTemplates)
	}
	fields := loadECS(t)
	used := map[string]bool{}
	everyECS(t, func(name string, doc map[string]any) {
		leavesOf(doc, "", func(at string, v any) {
			want := strings.TrimSuffix(fields[at], "*")
			if want != "ip" && want != "date" {
				return // JSON says what it is
			}
			used[at] = true
			p := property{Properties: mappings.Properties}
			for part := range strings.SplitSeq(at, ".") {
				p = p.Properties[part]
			}
			if p.Type != want || !fits(p.Type, v) {
				t.Errorf("%s: %s is mapped as %q, want %s: %v", name, at, p.Type, want, v)
			}
		})
	})
	if len(used) < 4 {
		t.Errorf("%v", used)
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
