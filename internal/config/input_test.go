package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testNow = time.Date(2026, 7, 10, 12, 0, 0, 0, time.UTC)

func at(t *testing.T) ParseOptions {
	t.Helper()
	return ParseOptions{Now: func() time.Time { return testNow }}
}

// base is the smallest right configuration, changed by pairs; "-" removes.
func base(pairs ...string) map[string]string {
	m := map[string]string{"url": "https://zitadel.example.com", "token": "secret-token"}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			delete(m, pairs[i])
			continue
		}
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestDefaultsParse(t *testing.T) {
	s, warnings, err := Input.ParseMap(base("state_path", filepath.Join(t.TempDir(), "s")), at(t))
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	s.URL, s.StatePath = nil, ""
	want := Settings{
		Transport: "grpc", Token: "secret-token", Instance: "zitadel.example.com", Start: Start{Beginning: true},
		PollInterval: 5 * time.Second, Settle: 2 * time.Second, Overlap: 10 * time.Second, Sweep: time.Hour,
		RequestTimeout: 30 * time.Second, CommitDelay: 5 * time.Second, PageSize: 1000, BufferSize: 16_000_000,
		TagBy: "none", Redact: true, Language: "en", Format: FormatSettings{Format: "raw", OCSFVersion: OCSF18, Tier: "noise"}, Enrich: EnrichSettings{Size: 80_000_000}, Listen: ListenSettings{CallAddresses: true, SpoolSize: 256_000_000},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name, value, want string // want as Settings.String shows it
	}{
		{"url", "HTTPS://Zitadel.Example.com:443/", "https://zitadel.example.com"},
		{"url", "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"url", "http://[::1]:8080", "http://[::1]:8080"},
		{"url", "http://zitadel.localhost:8080", "http://zitadel.localhost:8080"},
		{"poll_interval", "10", "10s"},
		{"poll_interval", "0.5", "500ms"},
		{"poll_interval", "1H", "1h0m0s"},
		{"overlap", "1m30s", "1m30s"},
		{"start", "7d", "168h0m0s"},
		{"start", "1h30m", "1h30m0s"},
		{"start", "NOW", "now"},
		{"start", "0s", "now"},
		{"start", "2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.123456Z"},
		{"end", "2027-01-02T03:04:05+02:00", "2027-01-02T03:04:05+02:00"},
		{"buffer_size", "2M", "2000000"},
		{"buffer_size", "3000k", "3000000"},
		{"buffer_size", "1.5GB", "1500000000"},
		{"buffer_size", "4000000", "4000000"},
		{"page_size", "1", "1"},
		{"redact", "No", "off"},
		{"exclude_own", "TRUE", "on"},
		{"tag_by", "Event_Type", "event_type"},
		{"event_types", " user.locked , user.locked,user.unlocked,", "user.locked,user.unlocked"},
		{"event_types", "user.human.*,user.locked", "user.human.*,user.locked"},
		{"exclude_event_types", "user.*", "user.*"},
		{"language", "pt-BR", "pt-BR"},
		{"instance", "prod eu", "prod eu"},
		{"token", " padded ", "[REDACTED]"},
	} {
		s, _, err := Input.ParseMap(base(c.name, c.value), at(t))
		if err != nil {
			t.Errorf("%s=%q: %v", c.name, c.value, err)
			continue
		}
		o, _ := Input.Lookup(c.name)
		if got := o.shown(&s); got != c.want {
			t.Errorf("%s=%q: got %s, want %s", c.name, c.value, got, c.want)
		}
	}
}

func TestInstanceDefaultsToHostWithPort(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example": "a.example", "https://a.example:443": "a.example", "https://a.example:8443": "a.example:8443",
		"http://localhost:80": "localhost", "http://localhost:443": "localhost:443",
	} {
		s, _, err := Input.ParseMap(base("url", url), at(t))
		if err != nil || s.Instance != want {
			t.Errorf("%s: %q %v", url, s.Instance, err)
		}
	}
}

