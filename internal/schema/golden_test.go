package schema_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var update = flag.Bool("update", false, "write the golden files anew")

// told are the types that tell an analyst most. Each has a recorded event, or a
// synthetic one where ZITADEL recorded none.
var told = []string{
	// Logins, and what belongs to them.
	"user.human.password.check.succeeded", "user.human.password.check.failed", "user.human.mfa.otp.check.failed", "session.added", "session.user.checked", "session.password.checked",
	"oidc_session.added", "oidc_session.access_token.added", "saml_session.added", "user.human.signed.out", "session.terminated", "auth_request.failed", "user.impersonated",
	"device.authorization.approved", "idpintent.succeeded",
	// Accounts.
	"user.human.added", "user.human.selfregistered", "user.machine.added", "user.removed", "user.locked", "user.human.password.changed", "user.human.password.hash.updated",
	"user.human.email.changed", "user.username.changed", "user.human.mfa.otp.removed", "user.pat.added", "user.machine.key.added", "user.human.externalidp.added",
	// Permissions.
	"instance.member.added", "org.member.removed", "user.grant.added", "project.role.added", "group.users.added",
	// Settings.
	"org.removed", "org.domain.verified", "instance.policy.login.changed", "instance.policy.security.set", "project.application.config.oidc.added", "instance.idp.oidc.added", "action.added",
	"feature.instance.login_v2.set",
}

func TestGolden_TellingTypes(t *testing.T) {
	table, keys := load(t), payloadKeys(t)
	first := map[string]*record.Event{}
	for _, r := range recordedEvents(t) {
		if first[r.Type] == nil {
			first[r.Type] = r
		}
	}
	var a schema.Activity
	for _, typ := range told {
		r, from := first[typ], "recorded from ZITADEL main of 2026-07-10"
		if r == nil || len(r.Payload.GetFields()) == 0 && len(keys[typ]) > 0 {
			s := synthetic(typ, keys[typ])
			r, from = &s, "made of the keys of the type"
		}
		table.Event(&a, r)
		golden(t, typ, from, &a)
	}
	for _, r := range recordedWebhooks(t).Calls {
		if first[r.Type] == nil {
			first[r.Type] = r
			table.Event(&a, r)
			golden(t, r.Type, "recorded from ZITADEL main of 2026-07-10", &a)
		}
	}
	table.Heartbeat(&a, heartbeat())
	golden(t, "heartbeat", "made up", &a)
}

func TestGolden_Lines(t *testing.T) {
	table := load(t)
	seen := map[string]bool{}
	var a schema.Activity
	for _, r := range recordedLines(t) {
		name := "line." + r.EventType()
		if r.EventType() == "action.login" {
			name += "." + r.Format.String() + "." + r.Login.Outcome + "." + r.Trust.String()
		}
		if r.Kind == parser.Served {
			name += "." + r.Served.Protocol
		}
		if seen[name] || r.Kind == parser.Other || r.Kind == parser.Malformed {
			continue
		}
		seen[name] = true
		table.Line(&a, r)
		golden(t, name, "recorded from ZITADEL main of 2026-07-10", &a)
	}
	for _, want := range []string{"line.action.login.official.success.full", "line.action.login.official.failure.full", "line.action.run.failed", "line.access", "line.action.log", "line.request.grpc", "line.request.http", "line.request.connect", "line.request.gateway", "line.activity"} {
		if !seen[want] {
			t.Errorf("no recorded %s", want)
		}
	}
}

// golden compares a in every format with its file.
func golden(t *testing.T, name, from string, a *schema.Activity) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n", a.Type, from)
	for _, f := range formats {
		line := schema.NewWriter(schema.Options{Format: f, Version: "1.0"}).AppendLine(nil, a)
		fmt.Fprintf(&b, "\n-- %s --\n", f)
		switch f {
		case schema.CEF:
			b.WriteString(strings.ReplaceAll(string(line), "|rt=", "|\nrt="))
			b.WriteString("\n")
		case schema.LEEF:
			b.WriteString(strings.ReplaceAll(string(line), "\t", "\n"))
			b.WriteString("\n")
		default:
			flat(&b, "", decodeLine(t, line))
		}
	}
	path := "testdata/golden/" + name + ".txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

