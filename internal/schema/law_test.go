package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// free are the fields that somebody outside can fill. Each has a marker, so that
// a record of markers shows which fields come from which.
var freeEvent = []string{"aggregate", "owner", "editor", "editor name", "userName", "email", "displayName", "nickName", "userAgent", "sessionID", "clientID", "appId", "projectId", "idpConfigId", "reason", "element", "nested"}

func marker(name string) string { return "MARK" + strings.ReplaceAll(name, " ", "") + "X" }

func freeRecord(typ string, v map[string]string) *record.Event {
	list := &structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue(v["element"])}}
	nested := &structpb.Struct{Fields: map[string]*structpb.Value{"inner": structpb.NewStringValue(v["nested"])}}
	p := &structpb.Struct{Fields: map[string]*structpb.Value{"redirectUris": structpb.NewListValue(list), "data": structpb.NewStructValue(nested)}}
	for _, key := range freeEvent[4:15] {
		p.Fields[key] = structpb.NewStringValue(v[key])
	}
	return &record.Event{
		Key:  record.Key{Instance: "demo", AggregateType: "user", AggregateID: v["aggregate"], Sequence: 7},
		Time: time.Unix(1783000000, 0), Read: readAt, Type: typ, ResourceOwner: v["owner"], Source: record.SourceEventsAPI,
		Editor: record.Editor{ID: v["editor"], Name: v["editor name"]}, Payload: p,
	}
}

var freeLine = []string{"error", "agent", "auth", "user", "name", "login", "org", "app", "idp", "ua", "url", "host", "unverified", "instance"}

func freeLogin(v map[string]string) *parser.Record {
	return &parser.Record{Kind: parser.Log, Format: parser.FormatPostAuthLog, Trust: parser.TrustFull, Time: time.Unix(1783000000, 0), Read: readAt, Instance: v["instance"], Level: "info",
		Login: parser.Login{Outcome: "failure", Error: v["error"], AgentID: v["agent"], AuthRequestID: v["auth"], UserID: v["user"], UserName: v["name"], LoginName: v["login"],
			ResourceOwner: v["org"], ApplicationID: v["app"], IDPID: v["idp"], UserAgent: v["ua"], RequestURL: v["url"], RequestHost: v["host"], RemoteAddr: "203.0.113.7:1"},
		Unverified: parser.Login{AuthTime: v["unverified"]}}
}

// fields are the fields of a line in any format, by path.
func fields(f schema.Format, line []byte) (map[string]string, error) {
	switch f {
	case schema.CEF:
		return parseCEF(string(line))
	case schema.LEEF:
		return parseLEEF(string(line))
	}
	var doc map[string]any
	if strings.ContainsAny(string(line), "\n\r\x00\x1b\u202e\u2028") {
		return nil, fmt.Errorf("the line is broken: %q", line)
	}
	if err := json.Unmarshal(line, &doc); err != nil {
		return nil, err
	}
	m := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, v := range v {
				walk(path+"/"+k, v)
			}
		default:
			j, _ := json.Marshal(v)
			m[path] = string(j)
		}
	}
	walk("", doc)
	return m, nil
}

// hostile draws what an attacker would type.
func hostile() *rapid.Generator[string] {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{
			"|", "=", `\`, "\n", "\r", "\t", "\x00", "\x1b[31m", "\u202e", "\u2028", "\xff", `"`, "' ", " suser=admin ", "\tusrName=admin\t", `","user":{"id":"admin"},"x":"`, " outcome=success", "LOGIN", "a@b.c",
			"}", "]", ",", "203.0.113.99", "/", "CEF:0|x|y|1|z|n|10|", "x09", "[REDACTED]", "\ufeff", " ", "=\\", "é",
		}),
		rapid.String(),
	)
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(part, 0, 6), func(p []string) string { return strings.Join(p, "") }),
		rapid.Map(rapid.Map(part, func(s string) string { return s }), func(s string) string { return strings.Repeat(s+"x", 3000) }),
	)
}

// Law 7: what fills one field changes no other, in no format.
func TestLaw7_AFieldChangesNoOther(t *testing.T) {
	table := load(t)
	types := []string{"user.human.added", "user.human.email.changed", "user.human.password.check.failed", "oidc_session.added", "project.application.config.oidc.added", "org.member.added", "user.unheard.of", "session.added"}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(formats).Draw(t, "format")
		names := freeEvent
		typ := rapid.SampledFrom(append(types, "line")).Draw(t, "type")
		fill := func(a *schema.Activity, v map[string]string) {
			if typ == "line" {
				table.Line(a, freeLogin(v))
				return
			}
			table.Event(a, freeRecord(typ, v))
		}
		if typ == "line" {
			names = freeLine
		}
		values := map[string]string{}
		for _, n := range names {
			values[n] = marker(n)
		}
		w := schema.NewWriter(schema.Options{Format: f})
		var a schema.Activity
		fill(&a, values)
		before, err := fields(f, w.AppendLine(nil, &a))
		if err != nil {
			t.Fatal(err)
		}

		name := rapid.SampledFrom(names).Draw(t, "field")
		values[name] = hostile().Draw(t, "value")
		if name == "aggregate" && values[name] == "" {
			// Every event has an aggregate. Without one there is no user, and OCSF's class is that
			// of an entity: TestLaw8_OddPayloadsGiveValidRecords has those.
			values[name] = "|"
		}
		fill(&a, values)
		line := w.AppendLine(nil, &a)
		after, err := fields(f, line)
		if err != nil {
			t.Fatalf("%s=%q: %v: %q", name, values[name], err, line)
		}
		for _, path := range slices.Sorted(maps.Keys(before)) {
			if strings.Contains(before[path], marker(name)) || after[path] == before[path] {
				continue
			}
			if labelled, ok := strings.CutSuffix(path, "Label"); ok && after[labelled] == "" && strings.Contains(before[labelled], marker(name)) {
				continue // a label goes with its value
			}
			if follows(path, name) {
				continue
			}
			t.Fatalf("%s=%q changes %s from %q to %q", name, values[name], path, before[path], after[path])
		}
		for path, v := range after {
			if _, ok := before[path]; !ok && !follows(path, name) {
				t.Fatalf("%s=%q makes %s=%q", name, values[name], path, v)
			}
		}
	})
}

