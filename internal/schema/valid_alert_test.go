package schema_test

import (
	"os"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
)

// TestAlertsAreValidECS: those of all built-in rules whose single events match, and of all
// correlations on the recorded events, against the official fields.
func TestAlertsAreValidECS(t *testing.T) {
	set, err := detect.Load(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	fields := loadECS(t)
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
	if len(n) < 20 {
		t.Errorf("alerts of only %d rules were checked", len(n))
	}
}
