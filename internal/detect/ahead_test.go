package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const counted = `
title: Failed
id: failed
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: failed}, condition: a}
---
title: Many
id: many
level: high
correlation: {type: event_count, rules: [failed], group-by: [user.id], timespan: 10m, condition: {gte: 3}}
`

func failedAt(id string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":%q,"action":"failed"},"user":{"id":"u"}}`, at.Format(time.RFC3339), id)
}

// TestLaw7AnEventDatedFarAheadMutesNoGroup: such an event counts at its arrival. It neither
// pushes the others out of its group, nor keeps the group quiet until its date, also not over
// a restart.
func TestLaw7AnEventDatedFarAheadMutesNoGroup(t *testing.T) {
	set := loaded(t, counted)
	path := t.TempDir() + "/state"
	var got []string
	e, s := listening(t, set, path, &got)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	record := func(id string, dated, now time.Time) {
		t.Helper()
		if !e.Record(failedAt(id, dated), now) {
			t.Fatal(id)
		}
	}
	record("1", at(0), at(0))
	record("ahead", at(0).AddDate(20, 0, 0), at(1))
	record("2", at(2), at(2))
	record("after 20 years", at(0).AddDate(20, 0, 1), at(2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if e.Stats.Ahead != 2 || !e.Newest().Equal(at(2)) {
		t.Errorf("%d ahead, the newest is of %v", e.Stats.Ahead, e.Newest())
	}
	e, s = listening(t, set, path, &got)
	defer s.Close()
	record("a", at(20), at(20))
	record("b", at(21), at(21))
	record("c", at(22), at(22))
	if want := []string{"[1 ahead 2]", "[a b c]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAnEventSlightlyAheadKeepsItsDate: clocks of two machines differ, and order counts.
func TestAnEventSlightlyAheadKeepsItsDate(t *testing.T) {
	set := loaded(t, counted)
	var last time.Time
	e := New(set, Options{Emit: func(a *Alert) { last = a.Last }})
	for i := range 3 {
		e.Record(failedAt(fmt.Sprint(i), start.Add(Lateness+time.Duration(i)*time.Second)), start.Add(time.Duration(i)*time.Second))
	}
	if want := start.Add(Lateness + 2*time.Second); !last.Equal(want) || e.Stats.Ahead != 0 {
		t.Errorf("%v, want %v; %d ahead", last, want, e.Stats.Ahead)
	}
}
