package source

import (
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func TestTag_IsOnlyEverAPartOfATag(t *testing.T) {
	tag := tagger("audit", "event_type")
	for typ, want := range map[string]string{
		"user.human.added":       "audit.user.human.added",
		"../../etc/passwd":       "audit..._.._etc_passwd",
		"a b\n*{}":               "audit.a_b____",
		"":                       "audit.unknown",
		"..":                     "audit.unknown",
		strings.Repeat("x", 999): "audit." + strings.Repeat("x", maxTagPart),
	} {
		if got := tag(&record.Event{Type: typ}); got != want {
			t.Errorf("%q: tag %q, want %q", typ, got, want)
		}
	}
	if tagger("audit", "none") != nil {
		t.Error("tag_by none gives tags")
	}
}

// With aggregate_type, a record that is no event of the log has its own type.
func TestTag_ByAggregateType(t *testing.T) {
	tag := tagger("audit", "aggregate_type")
	for want, e := range map[string]*record.Event{
		"audit.user":        {Key: record.Key{AggregateType: "user", Sequence: 1}, Type: "user.added"},
		"audit.api.request": {Key: record.Key{AggregateType: "webhook"}, Type: "api.request"},
	} {
		if got := tag(e); got != want {
			t.Errorf("tag %q, want %q", got, want)
		}
	}
}
