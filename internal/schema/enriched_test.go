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
		atLeast  map[string]int // records that gained a member, of every fourth that says more
	}{
		{"ecs", config.FormatSettings{Format: "ecs"}, ecs.check, map[string]int{
			"user.name": 400, "user.email": 60, "user.target.name": 200, "user.target.email": 200, "user.target.roles": 8, "organization.name": 400, "source.ip": 30, "user_agent.original": 30,
			"zitadel.project.name": 200, "zitadel.application.name": 20,
		}},
		{"ocsf 1.8.0", config.FormatSettings{Format: "ocsf", OCSFVersion: config.OCSF18}, ocsf18.check, map[string]int{
			"actor.user.name": 400, "user.name": 140, "user.email_addr": 140, "src_endpoint.ip": 30, "http_request.user_agent": 30, "session.uid": 12, "unmapped.organization.name": 400,
		}},
		{"ocsf 1.9.0", config.FormatSettings{Format: "ocsf", OCSFVersion: config.OCSF19}, ocsf19.check, map[string]int{
			"actor.user.name": 400, "user.name": 140, "user.email_addr": 140, "src_endpoint.ip": 30, "http_request.user_agent": 30, "session.uid": 12, "unmapped.organization.name": 400,
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
				if differ%4 == 0 {
					completed(decodeLine(t, []byte(without)), doc, "", gained)
				}
			}
			pushed := recordedWebhooks(t)
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
