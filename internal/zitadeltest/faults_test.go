package zitadeltest

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const eventsPath = "/admin/v1/events/_search"

func TestRateLimitAnswersAsAnIntermediary(t *testing.T) {
	srv := start(t, NewStore(), Options{})
	now := time.Unix(1.7e9, 0)
	srv.now = func() time.Time { return now }
	srv.SetFaults(Faults{RateLimit: 2, RetryAfter: 7 * time.Second})
	for i, want := range []int{200, 200, 429} {
		resp, _ := post(t, srv, eventsPath, "{}", nil)
		if resp.StatusCode != want {
			t.Fatalf("request %d: %s, want %d", i, resp.Status, want)
		}
		if want == 429 && resp.Header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
	}
	client, ctx := rpc(t, srv)
	if _, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC through the same limit: %v", err)
	}
	requireClass(t, srv.Direct(), zitadel.Throttled)
}

func requireClass(t *testing.T, d *Direct, want zitadel.Class) {
	t.Helper()
	_, err := d.ListEvents(t.Context(), &adminpb.ListEventsRequest{})
	var e *zitadel.Error
	if !errors.As(err, &e) || e.Class != want {
		t.Errorf("error %v, want class %v", err, want)
	}
}

// A cut answer is an error for the client, and the next one is whole.
func TestCutAnswerIsNoAnswer(t *testing.T) {
	srv := start(t, recordedStore(), Options{})
	client, ctx := rpc(t, srv)
	srv.SetFaults(Faults{CutAnswers: 2, CutAfter: 5000})
	if _, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC: %v", err)
	}
	if _, b, err := tryPost(t, srv, eventsPath, "{}", nil); err == nil {
		t.Errorf("REST: %d bytes and no error", len(b))
	}
	if _, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); err != nil {
		t.Errorf("after the cuts: %v", err)
	}
}

func TestRestartKeepsAddressAndStore(t *testing.T) {
	srv := ServeAt(t, "127.0.0.1:"+testkit.FreePort(t), recordedStore(), Options{})
	url := srv.URL()
	srv.Stop()
	if _, _, err := tryPost(t, srv, eventsPath, "{}", nil); err == nil {
		t.Error("a stopped server answered")
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	if srv.URL() != url {
		t.Errorf("moved from %s to %s", url, srv.URL())
	}
	if resp, _ := post(t, srv, eventsPath, `{"limit":1}`, nil); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestDroppedConnectionsEndRequestsUnderWay(t *testing.T) {
	srv := start(t, recordedStore(), Options{})
	client, ctx := rpc(t, srv)
	arrived := make(chan struct{})
	srv.SetFaults(Faults{BeforeQuery: func(ctx context.Context, _ string, _ proto.Message) error {
		close(arrived)
		<-ctx.Done() // the connection's end
		return ctx.Err()
	}})
	go func() {
		<-arrived
		srv.SetFaults(Faults{})
		srv.DropConnections()
	}()
	if _, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("dropped: %v", err)
	}
	if _, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestTLSNeedsItsCertificate(t *testing.T) {
	srv := start(t, recordedStore(), Options{TLS: true})
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(srv.CertPEM()) {
		t.Fatal("no certificate")
	}
	if _, _, err := tryPost(t, srv, eventsPath, "{}", nil); err == nil {
		t.Error("an unknown authority was accepted")
	}
	client, ctx := rpcTLS(t, srv, credentials.NewClientTLSFromCert(pool, ""))
	if resp, err := client.ListEvents(ctx, &adminpb.ListEventsRequest{}); err != nil || len(resp.GetEvents()) != 1000 {
		t.Errorf("%d events, %v", len(resp.GetEvents()), err)
	}
}

func TestPoisonFailsItsPageOnly(t *testing.T) {
	store := NewStore()
	at := time.Unix(1.7e9, 0)
	ev := Event{AggregateType: "user", AggregateID: "1", Type: "user.locked", CreatedAt: at}
	bad := ev
	bad.Poison = true
	store.Append(ev, bad, ev)
	d := NewServer(store, Options{}).Direct()
	requireClass(t, d, zitadel.Undecodable)
	events, err := d.ListEvents(t.Context(), &adminpb.ListEventsRequest{Asc: true, Limit: 1})
	if err != nil || len(events) != 1 {
		t.Errorf("the page before it: %v, %v", events, err)
	}
	events, err = d.ListEvents(t.Context(), &adminpb.ListEventsRequest{AggregateId: "1", Asc: true, Sequence: 2})
	if err != nil || len(events) != 1 || events[0].GetSequence() != 3 {
		t.Errorf("the page after it: %v, %v", events, err)
	}
}

func TestDirectErrorsHaveTheClientsClasses(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		want   zitadel.Class
	}{
		"database down": {Faults{DatabaseDown: true}, zitadel.Retry},
		"starting":      {Faults{Starting: true}, zitadel.Retry},
		"blocked":       {Faults{Blocked: true}, zitadel.Throttled},
		"quota":         {Faults{QuotaOn: true}, zitadel.Throttled},
		"too large":     {Faults{MaxMessage: 1000}, zitadel.TooLarge},
		"hook":          {Faults{BeforeQuery: func(context.Context, string, proto.Message) error { return errToken }}, zitadel.Stop},
	} {
		t.Run(name, func(t *testing.T) {
			srv := NewServer(recordedStore(), Options{})
			srv.SetFaults(c.faults)
			requireClass(t, srv.Direct(), c.want)
		})
	}
	t.Run("token", func(t *testing.T) {
		d := NewServer(NewStore(), Options{}).Direct()
		d.Token = "wrong"
		requireClass(t, d, zitadel.Stop)
	})
}

// A reader waits for a transaction that pushed, not for one that only began.
func TestReadersWaitForOpenTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewStore()
		d := NewServer(store, Options{}).Direct()
		ask := func(patience time.Duration) (int, error) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			events, err := d.ListEvents(ctx, &adminpb.ListEventsRequest{})
			return len(events), err
		}
		ev := Event{AggregateType: "user", AggregateID: "1", Type: "user.locked"}

		tx := store.Begin(time.Now())
		if n, err := ask(time.Second); n != 0 || err != nil {
			t.Fatalf("begun: %d events, %v", n, err)
		}
		tx.Push(ev)
		if _, err := ask(time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("pushed: %v", err)
		}
		time.AfterFunc(5*time.Second, tx.Commit)
		before := time.Now()
		if n, err := ask(time.Minute); n != 1 || err != nil || time.Since(before) != 5*time.Second {
			t.Fatalf("committed after %v: %d events, %v", time.Since(before), n, err)
		}
		tx = store.Begin(time.Now())
		tx.Push(ev)
		tx.Rollback()
		if n, err := ask(time.Second); n != 1 || err != nil {
			t.Fatalf("rolled back: %d events, %v", n, err)
		}
	})
}

func TestLatencyGrowsWithRowsScanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer(recordedStore(), Options{})
		srv.SetFaults(Faults{Latency: time.Second, PerRow: time.Millisecond})
		before := time.Now()
		if _, err := srv.Direct().ListEvents(t.Context(), &adminpb.ListEventsRequest{Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(before), time.Second+2881*time.Millisecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

func TestHostsOfTheInstance(t *testing.T) {
	srv := start(t, NewStore(), Options{})
	if resp, _ := post(t, srv, eventsPath, "{}", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("loopback: %s", resp.Status)
	}
	narrow := start(t, NewStore(), Options{Hosts: []string{"id.example.com"}})
	if resp, _ := post(t, narrow, eventsPath, "{}", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another host: %s", resp.Status)
	}
}
