package conf

import (
	"encoding/xml"
	"os"
	"regexp"
	"strings"
	"testing"
)

type wazuhRules struct {
	XMLName xml.Name `xml:"group"`
	Rules   []struct {
		ID             int    `xml:"id,attr"`
		Level          int    `xml:"level,attr"`
		Frequency      int    `xml:"frequency,attr"`
		IfSID          int    `xml:"if_sid"`
		IfMatchedSID   int    `xml:"if_matched_sid"`
		DecodedAs      string `xml:"decoded_as"`
		Description    string `xml:"description"`
		SameField      string `xml:"same_field"`
		DifferentField string `xml:"different_field"`
		Fields         []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:",chardata"`
		} `xml:"field"`
		Mitre []string `xml:"mitre>id"`
	} `xml:"rule"`
}

// The rules of Wazuh have ids of their own, parents that stand before them, and fields
// that records have.
func TestWazuh_RulesNameFieldsThatExist(t *testing.T) {
	data, err := os.ReadFile("wazuh/zitadel_rules.xml")
	if err != nil {
		t.Fatal(err)
	}
	var rules wazuhRules
	if err := xml.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	known, seen := fieldsOfECS(t), map[int]bool{}
	field := func(id int, name string) {
		if name != "" && known[name] == "" {
			t.Errorf("rule %d: no record has %s", id, name)
		}
	}
	inText := regexp.MustCompile(`\$\(([^)]+)\)`)
	technique := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for i, r := range rules.Rules {
		if r.ID < 100_000 || r.ID > 120_000 || seen[r.ID] || r.Level < 0 || r.Level > 15 || r.Description == "" {
			t.Errorf("rule %d: id, level or description", r.ID)
		}
		switch {
		case i == 0:
			if r.DecodedAs != "json" {
				t.Errorf("rule %d: decoded as %q", r.ID, r.DecodedAs)
			}
		case r.Frequency > 0:
			if !seen[r.IfMatchedSID] || r.SameField == "" {
				t.Errorf("rule %d: what does it count?", r.ID)
			}
		case !seen[r.IfSID]:
			t.Errorf("rule %d: its parent %d does not stand before it", r.ID, r.IfSID)
		}
		seen[r.ID] = true
		field(r.ID, r.SameField)
		field(r.ID, r.DifferentField)
		for _, f := range r.Fields {
			field(r.ID, f.Name)
			// The syntax of OS_Regex that is used here is one of Go's, too.
			if _, err := regexp.Compile(f.Value); err != nil || strings.TrimSpace(f.Value) == "" {
				t.Errorf("rule %d: %v", r.ID, err)
			}
		}
		for _, m := range inText.FindAllStringSubmatch(r.Description, -1) {
			field(r.ID, m[1])
		}
		for _, m := range r.Mitre {
			if !technique.MatchString(m) {
				t.Errorf("rule %d: technique %q", r.ID, m)
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d rules were found", len(seen))
	}
}

// The file that the agent reads is the one that wazuh.yaml writes.
func TestWazuh_AgentReadsWhatFluentBitWrites(t *testing.T) {
	data, err := os.ReadFile("wazuh/localfile.xml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		XMLName  xml.Name `xml:"localfile"`
		Format   string   `xml:"log_format"`
		Location string   `xml:"location"`
	}
	if err := xml.Unmarshal(data, &file); err != nil || file.Format != "json" || file.Location != "/var/lib/fluent-bit/wazuh/zitadel.json" {
		t.Errorf("%+v: %v", file, err)
	}
	conf, err := Files.ReadFile("wazuh.yaml")
	if err != nil || !strings.Contains(string(conf), "path: /var/lib/fluent-bit/wazuh\n      file: zitadel.json\n") {
		t.Errorf("wazuh.yaml writes elsewhere: %v", err)
	}
}
