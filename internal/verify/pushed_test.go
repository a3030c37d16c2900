package verify

import (
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// An event that came by webhook has no names and no localized type, and is compared all the
// same. An API call that came so is not in the audit trail, and no forgery.
func TestARecordOfAPushedEventIsThatOfTheEvent(t *testing.T) {
	for _, name := range []string{Raw, ECS, OCSF} {
		s := newScene(t, 150, map[string]string{"format": name, "tier": "noise"})
		page, err := s.client.ListEvents(t.Context(), &adminpb.ListEventsRequest{Asc: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		f, err := format.Open(s.settings.Format)
		if err != nil {
			t.Fatal(err)
		}
		encode := f.Lines()
		write := func(e record.Event) string { return string(encode(nil, &e)) }
		var text strings.Builder
		var last string
		for _, pb := range page { // as the reader of pull makes it of a push
			pb.Editor.DisplayName, pb.Editor.Service = "", ""
			pb.Type.Localized, pb.Aggregate.Type.Localized = nil, nil
			e := events.FromEvent(pb, "test", time.Now())
			e.Source = record.SourceWebhook
			payload.Record(&e)
			last = write(e)
			text.WriteString(last)
		}
		call := webhook.Execution{ID: "4b5d", Kind: "request", Method: "/zitadel.user.v2.UserService/AddHumanUser", InstanceID: "1"}
		call.Sent, call.Received = s.from.Add(time.Millisecond), s.from.Add(time.Second)
		text.WriteString(write(call.Record("test")))
		r := s.run(t, text.String())
		if r.Verdict != Complete || r.Copy.Equal != 150 || r.Copy.NoEvents != 1 {
			t.Errorf("%s: %s, %d equal, %d no events, altered %+v", name, r.headline(), r.Copy.Equal, r.Copy.NoEvents, r.Altered.List)
		}
		typ := page[len(page)-1].GetType().GetType()
		forged := strings.TrimSuffix(text.String(), "\n") + "\n" + strings.Replace(last, `"`+typ+`"`, `"`+typ+`.x"`, 1)
		if r := s.run(t, forged); r.Altered.Count != 1 || r.Doubled.Count != 1 {
			t.Errorf("%s: %d altered, %d doubled", name, r.Altered.Count, r.Doubled.Count)
		}
	}
}
