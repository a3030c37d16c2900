package postgres

import (
	"strings"
	"testing"
)

// The newest timeline of each database system counts, and a server that does not tell its own, as some
// services, is used.
func TestOlderTimelineOfTheSameSystemIsNotUsed(t *testing.T) {
	known := timelines{newest: map[string]int64{}}
	for i, step := range []struct {
		of  timeline
		old bool
	}{
		{timeline{"a", 1}, false},
		{timeline{"a", 3}, false},
		{timeline{"a", 2}, true},
		{timeline{"a", 3}, false},
		{timeline{"b", 1}, false}, // pg_upgrade makes another system
		{timeline{}, false},
	} {
		if err := known.use(step.of); (err != nil) != step.old || err != nil && !strings.Contains(err.Error(), "timeline 2, and this process has used timeline 3") {
			t.Errorf("step %d: %v", i, err)
		}
	}
}