// follows reports whether a field may change with an input that it does not show:
// an id that is hashed, a user of whom the best name is shown, and what is
// shown only where it is of the right form.
func follows(path, input string) bool {
	switch path {
	case "externalId", "eventId":
		return input == "aggregate" || input == "instance"
	case "/metadata/uid", "/event/id": // of a line, a hash of what it says
		return true
	case "suser", "duser", "usrName", "accountName", "/user/name", "/user/target/name":
		return slices.Contains([]string{"userName", "email", "displayName", "editor name", "login", "name", "user", "editor", "aggregate"}, input)
	case "/user/email_addr", "/entity_result/user/email_addr":
		return input == "email"
	case "/related/user":
		return slices.Contains([]string{"name", "login"}, input)
	case "/actor/user/name": // OCSF asks for a name, where there is no id
		return input == "editor"
	case "/entity/name": // "unknown", where the thing has no id
		return input == "aggregate" || input == "auth"
	case "cs4", "cs4Label", "clientId", "/service/uid", "/service/name": // the client id, or else the application's
		return input == "clientID" || input == "appId" || input == "app"
	}
	return false
}

// Values come back as they went in, as far as a format can hold them, and within its lengths.
func TestLines_HostileValuesComeBack(t *testing.T) {
	table := load(t)
	for _, h := range []string{
		"a|b", "a=b", `a\b`, `\`, `\\n`, "a\nb", "a\r\nb", "a\tb", "a\x00b", "a\x1b[31mb", "a\u202eb", "a\u2066b", "\xff\xfe", "a b", " a ", "a suser=admin", "a\tusrName=admin", "é\u2028ü", "=",
		"|", strings.Repeat("x", 100_000), strings.Repeat("é|", 50_000), strings.Repeat("\n", 100_000), strings.Repeat("\xff", 100_000), "\u200b",
	} {
		v := map[string]string{}
		for _, n := range freeEvent {
			v[n] = h
		}
		r := freeRecord("user.human.added", v)
		var a schema.Activity
		table.Event(&a, r)
		m, err := parseCEF(string(schema.NewWriter(schema.Options{Format: schema.CEF}).AppendLine(nil, &a)))
		if err != nil {
			t.Fatalf("%.40q: %v", h, err)
		}
		for key, limit := range map[string]int{"duser": 1023, "suser": 1023, "requestClientApplication": 1023, "cs1": 4000, "cs3": 4000, "cs5": 4000, "reason": 1023} {
			if want := clean(h, limit, true); m[key] != want {
				t.Errorf("CEF: %s is %.60q, want %.60q", key, m[key], want)
			}
		}
		m, err = parseLEEF(string(schema.NewWriter(schema.Options{Format: schema.LEEF}).AppendLine(nil, &a)))
		if err != nil {
			t.Fatalf("%.40q: %v", h, err)
		}
		for key, limit := range map[string]int{"accountName": 255, "usrName": 255, "userAgent": 1024, "organization": 255, "sessionId": 255, "reason": 1024} {
			if want := clean(h, limit, false); m[key] != want {
				t.Errorf("LEEF: %s is %.60q, want %.60q", key, m[key], want)
			}
		}
	}
}

// clean is what a format can hold of s: slowly, and by another way than the code.
func clean(s string, limit int, newlines bool) string {
	s = strings.Trim(s, " \t")
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		_ = utf8.RuneLen(r)
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == '\n' || r == '\r':
			if !newlines {
				r = ' '
			}
		case r == '\t':
			r = ' '
		case oneLine(string(r), false) != nil:
			r = '\uFFFD'
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	if newlines {
		return strings.TrimRight(b.String(), " ")
	}
	return b.String()
}

// Law 6: no secret of the recordings is in any format of any source.
func TestLaw6_NoSecretInAnyFormat(t *testing.T) {
	markers := []string{"Passw0rd!x", "N3wPassw0rd!", "zitadel.useragent=", "zitadel.login.csrf=", "gorilla.csrf.Token", "$2a$", "Crypted", "code=ey"}
	for _, f := range formats {
		w := schema.NewWriter(schema.Options{Format: f, KeepOriginal: true})
		everything(t, func(name string, a *schema.Activity) {
			line := string(w.AppendLine(nil, a)) + string(w.AppendMsgpack(nil, a, 0, nil))
			for _, m := range markers {
				if strings.Contains(line, m) {
					t.Errorf("%s in %s holds %q: %s", name, f, m, line)
				}
			}
		})
	}
	// The search is not blind: what is not redacted does come out.
	r := synthetic("user.human.added", nil)
	r.Payload, _ = structpb.NewStruct(map[string]any{"nickName": markers[0]})
	var a schema.Activity
	load(t).Event(&a, &r)
	if !strings.Contains(string(schema.NewWriter(schema.Options{Format: schema.ECS}).AppendLine(nil, &a)), markers[0]) {
		t.Error("a payload's text does not come out")
	}
}
