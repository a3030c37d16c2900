package schema_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
)

// completed counts the members that a record has only with names, by their path.
func completed(plain, full map[string]any, path string, gained map[string]int) {
	for key, v := range full {
		at := path + key
		was, had := plain[key]
		if m, ok := v.(map[string]any); ok {
			before, _ := was.(map[string]any)
			completed(before, m, at+".", gained)
			continue
		}
		if !had {
			gained[at]++
		}
	}
}

// What earlier events said makes no record invalid, in the order of the log: names, address
// and user of a session, roles of a grant, the owner of a key. Each of these is really there
// in many records.
func TestEnriched_EverythingIsValid(t *testing.T) {
	ecs, ocsf18, ocsf19 := loadECS(t), loadOCSF(t, "ocsf-1.8.0.json.gz"), loadOCSF(t, "ocsf-1.8.0.json.gz", "ocsf-1.9.0-dev.json.gz")
	for _, c := range []struct {
		name     string
		settings config.FormatSettings
		check    func(map[string]any) []string
		atLeast  map[string]int // records that gained a member
	}{
		{"ecs", config.FormatSettings{Format: "ecs", KeepOriginal: true}, ecs.check, map[string]int{
			"user.name": 2000, "user.email": 300, "user.target.name": 1000, "user.target.email": 1000, "user.target.roles": 40, "organization.name": 2000, "source.ip": 150, "user_agent.original": 150,
			"zitadel.project.name": 1000, "zitadel.application.name": 100,
		}},
		{"ocsf 1.8.0", config.FormatSettings{Format: "ocsf", OCSFVersion: config.OCSF18, KeepOriginal: true}, ocsf18.check, map[string]int{
			"actor.user.name": 2000, "user.name": 700, "user.email_addr": 700, "src_endpoint.ip": 150, "http_request.user_agent": 150, "session.uid": 60, "unmapped.organization.name": 2000,
		}},
		{"ocsf 1.9.0", config.FormatSettings{Format: "ocsf", OCSFVersion: config.OCSF19}, ocsf19.check, map[string]int{
			"actor.user.name": 2000, "user.name": 700, "user.email_addr": 700, "src_endpoint.ip": 150, "http_request.user_agent": 150, "session.uid": 60, "unmapped.organization.name": 2000,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			encoder := func(n *format.Names) record.Encoder {
				c.settings.Tier = "noise"
				f, err := format.Open(c.settings)
				if err != nil {
					t.Fatal(err)
				}
				if n != nil {
					f.Remember(n)
				}
				return f.Lines()
			}
			names, err := format.OpenNames("", enrich.Options{Instance: recorded.Instance, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			plain, full := encoder(nil), encoder(names)
			records, differ, gained := 0, 0, map[string]int{}
			check := func(name string, r record.Record) {
				without, with := string(plain(nil, r)), string(full(nil, r))
				if records++; with == without {
					return // the other tests check it
				}
				differ++
				doc := decodeLine(t, []byte(with))
				if wrong := c.check(doc); len(wrong) > 0 {
					t.Errorf("%s: %s\n%s", name, strings.Join(wrong, "; "), with)
				}
				completed(decodeLine(t, []byte(without)), doc, "", gained)
			}
			pushed := recorded.Webhooks(t, readAt)
			for _, list := range [][]*record.Event{recordedEvents(t), pushed.Events, pushed.Calls} {
				for _, e := range list {
					check(e.Type, e)
				}
			}
			for _, r := range recordedLines(t) {
				check(r.EventType(), r)
			}
			if names.Failed.Load() > 0 {
				t.Errorf("%d panics", names.Failed.Load())
			}
			if differ < 3000 {
				t.Errorf("only %d of %d records say more with names", differ, records)
			}
			for path, n := range c.atLeast {
				if gained[path] < n {
					t.Errorf("only %d records gained %s, want %d", gained[path], path, n)
				}
			}
			t.Logf("%d of %d records say more: %v", differ, records, gained)
		})
	}
}
