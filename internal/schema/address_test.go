package schema_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// A pseudonym in the place of an address is valid in every format, and no IP anywhere.
func TestAddress_APseudonymIsValid(t *testing.T) {
	const token = "ip-abcdefghijklmnopqrstuvwxyz"
	check18, checkECS := loadOCSF(t, "ocsf-1.8.0.json.gz"), loadECS(t)
	n := 0
	everything(t, func(name string, a *schema.Activity) {
		if !a.IP.IsValid() {
			return
		}
		ip := a.IP.String()
		a.IP, a.Address, a.ForwardedFor = netip.Addr{}, token, ""
		defer func() { a.Address = "" }()
		n++
		for _, f := range []schema.Format{schema.ECS, schema.OCSF, schema.CEF, schema.LEEF} {
			line := schema.NewWriter(schema.Options{Format: f}).AppendLine(nil, a)
			if !strings.Contains(string(line), token) {
				t.Errorf("%s %s: no token in %s", f, name, line)
			}
			var wrong []string
			switch f {
			case schema.ECS:
				doc := decodeLine(t, line)
				wrong = checkECS.check(doc)
				if related, ok := doc["related"].(map[string]any); ok && related["ip"] != nil {
					wrong = append(wrong, "related.ip")
				}
			case schema.OCSF:
				wrong = check18.check(decodeLine(t, line))
			case schema.CEF:
				values, err := parseCEF(string(line))
				if err != nil || values["shost"] != token || values["src"] == ip {
					t.Errorf("%s: %v %s", name, err, line)
				}
			case schema.LEEF:
				values, err := parseLEEF(string(line))
				if err != nil || values["srcToken"] != token || values["src"] == ip {
					t.Errorf("%s: %v %s", name, err, line)
				}
			}
			if len(wrong) > 0 {
				t.Errorf("%s %s: %v", f, name, slices.Compact(wrong))
			}
		}
	})
	if n < 50 {
		t.Errorf("only %d addresses", n)
	}
}

// What finds the address alone finds the one that filling finds.
func TestAddress_AloneIsTheSame(t *testing.T) {
	table := load(t)
	var a schema.Activity
	n := 0
	check := func(name string, ip netip.Addr, from schema.IPSource) {
		if ip != a.IP || from != a.IPSource {
			t.Errorf("%s: %v from %q, want %v from %q", name, ip, from, a.IP, a.IPSource)
		}
		if ip.IsValid() {
			n++
		}
	}
	odd := func(typ string, fields map[string]any) record.Event {
		p, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		e := synthetic(typ, nil)
		e.Payload = p
		return e
	}
	events := slices.Clip(recordedEvents(t)) // others have them too
	for _, typ := range []string{"api.request", "api.response", "user.something"} {
		for _, aggregate := range []string{"webhook", "user"} {
			e := odd(typ, map[string]any{"forwarded_for": "203.0.113.7, 10.0.0.1", "userAgent": map[string]any{"ip": "203.0.113.8"}})
			e.AggregateType = aggregate
			events = append(events, &e)
		}
	}
	e := odd("session.added", map[string]any{"remoteIP": "no address", "user_agent": map[string]any{"ip": "[2001:db8::1]:4711"}})
	for _, e := range append(events, &e) {
		table.Event(&a, e)
		ip, from := table.EventAddress(e)
		check(e.Type, ip, from)
	}
	for _, r := range recordedLines(t) {
		table.Line(&a, r)
		ip, from := schema.LineAddress(r)
		check(a.Type, ip, from)
	}
	if n < 50 {
		t.Errorf("only %d addresses", n)
	}
}