func TestBadValuesNameOptionValueReasonAndMend(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		pairs []string
		want  string // the whole line of the only problem
	}{
		{[]string{"url", "zitadel.example.com"}, `url: "zitadel.example.com" has no scheme; did you mean https://zitadel.example.com?`},
		{[]string{"url", "localhost:8080"}, `url: "localhost:8080" has no scheme; did you mean http://localhost:8080?`},
		{[]string{"url", "https://u:hunter2@zitadel.example.com/ui/console?x=1"}, `url: "https://zitadel.example.com" (shortened) has user info before the host and has a path, query or fragment after the host; did you mean https://zitadel.example.com?`},
		{[]string{"url", "grpcs://zitadel.example.com:443"}, `url: "grpcs://zitadel.example.com:443" has the scheme grpcs instead of https; did you mean https://zitadel.example.com:443?`},
		{[]string{"url", "https://"}, `url: "https://" has no valid host; write it as https://zitadel.example.com`},
		{[]string{"url", "https://a b"}, `url: "https://a b" has no valid host; write it as https://zitadel.example.com`},
		{[]string{"url", "https://a:99999"}, `url: "https://a:99999" has no valid host; write it as https://zitadel.example.com`},
		{[]string{"url", "http://zitadel.example.com"}, `url: "http://zitadel.example.com" would send the token unencrypted to a host other than loopback; did you mean https://zitadel.example.com? Otherwise set insecure on`},
		{[]string{"url", "abcdefghijklmnopqrstuvwxyz"}, `url: a value of 26 bytes is not a URL; for example https://zitadel.example.com`},
		{[]string{"url", "-"}, `url: is missing; for example https://zitadel.example.com`},
		{[]string{"url", "'https://a.example'"}, `url: "https://a.example" is in quotes, which would be part of the value; write it without quotes`},
		{[]string{"transport", "gprc"}, `transport: "gprc" is not one of grpc, rest; did you mean grpc?`},
		{[]string{"transport", "carrier pigeon"}, `transport: "carrier pigeon" is not one of grpc, rest; for example rest`},
		{[]string{"redact", "1"}, `redact: "1" is not one of on, off, true, false, yes, no; did you mean on?`},
		{[]string{"poll_interval", "50ms"}, `poll_interval: "50ms" is less than 100ms (ZITADEL Cloud allows 50 requests per second from one address); the minimum is 100ms, the default 5s`},
		{[]string{"poll_interval", "5 minutes"}, `poll_interval: "5 minutes" is not a duration such as 500ms, 5s, 1h30m or 7d; did you mean 5m?`},
		{[]string{"poll_interval", "fast"}, `poll_interval: "fast" is not a duration such as 500ms, 5s, 1h30m or 7d; for example 5s`},
		{[]string{"settle", "-1s"}, `settle: "-1s" is negative; for example 2s`},
		{[]string{"overlap", "3d"}, `overlap: "3d" is more than 1h (all keys of the overlap are kept in memory and in the state); the maximum is 1h, the default 10s`},
		{[]string{"request_timeout", "9999999999999d"}, `request_timeout: "9999999999999d" is too long; for example 1m`},
		{[]string{"buffer_size", "512k"}, `buffer_size: "512k" is less than 2M (it must hold one chunk and the page being read); the minimum is 2M, the default 16M`},
		{[]string{"buffer_size", "16MiB"}, `buffer_size: "16MiB" is not a size such as 512k, 16M or 1G; did you mean 16M?`},
		{[]string{"page_size", "5000"}, `page_size: "5000" is more than 1000 (ZITADEL returns at most 1000); the maximum is 1000, the default 1000`},
		{[]string{"page_size", "1,000"}, `page_size: "1,000" is not a whole number; did you mean 1000?`},
		{[]string{"start", "latest"}, `start: "latest" is not beginning, now, an RFC 3339 time, or a duration such as 24h (that far back); did you mean now?`},
		{[]string{"start", "2026-07-01"}, `start: "2026-07-01" is not beginning, now, an RFC 3339 time, or a duration such as 24h (that far back); did you mean 2026-07-01T00:00:00Z?`},
		{[]string{"start", "24"}, `start: "24" has no unit; did you mean 24h?`},
		{[]string{"start", "1767225600"}, `start: "1767225600" is not beginning, now, an RFC 3339 time, or a duration such as 24h (that far back); did you mean 2026-01-01T00:00:00Z?`},
		{[]string{"end", "tomorrow"}, `end: "tomorrow" is not an RFC 3339 time; write it as 2026-07-10T12:00:00Z`},
		{[]string{"start", "2026-07-02T00:00:00Z", "end", "2026-07-01T00:00:00Z"}, `end: "2026-07-01T00:00:00Z" is not after start (2026-07-02T00:00:00Z), so nothing would be read; choose a later end or an earlier start`},
		{[]string{"start", "24h", "end", "2026-07-09T00:00:00Z"}, `end: "2026-07-09T00:00:00Z" is not after start (2026-07-09T12:00:00Z), so nothing would be read; choose a later end or an earlier start`},
		{[]string{"instance", "prod/eu"}, `instance: "prod/eu" contains a "/", which separates the parts of an event id; did you mean "prod-eu"?`},
		{[]string{"instance", "a\x1bb"}, `instance: "a\x1bb" contains control characters or is not UTF-8; for example prod-eu`},
		{[]string{"instance", ""}, `instance: is set but empty; remove it, or write it as prod-eu`},
		{[]string{"event_types", "user.locked,user.unlocked", "exclude_event_types", "user.locked"}, `exclude_event_types: "user.locked" is also in event_types; remove it from one of the two`},
		{[]string{"event_types", "user.human*"}, `event_types: "user.human*" is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*; did you mean user.human.*?`},
		{[]string{"event_types", "user.*.added"}, `event_types: "user.*.added" is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*; write each of the 28 types in full: user.email.code.added,user.grant.added,user.human.added,...`},
		{[]string{"event_types", "user.human.?"}, `event_types: "user.human.?" is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*; did you mean user.human.*?`},
		{[]string{"event_types", "us*r.human.*"}, `event_types: "us*r.human.*" is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*; write each of the 83 types in full: user.human.added,user.human.address.changed,user.human.avatar.added,...`},
		{[]string{"event_types", ".*"}, `event_types: ".*" is a pattern that is not supported: write whole types, or a prefix with .* at the end, as in user.human.*; write each type in full`},
		{[]string{"event_types", "*"}, `event_types: "*" would take every event type; leave the option out to get every event type`},
		{[]string{"exclude_event_types", "*"}, `exclude_event_types: "*" would take every event type; leave the option out to exclude none`},
		{[]string{"event_types", "user.locked,user.human.*", "exclude_event_types", "user.human.*"}, `exclude_event_types: "user.human.*" is also in event_types; remove it from one of the two`},
		{[]string{"event_types", "user.locked", "exclude_event_types", "user.*"}, `event_types: "user.locked" matches nothing, because exclude_event_types contains "user.*"; remove it from one of the two`},
		{[]string{"event_types", "user.human.*", "exclude_event_types", "user.*"}, `event_types: "user.human.*" matches nothing, because exclude_event_types contains "user.*"; remove it from one of the two`},
		{[]string{"exclude_event_types", "session"}, `exclude_event_types: "session" is an aggregate type, not an event type; did you mean session.*?`},
		{[]string{"exclude_event_types", "usergrant"}, `exclude_event_types: "usergrant" is an aggregate type, not an event type; write each event type in full`},
		{[]string{"event_types", "session"}, `event_types: "session" is an aggregate type, not an event type; did you mean aggregate_types, or session.*?`},
		{[]string{"event_types", "user.locked user.unlocked"}, `event_types: "user.locked user.unlocked" is not an event type; separate by commas: "user.locked,user.unlocked"`},
		{[]string{"event_types", `["user.locked", "user.unlocked"]`}, `event_types: "[\"user.locked\", \"user.unlocked\"]" is not a list of plain words separated by commas; write "user.locked,user.unlocked"`},
		{[]string{"event_types", ","}, `event_types: "," contains only commas; for example user.human.password.check.failed,user.locked`},
		{[]string{"aggregate_types", "user.human.added"}, `aggregate_types: "user.human.added" is an event type, not an aggregate type; did you mean event_types?`},
		{[]string{"aggregate_types", "user.new.thing"}, `aggregate_types: "user.new.thing" looks like an event type; did you mean event_types?`},
		{[]string{"token", "-"}, `token: is missing, and no other way to authenticate is configured; use exactly one of token, token_file, key_file, or client_id with client_secret_file`},
		{[]string{"token", "${ZITADEL_TOKEN}"}, `token: contains the variable ${ZITADEL_TOKEN}, which was not replaced by its value; set ZITADEL_TOKEN in the environment of the process; Fluent Bit and a shell replace ${ZITADEL_TOKEN}`},
		{[]string{"url", "https://${HOST:-x}"}, `url: contains the variable ${HOST}, which was not replaced by its value; set HOST in the environment of the process; Fluent Bit and a shell replace ${HOST}`},
		{[]string{"token", "two words"}, `token: a value of 9 bytes contains white space or control characters; write only the token, on one line`},
		{[]string{"token", "-", "client_id", "x"}, `client_id: is given without client_secret_file; add client_secret_file, the path of the file that holds the secret`},
		{[]string{"poll_intervall", "5s"}, `poll_intervall: is not an option of zitadel-siem; did you mean poll_interval?`},
		{[]string{"tokenFile", "x"}, `tokenFile: is not an option of zitadel-siem; did you mean token_file?`},
		{[]string{"token", "-", "pat", "x"}, ``},
		{[]string{"flux_capacitor", "x"}, `flux_capacitor: is not an option of zitadel-siem`},
		{[]string{"language", "German please"}, `language: "German please" is not a language tag such as en or pt-BR; for example de`},
		{[]string{"state_path", filepath.Join(dir, "no", "s")}, `state_path: "` + dir + `/no/s" is in a directory that does not exist; mkdir -p -m 700 ` + dir + `/no`},
		{[]string{"state_path", dir}, `state_path: "` + dir + `" is a directory; did you mean ` + dir + `/zitadel-siem.state?`},
		{[]string{"ca_file", dir + "/none.pem"}, `ca_file: "` + dir + `/none.pem" does not exist; check the path; a path that does not begin with / is relative to the directory in which the process was started`},
	} {
		_, _, err := Input.ParseMap(base(c.pairs...), at(t))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: no problem found", c.pairs)
			continue
		}
		if c.want == "" {
			continue
		}
		if len(e.Problems) != 1 || e.Problems[0].String() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.pairs, e, c.want)
		}
	}
}

