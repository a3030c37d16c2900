package detections_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// The recorded day of testdata/day, whose README says what was done: from dayBegan to
// dayEnded a driver did what happens in a working day.
var (
	dayBegan = time.Date(2026, 11, 28, 22, 49, 11, 0, time.UTC)
	dayEnded = time.Date(2026, 11, 28, 23, 8, 28, 0, time.UTC)
)

const workingDay = 10 * time.Hour

// stretched is when in the working day something happened.
func stretched(t time.Time) time.Time {
	return began.Add(time.Duration(float64(t.Sub(dayBegan)) * float64(workingDay) / float64(dayEnded.Sub(dayBegan))))
}

// recordedDay is the day as ECS records: events, lines of the log, heartbeats.
func recordedDay(tb testing.TB) (all []moment) {
	tb.Helper()
	table := loadTable(tb)
	writer := schema.NewWriter(schema.Options{Format: schema.ECS})
	for _, e := range recorded.Events(tb, "testdata/day/events.json.gz", 1) {
		r := events.FromEvent(e, "demo", e.GetCreationDate().AsTime())
		payload.Record(&r)
		r.Time = stretched(r.Time)
		r.Read = r.Time.Add(time.Second)
		var a schema.Activity
		table.Event(&a, &r)
		all = append(all, moment{r.Time, writer.AppendLine(nil, &a)})
	}
	for line := range bytes.Lines(recorded.Unzip(tb, "testdata/day/log.ndjson.gz")) {
		if gjson.GetBytes(line, "origin").Exists() {
			continue
		}
		all = append(all, redated(tb, line, stretched))
	}
	for at := began; at.Before(began.Add(workingDay)); at = at.Add(time.Minute) {
		all = append(all, moment{at, heartbeatAt(at)})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	return all
}

// redated gives a record the date that when gives for its own.
func redated(tb testing.TB, line []byte, when func(time.Time) time.Time) moment {
	tb.Helper()
	var r map[string]json.RawMessage
	var at time.Time
	if err := json.Unmarshal(line, &r); err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(r["@timestamp"], &at); err != nil {
		tb.Fatal(err)
	}
	at = when(at)
	r["@timestamp"] = fmt.Appendf(nil, "%q", at.Format(time.RFC3339Nano))
	line, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	return moment{at, line}
}

func heartbeatAt(at time.Time) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"event":{"id":"demo/heartbeat/%d","kind":"metric","action":"heartbeat","outcome":"success"},`+
		`"zitadel":{"instance":"demo","heartbeat":{"events":1,"lag_seconds":0.4,"read_up_to_age_seconds":15.4,"last_success_age_seconds":2.1}}}`, at.Format(time.RFC3339), at.UnixMicro())
}

// TestARecordedDayOfNormalUseAlertsFewerThanFiveTimes: all rules together, from the lowest level
// on that gives alerts by default.
func TestARecordedDayOfNormalUseAlertsFewerThanFiveTimes(t *testing.T) {
	day := recordedDay(t)
	count := map[string]int{}
	for _, m := range day {
		count[gjson.GetBytes(m.line, "event.action").Str]++
	}
	if count["user.human.password.check.succeeded"] < 300 || count["user.human.password.check.failed"] < 40 || count["action.login"] < 60 || count["request"] < 1500 || count["heartbeat"] != 600 {
		t.Fatalf("the day is not that of README: %v", count)
	}
	var found []string
	e := detect.New(rules(t), detect.Options{MinLevel: detect.Low, Emit: func(a *detect.Alert) {
		found = append(found, fmt.Sprintf("%s %s %s", a.Rule.Level, a.Rule.Name, record.AppendJSON(nil, a)))
	}})
	live(t, e, day)
	for _, f := range found {
		t.Logf("%.600s", f)
	}
	if len(found) >= 5 {
		t.Errorf("%d alerts", len(found))
	}
	t.Logf("%d alerts of %d records", len(found), len(day))
}

// TestRecordedAttacksAreFound: by the log alone, each by the rules that see it.
func TestRecordedAttacksAreFound(t *testing.T) {
	attacks := map[string][]moment{}
	for line := range bytes.Lines(recorded.Unzip(t, "testdata/day/attacks.ndjson.gz")) {
		if name := gjson.GetBytes(line, "attack").Str; name != "" {
			m := redated(t, []byte(gjson.GetBytes(line, "record").Raw), func(at time.Time) time.Time { return at })
			attacks[name] = append(attacks[name], m)
		}
	}
	for name, want := range map[string][]string{
		"spray":     {"login_brute_force_address", "login_names_tried", "login_spray", "passwords_given", "success_after_login_spray", "user_enumeration"},
		"brute":     {"login_names_tried", "passwords_given"},
		"unknown":   {"login_names_tried"},
		"forbidden": {"calls_refused"},
		"badtoken":  {"invalid_tokens"},
		"bulk":      {"users_read_in_bulk"},
		"addresses": {"token_from_many_addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			e := detect.New(rules(t), detect.Options{Emit: func(a *detect.Alert) { found = append(found, a.Rule.Name) }})
			for _, m := range attacks[name] {
				if !e.Record(m.line, m.at) {
					t.Fatalf("no record: %s", m.line)
				}
			}
			slices.Sort(found)
			if !slices.Equal(found, want) {
				t.Errorf("found %q, want %q", found, want)
			}
		})
	}
}
