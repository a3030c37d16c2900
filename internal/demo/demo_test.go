package demo

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheEnvironmentOfTheChildHasTheOptionsOfThisRunAlone(t *testing.T) {
	given := []string{"PATH=/bin", "ZITADEL_TOKEN=of-another-instance", "ZITADEL_FORWARD=siem:24224", "ZITADEL_KINDS=all",
		"ZITADEL_KEY_FILE=/k", "ZITADEL_OTHER=x"}
	got := environment(given, map[string]string{"url": "http://127.0.0.1:1", "token_file": "/t"})
	want := []string{"PATH=/bin", "ZITADEL_OTHER=x", "ZITADEL_URL=http://127.0.0.1:1", "ZITADEL_TOKEN_FILE=/t"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if given[1] != "ZITADEL_TOKEN=of-another-instance" {
		t.Error("the given environment was changed")
	}
}

func TestLaw6_CredentialsOfAnInstanceDoNotGoToTheFakeServer(t *testing.T) {
	server, err := startFakeServer(newLedger(view{format: "ecs"}), 1, t.TempDir()+"/"+actionsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	values, err := server.options(t.TempDir(), map[string]string{
		"token": "secret", "key_file": "/secret", "client_id": "id", "client_secret_file": "/secret", "settle": "3s", "instance": "mine",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"token", "key_file", "client_id", "client_secret_file"} {
		if value, ok := values[name]; ok {
			t.Errorf("%s=%s", name, value)
		}
	}
	if values["settle"] != "3s" || values["url"] != server.server.URL() {
		t.Error(values)
	}
}

func TestTheLedgerCountsLostRepeatedAndForeignRecords(t *testing.T) {
	l := newLedger(view{format: "ecs"})
	at := time.Unix(1, 0)
	for _, id := range []string{"a", "b", "c"} {
		l.add(id, at)
	}
	l.arrived["a"], l.arrived["c"], l.arrived["x"] = 1, 3, 1
	if delivered, missing, repeated, foreign := l.balance(); delivered != 2 || missing != 1 || repeated != 2 || foreign != 1 {
		t.Error(delivered, missing, repeated, foreign)
	}
	if oldest, some := l.oldestMissing(); !some || !oldest.Equal(at) {
		t.Error(oldest, some)
	}
}

func TestALineOfAnAttackerCannotMoveTheCursor(t *testing.T) {
	const evil = `a\u001b[2J\n\u202e\u009b31m`
	line := `{"@timestamp":"` + evil + `","message":"` + evil + `","event":{"outcome":"` + evil + `"},"user":{"name":"` + evil + `","target":{"id":"` + evil + `"}},"source":{"ip":"` + evil + `"}}`
	for _, v := range []view{{"ecs", false}, {"ecs", true}, {"raw", true}, {"ocsf", true}, {"cef", true}, {"leef", true}} {
		got := v.show([]byte(line), false)
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) || got == "" {
			t.Errorf("%s: %q", v.format, got)
		}
	}
}

func TestTheScreenShowsWhoDidWhatToWhomFromWhere(t *testing.T) {
	for line, want := range map[string]string{
		`{"message":"User locked","event":{"outcome":"success"},"user":{"id":"7","full_name":"Ann","target":{"id":"42"}}}`:                       "success  User locked Ann -> 42",
		`{"message":"Login","event":{"outcome":"failure"},"user":{"name":"bob@example.com"},"source":{"ip":"203.0.113.7"}}`:                      "failure  Login bob@example.com from 203.0.113.7",
		`{"message":"Project added","event":{"outcome":"success"},"zitadel":{"actor":{"system":"SYSTEM"},"entity":{"type":"Project","id":"5"}}}`: "success  Project added SYSTEM -> Project 5",
	} {
		if got := strings.Join(strings.Fields(view{"ecs", false}.show([]byte(line), false)), " "); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
