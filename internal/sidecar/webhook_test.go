package sidecar

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

const signingKey = "S1Tr4d7TxPZoL6Ou2GlvwEHWDbGYHMFOAXul" // made up

// listening are settings with an endpoint.
func listening(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, pairs ...string) config.PullSettings {
	t.Helper()
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, "events"), []byte(signingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings(t, srv, far, append([]string{"webhook_listen", "127.0.0.1:0", "webhook_keys_dir", keys}, pairs...)...)
}

// listeningSource opens a source and waits until it listens; stop ends both.
func listeningSource(t *testing.T, s config.PullSettings) (feed *Feed, target *zitadeltest.Target, stop func()) {
	t.Helper()
	to, _, err := sink.Open(s.Out, format.Raw(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if feed, err = Open(t.Context(), s, to, source.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	testkit.Until(t, "an address", func() bool { return feed.Listener.Addr() != "" })
	return feed, zitadeltest.NewTarget("http://"+feed.Listener.Addr()+"/events/all", signingKey), func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPushAndPull_EachEventOnceThoughTheListenerComesAndGoes(t *testing.T) {
	srv := serve(t, 200)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far)
	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	random, sent := rand.New(rand.NewPCG(1, 2)), 0
	for range 6 {
		_, target, stop := listeningSource(t, s)
		for range 10 + random.IntN(10) {
			sent += target.Happen(srv.Store(), writer.Next())
		}
		stop()
		for range random.IntN(5) {
			sent += target.Happen(srv.Store(), writer.Next()) // nobody is there
		}
	}
	run(t, open(t, s, source.Options{}), func() bool { return len(arrived(far)) == srv.Store().Len() })
	if n := wantAll(t, srv, far); n != 0 {
		t.Errorf("%d came twice", n)
	}
	sources := map[any]int{}
	for _, r := range far.Records() {
		sources[r.Body["source"]]++
	}
	t.Logf("%d events, %d webhooks taken, first by %v", srv.Store().Len(), sent, sources)
	if sources[record.SourceWebhook] == 0 || sources[record.SourceEventsAPI] < 200 {
		t.Errorf("first by %v", sources)
	}
}

func TestPushAndPull_AWebhookIsThereBeforeThePoll(t *testing.T) {
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far, "poll_interval", "1h", "settle", "1m")
	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	feed, target, stop := listeningSource(t, s)
	defer stop()
	testkit.Until(t, "the first pass", func() bool { return len(arrived(far)) == 10 })
	sent := target.Happen(srv.Store(), writer.Next())
	testkit.Until(t, "what was pushed", func() bool { return len(arrived(far)) == srv.Store().Len() })
	wantAll(t, srv, far)
	testkit.Until(t, "an empty spool", func() bool { return feed.Listener.Spooled() == 0 })
	metrics := map[string]float64{}
	for _, f := range feed.Metrics().List {
		metrics[f.Name] = f.Value
	}
	if n := float64(sent); n == 0 || metrics["pushed"] != n || metrics["webhooks_accepted"] != n || metrics["webhooks_refused"] != 0 {
		t.Errorf("%d webhooks, metrics %v", sent, metrics)
	}
}

// What is no event leaves as a record of its own, once.
func TestPushAndPull_ApiCallsAndLoginsComeBesideTheEvents(t *testing.T) {
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far, "tag_by", "event_type")
	_, target, stop := listeningSource(t, s)
	taken := target.Post([]byte(`{"fullMethod":"/zitadel.user.v2.UserService/SetPassword","instanceID":"1","orgID":"2","userID":"3","request":{"newPassword":{"password":"Passw0rd!x"}}}`))
	if !taken {
		t.Fatal("it was refused")
	}
	testkit.Until(t, "the call", func() bool { return len(arrived(far)) == 11 })
	stop()
	run(t, open(t, s, source.Options{}), func() bool { return len(arrived(far)) == 11 })
	calls := 0
	for _, m := range far.Messages() {
		for _, r := range m.Records {
			if bytes.Contains(fmt.Append(nil, r.Body), []byte("Passw0rd!x")) {
				t.Error("a password left")
			}
			if event := r.Body["event"].(map[string]any); event["type"] == "api.request" {
				calls++
				if m.Tag != "zitadel.api.request" {
					t.Errorf("tag %s", m.Tag)
				}
			}
		}
	}
	if calls != 1 {
		t.Errorf("the call came %d times", calls)
	}
}
