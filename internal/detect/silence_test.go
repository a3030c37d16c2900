package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func beat(instance string, minute int) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"%s%d","action":"beat"},"i":%q}`, start.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339), instance, minute, instance)
}

const silences = `
title: Beat
id: beat
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: beat}, condition: a}
---
title: One is silent
id: one
level: high
correlation: {type: event_count, rules: [beat], group-by: [i], timespan: 10m, condition: {lt: 1}}
---
title: All are silent
id: all
level: high
correlation: {type: event_count, rules: [beat], group-by: [], timespan: 10m, condition: {eq: 0}}
`

// TestASilenceIsReportedOnce: for each group that was heard, and for all together from the
// start on; again only after something was heard. A restart does not count as silence.
func TestASilenceIsReportedOnce(t *testing.T) {
	set := loaded(t, silences)
	path := t.TempDir() + "/state"
	e, s := opened(t, set, path)
	var got []string
	emit := func(a *Alert) { got = append(got, fmt.Sprint(a.Rule.ID, a.values, a.Events)) }
	e.o.Emit = emit
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	want := func(what string, alerts ...string) {
		t.Helper()
		if !slices.Equal(got, alerts) {
			t.Errorf("%s: %q, want %q", what, got, alerts)
		}
		got = nil
	}
	e.Start(at(0))
	e.Tick(at(10))
	want("a timespan that is not over")
	e.Tick(at(11))
	want("nothing was ever heard", "all[] []")
	e.Tick(at(30))
	want("it was reported")
	e.Record(beat("a", 31), at(31))
	e.Record(beat("b", 31), at(31))
	e.Record(beat("b", 38), at(38))
	e.Tick(at(42))
	want("a is silent", "one[a] [a31]")
	e.Record(beat("a", 31), at(43)) // read again
	e.Tick(at(44))
	want("an old beat is none")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e, s = opened(t, set, path)
	defer s.Close()
	e.o.Emit = emit
	e.Start(at(100))
	e.Tick(at(101))
	want("a restart")
	e.Tick(at(111))
	slices.Sort(got)
	want("b is silent since the restart, a was reported", "all[] [b38]", "one[b] [b38]")
}