// flat writes a document one field a line.
func flat(b *strings.Builder, path string, v any) {
	if m, ok := v.(map[string]any); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			flat(b, strings.TrimPrefix(path+"."+k, "."), m[k])
		}
		return
	}
	j, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(b, "%s: %s\n", path, j)
}

// Actor and target are two people, and parts of ZITADEL are no users.
func TestSemantics_WhoDidWhatToWhom(t *testing.T) {
	table := load(t)
	event := func(typ, editor string, payload map[string]any) *schema.Activity {
		p, err := structpb.NewStruct(payload)
		if err != nil {
			t.Fatal(err)
		}
		r := synthetic(typ, nil)
		r.Editor, r.Payload, r.Time = record.Editor{ID: editor}, p, time.Unix(1, 0)
		var a schema.Activity
		table.Event(&a, &r)
		return &a
	}
	ecs := func(a *schema.Activity) map[string]any {
		return decodeLine(t, schema.NewWriter(schema.Options{Format: schema.ECS}).AppendLine(nil, a))
	}
	get := func(doc map[string]any, path string) any {
		var v any = doc
		for _, p := range strings.Split(path, ".") {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		return v
	}
	for _, c := range []struct {
		what string
		a    *schema.Activity
		want map[string]any
	}{
		{"an admin locks a user", event("user.locked", "admin", nil), map[string]any{"user.id": "admin", "user.target.id": "400712689875160102", "event.outcome": "success"}},
		{"a part of ZITADEL is no user", event("user.locked", "LOGIN", nil), map[string]any{"user.id": nil, "user.target.id": "400712689875160102", "zitadel.actor.system": "LOGIN"}},
		{"who logs in is the user, not the login client", event("user.human.password.check.failed", "client", nil), map[string]any{"user.id": "400712689875160102", "user.target": nil, "zitadel.actor.id": "client", "event.outcome": "failure", "zitadel.step": "factor"}},
		{"a session without a known user has none", event("session.password.checked", "client", nil), map[string]any{"user": nil, "zitadel.actor.id": "client"}},
		{"a re-hash is no change", event("user.human.password.hash.updated", "LOGIN", nil), map[string]any{"event.type": []any{"user", "info"}}},
		{"impersonation", event("user.impersonated", "OIDC", map[string]any{"actor": map[string]any{"user_id": "boss"}}), map[string]any{"user.id": "boss", "user.effective.id": "400712689875160102"}},
		{"a member", event("org.member.added", "admin", map[string]any{"userId": "u", "roles": []any{"ORG_OWNER"}}), map[string]any{"user.id": "admin", "user.target.id": "u", "user.target.roles": []any{"ORG_OWNER"}}},
		{"a number is a word", event("auth_request.failed", "", map[string]any{"reason": 3.0}), map[string]any{"event.reason": "AccessDenied", "event.outcome": "failure", "zitadel.step": "flow"}},
	} {
		doc := ecs(c.a)
		for path, want := range c.want {
			if got := get(doc, path); !equal(got, want) {
				t.Errorf("%s: %s is %v, want %v", c.what, path, got, want)
			}
		}
	}
}

// One login is one authentication of type start: its steps are others.
func TestSemantics_OneLoginIsOneStart(t *testing.T) {
	table := load(t)
	starts := map[string]bool{}
	for _, r := range table.Rows() {
		if slices.Contains(r.Category, "authentication") && slices.Contains(r.Kinds, "start") && r.Outcome == schema.Success {
			starts[r.Type] = true
		}
	}
	want := map[string]bool{"oidc_session.added": true, "saml_session.added": true, "user.impersonated": true, "action.login": true}
	if diff := cmp.Diff(want, starts); diff != "" {
		t.Error(diff)
	}
}
