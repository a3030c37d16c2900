package pseudonym

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	redaction "github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// leaves calls f for every string and number, with its path.
func leaves(v *structpb.Value, path string, f func(path string, v *structpb.Value)) {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, v := range kind.StructValue.GetFields() {
			leaves(v, strings.TrimPrefix(path+"."+key, "."), f)
		}
	case *structpb.Value_ListValue:
		for _, v := range kind.ListValue.GetValues() {
			leaves(v, path, f)
		}
	case *structpb.Value_StringValue, *structpb.Value_NumberValue:
		f(path, v)
	}
}

func personal(paths map[string]bool, path string) bool {
	for p := path; ; {
		if paths[p] {
			return true
		}
		i := strings.LastIndexByte(p, '.')
		if i < 0 {
			return false
		}
		p = p[:i]
	}
}

// No personal value of a real ZITADEL's events is in a record in the clear, as a value or
// inside one; everything else is as it was.
func TestEvent_NoPersonalValueSurvives(t *testing.T) {
	tokens := New(testKey)
	paths := recorded.PersonalPaths(t)
	values, replaced := 0, 0
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, "demo", time.Time{})
		redaction.Record(&r)
		before := proto.CloneOf(r.Payload)
		clear := map[string]bool{}
		if r.Editor.Name != "" {
			clear[r.Editor.Name] = true
		}
		leaves(structpb.NewStructValue(r.Payload), "", func(path string, v *structpb.Value) {
			if s := v.GetStringValue(); personal(paths[r.Type], path) && s != "" && s != redact.Redacted {
				clear[s] = true
			}
		})
		values += len(clear)
		replaced += tokens.Event(&r)

		leaves(structpb.NewStructValue(r.Payload), "", func(path string, v *structpb.Value) {
			s := v.GetStringValue()
			if personal(paths[r.Type], path) && s != "" && s != redact.Redacted && !form.MatchString(s) {
				t.Errorf("%s: %s is %v", r.ID(), path, v)
			}
			for c := range clear {
				if strings.EqualFold(s, c) || len(c) > 4 && strings.Contains(s, c) {
					t.Errorf("%s %s: %s still holds %q: %q", r.Type, r.ID(), path, c, s)
				}
			}
		})
		text := string(record.AppendJSON(nil, &r))
		for c := range clear {
			if len(c) > 6 && strings.Contains(text, c) {
				t.Errorf("%s %s still holds %q", r.Type, r.ID(), c)
			}
		}
		other := map[string]*structpb.Value{}
		leaves(structpb.NewStructValue(before), "", func(path string, v *structpb.Value) {
			if !personal(paths[r.Type], path) && !clear[v.GetStringValue()] {
				other[path] = v
			}
		})
		leaves(structpb.NewStructValue(r.Payload), "", func(path string, v *structpb.Value) {
			if was, ok := other[path]; ok && strings.HasPrefix(v.GetStringValue(), "data-") && was.GetStringValue() != v.GetStringValue() {
				t.Errorf("%s: %s was %v, is %v", r.Type, path, was, v)
			}
		})
	}
	// Without the code this test would fail: the recording holds personal values.
	if values < 2000 || replaced < values {
		t.Errorf("%d personal values, %d replaced", values, replaced)
	}
	t.Logf("%d personal values, %d replaced", values, replaced)
}

