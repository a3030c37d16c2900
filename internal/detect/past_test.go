package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRecountCountsAsReadingDoesAndGivesNoAlert: whatever part of a stream is recounted, the alerts
// of the rest are those that the whole stream gives from there on.
func TestRecountCountsAsReadingDoesAndGivesNoAlert(t *testing.T) {
	set := loaded(t, chained)
	lines := stream(300)
	for split := 0; split <= len(lines); split += 7 {
		whole, e := New(set, Options{}), New(set, Options{})
		play(whole, lines[:split], 0)
		e.o.Emit = func(a *Alert) { t.Errorf("an alert of %s", a.Rule.ID) }
		for _, line := range lines[:split] {
			e.Recount(line, start.Add(time.Duration(split)*4*time.Second))
		}
		if e.Stats.Alerts > 0 {
			t.Errorf("%d alerts are counted", e.Stats.Alerts)
		}
		noSilence := func(ids []string) []string { // its wait begins with the process
			return slices.DeleteFunc(ids, func(id string) bool { return strings.HasPrefix(id, "silence ") })
		}
		want, got := noSilence(play(whole, lines[split:], split)), noSilence(play(e, lines[split:], split))
		if !slices.Equal(got, want) {
			t.Fatalf("from %d: %q, want %q", split, got, want)
		}
	}
}

// TestPastNamesWhatCorrelationsNeed: a rule reaches as far back as the alert before may mute it,
// and as far as the rules that it consists of.
func TestPastNamesWhatCorrelationsNeed(t *testing.T) {
	types := []string{"failed", "right", "rare", "other"}
	show := func(parts []Past) (text string) {
		for _, p := range parts {
			text += fmt.Sprintf("%s-%s %v; ", p.From, p.To, p.Types)
		}
		return text
	}
	const day = `
---
title: Rare
id: rare
logsource: {product: zitadel, service: audit}
detection: {a: {event.action|startswith: ra}, condition: a}
---
title: Rare things
id: rares
correlation: {type: event_count, rules: [rare], group-by: [user.id], timespan: 3h, condition: {gte: 2}}
---
title: Of the reader
id: beats
logsource: {product: zitadel, service: audit}
detection: {a: {event.action: heartbeat}, condition: a}
---
title: Many of the reader
id: many_beats
correlation: {type: event_count, rules: [beats], group-by: [user.id], timespan: 1d, condition: {gte: 2}}
`
	for _, c := range []struct {
		limit int
		most  time.Duration
		want  string
	}{
		// silence 10m, guessed 2m of many 1m, spray and many 1m
		{30, 24 * time.Hour, "6h5m0s-25m0s [rare]; 25m0s-11m0s [rare right]; 11m0s-0s [failed rare right]; "},
		{2, 24 * time.Hour, "6h5m0s-25m0s [rare]; 25m0s-11m0s [rare right]; 11m0s-0s []; "},
		{1, 24 * time.Hour, "6h5m0s-25m0s [rare]; 25m0s-0s []; "},
		{30, time.Hour, "1h0m0s-25m0s [rare]; 25m0s-11m0s [rare right]; 11m0s-0s [failed rare right]; "},
	} {
		if got := show(loaded(t, chained+day).Past(types, c.limit, c.most)); got != c.want {
			t.Errorf("limit %d, most %s:\n%s, want\n%s", c.limit, c.most, got, c.want)
		}
	}
	if got := loaded(t, chained).Past([]string{"other"}, 30, time.Hour); got != nil {
		t.Errorf("no event is needed: %s", show(got))
	}
}
