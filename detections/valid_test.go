package detections_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
)

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/sigma", name))
	if err != nil {
		t.Fatal(err)
	}
	// One of the two files names its dialect with an empty fragment, which no library takes.
	b = bytes.Replace(b, []byte("draft/2020-12/schema#"), []byte("draft/2020-12/schema"), 1)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryRuleIsValidBySigmasSchemas: each document against the official schema of its kind.
func TestEveryRuleIsValidBySigmasSchemas(t *testing.T) {
	single, correlation := compiled(t, "sigma-detection-rule-schema.json"), compiled(t, "sigma-correlation-rules-schema.json")
	n := 0
	for path, doc := range documents(t) {
		for _, d := range doc {
			s := single
			if _, ok := d["correlation"]; ok {
				s = correlation
			}
			if err := s.Validate(d); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			n++
		}
	}
	if n < len(rules(t).Rules) {
		t.Errorf("%d documents of %d rules were checked", n, len(rules(t).Rules))
	}
	for _, bad := range []string{
		`{"title": "x", "logsource": {}}`,
		`{"title": "x", "logsource": {}, "detection": {"condition": "a", "a": {"b": 1}}, "level": "urgent"}`,
		`{"title": "x", "id": "no uuid", "logsource": {}, "detection": {"condition": "a", "a": {"b": 1}}}`,
	} {
		d, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if single.Validate(d) == nil {
			t.Errorf("the schema finds nothing wrong with %s", bad)
		}
	}
}

// documents are those of all files, as JSON values.
func documents(t *testing.T) map[string][]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("*.yml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	all := map[string][]map[string]any{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		for {
			var node yaml.Node
			if err := d.Decode(&node); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			dates(&node)
			var v map[string]any
			if err := node.Decode(&v); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			all[path] = append(all[path], value.(map[string]any))
		}
	}
	return all
}

// dates makes texts of dates: JSON has no others.
func dates(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, k := range n.Content {
		dates(k)
	}
}

// TestEveryRuleSaysWhatAnAnalystNeeds: ids, levels, tags and texts that Sigma leaves open.
func TestEveryRuleSaysWhatAnAnalystNeeds(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, r := range rules(t).Rules {
		if !uuid.MatchString(r.ID) {
			t.Errorf("%s:%d: the id %q is no random UUID", r.File, r.Line, r.ID)
		}
		if r.Name == "" || r.Description == "" || r.Level == detect.LevelNone || r.Status == "" || r.Date == "" {
			t.Errorf("%s:%d: name, description, level, status or date is missing", r.File, r.Line)
		}
		if !r.Alerts() {
			continue
		}
		if _, techniques := detect.Attack(r.Tags); len(techniques) == 0 {
			t.Errorf("%s:%d: no technique of ATT&CK, such as attack.t1110.003", r.File, r.Line)
		}
		for _, tag := range r.Tags {
			if tactics, techniques := detect.Attack([]string{tag}); len(tactics)+len(techniques) != 1 {
				t.Errorf("%s:%d: the tag %q is no tactic and no technique of ATT&CK", r.File, r.Line, tag)
			}
		}
		if len(r.FalsePositives) == 0 || r.Respond == "" || len(r.Sources) == 0 {
			t.Errorf("%s:%d: falsepositives, respond or sources is missing", r.File, r.Line)
		}
		for _, s := range r.Sources {
			if !slices.Contains(detect.Sources, s) {
				t.Errorf("%s:%d: the source %q is not one of %s", r.File, r.Line, s, strings.Join(detect.Sources, ", "))
			}
		}
	}
}
