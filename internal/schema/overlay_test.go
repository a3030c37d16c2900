package schema_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

func TestOverlay_ChangesAndAddsRows(t *testing.T) {
	table, err := schema.Load([]byte(`# ours
events:
  user.locked: {severity: high}
  user.metadata.set: {tier: noise, title: Metadata of a user set, note: ours}
  my.type: {severity: medium, group: acc_update_m, user: payload.who, roles: what, outcome: failure}
  my.other.type:
    ocsf: {class: 3004, activity: 99, name: Mine}
    ecs: {category: [iam, configuration], type: [change, group]}
    entity: {id: 99, name: Thing}
`), "my.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r, known := table.Row("user.locked"); !known || r.Severity != schema.High || r.Group != "acc_lock" || !r.Overlay || r.OCSF.Activity != 9 {
		t.Errorf("%+v", r)
	}
	if r, _ := table.Row("user.metadata.set"); r.Tier != schema.Noise || r.Title != "Metadata of a user set" || r.Note != "ours" {
		t.Errorf("%+v", r)
	}
	if r, known := table.Row("my.type"); !known || r.Severity != schema.Medium || r.Tier != schema.Core || r.Outcome != schema.Failure || r.Title != "my.type" {
		t.Errorf("the group comes first, whatever the order: %+v", r)
	}
	e := synthetic("my.type", []recorded.Key{{Name: "who"}, {Name: "what", GoType: "[]string"}})
	var a schema.Activity
	table.Event(&a, &e)
	if !a.Known || a.User.ID != "who-1" || len(a.Roles) != 2 {
		t.Errorf("%+v", a.User)
	}
	if r, _ := table.Row("my.other.type"); r.OCSF.Name != "Mine" || r.OCSF19 != r.OCSF || r.Entity.Name != "Thing" || len(r.Category) != 2 {
		t.Errorf("%+v", r)
	}
	// What the user changes is valid too, and nothing else changed.
	e = synthetic("my.other.type", nil)
	table.Event(&a, &e)
	line := schema.NewWriter(schema.Options{Format: schema.OCSF}).AppendLine(nil, &a)
	if wrong := loadOCSF(t, "ocsf-1.8.0.json.gz").check(decodeLine(t, line)); len(wrong) > 0 {
		t.Errorf("%v: %s", wrong, line)
	}
	if r, _ := load(t).Row("user.locked"); r.Severity != schema.Medium {
		t.Error("the overlay of one table changed another")
	}
	for _, empty := range []string{"", " \n", "# only a comment\n"} {
		if _, err := schema.Load([]byte(empty), "empty.yaml"); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// Each error names the file, the line, the field and what to write.
func TestOverlay_ErrorsSayWhereAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ yaml, line, want string }{
		{"events:\n  user.locked: {severity: hihg}", "2", `user.locked.severity is "hihg": use one of informational, low, medium, high, critical; did you mean high?`},
		{"events:\n  user.locked:\n    tier: all", "3", `user.locked.tier is "all": use one of core, useful, noise`},
		{"events:\n  user.locked: {sevrity: low}", "2", `did you mean severity?`},
		{"events:\n  user.locked: {outcome: [success]}", "2", `user.locked.outcome`},
		{"events:\n  x: {group: acc_lok}", "2", `did you mean acc_lock?`},
		{"events:\n  x: {ocsf: {class: 3003, activity: 1}}", "2", `x.ocsf.class is 3003: use one of 0 3001 3002 3004 3005 3006 6003`},
		{"events:\n  x: {ocsf: {class: 3001, activity: 13}}", "2", `class 3001 has no activity 13`},
		{"events:\n  x: {ocsf: {class: 3001, activity: 99}}", "2", `activity 99 needs a name`},
		{"events:\n  x: {ocsf: {class: many}}", "2", `x.ocsf.class is "many": use a number`},
		{"events:\n  x: {ocsf_1_9: {class: 3007, activity: 20}}", "2", `has no activity 20`},
		{"events:\n  x: {ecs: {category: [people]}}", "2", `category "people": use one of api, authentication`},
		{"events:\n  x: {ecs: {category: [iam], type: [start]}}", "2", `type "start" does not go with category iam`},
		{"events:\n  x: {ecs: {category: iam}}", "2", `must be a list, such as [iam]`},
		{"events:\n  x: {user: me}", "2", `use aggregate, none, or payload.KEY`},
		{"events:\n  x: {factor: 1000}", "2", `use a number from 0 to 99`},
		{"events:\n  x: {factor: 12}", "2", `use 0 to 11, or 99`},
		{"events:\n  x: {entity: {id: 50, name: X}}", "2", `x.entity.id is 50`},
		{"events:\n  x: {entity: {id: 99}}", "2", `needs a name`},
		{"events:\n  x: {title: {}}", "2", `x.title must be a text`},
		{"events:\n  x: low", "2", `x must be a map`},
		{"events:\n  x: {tier: core}\n  x: {tier: noise}", "3", `twice`},
		{"rows:\n  x: {}", "1", `"rows" is no part of the file: put rows under "events:"`},
		{"- x", "1", `the file must be a map`},
		{"events:\n  \"\": {tier: core}", "2", `a row needs the type`},
	} {
		_, err := schema.Load([]byte(c.yaml), "my.yaml")
		if err == nil {
			t.Errorf("%q is taken", c.yaml)
			continue
		}
		if s := err.Error(); !strings.Contains(s, c.want) || !strings.Contains(s, "my.yaml: line "+c.line+": ") {
			t.Errorf("%q:\n%s\nwant line %s, %s", c.yaml, s, c.line, c.want)
		}
	}
	_, err := schema.Load([]byte("events: {x: {tier: a, severity: b}, y: {group: c}}"), "my.yaml")
	if err == nil || strings.Count(err.Error(), "my.yaml") != 3 {
		t.Errorf("not all errors at once: %v", err)
	}
	if _, err := schema.Load([]byte("events: {"), "my.yaml"); err == nil || !strings.Contains(err.Error(), "my.yaml") {
		t.Error(err)
	}
}

// The generated table is what the generator makes of mapping.yaml.
func TestTable_IsGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the generator; without -short it runs")
	}
	before := readFile(t, "table_gen.go")
	out, err := exec.CommandContext(t.Context(), "go", "run", "./gen", "-print").Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(out) {
		t.Error("table_gen.go is not what gen makes: run go generate ./internal/schema")
	}
}
