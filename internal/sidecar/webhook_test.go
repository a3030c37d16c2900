package sidecar

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/plugin/plugintest"
)

const signingKey = "S1Tr4d7TxPZoL6Ou2GlvwEHWDbGYHMFOAXul" // made up

// actions is a ZITADEL whose events go to a target as well, at most once.
type actions struct {
	t      *testing.T
	store  *zitadeltest.Store
	writer *zitadeltest.Writer
	client http.Client
	sent   int // webhooks that were answered with 200
}

func newActions(t *testing.T, srv *zitadeltest.Server) *actions {
	a := &actions{t: t, store: srv.Store(), writer: zitadeltest.NewWriter(srv.Store(), 1, nil)}
	a.client = http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return a
}

// happen writes a transaction, and sends its events to addr, where nobody may be.
func (a *actions) happen(addr string) {
	a.t.Helper()
	events := a.writer.Next()
	a.store.Append(events...)
	keys := a.store.Keys()
	for i, k := range keys[len(keys)-len(events):] {
		e := events[i]
		body, err := json.Marshal(map[string]any{
			"aggregateID": k.AggregateID, "aggregateType": k.AggregateType, "resourceOwner": e.ResourceOwner, "instanceID": "1", "version": "v2",
			"sequence": k.Sequence, "event_type": e.Type, "created_at": e.CreatedAt.UTC().Format(time.RFC3339Nano), "userID": e.EditorID, "event_payload": e.Payload.AsMap(),
		})
		if err != nil {
			a.t.Fatal(err)
		}
		a.post("http://"+addr+"/events/all", body)
	}
}

func (a *actions) post(url string, body []byte) {
	a.t.Helper()
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingKey))
	fmt.Fprintf(mac, "%s.%s", at, body)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("ZITADEL-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := a.client.Do(req)
	if err != nil {
		return // lost, as ZITADEL would lose it
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		a.sent++
	}
}

// listening are settings with an endpoint.
func listening(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, pairs ...string) config.PullSettings {
	t.Helper()
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, "events"), []byte(signingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings(t, srv, far, append([]string{"listen", "127.0.0.1:0", "listen_keys_dir", keys}, pairs...)...)
}

// listeningSource opens a source and waits until it listens; stop ends both.
func listeningSource(t *testing.T, s config.PullSettings) (source *Source, addr string, stop func()) {
	t.Helper()
	sink, err := forward.New(forward.OptionsOf(s.Out))
	if err != nil {
		t.Fatal(err)
	}
	if source, err = Open(t.Context(), s, sink, Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx) }()
	plugintest.Until(t, "an address", func() bool { return source.Listener().Addr() != "" })
	return source, source.Listener().Addr(), func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPushAndPull_EachEventOnceThoughTheListenerComesAndGoes(t *testing.T) {
	srv := serve(t, 200)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far)
	zitadel := newActions(t, srv)
	random := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		_, addr, stop := listeningSource(t, s)
		for range 10 + random.IntN(10) {
			zitadel.happen(addr)
		}
		stop()
		for range random.IntN(5) {
			zitadel.happen(addr) // nobody is there
		}
	}
	run(t, open(t, s, Options{}), func() bool { return len(arrived(far)) == srv.Store().Len() })
	if n := wantAll(t, srv, far); n != 0 {
		t.Errorf("%d came twice", n)
	}
	sources := map[any]int{}
	for _, r := range far.Records() {
		sources[r.Body["source"]]++
	}
	t.Logf("%d events, %d webhooks taken, first by %v", srv.Store().Len(), zitadel.sent, sources)
	if sources[record.SourceWebhook] == 0 || sources[record.SourceEventsAPI] < 200 {
		t.Errorf("first by %v", sources)
	}
}

func TestPushAndPull_AWebhookIsThereBeforeThePoll(t *testing.T) {
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far, "poll_interval", "1h", "settle", "1m")
	zitadel := newActions(t, srv)
	source, addr, stop := listeningSource(t, s)
	defer stop()
	plugintest.Until(t, "the first pass", func() bool { return len(arrived(far)) == 10 })
	zitadel.happen(addr)
	plugintest.Until(t, "what was pushed", func() bool { return len(arrived(far)) == srv.Store().Len() })
	wantAll(t, srv, far)
	plugintest.Until(t, "an empty spool", func() bool { return source.Listener().Spooled() == 0 })
	figures := map[string]float64{}
	for _, f := range source.Figures().List {
		figures[f.Name] = f.Value
	}
	if n := float64(zitadel.sent); figures["pushed"] != n || figures["webhooks_accepted"] != n || figures["webhooks_refused"] != 0 {
		t.Errorf("%d webhooks, figures %v", zitadel.sent, figures)
	}
}

// What is no event leaves as a record of its own, once.
func TestPushAndPull_ApiCallsAndLoginsComeBesideTheEvents(t *testing.T) {
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := listening(t, srv, far, "tag_by", "event_type")
	zitadel := newActions(t, srv)
	_, addr, stop := listeningSource(t, s)
	zitadel.post("http://"+addr+"/events", []byte(`{"fullMethod":"/zitadel.user.v2.UserService/SetPassword","instanceID":"1","orgID":"2","userID":"3","request":{"newPassword":{"password":"Passw0rd!x"}}}`))
	plugintest.Until(t, "the call", func() bool { return len(arrived(far)) == 11 })
	stop()
	run(t, open(t, s, Options{}), func() bool { return len(arrived(far)) == 11 })
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
