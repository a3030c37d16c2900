package schema_test

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Law 7: of a list of addresses that the script cut, only what the client chose is left.
func TestLaw7_ACutListOfAddressesHasNone(t *testing.T) {
	for cut, want := range map[string]string{"": "198.51.100.1 forwarded_for", "user_agent,forwarded_for": "127.0.0.1 peer", "user_agent": "198.51.100.1 forwarded_for"} {
		r := &parser.Record{Kind: parser.Log, Format: parser.FormatPostAuthLog, Trust: parser.TrustFull, Time: time.Unix(1_760_000_000, 0), Login: parser.Login{
			Outcome: "success", RemoteAddr: "127.0.0.1:40000", ForwardedFor: "198.51.100.9, 198.51.100.1", CutFields: cut,
		}}
		var a schema.Activity
		load(t).Line(&a, r)
		ip, source := schema.LineAddress(r)
		if got := a.IP.String() + " " + string(a.IPSource); got != want || ip != a.IP || source != a.IPSource || a.ForwardedFor == "" {
			t.Errorf("cut %q: %s, want %s", cut, got, want)
		}
	}
}
