package format_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

var silent = slog.New(slog.DiscardHandler)

// teach makes an event of an organisation "9", whose editor is the user "8".
func teach(t testing.TB, typ, id string, sequence uint64, fields map[string]any) *record.Event {
	t.Helper()
	aggregate, _, _ := strings.Cut(typ, ".")
	if strings.HasPrefix(typ, "user.grant") {
		aggregate = "usergrant"
	}
	p, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	return &record.Event{
		Key:  record.Key{Instance: "demo", AggregateType: aggregate, AggregateID: id, Sequence: sequence},
		Time: readAt.Add(time.Duration(sequence) * time.Second), Read: readAt, Type: typ, ResourceOwner: "9", Editor: record.Editor{ID: "8", Name: "Bob"}, Payload: p, Source: record.SourceEventsAPI,
	}
}

func ecs(t *testing.T, n *format.Names) record.Encoder {
	t.Helper()
	f := open(t, config.FormatSettings{Format: "ecs", Tier: "noise"})
	if n != nil {
		f.Remember(n)
	}
	return f.Lines()
}

// want compares paths of a record with values; "" is absent.
func want(t *testing.T, line []byte, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := gjson.GetBytes(line, pairs[i]).String(); got != pairs[i+1] {
			t.Errorf("%s is %q, want %q in %s", pairs[i], got, pairs[i+1], line)
		}
	}
}

