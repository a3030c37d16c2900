package detections_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// TestNoRuleNamesAFieldOrAnEventTypeThatNoRecordHas: fields are those of the examples of all
// types, which explain shows, and of the recordings.
func TestNoRuleNamesAFieldOrAnEventTypeThatNoRecordHas(t *testing.T) {
	fields, types := known(t)
	if len(fields) < 60 || len(types) < 560 {
		t.Fatalf("only %d fields and %d types are known", len(fields), len(types))
	}
	set := rules(t)
	for _, r := range set.Rules {
		for _, f := range r.Fields() {
			if !fields[f] {
				t.Errorf("%s:%d: no record has the field %q", r.File, r.Line, f)
			}
		}
		for _, v := range set.DeadActions(r, types) {
			t.Errorf("%s:%d: no event type matches %q", r.File, r.Line, v)
		}
		if len(set.Actions(r, types)) == 0 {
			t.Errorf("%s:%d: no event type can match the rule", r.File, r.Line)
		}
	}
}

// known returns the fields of ECS records, and all event types.
func known(t *testing.T) (fields map[string]bool, types []string) {
	t.Helper()
	table := loadTable(t)
	fields = map[string]bool{}
	writer := schema.NewWriter(schema.Options{Format: schema.ECS})
	for _, row := range table.Rows() {
		types = append(types, row.Type)
		if !strings.HasPrefix(row.Group, "own_") { // an event of ZITADEL
			var a schema.Activity
			table.Event(&a, table.Example(row.Type))
			flat(fields, "", gjson.ParseBytes(writer.AppendLine(nil, &a)))
			continue
		}
		var b bytes.Buffer
		if err := table.Explain(&b, row.Type, schema.Options{}); err != nil {
			t.Fatal(err)
		}
		_, ecs, _ := strings.Cut(b.String(), "\necs\n")
		ecs, _, ok := strings.Cut(ecs, "\nocsf\n")
		if !ok {
			t.Fatalf("explain %s has no fields of ECS:\n%s", row.Type, b.String())
		}
		for line := range strings.Lines(ecs) {
			if words := strings.Fields(line); len(words) > 0 {
				fields[words[0]] = true
			}
		}
	}
	for _, m := range recording(t, everything) {
		flat(fields, "", gjson.ParseBytes(m.line))
	}
	return fields, slices.Sorted(slices.Values(types))
}

func flat(fields map[string]bool, prefix string, v gjson.Result) {
	switch {
	case v.IsObject():
		for k, e := range v.Map() {
			flat(fields, strings.TrimPrefix(prefix+"."+k, "."), e)
		}
	default:
		fields[prefix] = true
	}
}
