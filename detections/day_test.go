package detections_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/schema"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// recording is what a real instance recorded in its first quarter of an hour, as ECS records by
// time: its setup, a driver that used all of its functions, and logins.
func recording(tb testing.TB, as func(*record.Event) bool) (all []moment) {
	tb.Helper()
	table := loadTable(tb)
	writer := schema.NewWriter(schema.Options{Format: schema.ECS})
	for _, e := range recorded.Events(tb, "../internal/record/testdata/*.json.gz", 3) {
		r := events.FromEvent(e, "demo", e.GetCreationDate().AsTime().Add(time.Second))
		payload.Record(&r)
		if !as(&r) {
			continue
		}
		var a schema.Activity
		table.Event(&a, &r)
		all = append(all, moment{r.Time, writer.AppendLine(nil, &a)})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	return all
}

func everything(*record.Event) bool { return true }

// everyday are the event types of normal use: people sign in and out, have their data
// changed, forget a password; administrators add users, roles and grants.
var everyday = regexp.MustCompile(`^(` +
	`user\.human\.(added|selfregistered|signed\.out|profile\.changed|email\.|phone\.|initialization\.|password\.(check|changed|code)|address\.|avatar\.)` +
	`|user\.(metadata|grant|token)\.|user\.human\.externallogin\.check` +
	`|session\.|oidc_session\.|saml_session\.|auth_request\.|saml_request\.` +
	`|project\.(added|changed|role\.)|org\.metadata\.|milestone\.` +
	`)`)

// normalDay is the normal use in the recording, stretched from a quarter of an hour to a day,
// with an address for each person (the recording has one for all), and the heartbeats of a
// reader. What the driver did to try every function (policies, actions, keys, locks) is no
// normal use and is left out, as is the setup.
func normalDay(tb testing.TB) []moment {
	tb.Helper()
	from := time.Date(2026, 11, 22, 9, 19, 14, 0, time.UTC) // the setup has one date, just before
	to := time.Date(2026, 11, 22, 9, 34, 32, 0, time.UTC)
	stretch := float64(24*time.Hour) / float64(to.Sub(from))
	people := map[string]string{}
	day := recording(tb, func(e *record.Event) bool {
		if !everyday.MatchString(e.Type) || e.Time.Before(from) {
			return false
		}
		e.Time = began.Add(time.Duration(float64(e.Time.Sub(from)) * stretch))
		e.Read = e.Time.Add(time.Second)
		if fields := e.Payload.GetFields(); fields["remoteIP"] != nil {
			if people[e.AggregateID] == "" {
				people[e.AggregateID] = fmt.Sprintf("198.51.100.%d", len(people)+1)
			}
			fields["remoteIP"] = structpb.NewStringValue(people[e.AggregateID])
		}
		return true
	})
	for at := began; at.Before(began.Add(24 * time.Hour)); at = at.Add(time.Minute) {
		day = append(day, moment{at, heartbeatAt(at)})
	}
	slices.SortStableFunc(day, func(a, b moment) int { return a.at.Compare(b.at) })
	return day
}

func TestADayOfNormalUseAlertsFewerThanFiveTimes(t *testing.T) {
	day := normalDay(t)
	if logins := bytes.Count(bytes.Join(lines(day), nil), []byte(`"user.human.password.check.succeeded"`)); len(day) < 2000 || logins < 100 {
		t.Fatalf("the day has only %d records, %d of them right passwords", len(day), logins)
	}
	var found [][]byte
	e := detect.New(rules(t), detect.Options{Emit: func(a *detect.Alert) { found = append(found, record.AppendJSON(nil, a)) }})
	live(t, e, day)
	if len(found) >= 5 {
		t.Errorf("%d alerts:\n%s", len(found), bytes.Join(found, []byte("\n")))
	}
	t.Logf("%d alerts of %d records", len(found), len(day))
}

// TestTheDriverOfTheRecordingIsFound: what is no normal use is not silent.
func TestTheDriverOfTheRecordingIsFound(t *testing.T) {
	found := alerts(t, rules(t), recording(t, everything))
	if len(found) < 3 {
		t.Errorf("only %d rules found something in a recording that tries every function", len(found))
	}
}

func lines(all []moment) (list [][]byte) {
	for _, m := range all {
		list = append(list, m.line)
	}
	return list
}