func payload(t *testing.T, fields map[string]any) *structpb.Struct {
	t.Helper()
	p, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPayload_ByTypeAndByKey(t *testing.T) {
	tokens := New(testKey)
	clear := map[string]string{ // path of what must stay
		"user.human.externalidp.added idpConfigId": "400", "project.role.added displayName": "Reader", "instance.member.added userId": "400",
		"group.added description": "Ann's group", "user.grant.added userId": "400", "session.added user_agent.none": "",
		"user.next.added id": "400",
	}
	for typ, fields := range map[string]map[string]any{
		"user.human.externalidp.added": {"userId": "ext-ann", "displayName": "Ann", "idpConfigId": "400"},
		"project.role.added":           {"displayName": "Reader", "group": "x"},
		"instance.member.added":        {"userId": "400"},
		"group.added":                  {"description": "Ann's group"},
		"user.grant.added":             {"userId": "400"},
		"session.added":                {"user_agent": map[string]any{"ip": "203.0.113.7", "header": map[string]any{"user-agent": []any{"Mozilla"}}, "future": 5}},
		"user.next.added":              {"id": "400", "person": map[string]any{"emails": []any{"x"}, "email": "ann@example.com", "lastName": "Schmidt"}},
		"idpintent.ldap.succeeded":     {"user": map[string]any{"uid": []any{"ann"}, "mail": []any{"ann@example.com"}}},
		"schemauser.created":           {"user": map[string]any{"given": "Ann", "age": 42}},
	} {
		p := payload(t, fields)
		tokens.Payload(typ, p)
		leaves(structpb.NewStructValue(p), "", func(path string, v *structpb.Value) {
			want, stays := clear[typ+" "+path]
			s := v.GetStringValue()
			if stays && s != want || !stays && !form.MatchString(s) && path != "group" && path != "person.emails" {
				t.Errorf("%s: %s is %v", typ, path, v)
			}
		})
	}
}

// What is personal under one key of a record is replaced under every other.
func TestPayload_EqualValues(t *testing.T) {
	tokens := New(testKey)
	p := payload(t, map[string]any{
		"userName": "Ann@example.com", "urlTemplate": "ann@example.com", "list": []any{"x", map[string]any{"deep": "Schmidt"}}, "language": "de", "region": "de", "known": "schmidt",
	})
	if n := tokens.Payload("user.domain.claimed", p, Value{Name, "SCHMIDT"}, Value{Name, "x"}); n != 5 {
		t.Errorf("%d replaced", n)
	}
	f := p.Fields
	if got, want := f["urlTemplate"].GetStringValue(), f["userName"].GetStringValue(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := f["list"].GetListValue().Values[1].GetStructValue().Fields["deep"].GetStringValue(), tokens.Token(Name, "schmidt"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if f["language"].GetStringValue() != "de" || f["list"].GetListValue().Values[0].GetStringValue() != "x" {
		t.Errorf("%v", p)
	}
}

func BenchmarkToken(b *testing.B) {
	tokens := New(testKey)
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tokens.Token(Mail, "ann@example.com")
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tokens.make(Mail, "ann@example.com")
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	tokens := New(testKey)
	var list []record.Event
	for _, e := range zitadeltest.Recorded() {
		r := events.FromEvent(e, "demo", time.Time{})
		redaction.Record(&r)
		list = append(list, r)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := list[i%len(list)] // its own values are tokens from the second round on: as many, and as new
		tokens.Event(&r)
		i++
	}
}

// Of the body of an API call only ids stay, whatever its keys are called.
func TestEvent_ABodyWithPersonalKeysKeepsOnlyIDs(t *testing.T) {
	tokens := New(testKey)
	body := payload(t, map[string]any{"method": "/zitadel.user.v2.UserService/AddHumanUser", "body": map[string]any{"request": map[string]any{
		"username": "ann.schmidt", "email": map[string]any{"email": "ann@example.com"}, "profile": map[string]any{"givenName": "Ann"}, "orgId": "400712317102263334",
	}}})
	if n := tokens.Event(&record.Event{Key: record.Key{AggregateType: "webhook"}, Type: "api.request", Payload: body}); n != 3 {
		t.Errorf("%d replaced", n)
	}
	request := body.Fields["body"].GetStructValue().Fields["request"].GetStructValue().Fields
	if got := request["username"].GetStringValue(); got != tokens.Token(User, "ann.schmidt") {
		t.Errorf("username is %q", got)
	}
	if got := request["orgId"].GetStringValue(); got != "400712317102263334" {
		t.Errorf("orgId is %q", got)
	}
}
