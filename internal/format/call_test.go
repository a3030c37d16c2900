package format_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// called is a store that knows a call of the user "8" that wrote at date, from each address.
func called(method string, date time.Time, from ...string) *calls.Store {
	now := date.Add(-time.Minute)
	s := calls.New(func() time.Time { return now })
	now = date
	for _, ip := range from {
		c := calls.Call{Method: method, User: "8", Address: netip.MustParseAddr(ip), Signed: date.Truncate(time.Second), Pair: [16]byte{1}}
		s.Add(c)
		c.Response, c.Changed = true, date
		s.Add(c)
	}
	return s
}

const setSession, lock = "/zitadel.session.v2.SessionService/SetSession", "/zitadel.user.v2.UserService/LockUser"

// The event's own address comes first, then its session's, then its call's.
func TestAddress_TheNearestSourceComesFirst(t *testing.T) {
	f := open(t, config.FormatSettings{Format: "ecs", Tier: "noise"})
	f.Remember(names(t))
	encode := f.Lines()
	locked := teach(t, "user.locked", "7", 2, nil)
	want(t, encode(nil, locked), "source.ip", "", "zitadel.ip_source", "")
	f.Join(called(lock, locked.Time, "203.0.113.9"))
	want(t, encode(nil, locked), "source.ip", "203.0.113.9", "zitadel.ip_source", "call", "related.ip.0", "203.0.113.9")
	f.Join(called(lock, locked.Time, "203.0.113.9", "203.0.113.10"))
	want(t, encode(nil, locked), "source.ip", "", "zitadel.ip_source", "ambiguous")
	f.Join(called(lock, locked.Time.Add(time.Hour), "203.0.113.9"))
	want(t, encode(nil, locked), "source.ip", "", "zitadel.ip_source", "")

	added := teach(t, "session.added", "3", 1, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.7"}})
	f.Join(called("/zitadel.session.v2.SessionService/CreateSession", added.Time, "203.0.113.9"))
	want(t, encode(nil, added), "source.ip", "203.0.113.7", "zitadel.ip_source", "session")
	checked := teach(t, "session.password.checked", "3", 2, nil)
	f.Join(called(setSession, checked.Time, "203.0.113.9"))
	want(t, encode(nil, checked), "source.ip", "203.0.113.7", "zitadel.ip_source", "session")
	own := teach(t, "user.human.password.check.failed", "7", 3, map[string]any{"userAgentID": "1", "remoteIP": "203.0.113.8"})
	f.Join(called(setSession, own.Time, "203.0.113.9"))
	want(t, encode(nil, own), "source.ip", "203.0.113.8", "zitadel.ip_source", "forwarded_for")
}

func TestAddress_OfACallInEveryFormat(t *testing.T) {
	for _, name := range []string{"ecs", "ocsf", "cef", "leef"} {
		f := open(t, config.FormatSettings{Format: name, Tier: "noise"})
		locked := teach(t, "user.locked", "7", 2, nil)
		f.Join(called(lock, locked.Time, "203.0.113.9"))
		if line := string(f.Lines()(nil, locked)); !strings.Contains(line, "203.0.113.9") || !strings.Contains(line, "call") {
			t.Error(line)
		}
		f.Join(called(lock, locked.Time, "203.0.113.9", "203.0.113.10"))
		if line := string(f.Lines()(nil, locked)); strings.Contains(line, "203.0.113") || !strings.Contains(line, "ambiguous") {
			t.Error(line)
		}
	}
}

// With pseudonyms, the address of a call is a token, and the same one as elsewhere.
func TestAddress_OfACallIsAPseudonym(t *testing.T) {
	f := open(t, config.FormatSettings{Format: "ecs", Tier: "noise", Pseudonyms: true, PseudonymsKeyFile: keyFile(t)})
	locked := teach(t, "user.locked", "7", 2, nil)
	own := teach(t, "session.added", "3", 1, map[string]any{"user_agent": map[string]any{"ip": "203.0.113.9"}})
	f.Join(called(lock, locked.Time, "203.0.113.9"))
	a, b := string(f.Lines()(nil, locked)), string(f.Lines()(nil, own))
	if strings.Contains(a, "203.0.113.9") || !strings.Contains(a, `"call"`) {
		t.Error(a)
	}
	token := gjson.Get(b, "source.address").String()
	if token == "" || gjson.Get(a, "source.address").String() != token {
		t.Errorf("%s\n%s", a, b)
	}
}
