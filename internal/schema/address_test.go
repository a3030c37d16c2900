package schema_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

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
				if err != nil || values["identHostName"] != token || values["src"] == ip {
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
