package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// at sets a value in a document by its path, or removes it.
func at(doc map[string]any, path string, v any) {
	parts := strings.Split(path, ".")
	for _, p := range parts[:len(parts)-1] {
		next, ok := doc[p].(map[string]any)
		if !ok {
			next = map[string]any{}
			doc[p] = next
		}
		doc = next
	}
	if last := parts[len(parts)-1]; v == nil {
		delete(doc, last)
	} else {
		doc[last] = v
	}
}

func sampleLine(tb testing.TB, typ string, o schema.Options) []byte {
	tb.Helper()
	r := synthetic(typ, payloadKeys(tb)[typ])
	var a schema.Activity
	load(tb).Event(&a, &r)
	return schema.NewWriter(o).AppendLine(nil, &a)
}

// The checks of this package's tests find what is wrong: each change of a valid
// record is found, and nothing is found without one.
func TestValidators_RejectWrongDocuments(t *testing.T) {
	number := func(s string) json.Number { return json.Number(s) }
	type change struct {
		typ, path string
		v         any
		want      string
	}
	ocsf := loadOCSF(t, "ocsf-1.8.0.json.gz")
	for _, c := range []change{
		{"user.locked", "", nil, ""},
		{"user.locked", "type_uid", number("300199"), "type_uid is not"},
		{"user.locked", "activity_id", number("77"), "none of its values"},
		{"user.locked", "class_uid", number("3999"), "no class"},
		{"user.locked", "class_uid", "3001", "no integer"},
		{"user.locked", "category_uid", number("6"), "none of its values"},
		{"user.locked", "severity_id", nil, "severity_id is required"},
		{"user.locked", "user", nil, "user is required"},
		{"user.locked", "user", map[string]any{"full_name": "x"}, "wants at_least_one"},
		{"user.locked", "user.nickname", "x", "user.nickname is no attribute"},
		{"user.locked", "user.email_addr", "not an address", "no email_t"},
		{"user.locked", "user.type_id", number("7"), "none of its values"},
		{"user.locked", "cloud", map[string]any{}, "needs a profile"},
		{"user.locked", "metadata.version", "1.7.0", "metadata.version"},
		{"user.locked", "metadata.product", nil, "metadata.product is required"},
		{"user.locked", "time", "2026-01-01T00:00:00Z", "no integer"},
		{"user.locked", "message", number("1"), "no string"},
		{"user.locked", "actor", "x", "no object"},
		{"user.locked", "auth_factors", map[string]any{}, "no list"},
		{"user.locked", "auth_factors", []any{map[string]any{}}, "factor_type_id is required"},
		{"user.human.password.check.failed", "src_endpoint.ip", "1.2.3", "no ip_t"},
		{"user.human.password.check.failed", "service", nil, "wants at_least_one"},
		{"user.human.password.check.failed", "is_remote", "yes", "no boolean"},
		{"org.member.added", "privileges", nil, "privileges is required"},
		{"org.member.added", "privileges", []any{number("1")}, "no string"},
		{"group.changed", "activity_name", nil, "without a name"},
	} {
		doc := decodeLine(t, sampleLine(t, c.typ, schema.Options{Format: schema.OCSF}))
		if c.path != "" {
			at(doc, c.path, c.v)
		}
		if wrong := strings.Join(ocsf.check(doc), "; "); c.want == "" && wrong != "" || !strings.Contains(wrong, c.want) {
			t.Errorf("OCSF, %s with %s=%v: %q, want %q", c.typ, c.path, c.v, wrong, c.want)
		}
	}
	ecs := loadECS(t)
	for _, c := range []change{
		{"user.locked", "", nil, ""},
		{"user.locked", "@timestamp", nil, "@timestamp is missing"},
		{"user.locked", "@timestamp", "yesterday", "no time"},
		{"user.locked", "event.outcome", "ok", "event.outcome is ok"},
		{"user.locked", "event.kind", nil, "event.kind is missing"},
		{"user.locked", "event.category", []any{"people"}, "event.category is people"},
		{"user.locked", "event.category", "iam", "mixed up"},
		{"user.locked", "event.type", []any{"start"}, "does not go with"},
		{"user.locked", "event.sequence", "7", "no integer"},
		{"user.locked", "user.target.nick", "x", "no field of ECS"},
		{"user.locked", "user.id", []any{"1"}, "mixed up"},
		{"user.locked", "user.id", number("1"), "no text"},
		{"user.locked", "user.id", map[string]any{"x": "y"}, "no map"},
		{"user.locked", "session.id", "1", "session.id is no field"},
		{"user.locked", "organization", map[string]any{}, "is empty"},
		{"user.human.password.check.failed", "source.ip", "1.2.3", "no address"},
	} {
		doc := decodeLine(t, sampleLine(t, c.typ, schema.Options{Format: schema.ECS}))
		if c.path != "" {
			at(doc, c.path, c.v)
		}
		if wrong := strings.Join(ecs.check(doc), "; "); c.want == "" && wrong != "" || !strings.Contains(wrong, c.want) {
			t.Errorf("ECS, %s with %s=%v: %q, want %q", c.typ, c.path, c.v, wrong, c.want)
		}
	}
}