// The options for webhooks had other names before the first release.
func TestOldNamesOfWebhookOptionsAreHints(t *testing.T) {
	for _, o := range listenOptions {
		old, renamed := strings.CutPrefix(o.Name, "webhook_")
		if !renamed {
			continue
		}
		if old != "listen" {
			old = "listen_" + old
		}
		_, _, err := Input.ParseMap(base("state_path", "./s", old, "x"), ParseOptions{NoFiles: true})
		if want := old + ": is not an option of zitadel-siem; did you mean " + o.Name + "?"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestOnlyOneWayToAuthenticate(t *testing.T) {
	opts := at(t)
	opts.NoFiles = true
	_, _, err := Input.ParseMap(base("token_file", "./t", "client_secret_file", "./c"), opts)
	want := `2 problems in the configuration:
  token: is given together with another way to authenticate: token_file, client_id; keep exactly one of token, token_file, key_file, or client_id with client_secret_file
  client_secret_file: is given without client_id; add client_id`
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestAllProblemsAtOnceInTableOrder(t *testing.T) {
	_, _, err := Input.ParseMap(map[string]string{
		"urll": "x", "settle": "-1", "overlap": "x", "page_size": "0", "transport": "http", "start": "x", "tag_by": "y",
	}, ParseOptions{NeedState: true})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range e.Problems {
		got = append(got, p.Option)
	}
	want := []string{"url", "token", "state_path", "start", "tag_by", "transport", "settle", "overlap", "page_size", "urll"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := strings.Count(err.Error(), "\n"); n != len(want) {
		t.Errorf("%d lines below the head", n)
	}
}

func TestWarnings(t *testing.T) {
	state := filepath.Join(t.TempDir(), "s")
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{[]string{"state_path", "-"}, `state_path: is not set: nothing is saved, and the next run begins at start again; for example /var/lib/zitadel-siem/prod.state`},
		{[]string{"event_types", "user.lockt"}, `event_types: "user.lockt" is not an event type known here; if it is misspelt, it matches nothing; did you mean user.locked?`},
		{[]string{"event_types", "completely.different.thing.of.the.future"}, `event_types: "completely.different.thing.of.the.future" is not an event type known here; if it is misspelt, it matches nothing`},
		{[]string{"event_types", "user.humn.*"}, `event_types: "user.humn.*" matches no event type known here; if it is misspelt, it matches nothing; did you mean user.human.*?`},
		{[]string{"exclude_event_types", "of.the.future.*"}, `exclude_event_types: "of.the.future.*" matches no event type known here; if it is misspelt, it matches nothing`},
		{[]string{"event_types", "user.grant.*", "aggregate_types", "user"}, `event_types: "user.grant.*" matches nothing, because aggregate_types excludes its aggregate type; add usergrant there`},
		{[]string{"event_types", "user.*", "aggregate_types", "user"}, `event_types: "user.*" takes events of usergrant too, which aggregate_types excludes; add usergrant there, if they are wanted`},
		{[]string{"aggregate_types", "usr"}, `aggregate_types: "usr" is not an aggregate type known here; if it is misspelt, it matches nothing; did you mean user?`},
		{[]string{"event_types", "user.locked", "aggregate_types", "org"}, `event_types: "user.locked" matches nothing, because aggregate_types excludes its aggregate type; add user there`},
		{[]string{"url", "http://zitadel.example.com", "insecure", "on"}, `insecure: sends the token and all events unencrypted to zitadel.example.com; use https if others share the network`},
		{[]string{"insecure", "on"}, `insecure: has no effect for an https url, where TLS is always verified; use ca_file for a private certificate authority`},
		{[]string{"sweep", "10s"}, `sweep: "10s" is not longer than overlap (10s): it finds nothing that overlap does not find; choose a longer sweep, or 0s to turn it off`},
		{[]string{"overlap", "1h"}, `sweep: "1h0m0s" is not longer than overlap (1h0m0s): it finds nothing that overlap does not find; choose a longer sweep, or 0s to turn it off`},
		{[]string{"sweep", "30s"}, `sweep: "30s" is less than 1m: transactions that stay open longer can be missed; the default is 1h`},
		{[]string{"overlap", "1s"}, `overlap: "1s" is less than 2s: events that become visible late can be missed; the default is 10s`},
		{[]string{"start", "2027-01-01T00:00:00Z"}, `start: "2027-01-01T00:00:00Z" is in the future: nothing is read until then; this machine's clock says 2026-07-10T12:00:00Z`},
	} {
		_, warnings, err := Input.ParseMap(base(append([]string{"state_path", state}, c.pairs...)...), at(t))
		if err != nil || !slices.Equal(warnings, []string{c.want}) {
			t.Errorf("%q:\n got %q %v\nwant %q", c.pairs, warnings, err, c.want)
		}
	}
}

func TestUnknownValuesCountAsGiven(t *testing.T) {
	opts := at(t)
	opts.Unknown = []string{"url", "token"}
	opts.NoFiles = true
	_, _, err := Input.ParseMap(map[string]string{"state_path": "./s"}, opts)
	if err != nil {
		t.Error(err)
	}
}
