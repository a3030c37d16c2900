package schema_test

import (
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

func TestExplain_SaysRowExamplesAndOrigins(t *testing.T) {
	table := load(t)
	for typ, want := range map[string][]string{
		"user.locked": {"user.locked: User locked", "tier         core: always written", "OCSF 1.8.0   Account Change (3001), Lock (9)", "OCSF 1.9.0   User Management (3007), Lock (6)",
			"user.id                            200000000000000002                         <- editor.id", "user.target.id                     200000000000000001                         <- aggregate.id",
			"CEF:0|ZITADEL|ZITADEL|1.2|user.locked|", "LEEF:2.0|ZITADEL|"},
		"user.human.password.check.failed": {"client       payload.remoteIP, payload.userAgent", "<- payload.remoteIP", "factor       Password"},
		"session.added":                    {"<- payload.user_agent.ip"},
		"org.member.added":                 {"roles        payload.roles", "<- payload.userId", "<- payload.roles"},
		"session.password.checked":         {"only an earlier event of the session says it"},
		"user.retina.check.failed":         {"known by     the rule ^user", "unknown_type", "tier         core"},
		"user.token.v2.added":              {"user.token.v2.added"},
		"api.request":                      {"API Activity (6003)"},
	} {
		var b strings.Builder
		if err := table.Explain(&b, typ, schema.Options{Version: "1.2"}); err != nil {
			t.Fatal(err)
		}
		for _, s := range want {
			if !strings.Contains(b.String(), s) {
				t.Errorf("%s: %q is missing:\n%s", typ, s, b.String())
			}
		}
	}
	changed, err := schema.Load([]byte("events: {user.locked: {severity: high}}"), "x")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := changed.Explain(&b, "user.locked", schema.Options{}); err != nil || !strings.Contains(b.String(), "your schema_file") || !strings.Contains(b.String(), "severity     high") {
		t.Error(err, b.String())
	}
}

func TestExplain_EveryTypeHasAnExample(t *testing.T) {
	table := load(t)
	ocsf, ecs := loadOCSF(t, "ocsf-1.8.0.json.gz"), loadECS(t)
	var a schema.Activity
	for _, r := range table.Rows() {
		table.Event(&a, table.Example(r.Type))
		if wrong := ocsf.check(decodeLine(t, schema.NewWriter(schema.Options{Format: schema.OCSF}).AppendLine(nil, &a))); len(wrong) > 0 {
			t.Errorf("%s: %v", r.Type, wrong)
		}
		if wrong := ecs.check(decodeLine(t, schema.NewWriter(schema.Options{Format: schema.ECS}).AppendLine(nil, &a))); len(wrong) > 0 {
			t.Errorf("%s: %v", r.Type, wrong)
		}
		var b strings.Builder
		if err := table.Explain(&b, r.Type, schema.Options{}); err != nil {
			t.Errorf("%s: %v", r.Type, err)
		}
	}
}

func TestDocs_NameEveryType(t *testing.T) {
	table := load(t)
	var b strings.Builder
	if err := table.WriteDocs(&b); err != nil {
		t.Fatal(err)
	}
	for _, r := range table.Rows() {
		if strings.Count(b.String(), "| `"+r.Type+"` |") != 1 {
			t.Errorf("%s is not in the document once", r.Type)
		}
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "| `") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 10 && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 6 {
			t.Errorf("a row with too many cells: %s", line)
		}
	}
}

// The example of a line has an id like a real one, which does not end in zeros.
func TestExplain_IDsOfLinesLookReal(t *testing.T) {
	table := load(t)
	for _, typ := range []string{"action.login", "action.log", "action.run.failed", "access", "log.malformed", "log.other"} {
		var b strings.Builder
		if err := table.Explain(&b, typ, schema.Options{}); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); strings.Contains(text, "/00000000") || !strings.Contains(text, "example/action_log/1795339470935802000/") {
			t.Errorf("%s:\n%s", typ, text)
		}
	}
}
