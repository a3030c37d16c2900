package actionsscripts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// keys are the keys of a message, in their order.
var keys = []string{
	"post_auth_log", "outcome", "error", "method", "auth_request_id", "agent_id", "user_id",
	"user_name", "login_name", "resource_owner", "application_id", "idp_id", "remote_addr",
	"forwarded_for", "user_agent", "auth_time", "cut",
}

// secrets must not be in any output; they are in every recorded context.
var secrets = []string{"Passw0rd!x", "zitadel.useragent", "zitadel.login.csrf", "gorilla.csrf.Token", "Cookie"}

// message is a message that was checked.
type message struct {
	Version       int    `json:"post_auth_log"`
	Outcome       string `json:"outcome"`
	Error         string `json:"error"`
	Method        string `json:"method"`
	AuthRequestID string `json:"auth_request_id"`
	AgentID       string `json:"agent_id"`
	UserID        string `json:"user_id"`
	UserName      string `json:"user_name"`
	LoginName     string `json:"login_name"`
	ResourceOwner string `json:"resource_owner"`
	ApplicationID string `json:"application_id"`
	IdpID         string `json:"idp_id"`
	RemoteAddr    string `json:"remote_addr"`
	ForwardedFor  string `json:"forwarded_for"`
	UserAgent     string `json:"user_agent"`
	AuthTime      string `json:"auth_time"`
	Cut           []string
}

// logged runs post_auth_log and returns the one message that it printed.
func logged(t testing.TB, l login) message {
	t.Helper()
	e := newEngine()
	if err := e.run(PostAuthLog, "post_auth_log", e.context(l)); err != nil {
		t.Fatalf("the login would end: %v", err)
	}
	return e.message(t)
}

// message checks that one valid message was printed, and nothing else.
func (e *engine) message(t testing.TB) message {
	t.Helper()
	if len(e.printer.lines) != 1 {
		t.Fatalf("printed %d messages: %q", len(e.printer.lines), e.printer.lines)
	}
	m, err := check(e.printer.lines[0])
	if err != nil {
		t.Fatalf("%v in %s", err, e.printer.lines[0])
	}
	return m
}

// check says what breaks the contract of a message, if anything does.
func check(line string) (m message, err error) {
	switch {
	case len(line) >= 2000:
		return m, fmt.Errorf("%d bytes", len(line))
	case !utf8.ValidString(line):
		return m, fmt.Errorf("no UTF-8")
	case strings.ContainsFunc(line, unicode.IsControl), strings.ContainsAny(line, "\u2028\u2029\u202e"):
		return m, fmt.Errorf("a raw control character")
	}
	for _, secret := range secrets {
		if strings.Contains(line, secret) {
			return m, fmt.Errorf("the secret %s", secret)
		}
	}
	if err := checkKeys(line); err != nil {
		return m, err
	}
	if err := decode(line, &m); err != nil {
		return m, err
	}
	if m.Version != 1 || !slices.Contains([]string{"success", "failure", "unknown"}, m.Outcome) {
		return m, fmt.Errorf("version %d, outcome %q", m.Version, m.Outcome)
	}
	for _, name := range m.Cut {
		if !slices.Contains(keys[2:16], strings.Replace(name, "forwarded_for_start", "forwarded_for", 1)) || name == "forwarded_for" {
			return m, fmt.Errorf("%q is cut", name)
		}
	}
	return m, nil
}

func decode(line string, m *message) error {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.DisallowUnknownFields()
	return decoder.Decode(m)
}

// checkKeys checks the keys and the types of their values: their order, none twice, none
// empty.
func checkKeys(line string) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &values); err != nil {
		return err
	}
	last := -1
	for key := range topKeys(line) {
		n := slices.Index(keys, key)
		if n <= last {
			return fmt.Errorf("%q is unknown, a second time or out of order", key)
		}
		last = n
		switch value := string(values[key]); {
		case key == "post_auth_log":
		case key == "cut" && strings.HasPrefix(value, `["`):
		case key != "cut" && strings.HasPrefix(value, `"`) && value != `""`:
		default:
			return fmt.Errorf("%s is %s", key, value)
		}
	}
	if last < 1 || !strings.HasPrefix(line, `{"post_auth_log":1,"outcome":"`) {
		return fmt.Errorf("no version and outcome at the beginning")
	}
	return nil
}

// topKeys yields the keys of an object in their order.
func topKeys(object string) func(func(string) bool) {
	return func(yield func(string) bool) {
		decoder := json.NewDecoder(strings.NewReader(object))
		_, _ = decoder.Token()
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil || !yield(key.(string)) {
				return
			}
			var value json.RawMessage
			if decoder.Decode(&value) != nil {
				return
			}
		}
	}
}

func TestCheckFindsWhatItShould(t *testing.T) {
	for _, bad := range []string{
		`{"outcome":"success","post_auth_log":1}`,
		`{"post_auth_log":1}`,
		`{"post_auth_log":1,"outcome":"none"}`,
		`{"post_auth_log":1,"outcome":"success","user_id":""}`,
		`{"post_auth_log":1,"outcome":"success","user_id":null}`,
		`{"post_auth_log":1,"outcome":"success","user_id":1}`,
		`{"post_auth_log":1,"outcome":"success","user_id":"1","user_id":"2"}`,
		`{"post_auth_log":1,"outcome":"success","user_name":"a","user_id":"2"}`,
		`{"post_auth_log":1,"outcome":"success","cut":[]}`,
		`{"post_auth_log":1,"outcome":"success","cut":["outcome"]}`,
		`{"post_auth_log":1,"outcome":"success","other":"x"}`,
		`{"post_auth_log":1,"outcome":"success","user_id":"` + strings.Repeat("x", 2000) + `"}`,
		`{"post_auth_log":1,"outcome":"success","user_id":"` + "\xff" + `"}`,
		`{"post_auth_log":1,"outcome":"success","user_id":"Passw0rd!x"}`,
		`{"post_auth_log":1,"outcome":"success"`,
	} {
		if _, err := check(bad); err == nil {
			t.Errorf("check passed %s", bytes.ToValidUTF8([]byte(bad), nil))
		}
	}
}
