package sidecar

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/detections"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// detecting opens a source with the built-in rules.
func detecting(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
	f, err := format.Open(s.Format)
	if err != nil {
		return nil, err
	}
	to, encode, err := sink.Open(s.Out, f, nil)
	if err != nil {
		return nil, err
	}
	rules, err := detections.Rules()
	if err != nil {
		return nil, err
	}
	return Open(ctx, s, to, source.Options{Log: slog.New(slog.DiscardHandler), Format: f, Encode: encode, Held: hold.Held, State: hold.State, Detect: &source.Detection{Rules: rules}})
}

// guess adds wrong passwords of one user.
func guess(srv *zitadeltest.Server, n int) {
	ip := &structpb.Struct{Fields: map[string]*structpb.Value{"remoteIP": structpb.NewStringValue("203.0.113.1")}}
	for range n {
		srv.Store().Append(zitadeltest.Event{AggregateType: "user", AggregateID: "u", ResourceOwner: "org", Type: "user.human.password.check.failed", Payload: ip, CreatedAt: time.Now()})
		time.Sleep(time.Millisecond) // another date
	}
}

// alertsOf returns the number of events of each alert of a rule that came.
func alertsOf(far *forwardtest.Server, title string) (events []int) {
	for _, r := range far.Records() {
		event, _ := r.Body["event"].(map[string]any)
		rule, _ := r.Body["rule"].(map[string]any)
		if event["kind"] == "alert" && rule["name"] == title {
			zitadel, _ := r.Body["zitadel"].(map[string]any)
			alert, _ := zitadel["alert"].(map[string]any)
			list, _ := alert["events"].([]any)
			events = append(events, len(list))
		}
	}
	return events
}

// An attack of ten wrong passwords is seen if one process reads the first five, and another one the
// rest: after SIGTERM, and after the first one has lost the way to the store.
func TestShare_AnAttackThatSpansAChangeOfHandsIsSeen(t *testing.T) {
	for name, leave := range map[string]func(*sharing){
		"SIGTERM":           func(a *sharing) { a.stop() },
		"without the store": func(a *sharing) { a.gate.Set(clustertest.Cut, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			srv, far, store := serve(t, 30), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
			s := settings(t, srv, far, "instance", "source-0", "format", "ecs", "tier", "noise", "enrich", "off")
			s.StatePath = ""
			list := []config.PullSettings{s}
			a := shareOpening(t, store, "a", detecting, list...)
			guess(srv, 5)
			testkit.Until(t, "the first half", func() bool { return came(srv, far, list) })
			testkit.Until(t, "its state", func() bool { p := a.Feeds()[0].Pipe; return p.UnderWay() == 0 && !p.Owes() })
			b := shareOpening(t, store, "b", detecting, list...)
			leave(a)
			testkit.Until(t, "the other process", func() bool { return len(b.held()) == 1 })
			guess(srv, 5)
			testkit.Until(t, "the second half", func() bool { return came(srv, far, list) })
			testkit.Until(t, "an alert of ten events", func() bool {
				alerts := alertsOf(far, "Many failed logins of one user")
				return len(alerts) == 1 && alerts[0] == 10
			})
			if n := repeats(far); n > 0 {
				t.Errorf("%d records came twice", n)
			}
		})
	}
}
