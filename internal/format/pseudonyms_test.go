package format_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var formats = []string{"raw", "ecs", "ocsf", "cef", "leef"}

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pseudonymous opens a format with pseudonyms and with names.
func pseudonymous(t *testing.T, name string) *format.Format {
	t.Helper()
	f := open(t, config.FormatSettings{Format: name, Tier: "noise", OCSFVersion: config.OCSF18, KeepOriginal: name == "ecs" || name == "ocsf", Pseudonyms: true, PseudonymsKeyFile: keyFile(t)})
	if name != "raw" {
		f.Remember(names(t))
	}
	return f
}

// corpus is what a real ZITADEL gave.
type corpus struct {
	events []*record.Event // pulled, pushed, and API calls
	lines  []*parser.Record
}

func everything(t *testing.T) corpus {
	t.Helper()
	pushed := recorded.Webhooks(t, readAt)
	return corpus{
		slices.Concat(recorded.Records(readAt), pushed.Events, pushed.Calls),
		append(recorded.Lines(t, readAt), pushed.Logins...),
	}
}

// personalValues are the personal values of the corpus: of the keys that the catalogue calls
// personal, of editors, of the fields of a login, and of the bodies of API calls as ZITADEL
// sent them.
func personalValues(t *testing.T, all corpus) []string {
	t.Helper()
	values := map[string]bool{}
	add := func(s string) {
		if s != redact.Redacted {
			values[s] = true
		}
	}
	paths := recorded.PersonalPaths(t)
	for _, e := range all.events {
		add(e.Editor.Name)
		if e.Type == "user.machine.added" {
			continue // the user name of a machine is its client id, and ids stay
		}
		texts(structpb.NewStructValue(e.Payload), "", func(path, text string) {
			for p := path; p != ""; {
				if paths[e.Type][p] {
					add(text)
				}
				p = p[:max(0, strings.LastIndexByte(p, '.'))]
			}
		})
	}
	for _, body := range recorded.Bodies(t) {
		callValues(t, body, add)
	}
	for _, r := range all.lines {
		for _, l := range []*parser.Login{&r.Login, &r.Unverified} {
			add(l.UserName)
			add(l.LoginName)
			add(l.RemoteAddr)
			add(l.UserAgent)
			for part := range strings.SplitSeq(l.ForwardedFor, ",") {
				add(strings.TrimSpace(part))
			}
		}
		add(r.Access.UserAgent)
	}
	var list []string
	for v := range values {
		// Shorter ones are words and parts of ids, such as a first name of four letters.
		// ZITADEL is the first name of its first user, and the name of much else. 127.0.0.1 is
		// the host of the recorded targets too.
		if len(v) >= shortest && v != "ZITADEL" && v != "127.0.0.1" {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// shortest is the length of the shortest value that is looked for.
const shortest = 7

// found returns the values in text. They are in the map by their first bytes: one walk for
// all of them.
func found(text string, byBeginning map[string][]string) (values []string) {
	for i := range max(0, len(text)-shortest+1) {
		for _, v := range byBeginning[text[i:i+shortest]] {
			if strings.HasPrefix(text[i:], v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// personOfCall are the keys under which the API and functions have personal values.
var personOfCall = []string{
	"username", "loginname", "loginnames", "preferredloginname", "preferredusername", "email", "phone", "name", "displayname", "nickname", "firstname", "lastname", "givenname", "familyname", "xforwardedfor",
}

// callValues adds the personal values of the body of an API call or a function.
func callValues(t *testing.T, body []byte, add func(string)) {
	t.Helper()
	fields := new(structpb.Struct)
	if err := protojson.Unmarshal(body, fields); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if fields.Fields["fullMethod"] == nil && fields.Fields["function"] == nil {
		return // an event
	}
	texts(structpb.NewStructValue(fields), "", func(path, text string) {
		key := path[strings.LastIndexByte(path, '.')+1:]
		if key = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key)); slices.Contains(personOfCall, key) {
			add(text)
		}
	})
}

// No personal value of a recorded event, webhook or line is in a record in the clear, in any
// format, with names of earlier events and with the original.
func TestPseudonyms_NoPersonalValueInTheClear(t *testing.T) {
	all := everything(t)
	personal := personalValues(t, all)
	if len(personal) < 300 {
		t.Fatalf("only %d personal values", len(personal))
	}
	// Of API calls, of a function and of pushed events.
	for _, v := range []string{"v2webhook-ünï", "v2w@example.com", "u70460366@example.com", "Login Tester"} {
		if !slices.Contains(personal, v) {
			t.Errorf("%q is not looked for", v)
		}
	}
	byBeginning := map[string][]string{}
	for _, v := range personal {
		byBeginning[v[:shortest]] = append(byBeginning[v[:shortest]], v)
	}
	for _, v := range personal {
		if len(found("x "+v+" x", byBeginning)) == 0 {
			t.Fatalf("%q would not be found", v)
		}
	}
	for _, name := range formats {
		encode := pseudonymous(t, name).Lines()
		tokens := map[string]int{} // by source
		check := func(source, id string, line []byte) {
			t.Helper()
			text := string(line)
			tokens[source] += strings.Count(text, "user-") + strings.Count(text, "name-") + strings.Count(text, "mail-")
			for _, v := range found(text, byBeginning) {
				t.Errorf("%s: %q is in %s: %s", name, v, id, text)
			}
		}
		for _, e := range all.events {
			source := e.Source
			if e.AggregateType == "webhook" {
				source = "call"
			}
			check(source, e.ID(), encode(nil, clone(e)))
		}
		for _, r := range all.lines {
			check("line", r.ID(), encode(nil, r))
		}
		if tokens[record.SourceEventsAPI] < 1000 || tokens[record.SourceWebhook] < 5 || tokens["call"] < 5 || tokens["line"] < 50 {
			t.Errorf("%s: %v tokens", name, tokens)
		}
	}
}

// One person has one token: in the event that names it, in later ones, and in the line of
// its login.
func TestPseudonyms_OnePersonOneToken(t *testing.T) {
	for _, name := range formats[1:] {
		encode := pseudonymous(t, name).Lines()
		login := &parser.Record{Kind: parser.Log, Format: parser.FormatPostAuthLog, Login: parser.Login{UserID: "7", LoginName: "Ann@example.com", RemoteAddr: "203.0.113.7:4711", Outcome: "success"}, Read: readAt}
		tokens := pseudonymOf(t)
		person, address := tokens.Token(pseudonym.User, "ann@example.com"), tokens.Token(pseudonym.IP, "203.0.113.7")
		encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann@example.com", "email": "ann@example.com"}))
		for what, line := range map[string]string{
			"a later event": string(encode(nil, teach(t, "user.locked", "7", 2, nil))),
			"a login":       string(encode(nil, login)),
			"a check":       string(encode(nil, teach(t, "user.human.password.check.failed", "7", 3, map[string]any{"remoteIP": "203.0.113.7"}))),
		} {
			if !strings.Contains(line, person) || strings.Contains(strings.ToLower(line), "ann@") {
				t.Errorf("%s: %s: %s", name, what, line)
			}
			if what != "a later event" && !strings.Contains(line, address) || strings.Contains(line, "203.0.113.7") {
				t.Errorf("%s: the address of %s: %s", name, what, line)
			}
		}
	}
}

// Whoever writes the message of a script, or a piece of the log, can put a name anywhere.
func TestPseudonyms_FreeTextIsAToken(t *testing.T) {
	const person = "Ann Schmidt ann@example.com"
	for _, r := range []*parser.Record{
		{Kind: parser.Log, Message: person},
		{Kind: parser.RunFailed, Error: person},
		{Kind: parser.Malformed, Raw: person},
		{Kind: parser.Access, Access: parser.Request{URL: "/users/ann@example.com?q=" + person, ForwardedFor: "203.0.113.7, 10.0.0.1", UserAgent: person}},
		{Kind: parser.Log, Format: parser.FormatPostAuthLog, Login: parser.Login{UserName: "Ann Schmidt", Error: "ID=1 Message=no ANN SCHMIDT, ann@example.com here"}},
		{Kind: parser.Log, Format: parser.FormatOfficial, Unverified: parser.Login{
			Outcome: person, Error: person, Method: person, AuthRequestID: person, AgentID: person, UserID: person, UserName: person, LoginName: person, ResourceOwner: person,
			ApplicationID: person, IDPID: person, RemoteAddr: person, ForwardedFor: person, UserAgent: person, AuthTime: person, ChangeDate: person, RequestMethod: person,
			RequestURL: person, RequestHost: person, CutFields: person,
		}},
	} {
		r.Read = readAt
		before := *r
		for _, name := range formats {
			line := strings.ToLower(string(pseudonymous(t, name).Lines()(nil, r)))
			if strings.Contains(line, "schmidt") || strings.Contains(line, "ann@") || strings.Contains(line, "203.0.113.7") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if *r != before {
			t.Error("the caller's record was changed")
		}
	}
}

// API calls: addresses and user agents are personal, and of a body everything but ids.
func TestPseudonyms_APICalls(t *testing.T) {
	call := teach(t, "api.request", "1", 0, map[string]any{
		"method": "/zitadel.user.v2.UserService/AddHumanUser", "forwarded_for": "203.0.113.7, 10.0.0.1", "user_agent": "Ann's browser", "error": "ann@example.com is taken",
		"body": map[string]any{"request": map[string]any{"profile": map[string]any{"givenName": "Ann", "tags": []any{"Schmidt"}}, "organizationId": "279316246871736320"}},
	})
	call.AggregateType = "webhook"
	for _, name := range formats {
		line := string(pseudonymous(t, name).Lines()(nil, clone(call)))
		for _, clear := range []string{"203.0.113.7", "10.0.0.1", "Ann", "ann@", "Schmidt"} {
			if strings.Contains(line, clear) {
				t.Errorf("%s: %s is in %s", name, clear, line)
			}
		}
		if !strings.Contains(line, "279316246871736320") || !strings.Contains(line, "AddHumanUser") {
			t.Errorf("%s: %s", name, line)
		}
	}
}

func pseudonymOf(t *testing.T) *pseudonym.Tokens {
	t.Helper()
	tokens, err := pseudonym.Load(keyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// names opens a store of names without a file.
func names(t *testing.T) *format.Names {
	t.Helper()
	n, err := format.OpenNames("", enrich.Options{Instance: "demo", Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
