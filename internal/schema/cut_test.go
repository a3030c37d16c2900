package schema_test

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Law 7: only whole entries of a list of addresses that a script cut count, and none if the end is
// missing, which the proxies wrote.
func TestLaw7_APartOfAnAddressIsNone(t *testing.T) {
	const peer = "127.0.0.1 peer"
	for _, c := range []struct{ cut, list, want string }{
		{"", "198.51.100.9, 198.51.100.1", "198.51.100.1 forwarded_for"},
		{"user_agent", "198.51.100.9, 198.51.100.1", "198.51.100.1 forwarded_for"},
		// Version 1 of the script kept the start.
		{"user_agent,forwarded_for", "198.51.100.9, 198.51.100.1", peer},
		{"forwarded_for", "\u2026, 198.51.100.9", peer}, // typed by the client
		// Since version 2 the end is kept.
		{"forwarded_for_start", "\u2026, 198.51.100.9, 198.51.100.1", "198.51.100.1 forwarded_for"},
		{"forwarded_for_start,user_agent", "\u2026, 198.51.100.1, 10.0.0.1", "198.51.100.1 forwarded_for"},
		{"forwarded_for_start", "\u2026, 10.0.0.2, 10.0.0.1", "10.0.0.1 forwarded_for"},
		{"forwarded_for_start", "\u2026, 2001:db8::1", "2001:db8::1 forwarded_for"},
		{"forwarded_for_start", "\u2026", peer},
		{"forwarded_for_start", "\u2026,,,", peer},
		{"forwarded_for_start", "\u2026, not an address", peer},
		// Somebody has edited the script, so that the first entry has lost its start.
		{"forwarded_for_start", "98.51.100.9", peer},
		{"forwarded_for_start", "db8::1", peer},
		{"forwarded_for_start", "98.51.100.9, 10.0.0.1", "10.0.0.1 forwarded_for"},
	} {
		r := &parser.Record{Kind: parser.Log, Format: parser.FormatPostAuthLog, Trust: parser.TrustFull, Time: time.Unix(1_760_000_000, 0), Login: parser.Login{
			Outcome: "success", RemoteAddr: "127.0.0.1:40000", ForwardedFor: c.list, CutFields: c.cut,
		}}
		var a schema.Activity
		load(t).Line(&a, r)
		ip, source := schema.LineAddress(r)
		if got := a.IP.String() + " " + string(a.IPSource); got != c.want || ip != a.IP || source != a.IPSource || a.ForwardedFor != c.list {
			t.Errorf("cut %q, %q: %s, want %s", c.cut, c.list, got, c.want)
		}
	}
}