func TestNames_CompleteWhatARecordLeavesOpen(t *testing.T) {
	encode := ecs(t, names(t))
	for _, e := range []*record.Event{
		teach(t, "org.added", "9", 1, map[string]any{"name": "Acme"}),
		teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann", "email": "ann@example.com", "displayName": "Ann Schmidt"}),
		teach(t, "user.machine.added", "8", 1, map[string]any{"userName": "bot", "name": "The Bot"}),
		teach(t, "project.added", "5", 1, map[string]any{"name": "Portal"}),
		teach(t, "project.application.added", "5", 2, map[string]any{"appId": "6", "name": "Web"}),
		teach(t, "project.application.config.oidc.added", "5", 3, map[string]any{"appId": "6", "clientId": "6@portal"}),
		teach(t, "user.grant.added", "4", 1, map[string]any{"userId": "7", "projectId": "5", "roleKeys": []any{"admin", "reader"}}),
		teach(t, "session.added", "3", 1, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.7", "description": "Firefox", "fingerprint_id": "f1"}}),
		teach(t, "session.user.checked", "3", 2, map[string]any{"userID": "7", "userResourceOwner": "9"}),
		teach(t, "project.application.oidc.key.added", "5", 4, map[string]any{"keyId": "2", "applicationId": "6"}),
	} {
		encode(nil, e)
	}
	want(t, encode(nil, teach(t, "user.locked", "7", 2, nil)),
		"user.id", "8", "user.name", "bot", "user.full_name", "Bob", "user.target.id", "7", "user.target.name", "ann", "user.target.email", "ann@example.com",
		"user.target.full_name", "Ann Schmidt", "organization.name", "Acme", "related.user.0", "8", "related.user.3", "ann")
	want(t, encode(nil, teach(t, "session.password.checked", "3", 3, nil)),
		"user.id", "7", "user.name", "ann", "source.ip", "203.0.113.7", "zitadel.ip_source", "session", "user_agent.original", "Firefox", "zitadel.agent.id", "f1", "related.ip.0", "203.0.113.7")
	want(t, encode(nil, teach(t, "user.grant.removed", "4", 2, nil)),
		"user.target.id", "7", "user.target.name", "ann", "user.target.roles.1", "reader", "zitadel.project.name", "Portal")
	want(t, encode(nil, teach(t, "project.application.oidc.key.removed", "5", 5, map[string]any{"keyId": "2"})),
		"zitadel.application.id", "6", "zitadel.application.name", "Web", "zitadel.application.client_id", "6@portal")
	login := &parser.Record{Kind: parser.Log, Format: parser.FormatPostAuthLog, Read: readAt, Login: parser.Login{Outcome: "success", UserID: "7", LoginName: "ann@acme.example.com", ResourceOwner: "9", ApplicationID: "6"}}
	want(t, encode(nil, login),
		"user.name", "ann@acme.example.com", "user.email", "ann@example.com", "organization.name", "Acme", "zitadel.application.name", "Web", "zitadel.project.name", "Portal")
	// What nobody said stays out.
	want(t, encode(nil, teach(t, "user.locked", "77", 2, nil)), "user.target.id", "77", "user.target.name", "", "user.target.email", "", "source.ip", "")
}

// What a record says itself is not replaced: a session of somebody else gives no address.
func TestNames_OverwriteNothing(t *testing.T) {
	encode := ecs(t, names(t))
	encode(nil, teach(t, "session.added", "3", 1, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.7", "description": "Firefox"}}))
	encode(nil, teach(t, "session.user.checked", "3", 2, map[string]any{"userID": "7"}))
	encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann", "displayName": "Ann"}))
	want(t, encode(nil, teach(t, "user.human.password.check.failed", "7", 3, map[string]any{"remoteIP": "198.51.100.1", "sessionID": "3"})),
		"source.ip", "198.51.100.1", "zitadel.ip_source", "forwarded_for")
	want(t, encode(nil, teach(t, "user.human.password.check.failed", "8", 3, map[string]any{"sessionID": "3"})), "source.ip", "", "user.id", "8")
	want(t, encode(nil, teach(t, "user.human.profile.changed", "7", 4, map[string]any{"displayName": "Ann Schmidt"})),
		"user.target.full_name", "Ann Schmidt", "user.changes.full_name", "Ann Schmidt", "user.full_name", "Bob")
}

// A removal keeps the name, and so do the events of its transaction. Later it is forgotten.
func TestNames_OfSomethingRemoved(t *testing.T) {
	encode := ecs(t, names(t))
	encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann"}))
	want(t, encode(nil, teach(t, "user.removed", "7", 2, nil)), "user.target.name", "ann")
	late := teach(t, "user.locked", "7", 3, nil)
	late.Time = late.Time.Add(enrich.Grace + time.Hour)
	want(t, encode(nil, late), "user.target.id", "7", "user.target.name", "")
	want(t, encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann"})), "user.target.name", "ann") // says it itself
	late.Sequence++
	want(t, encode(nil, late), "user.target.name", "")
}

// Pushes come before the pulled events, and again after them; two events of one transaction
// come in any order.
func TestNames_InAnyOrder(t *testing.T) {
	added := teach(t, "user.human.added", "7", 1, map[string]any{"userName": "old"})
	renamed := teach(t, "user.username.changed", "7", 2, map[string]any{"userName": "new"})
	pushed := *renamed
	pushed.Source, pushed.Editor.Name = record.SourceWebhook, ""
	for _, order := range [][]*record.Event{{added, renamed}, {renamed, added}, {&pushed, added, renamed}, {added, &pushed, added}} {
		encode := ecs(t, names(t))
		for _, e := range order {
			encode(nil, e)
		}
		want(t, encode(nil, teach(t, "user.locked", "7", 3, nil)), "user.target.name", "new")
	}
}

// Records that the tier leaves out teach as well.
func TestNames_WhatTheTierLeavesOutTeaches(t *testing.T) {
	f := open(t, config.FormatSettings{Format: "ecs", Tier: "core"})
	f.Remember(names(t))
	encode := f.Lines()
	if out := encode(nil, teach(t, "project.application.added", "5", 1, map[string]any{"appId": "6", "name": "Web"})); len(out) > 0 && gjson.GetBytes(out, "zitadel.tier").String() != "core" {
		t.Fatalf("%s", out)
	}
	leftOut := teach(t, "session.added", "3", 1, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.7"}})
	if out := encode(nil, leftOut); len(out) > 0 {
		t.Fatalf("choose another type: %s", out)
	}
	f2 := open(t, config.FormatSettings{Format: "ecs", Tier: "noise"})
	f2.Remember(f.Names())
	want(t, f2.Lines()(nil, teach(t, "session.terminated", "3", 2, nil)), "source.ip", "203.0.113.7")
}

// A restart knows what was synced.
func TestNames_OutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names")
	for range 2 {
		n, err := format.OpenNames(path, enrich.Options{Instance: "demo", Log: silent})
		if err != nil {
			t.Fatal(err)
		}
		encode := ecs(t, n)
		if n.Stats().Entries == 0 {
			encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": "ann"}))
		} else {
			want(t, encode(nil, teach(t, "user.locked", "7", 3, nil)), "user.target.name", "ann")
			path = ""
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if path != "" {
		t.Error("the second start knew nothing")
	}
}

// Law 10: a panic while names are learned or looked up is counted, and the record comes out.
func TestLaw10_APanicOfNamesIsContained(t *testing.T) {
	broken := format.BrokenNames(silent)
	line := ecs(t, broken)(nil, teach(t, "user.locked", "7", 2, nil))
	if plain := ecs(t, nil)(nil, teach(t, "user.locked", "7", 2, nil)); string(line) != string(plain) {
		t.Errorf("%s, want %s", line, plain)
	}
	if broken.Failed.Load() != 1 {
		t.Errorf("%d panics", broken.Failed.Load())
	}
}

// Law 7: names that anybody may choose change no other field, in any format.
func TestLaw7_NamesChangeNoOtherField(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		free := func(label string) string {
			return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"8", "LOGIN", "a|b=c\\", "\"}\n", "user.id", "ann", " ", "\u202e"})).Draw(rt, label)
		}
		name, mail, display, org := free("name"), free("mail"), free("display"), free("org")
		run := func(name, mail, display, org string) map[string]string {
			encode := ecs(t, names(t))
			encode(nil, teach(t, "org.added", "9", 1, map[string]any{"name": org}))
			encode(nil, teach(t, "user.human.added", "7", 1, map[string]any{"userName": name, "email": mail, "displayName": display}))
			out := map[string]string{}
			for i, e := range []*record.Event{teach(t, "user.locked", "7", 2, nil), teach(t, "user.human.password.check.failed", "7", 3, nil)} {
				flatten(gjson.ParseBytes(encode(nil, e)), string(rune('a'+i)), out)
			}
			return out
		}
		got, plain := run(name, mail, display, org), run("name", "mail", "display", "org")
		for _, docs := range [][2]map[string]string{{got, plain}, {plain, got}} {
			for path, v := range docs[0] {
				if docs[1][path] != v && !chosen(path) {
					rt.Errorf("%s is %q and %q", path, v, docs[1][path])
				}
			}
		}
	})
}

func flatten(v gjson.Result, path string, out map[string]string) {
	if !v.IsObject() && !v.IsArray() {
		out[path] = v.String()
		return
	}
	v.ForEach(func(key, child gjson.Result) bool {
		if v.IsArray() {
			flatten(child, path+".*", map[string]string{}) // related.user holds names
			return true
		}
		flatten(child, path+"."+key.String(), out)
		return true
	})
}

// chosen are the paths that hold a name.
func chosen(path string) bool {
	for _, end := range []string{"user.name", "user.email", "user.full_name", "user.target.name", "user.target.email", "user.target.full_name", "organization.name"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}
