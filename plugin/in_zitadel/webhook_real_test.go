package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit/recorded"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// others is a ZITADEL without the recorded events: those of the webhooks are among them.
func others(t *testing.T) *zitadeltest.Server {
	t.Helper()
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: 500, From: time.Now().Add(-time.Hour)})
	return serve(t, store)
}

// receiving is a Fluent Bit that pulls from srv and receives webhooks, with the target
// that sends them.
func receiving(t *testing.T, srv *zitadeltest.Server) (*fluentBit, *zitadeltest.Target) {
	t.Helper()
	const key = "of-a-target-in-a-test"
	address := "127.0.0.1:" + testkit.FreePort(t)
	f := newFluentBit(t, "webhooks.yaml", srv, "WEBHOOK_LISTEN="+address, "WEBHOOK_KEYS="+keysDir(t, "siem", key))
	f.waitForWebhooks(1)
	return f, zitadeltest.NewTarget("http://"+address+"/siem/event", key)
}

// waitForWebhooks waits until its n-th run receives webhooks.
func (f *fluentBit) waitForWebhooks(n int) {
	f.t.Helper()
	f.Until("webhooks that are received", func() bool { return strings.Count(f.Log.String(), "webhooks are received") >= n })
}

func (f *fluentBit) waitForID(id string) {
	f.t.Helper()
	f.Until("the record of "+id, func() bool { return slices.Contains(f.ids("records"), id) })
}

// recordedPushes are the events of the recorded webhooks, each once. They happen now: an
// old one would be left to the reader.
func recordedPushes(t *testing.T) (all []zitadeltest.Event) {
	t.Helper()
	seen := map[string]bool{}
	for _, body := range recorded.Bodies(t) {
		b := gjson.ParseBytes(body)
		e := zitadeltest.Event{
			AggregateType: b.Get("aggregateType").String(), AggregateID: b.Get("aggregateID").String(), ResourceOwner: b.Get("resourceOwner").String(),
			Sequence: b.Get("sequence").Uint(), Type: b.Get("event_type").String(), EditorID: b.Get("userID").String(),
			CreatedAt: time.Now().Truncate(time.Microsecond), Payload: new(structpb.Struct),
		}
		if e.Type == "" || seen[eventID(e)] {
			continue
		}
		seen[eventID(e)] = true
		if payload := b.Get("event_payload"); payload.IsObject() {
			if err := protojson.Unmarshal([]byte(payload.Raw), e.Payload); err != nil {
				t.Fatalf("%s: %v", e.Type, err)
			}
		}
		all = append(all, e)
	}
	return all
}

func eventID(e zitadeltest.Event) string {
	return idOf("lab", zitadeltest.Key{AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence})
}

// Each recorded event comes by webhook first, and is then met by pulling.
func TestFluentBit_WebhooksComeOnceWithPullingBeside(t *testing.T) {
	t.Parallel()
	srv := others(t)
	f, target := receiving(t, srv)
	pushed := recordedPushes(t)
	if len(pushed) < 20 {
		t.Fatalf("only %d recorded events", len(pushed))
	}
	if n := target.Ahead(pushed...); n != len(pushed) {
		t.Fatalf("%d of %d webhooks were answered with 200:\n%s", n, len(pushed), f.Log)
	}
	forged := zitadeltest.NewTarget(target.URL, "of-somebody-else")
	if n := forged.Ahead(zitadeltest.Event{AggregateType: "user", AggregateID: "forged", Sequence: 1, Type: "user.removed", CreatedAt: time.Now()}); n != 0 {
		t.Error("a webhook with another key was taken")
	}
	for _, e := range pushed {
		f.waitForID(eventID(e))
	}
	for _, line := range f.records("records") {
		if id := gjson.Get(line, "event.id").String(); idSet(idsOfEvents(pushed))[id] && gjson.Get(line, "source").String() != "actions_webhook" {
			t.Errorf("not by webhook: %s", line)
		}
	}
	srv.Store().Append(pushed...)
	zitadeltest.NewWriter(srv.Store(), 1, nil).Append(1) // once it is read, the pushed ones are
	f.waitForIDs("records", srv.Store().Len())
	f.Stop()
	if n := wantAll(t, srv.Store(), "lab", f.ids("records")); n != 0 {
		t.Errorf("%d repeats", n)
	}
	t.Logf("%d recorded events by webhook, %d by pulling, 0 repeated", len(pushed), srv.Store().Len()-len(pushed))
}

func idsOfEvents(events []zitadeltest.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, eventID(e))
	}
	return ids
}

// The answer 200 is a promise. ZITADEL's log does not have these events yet, so nothing
// but the spool can bring them after the kill.
func TestFluentBit_KilledBetween200AndTheOutputTheWebhookStillComes(t *testing.T) {
	t.Parallel()
	srv := others(t)
	f, target := receiving(t, srv)
	f.waitForIDs("records", srv.Store().Len())
	const kills = 3
	between := 0
	var pushed []zitadeltest.Event
	for n := range kills {
		e := recordedPushes(t)[n]
		if target.Ahead(e) != 1 {
			t.Fatalf("webhook %d was not taken:\n%s", n, f.Log)
		}
		f.Kill()
		pushed = append(pushed, e)
		if !slices.Contains(f.ids("records"), eventID(e)) {
			between++
		}
		f.Start()
		f.waitForWebhooks(n + 2)
		f.waitForID(eventID(e))
	}
	if between == 0 {
		t.Error("no kill was between 200 and the output: the test shows nothing")
	}
	srv.Store().Append(pushed...)
	zitadeltest.NewWriter(srv.Store(), 1, nil).Append(1)
	f.waitForIDs("records", srv.Store().Len())
	f.Stop()
	t.Logf("%d of %d kills between 200 and the output, 0 lost, %d repeated", between, kills, wantAll(t, srv.Store(), "lab", f.ids("records")))
}
