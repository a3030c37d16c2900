package schema_test

import (
	"os"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// TestAlertsAreValidECSAndOCSF: those of all built-in rules whose single events match, and of
// all correlations on the recorded events, against the official fields.
func TestAlertsAreValidECSAndOCSF(t *testing.T) {
	set, err := detect.Load(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	fields := loadECS(t)
	ocsf18 := loadOCSF(t, "ocsf-1.8.0.json.gz", "ocsf-1.8.0-finding.json.gz")
	ocsf19 := loadOCSF(t, "ocsf-1.8.0.json.gz", "ocsf-1.8.0-finding.json.gz", "ocsf-1.9.0-dev-finding.json.gz")
	n := map[string]int{}
	engine := detect.New(set, detect.Options{Emit: func(a *detect.Alert) {
		line := record.AppendJSON(nil, a)
		if n[a.Rule.ID]++; n[a.Rule.ID] > 3 {
			return
		}
		for _, why := range fields.check(decodeLine(t, line)) {
			if why != "event.outcome is missing" { // an alert has none
				t.Errorf("%s: %s: %s", a.Rule.Title, why, line)
			}
		}
		for _, s := range []*ocsfSchema{ocsf18, ocsf19} {
			finding := record.AppendJSON(nil, detect.Finding{Alert: a, Version: s.Version})
			for _, why := range s.check(decodeLine(t, finding)) {
				t.Errorf("%s: OCSF %s: %s: %s", a.Rule.Title, s.Version, why, finding)
			}
		}
	}})
	table, err := schema.Load(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	writer := schema.NewWriter(schema.Options{Format: schema.ECS})
	for _, e := range recordedEvents(t) {
		var a schema.Activity
		table.Event(&a, e)
		engine.Record(writer.AppendLine(nil, &a), time.Now())
	}
	// One about nothing: no event, nobody, nowhere.
	engine.Start(time.Now())
	engine.Record([]byte(`{"@timestamp":"2026-01-01T00:00:00Z","event":{"id":"b","action":"heartbeat"},"zitadel":{"instance":"i","heartbeat":{"last_success_age_seconds":1}}}`), time.Now())
	engine.Tick(time.Now().Add(time.Hour))
	if n["66a083f8-8fe3-4db8-856b-b959509d982a"] != 1 {
		t.Error("the silence was not checked")
	}
	if len(n) < 20 {
		t.Errorf("alerts of only %d rules were checked", len(n))
	}
}
