package format_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/pseudonym"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
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

// personalValues are the personal values of the recorded events and lines: of the keys
// that the catalogue calls personal, of editors, and of the fields of a login.
func personalValues(t *testing.T) []string {
	t.Helper()
	values := map[string]bool{}
	add := func(s string) {
		if s != redact.Redacted {
			values[s] = true
		}
	}
	paths := personalPaths(t)
	for _, e := range recordedEvents(t) {
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
	for _, r := range recordedLines(t) {
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
		if len(v) >= 7 && v != "ZITADEL" && v != "127.0.0.1" {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// No personal value of a recorded event or line is in a record in the clear, in any format,
// with names of earlier events and with the original.
func TestPseudonyms_NoPersonalValueInTheClear(t *testing.T) {
	personal := personalValues(t)
	if len(personal) < 300 {
		t.Fatalf("only %d personal values", len(personal))
	}
	events, lines := recordedEvents(t), recordedLines(t)
	for _, name := range formats {
		encode := pseudonymous(t, name).Lines()
		tokens := 0
		check := func(id string, line []byte) {
			t.Helper()
			text := string(line)
			tokens += strings.Count(text, "user-") + strings.Count(text, "name-")
			for _, v := range personal {
				if strings.Contains(text, v) {
					t.Errorf("%s: %q is in %s: %s", name, v, id, text)
				}
			}
		}
		for _, e := range events {
			check(e.ID(), encode(nil, clone(e)))
		}
		for _, r := range lines {
			check(r.ID(), encode(nil, r))
		}
		if tokens < 1000 {
			t.Errorf("%s: %d tokens", name, tokens)
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
