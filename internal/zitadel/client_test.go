package zitadel

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

func TestEveryMethodOverBothTransports(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		var got *adminpb.ListEventsRequest
		f.onList(func(_ context.Context, req *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			got = proto.Clone(req).(*adminpb.ListEventsRequest)
			return &adminpb.ListEventsResponse{Events: []*eventpb.Event{{Sequence: 7}}}, nil
		})
		c := f.client(t, transport, func(cfg *config.Settings) { cfg.Language = "de" })
		want := &adminpb.ListEventsRequest{
			Limit: 17, Asc: true, Sequence: 1 << 60, EventTypes: []string{"user.added"}, AggregateTypes: []string{"user"},
			AggregateId: "a", ResourceOwner: "r", EditorUserId: "e",
			CreationDateFilter: &adminpb.ListEventsRequest_Range{Range: &adminpb.ListEventsRequestCreationDateRange{
				Since: timestamppb.New(time.UnixMicro(1_700_000_000_000_001)), Until: timestamppb.New(time.UnixMicro(1_700_000_000_000_003)),
			}},
		}
		events, err := c.ListEvents(t.Context(), want)
		if err != nil || len(events) != 1 || events[0].GetSequence() != 7 {
			t.Fatalf("events %v, error %v", events, err)
		}
		if !proto.Equal(got, want) {
			t.Errorf("the request arrived as %v, sent was %v", got, want)
		}
		if names, err := c.EventTypes(t.Context()); err != nil || strings.Join(names, " ") != "user.added user.locked" {
			t.Errorf("event types %v, error %v", names, err)
		}
		if names, err := c.AggregateTypes(t.Context()); err != nil || strings.Join(names, " ") != "user" {
			t.Errorf("aggregate types %v, error %v", names, err)
		}
		for range 2 {
			if id, err := c.OwnUserID(t.Context()); err != nil || id != "own-user" {
				t.Errorf("own user %q, error %v", id, err)
			}
		}
		sent, _ := f.noted()
		if len(sent) != 4 {
			t.Errorf("%d calls, want 4: the own user is asked for once", len(sent))
		}
		for _, authorization := range sent {
			if authorization != "Bearer static-token" {
				t.Errorf("Authorization is %q", authorization)
			}
		}
		if f.language != "de" {
			t.Errorf("Accept-Language is %q, want de", f.language)
		}
	})
}

func TestServerTimeIsTheClockOfTheLastAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		c := f.client(t, transport)
		if _, _, ok := c.ServerTime(); ok {
			t.Error("a server time before the first answer")
		}
		if err := list(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		server, local, ok := c.ServerTime()
		if !ok || server.Sub(local).Abs() > 5*time.Second {
			t.Errorf("server %s, local %s, ok %v", server, local, ok)
		}
	})

	// Recorded: gRPC answers have no date.
	local := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	const expires = "Sun, 22 Nov 2026 09:53:10 GMT"
	for _, test := range []struct {
		name   string
		header map[string]string
		ok     bool
	}{
		{"expires with no-store", map[string]string{"cache-control": "no-store", "expires": expires}, true},
		{"expires of a cacheable answer", map[string]string{"cache-control": "max-age=60", "expires": expires}, false},
		{"no header", nil, false},
		{"no date", map[string]string{"date": "yesterday"}, false},
	} {
		c := newClock()
		c.see(func(name string) string { return test.header[name] }, local)
		server, seen, ok := c.last()
		if ok != test.ok || ok && (server.Format(http.TimeFormat) != expires || !seen.Equal(local)) {
			t.Errorf("%s: server %s, local %s, ok %v", test.name, server, seen, ok)
		}
	}
}

func TestNewNeedsNoNetworkAndLaterCallsSayWhatIsWrong(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	onBoth(t, func(t *testing.T, transport string) {
		for _, test := range []struct{ url, fix string }{
			{closed, "check that ZITADEL runs"},
			{"http://zitadel.invalid:8080", "name servers"},
		} {
			c := mustNew(t, config.Settings{URL: mustURL(t, test.url), Transport: transport, Token: "x", RequestTimeout: 5 * time.Second}, Options{})
			e := wantError(t, list(t.Context(), c), Retry)
			wantIn(t, e.Error(), test.url, test.fix)
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	with := func(set func(*config.Settings)) config.Settings {
		cfg := config.Settings{URL: mustURL(t, "https://auth.example.com")}
		set(&cfg)
		return cfg
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		cfg  config.Settings
		says []string
	}{
		{with(func(c *config.Settings) { c.Token, c.CAFile = "a", missing }), []string{"ca_file", missing}},
		{with(func(c *config.Settings) { c.Token, c.CAFile = "a", keyFile(t) }), []string{"ca_file", "holds no certificate"}},
		{with(func(c *config.Settings) { c.Token = "two words" }), []string{"token"}},
		{with(func(c *config.Settings) { c.KeyFile = missing }), []string{"key_file", missing, "no such file"}},
	} {
		c, err := New(t.Context(), test.cfg, Options{})
		if err == nil {
			c.Close()
			t.Errorf("%+v: no error", test.cfg)
			continue
		}
		wantIn(t, err.Error(), test.says...)
		if strings.Contains(err.Error(), "two words") {
			t.Errorf("a secret is in %q", err)
		}
	}
}

func TestServerThatHangsEndsWithTheRequestTimeout(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		err := list(t.Context(), f.client(t, transport, func(cfg *config.Settings) { cfg.RequestTimeout = 50 * time.Millisecond }))
		e := wantError(t, err, Retry)
		if e.Code != codes.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantIn(t, e.Error(), "50ms", "raise request_timeout")
	})
}

func TestCallersOwnEndIsNoError(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		asked := make(chan struct{}, 2)
		f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		c := f.client(t, transport)
		soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := list(soon, c); err != context.DeadlineExceeded {
			t.Errorf("got %T %v, want context.DeadlineExceeded", err, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		err := list(ctx, c)
		if _, ok := errors.AsType[*Error](err); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("got %T %v, want context.Canceled", err, err)
		}
		past, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		if err := list(past, c); err != context.DeadlineExceeded {
			t.Errorf("got %T %v, want context.DeadlineExceeded", err, err)
		}
	})
}

func TestOneConnectionIsReused(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := unstartedFake(t)
		opened := make(chan struct{}, 100)
		f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				opened <- struct{}{}
			}
		}
		f.Start()
		c := f.client(t, transport)
		for range 20 {
			if err := list(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(opened); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestCloseEndsCallsAndLeavesNothingBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		asked := make(chan struct{})
		f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		before := goleak.IgnoreCurrent()
		c := f.client(t, transport, func(cfg *config.Settings) { cfg.Token, cfg.KeyFile = "", keyFile(t) })
		done := make(chan error)
		go func() { done <- list(context.Background(), c) }()
		<-asked
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		wantIn(t, wantError(t, <-done, Stop).Error(), "client is closed")
		wantError(t, list(t.Context(), c), Stop)
		f.CloseClientConnections()
		goleak.VerifyNone(t, before)
	})
}

// The connection that New begins is closed with the client, also where it never
// came up and nobody asked anything.
func TestCloseWithoutACallLeavesNothingBehind(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, at := range []string{"http://" + silent.Addr().String(), "https://" + silent.Addr().String(), "http://zitadel.invalid"} {
		before := goleak.IgnoreCurrent()
		c, err := New(t.Context(), config.Settings{URL: mustURL(t, at), Token: "x", RequestTimeout: time.Second}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		goleak.VerifyNone(t, before)
	}
}
