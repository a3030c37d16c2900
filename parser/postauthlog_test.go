package parser_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/parser"
	"pgregory.net/rapid"
)

// ownKeys are the keys of our script behind "outcome", in its order.
var ownKeys = []string{
	"error", "method", "auth_request_id", "agent_id", "user_id", "user_name", "login_name", "resource_owner", "application_id", "idp_id", "remote_addr", "forwarded_for", "user_agent", "auth_time",
}

// ownMessage is what our script prints for values; an empty one is left out.
func ownMessage(outcome string, values map[string]string, cut []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"post_auth_log":1,"outcome":%s`, stringify(outcome))
	for _, key := range ownKeys {
		if v, ok := values[key]; ok {
			fmt.Fprintf(&b, `,%s:%s`, stringify(key), stringify(v))
		}
	}
	if len(cut) > 0 {
		b.WriteString(`,"cut":[`)
		for i, name := range cut {
			b.WriteString([]string{",", ""}[btoi(i == 0)] + stringify(name))
		}
		b.WriteString("]")
	}
	return b.String() + "}"
}

func ownLogin(outcome string, v map[string]string, cut []string) parser.Login {
	return parser.Login{
		Outcome: outcome, Error: v["error"], Method: v["method"], AuthRequestID: v["auth_request_id"], AgentID: v["agent_id"], UserID: v["user_id"], UserName: v["user_name"], LoginName: v["login_name"],
		ResourceOwner: v["resource_owner"], ApplicationID: v["application_id"], IDPID: v["idp_id"], RemoteAddr: v["remote_addr"], ForwardedFor: v["forwarded_for"], UserAgent: v["user_agent"],
		AuthTime: v["auth_time"], CutFields: strings.Join(cut, ","),
	}
}

func logOf(f format, w wrapping, message string) []byte {
	return w.wrap(recordLine(f.formatter, executionLog{LogDate: logged, Message: message, LogLevel: "info", InstanceID: instance}.record()))
}

// Our own message is read as it was written, whatever its values hold.
func TestOwnMessageIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := map[string]string{}
		for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom(ownKeys), rapid.ID[string]).Draw(t, "keys") {
			values[key] = hostileText(5).Draw(t, key)
		}
		cut := rapid.SliceOfNDistinct(rapid.SampledFrom(ownKeys), 0, 3, rapid.ID[string]).Draw(t, "cut")
		outcome := rapid.SampledFrom([]string{"success", "failure", "unknown"}).Draw(t, "outcome")
		message := ownMessage(outcome, values, cut)
		f, w := rapid.SampledFrom(formats).Draw(t, "format"), rapid.SampledFrom(wrappings).Draw(t, "wrapping")
		r := parse(t, logOf(f, w, message))
		where := fmt.Sprintf("%s, %s, %s", f.name, w.name, short(message))
		if len(message) > 2000 {
			if r.Format == parser.FormatPostAuthLog || r.Login != (parser.Login{}) {
				t.Fatalf("cut by ZITADEL, and told as %v\n%s", r.Format, where)
			}
			return
		}
		if r.Kind != parser.Log || r.Format != parser.FormatPostAuthLog || r.Message != "" {
			t.Fatalf("kind %v format %v message %q\n%s", r.Kind, r.Format, r.Message, where)
		}
		truth := ownLogin(outcome, values, cut)
		got, want := r.Login, parser.TrustFull
		if !f.quoted {
			if r.Login != (parser.Login{}) {
				t.Fatalf("%+v is believed\n%s", r.Login, where)
			}
			got, want = r.Unverified, parser.TrustNone
		}
		if r.Trust != want {
			t.Fatalf("trust %v\n%s", r.Trust, where)
		}
		compareLogin(t, &parser.Record{Login: got}, truth, where)
		for name, value := range fieldsOf(truth) {
			if value != "" && fieldsOf(got)[name] == "" && strings.Trim(value, ", ") != "" {
				t.Fatalf("%s is missing, want %q\n%s", name, value, where)
			}
		}
	})
}

// What deviates from our script's form in anything is another script's text.
func TestOwnMessageIsStrict(t *testing.T) {
	t.Parallel()
	good := ownMessage("success", map[string]string{"user_id": "1", "user_name": "alice", "remote_addr": "1.2.3.4:5"}, []string{"user_agent"})
	replace := func(old, by string) string {
		s := strings.Replace(good, old, by, 1)
		if s == good {
			t.Fatalf("%q is not in %s", old, good)
		}
		return s
	}
	if r := parse(t, logOf(formats[0], wrappings[0], good)); r.Format != parser.FormatPostAuthLog || r.Trust != parser.TrustFull {
		t.Fatalf("the good one: %+v", r)
	}
	for name, message := range map[string]string{
		"version 2": replace(`:1,`, `:2,`), "version 10": replace(`:1,`, `:10,`), "version 1.0": replace(`:1,`, `:1.0,`), "version as text": replace(`:1,`, `:"1",`),
		"duplicate key": replace(`"user_name":"alice"`, `"user_name":"alice","user_name":"bob"`), "duplicate outcome": replace(`"user_id"`, `"outcome":"failure","user_id"`), "duplicate version": replace(`"user_id"`, `"post_auth_log":1,"user_id"`),
		"unknown key": replace(`"user_id"`, `"user_ip":"1","user_id"`), "other order": replace(`"user_id":"1","user_name":"alice"`, `"user_name":"alice","user_id":"1"`),
		"escaped key": replace(`"user_id"`, `"user\u005fid"`), "upper case key": replace(`"user_id"`, `"User_ID"`), "empty key": replace(`"user_id"`, `""`),
		"trailing text": good + " ", "trailing object": good + good, "trailing newline": good + "\n", "leading space": " " + good, "leading BOM": "\ufeff" + good, "cut": good[:len(good)-1], "cut in a value": good[:len(good)-40],
		"not an object": "[" + good + "]", "unknown outcome": replace(`"success"`, `"won"`), "outcome null": replace(`"success"`, `null`), "empty outcome": replace(`"success"`, `""`), "no outcome": replace(`,"outcome":"success"`, ``),
		"escaped outcome": replace(`"success"`, `"\u0073uccess"`), "number": replace(`"user_id":"1"`, `"user_id":1`), "null": replace(`"user_id":"1"`, `"user_id":null`), "object": replace(`"user_id":"1"`, `"user_id":{}`), "list": replace(`"user_id":"1"`, `"user_id":["1"]`),
		"space": replace(`,"user_id"`, `, "user_id"`), "cut as text": replace(`["user_agent"]`, `"user_agent"`), "cut of numbers": replace(`["user_agent"]`, `[1]`), "cut of objects": replace(`["user_agent"]`, `[{"a":1}]`), "cut nested": replace(`["user_agent"]`, `[["user_agent"]]`),
		"cut before others": replace(`"user_id"`, `"cut":["user_agent"],"user_id"`), "comma at the end": replace(`]}`, `],}`), "no comma": replace(`"1","user_name"`, `"1""user_name"`), "raw control": replace(`alice`, "al\x01ice"), "raw newline": replace(`alice`, "al\nice"),
		"bad escape": replace(`alice`, `al\ice`), "bad unicode escape": replace(`alice`, `al\u12ice`),
	} {
		for _, f := range formats {
			r := parse(t, logOf(f, wrappings[0], message))
			if r.Kind != parser.Log || r.Format != parser.FormatText || r.Login != (parser.Login{}) || r.Unverified != (parser.Login{}) || r.Message == "" {
				t.Errorf("%s, %s: kind %v format %v login %+v unverified %+v of %q", name, f.name, r.Kind, r.Format, r.Login, r.Unverified, message)
				break
			}
		}
	}
}

// Both encodings tell the same, whatever the record.
func TestEncodingsTellTheSame(t *testing.T) {
	t.Parallel()
	for _, rec := range recordings(t) {
		for i, line := range rec.lines {
			r := parse(t, line)
			fromJSON, fromMsgpack := map[string]any{}, decodeMsgpack(t, parser.AppendMsgpack(nil, r, 0, nil))
			if err := json.Unmarshal(parser.AppendJSON(nil, r), &fromJSON); err != nil {
				t.Fatalf("%s:%d: %v", rec.name, i+1, err)
			}
			a, _ := json.Marshal(fromJSON)    // it was JSON
			b, _ := json.Marshal(fromMsgpack) // strings, numbers, maps
			if string(a) != string(b) {
				t.Fatalf("%s:%d:\njson    %s\nmsgpack %s", rec.name, i+1, a, b)
			}
			for key := range fromJSON {
				if !parser.Reserved(key) {
					t.Errorf("%s:%d: the key %q of a record is not reserved", rec.name, i+1, key)
				}
			}
		}
	}
	if parser.Reserved("kubernetes") || parser.Reserved("") {
		t.Error("a key of no record is reserved")
	}
}
