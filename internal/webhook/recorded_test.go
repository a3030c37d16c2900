package webhook_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// Every request of a real ZITADEL is accepted, once.
func TestRecorded_AreAccepted(t *testing.T) {
	w := newWorld(t, nil)
	seen := map[string]bool{}
	for _, r := range recordings(t) {
		w.now = r.at.Add(time.Second)
		for range 2 {
			w.want(t, r.name, r.request(), http.StatusOK, 0)
		}
		seen[r.header.Get(webhook.SignatureHeader)] = true
	}
	// What was redirected came with the same signature to two paths.
	if n := len(w.spool.entries); n != len(seen) || n != 100 {
		t.Errorf("%d entries of %d requests", n, len(seen))
	}
	if n := w.Stats.Accepted.Load(); n != 100 {
		t.Errorf("%d accepted", n)
	}
	if n := w.Stats.Repeated.Load(); n != 102 {
		t.Errorf("%d repeated", n)
	}
	if n := w.Stats.Unknown.Load(); n != 0 {
		t.Errorf("%d unknown", n)
	}
}

// A byte changed anywhere in body or signature, or a time beyond the tolerance, is refused, and
// nothing is kept.
func TestRecorded_AlteredAreRefused(t *testing.T) {
	all := recordings(t)
	if testing.Short() {
		all = all[:10]
	}
	w := newWorld(t, nil)
	refused := func(what string, r recording) {
		if status := w.do(r.request()); status != http.StatusUnauthorized {
			t.Fatalf("%s, %s: status %d", r.name, what, status)
		}
	}
	for n, r := range all {
		w.now = r.at
		body, step := r.body, 1+len(r.body)/60 // every byte of ten of them, some of all
		if n%10 == 0 {
			step = 1
		}
		for i := n % step; i < len(body); i += step {
			r.body = body[:i] + string(body[i]^1) + body[i+1:]
			refused("body changed", r)
		}
		r.body = body[:len(body)-1]
		refused("body cut", r)
		r.body = body + "\n"
		refused("body longer", r)
		r.body = body

		header := r.header.Get(webhook.SignatureHeader)
		r.header = r.header.Clone()
		for i := range header {
			for _, change := range []byte{0x01, 0x20} { // the second one changes the case
				r.header.Set(webhook.SignatureHeader, header[:i]+string(header[i]^change)+header[i+1:])
				refused("signature changed", r)
			}
			r.header.Set(webhook.SignatureHeader, header[:i]+header[i+1:])
			refused("signature shorter", r)
		}
		r.header.Set(webhook.SignatureHeader, header)
		for _, off := range []time.Duration{301 * time.Second, -301 * time.Second, 24 * time.Hour, -24 * time.Hour} {
			w.now = r.at.Add(off)
			refused("other time", r)
		}
		w.now = r.at
		path := r.path
		for _, r.path = range []string{"/fail500x", "/", "/../" + path, "/drop/" + path} {
			if strings.HasPrefix(path, "/drop/") {
				continue
			}
			refused("other path", r)
		}
	}
	if len(w.spool.entries) > 0 {
		t.Errorf("%d entries", len(w.spool.entries))
	}
}

// An event that came by webhook is the event of the Events API: the same id, and the same in all
// that both know.
func TestRecorded_EventsAreThoseOfTheAPI(t *testing.T) {
	api := map[record.Key]*eventpb.Event{}
	for _, e := range zitadeltest.Recorded() {
		api[events.FromEvent(e, "demo", time.Time{}).Key] = e
	}
	w := newWorld(t, nil)
	for _, r := range recordings(t) {
		w.now = r.at.Add(time.Second)
		w.want(t, r.name, r.request(), http.StatusOK, 0)
	}
	n := 0
	for _, m := range w.spool.messages(t) {
		e, ok := m.(*webhook.Event)
		if !ok {
			continue
		}
		n++
		got := eventRecord(e)
		want := api[got.Key]
		if want == nil {
			t.Fatalf("%s is not in the API", got.ID())
		}
		payload.Redact(want.GetType().GetType(), want.GetPayload())
		want.Editor.DisplayName, want.Editor.Service = "", ""
		want.Type.Localized, want.Aggregate.Type.Localized = nil, nil
		if diff := cmp.Diff(want, e.Event, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", got.ID(), diff)
		}
		if e.InstanceID != "400712317102197798" || e.Odd || e.Received.Sub(e.Sent) != time.Second || e.Target == "" || got.Source != webhook.Source {
			t.Errorf("%+v", e)
		}
	}
	if n != 89 {
		t.Errorf("%d events", n)
	}
}

// Of API calls and functions, an allow-list comes out.
func TestRecorded_Executions(t *testing.T) {
	got := map[string]int{}
	for _, bodies := range []bool{false, true} {
		w := newWorld(t, func(o *webhook.Options) { o.Bodies = bodies })
		for _, r := range recordings(t) {
			w.now = r.at
			w.do(r.request())
		}
		for _, m := range w.spool.messages(t) {
			x, ok := m.(*webhook.Execution)
			if !ok {
				continue
			}
			if x.InstanceID != "400712317102197798" && x.Kind != webhook.KindFunction || x.OrgID != "400712317102263334" || x.UserID == "" || len(x.ID) != 32 || x.Size == 0 {
				t.Errorf("%+v", x)
			}
			if (x.Body != nil) != (bodies && x.Kind != webhook.KindFunction) {
				t.Errorf("bodies %v: %v", bodies, x.Body)
			}
			if !bodies {
				got[x.Kind+" "+x.Method+x.Function]++
			}
			r := x.Record("demo")
			line := string(record.AppendJSON(nil, &r))
			if !strings.Contains(line, `"api.`+x.Kind+`"`) || !strings.Contains(line, x.Method) {
				t.Error(line)
			}
			noSecrets(t, line)
		}
		noSecrets(t, w.spool.text())
		noSecrets(t, w.log.String())
		if bodies && !strings.Contains(w.spool.text(), "[REDACTED]") {
			t.Error("nothing was removed")
		}
	}
	want := map[string]int{
		"function function/preuserinfo":                                    2,
		"request /zitadel.action.v2.ActionService/SetExecution":            1,
		"request /zitadel.management.v1.ManagementService/SetUserMetadata": 4,
		"request /zitadel.session.v2.SessionService/CreateSession":         2,
		"request /zitadel.user.v2.UserService/AddHumanUser":                1,
		"response /zitadel.user.v2.UserService/GetUserByID":                1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Markers of the recordings: passwords, hashes, tokens, encrypted values, metadata.
var secrets = []string{"Passw0rd!", "N3wPassw0rd!", "$2a$", "Crypted", "eyJ", "dmFs\"", "zitadel.useragent="}

func noSecrets(tb testing.TB, text string) {
	tb.Helper()
	for _, s := range secrets {
		if i := strings.Index(text, s); i >= 0 {
			tb.Fatalf("the secret %s in %q", s, text[max(0, i-200):min(len(text), i+200)])
		}
	}
}

// The bytes of the spool and of records are searched for, in their recorded form.
func TestRecorded_TheMarkersAreThere(t *testing.T) {
	var all []string
	for _, r := range recordings(t) {
		all = append(all, r.body)
	}
	text := strings.Join(all, "\n")
	if !slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(text, s) }) {
		t.Error("the recordings hold no secret")
	}
}
