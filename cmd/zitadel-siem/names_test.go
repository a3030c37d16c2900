package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Of the recorded log, chosen by reading it.
const (
	grantedUser    = "400712689875160102" // user.grant.added names it by its id
	sessionUser    = "400713404601338918"
	removedUser    = "400712709185735718"
	recordedMiddle = 1974 // index of the event before a session of sessionUser begins
)

// byID returns the lines of ECS by event.id.
func byID(t *testing.T, stdout string) map[string]gjson.Result {
	t.Helper()
	lines := map[string]gjson.Result{}
	for line := range strings.Lines(stdout) {
		doc := gjson.Parse(line)
		lines[doc.Get("event.id").String()] = doc
	}
	return lines
}

func idOf(e zitadeltest.Event) string {
	return record.Key{Instance: "test", AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()
}

// userNames are the names by user id that the recorded log gives up to an event.
func userNames(events []zitadeltest.Event) map[string]string {
	names := map[string]string{}
	for _, e := range events {
		if name := e.Payload.GetFields()["userName"].GetStringValue(); e.AggregateType == "user" && name != "" {
			names[e.AggregateID] = name
		}
	}
	return names
}

// wantNames checks every record of a user whose name the log had given before, and returns
// how many there are.
func wantNames(t *testing.T, lines map[string]gjson.Result, events []zitadeltest.Event) (n int) {
	t.Helper()
	for i, e := range events {
		doc, ok := lines[idOf(e)]
		if !ok {
			continue
		}
		names := userNames(events[:i+1])
		for _, path := range []string{"user", "user.target"} {
			id := doc.Get(path + ".id").String()
			// The login name of a user of an organisation may end in its domain.
			want, got := names[id], doc.Get(path+".name").String()
			if want == "" {
				continue
			}
			if n++; !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: %s.name is %q, want %q", e.Type, idOf(e), path, got, want)
			}
		}
	}
	return n
}

func TestPull_NamesInsteadOfIDs(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	events := zitadeltest.RecordedEvents(time.Time{})
	env := environment(server, "ZITADEL_FORMAT=ecs", "ZITADEL_TIER=noise")
	got := finish(t, program(t, env, "pull", "--once"))
	if got.status != 0 {
		t.Fatal(got)
	}
	lines := byID(t, got.stdout)
	if len(lines) != recordedEvents {
		t.Fatalf("%d lines", len(lines))
	}
	if n := wantNames(t, lines, events); n < 1500 {
		t.Errorf("only %d names", n)
	}
	seen := map[string]int{}
	addresses := map[string]string{}
	for _, e := range events {
		doc := lines[idOf(e)]
		switch {
		case e.Type == "user.grant.added" && doc.Get("user.target.id").String() == grantedUser:
			seen["grant"]++
			for _, path := range []string{"user.name", "user.target.name", "user.target.email", "organization.name", "zitadel.project.name"} {
				if doc.Get(path).String() == "" {
					t.Errorf("%s is missing in %s", path, doc)
				}
			}
		case e.Type == "user.removed":
			seen["removed"]++
			if doc.Get("user.target.name").String() == "" {
				t.Errorf("no name in %s", doc)
			}
		case e.Type == "session.added":
			addresses[e.AggregateID] = doc.Get("source.ip").String()
		case e.AggregateType == "session" && addresses[e.AggregateID] != "":
			seen["address"]++
			if doc.Get("source.ip").String() != addresses[e.AggregateID] || doc.Get("zitadel.ip_source").String() != "session" {
				t.Errorf("not the address of the session: %s", doc)
			}
		case e.Type == "session.password.checked":
			seen["session"]++
			if doc.Get("user.id").String() == "" || doc.Get("user.name").String() == "" {
				t.Errorf("nobody in %s", doc)
			}
		}
	}
	if seen["grant"] < 1 || seen["removed"] != 7 || seen["session"] < 4 {
		t.Errorf("%v", seen)
	}
	t.Log(seen)

	off := finish(t, program(t, append(env, "ZITADEL_ENRICH=off"), "pull", "--once"))
	for _, doc := range byID(t, off.stdout) {
		if doc.Get("event.action").String() == "user.grant.added" && doc.Get("user.target.name").Exists() {
			t.Errorf("a name with enrich off: %s", doc)
		}
	}
}

// With start in the middle of the log, learn reads what names it. A restart does not read
// it again.
func TestPull_LearnsNamesOfThePast(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	events := zitadeltest.RecordedEvents(time.Time{})
	start := events[recordedMiddle].CreatedAt.Add(time.Microsecond).Format(time.RFC3339Nano)
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server, "ZITADEL_FORMAT=ecs", "ZITADEL_TIER=noise", "ZITADEL_START="+start, "ZITADEL_STATE_PATH="+state)
	end := events[len(events)-200].CreatedAt.Format(time.RFC3339Nano)

	got := finish(t, program(t, env, "pull", "--end", end))
	if got.status != 0 || !strings.Contains(got.stderr, "names of the past are known") {
		t.Fatal(got)
	}
	lines := byID(t, got.stdout)
	if len(lines) == 0 || len(lines) > recordedEvents-recordedMiddle {
		t.Errorf("%d lines", len(lines))
	}
	named := 0
	for _, doc := range lines {
		if doc.Get("user.id").String() == sessionUser && doc.Get("user.name").String() != "" {
			named++
		}
	}
	if named == 0 {
		t.Error("the user of the session has no name")
	}
	if info, err := os.Stat(state + ".names"); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}

	again := finish(t, program(t, env, "pull", "--once"))
	if again.status != 0 || strings.Contains(again.stderr, "names of the past") {
		t.Errorf("learned again: %s", again.stderr)
	}
	n := 0
	for _, doc := range byID(t, again.stdout) {
		if doc.Get("user.target.name").String() != "" {
			n++
		}
	}
	if n == 0 {
		t.Error("a restart forgot the names")
	}

	env = environment(server, "ZITADEL_FORMAT=ecs", "ZITADEL_TIER=noise", "ZITADEL_START="+start, "ZITADEL_LEARN=off")
	without := finish(t, program(t, env, "pull", "--once"))
	if strings.Contains(without.stderr, "names of the past") || len(byID(t, without.stdout)) == 0 {
		t.Errorf("learned although it is off: %s", without.stderr)
	}
}

func TestPull_PseudonymsNeedAKey(t *testing.T) {
	t.Parallel()
	server := startRecorded(t, zitadeltest.Options{})
	key := filepath.Join(t.TempDir(), "key")
	for _, env := range [][]string{{"ZITADEL_PSEUDONYMS=on"}, {"ZITADEL_PSEUDONYMS=on", "ZITADEL_PSEUDONYMS_KEY_FILE=" + key}} {
		got := finish(t, program(t, environment(server, env...), "pull", "--once"))
		if got.status == 0 || !strings.Contains(got.stderr, "pseudonyms_key_file") || !strings.Contains(got.stderr, "openssl rand -base64 32 >") {
			t.Errorf("%v: %+v", env, got)
		}
	}
	if err := os.WriteFile(key, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := finish(t, program(t, environment(server, "ZITADEL_PSEUDONYMS=on", "ZITADEL_PSEUDONYMS_KEY_FILE="+key, "ZITADEL_FORMAT=ecs"), "pull", "--once"))
	if got.status != 0 || !strings.Contains(got.stdout, `"name":"user-`) || strings.Contains(got.stdout, "Lab Admin") {
		t.Errorf("%d, %s", got.status, got.stderr)
	}
}
