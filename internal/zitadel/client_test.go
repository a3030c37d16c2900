package zitadel

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
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

func TestIPv6AddressIsAHost(t *testing.T) {
	for _, secure := range []bool{false, true} {
		listener, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 here: ", err)
		}
		f := unstartedFake(t)
		f.Listener.Close()
		f.Listener = listener
		ca := filepath.Join(t.TempDir(), "ca.pem")
		set := func(*config.Settings) {}
		if secure { // the certificate has the address without brackets
			f.StartTLS()
			writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
			set = func(cfg *config.Settings) { cfg.CAFile = ca }
		} else {
			f.Start()
		}
		onBoth(t, func(t *testing.T, transport string) {
			if err := list(t.Context(), f.client(t, transport, set)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The names that gRPC is given: IPv6 in brackets, with a port;
// the default port is not part of what the server is called.
func TestTargetHasAPortAndBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"https://auth.example.com":     "auth.example.com:443",
		"http://auth.example.com":      "auth.example.com:80",
		"http://auth.example.com:8080": "auth.example.com:8080",
		"https://[2001:db8::1]":        "[2001:db8::1]:443",
		"http://[::1]:8080":            "[::1]:8080",
	} {
		target, creds, err := targetOf(mustURL(t, text), new(tls.Config))
		if err != nil {
			t.Fatal(err)
		}
		secure := strings.HasPrefix(text, "https:")
		if target != "passthrough:///"+want || (creds.Info().SecurityProtocol == "tls") != secure {
			t.Errorf("%s: %s, credentials %q; want %s", text, target, creds.Info().SecurityProtocol, want)
		}
	}
}

func TestTLSIsVerifiedUnlessCAFileKnowsTheServer(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := unstartedFake(t)
		f.StartTLS()
		e := wantError(t, list(t.Context(), f.client(t, transport)), Stop)
		wantIn(t, e.Error(), "set ca_file to", f.URL)

		ca := filepath.Join(t.TempDir(), "ca.pem")
		writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
		trusting := func(cfg *config.Settings) { cfg.CAFile = ca }
		if err := list(t.Context(), f.client(t, transport, trusting)); err != nil {
			t.Errorf("with ca_file: %v", err)
		}
		// The token endpoint of the same server is behind the same authority.
		keyed := func(cfg *config.Settings) { cfg.CAFile, cfg.Token, cfg.KeyFile = ca, "", keyFile(t) }
		if err := list(t.Context(), f.client(t, transport, keyed)); err != nil {
			t.Errorf("with ca_file and key_file: %v", err)
		}
		// Trusted, but asked for by a name that is not in the certificate.
		misnamed := func(cfg *config.Settings) {
			trusting(cfg)
			cfg.URL = mustURL(t, strings.Replace(f.URL, "127.0.0.1", "localhost", 1))
		}
		e = wantError(t, list(t.Context(), f.client(t, transport, misnamed)), Stop)
		wantIn(t, e.Fix, "a name that the server's certificate holds")
	})
}

func TestWrongSchemeStopsWithTheRightOne(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		plain := newFake(t)
		e := wantError(t, list(t.Context(), plain.client(t, transport, func(cfg *config.Settings) {
			cfg.URL = mustURL(t, strings.Replace(plain.URL, "http:", "https:", 1))
		})), Stop)
		wantIn(t, e.Fix, "use http:// in url")

		secure := unstartedFake(t)
		secure.StartTLS()
		// Over gRPC a TLS server just hangs up, as one that restarts does.
		class := map[string]Class{TransportGRPC: Retry, TransportREST: Stop}[transport]
		e = wantError(t, list(t.Context(), secure.client(t, transport, func(cfg *config.Settings) {
			cfg.URL = mustURL(t, strings.Replace(secure.URL, "https:", "http:", 1))
		})), class)
		wantIn(t, e.Fix, "use https:// in url")
	})
}

func TestServerWithoutHTTP2IsAskedOverREST(t *testing.T) {
	for _, secure := range []bool{false, true} {
		f := unstartedFake(t)
		f.Config.Protocols, f.EnableHTTP2 = nil, false
		ca := filepath.Join(t.TempDir(), "ca.pem")
		set := func(*config.Settings) {}
		if secure {
			f.StartTLS()
			writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
			set = func(cfg *config.Settings) { cfg.CAFile = ca }
		} else {
			f.Start()
		}
		e := wantError(t, list(t.Context(), f.client(t, TransportGRPC, set)), Stop)
		wantIn(t, e.Fix, "set transport rest")
		if err := list(t.Context(), f.client(t, TransportREST, set)); err != nil {
			t.Error(err)
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

func TestConnectionCutInMidAnswerIsRetriedNotRead(t *testing.T) {
	page := bytes.Repeat([]byte("x"), 1<<20)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		cut := true
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			if !cut {
				return false
			}
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			if transport == TransportREST {
				w.Write([]byte(`{"events":[{"payload":{"a":"`))
			} else {
				w.Write([]byte{0, 0, 0x20, 0, 0}) // the length of a message of 2 MiB
			}
			w.Write(page)
			http.NewResponseController(w).Flush()
			f.CloseClientConnections()
			hang(r)
			panic(http.ErrAbortHandler)
		})
		c := f.client(t, transport)
		wantError(t, list(t.Context(), c), Retry)
		cut = false
		if err := list(t.Context(), c); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

func TestAnswerThatEndsTooSoonIsRetried(t *testing.T) {
	page := string(readTestdata(t, "events-rest-page001-first100.json"))
	f := newFake(t)
	c := f.client(t, TransportREST)
	for _, test := range []struct {
		name  string
		serve func(w http.ResponseWriter)
	}{
		{"truncated JSON", func(w http.ResponseWriter) { writeJSON(w, 200, page[:len(page)/2]) }},
		{"nothing at all", func(w http.ResponseWriter) { writeJSON(w, 200, "") }},
		{"shorter than announced", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100000")
			writeJSON(w, 200, page[:1000])
			panic(http.ErrAbortHandler)
		}},
		{"truncated gzip", func(w http.ResponseWriter) {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			io.WriteString(z, page)
			z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			writeJSON(w, 200, packed.String()[:packed.Len()/2])
		}},
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { test.serve(w); return true })
		if e, ok := list(t.Context(), c).(*Error); !ok || e.Class != Retry {
			t.Errorf("%s: got %v", test.name, e)
		} else if strings.Contains(e.Error(), "instance.added") {
			t.Errorf("%s: payload in %v", test.name, e)
		}
	}
}

func TestGzipIsUnpacked(t *testing.T) {
	f := newFake(t)
	f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		z := gzip.NewWriter(w)
		z.Write(readTestdata(t, "events-rest-page001-first100.json"))
		z.Close()
		return true
	})
	events, err := f.client(t, TransportREST).ListEvents(t.Context(), new(adminpb.ListEventsRequest))
	if err != nil || len(events) != 100 {
		t.Errorf("%d events, error %v", len(events), err)
	}
}

// bigPage is a page of about so many bytes.
func bigPage(bytes int) *adminpb.ListEventsResponse {
	page := new(adminpb.ListEventsResponse)
	for range 10 {
		page.Events = append(page.Events, &eventpb.Event{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"text": structpb.NewStringValue(strings.Repeat("a", bytes/10)),
		}}})
	}
	return page
}

func TestPageOf10MiBArrivesOverBothTransports(t *testing.T) {
	page := bigPage(10<<20 - 1000)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return page, nil
		})
		events, err := f.client(t, transport).ListEvents(t.Context(), new(adminpb.ListEventsRequest))
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(&adminpb.ListEventsResponse{Events: events}, page) {
			t.Error("the page arrived changed")
		}
	})
}

func TestPageOverALimitIsTooLarge(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		// ZITADEL's own limit, as recorded.
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return nil, status.Error(codes.ResourceExhausted, "grpc: trying to send message larger than max (12996121 vs. 10485760)")
		})
		wantError(t, list(t.Context(), f.client(t, transport)), TooLarge)

		// And ours, which no ZITADEL reaches.
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			if transport == TransportGRPC {
				w.Write([]byte{0, 1, 0, 0, 1}) // announces 16 MiB and a byte
			} else {
				block := bytes.Repeat([]byte(" "), 1<<20)
				for range maxBody>>20 + 1 {
					w.Write(block)
				}
			}
			return true
		})
		e := wantError(t, list(t.Context(), f.client(t, transport)), TooLarge)
		wantIn(t, e.Message, "larger than max")
	})
}

func TestEventThatCannotBeDecodedIsNoReasonToStop(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
			return nil, status.Error(codes.Internal, "Errors.Internal (ADMIN-eaimD)")
		})
		wantError(t, list(t.Context(), f.client(t, transport)), Undecodable)
	})
	// What arrives whole, but is no page.
	f := newFake(t)
	f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
		writeJSON(w, 200, `{"events":[{"sequence":"PAYLOAD"}]}`)
		return true
	})
	e := wantError(t, list(t.Context(), f.client(t, TransportREST)), Undecodable)
	if strings.Contains(e.Error(), "PAYLOAD") {
		t.Errorf("payload in %v", e)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	f := newFake(t)
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		return nil, status.Error(codes.ResourceExhausted, "Quota.Access.Exhausted (QUOTA-vjAy8)")
	})
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second,
		"0": 0, "-3": 0, "soon": 0, "": 0,
		"999999999":                     time.Hour,
		"Sun, 22 Nov 2026 09:37:50 GMT": 20 * time.Second,
		"Sun, 22 Nov 2026 09:37:10 GMT": 0,
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", header)
			w.Header().Set("Date", "Sun, 22 Nov 2026 09:37:30 GMT")
			return false
		})
		e := wantError(t, list(t.Context(), f.client(t, TransportREST)), Throttled)
		if e.RetryAfter != want {
			t.Errorf("Retry-After %q over REST: %s, want %s", header, e.RetryAfter, want)
		}
	}
	f.onHTTP(nil)
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		grpc.SetTrailer(ctx, metadata.Pairs("retry-after", "9"))
		return nil, status.Error(codes.ResourceExhausted, "slow down")
	})
	if e := wantError(t, list(t.Context(), f.client(t, TransportGRPC)), Throttled); e.RetryAfter != 9*time.Second {
		t.Errorf("retry-after metadata: %s, want 9s", e.RetryAfter)
	}
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		s, err := status.New(codes.Unavailable, "restarting").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)})
		if err != nil {
			return nil, err
		}
		return nil, s.Err()
	})
	if e := wantError(t, list(t.Context(), f.client(t, TransportGRPC)), Retry); e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("RetryInfo: %s, want 1.5s", e.RetryAfter)
	}
}

func TestAnswersOfSomethingElse(t *testing.T) {
	page := "<html><head><style>b{}</style></head><body><h1>It is not here</h1>\n\x00" + strings.Repeat("long ", 500) + "</body></html>"
	for _, test := range []struct {
		status int
		body   string
		class  Class
		fix    string
	}{
		{200, page, Stop, "url does not lead to ZITADEL's API"},
		{400, "Client sent an HTTP request to an HTTPS server.", Stop, "use https:// in url"},
		{401, page, Stop, "something before it asks for a login"},
		{403, page, Stop, "proxy or firewall before it refuses"},
		{404, page, Stop, "url does not lead to ZITADEL's API"},
		{405, page, Stop, "url does not lead to ZITADEL's API"},
		{407, page, Stop, "HTTPS_PROXY"},
		{408, page, Retry, ""},
		{421, page, Stop, "external domain"},
		{429, page, Throttled, "limits the requests"},
		{500, page, Retry, ""},
		{501, page, Stop, "url does not lead"},
		{502, page, Retry, ""},
		{503, page, Retry, ""},
		{504, page, Retry, ""},
		{520, page, Retry, ""},
	} {
		onBoth(t, func(t *testing.T, transport string) {
			f := newFake(t)
			f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
				return true
			})
			e := wantError(t, list(t.Context(), f.client(t, transport)), test.class)
			if e.HTTPStatus != test.status {
				t.Errorf("HTTP %d, want %d", e.HTTPStatus, test.status)
			}
			wantIn(t, e.Fix, test.fix)
			if n := len([]rune(e.Message)); n > maxForeign+1 {
				t.Errorf("HTTP %d: %d runes repeated: %q", test.status, n, e.Message)
			}
			if strings.ContainsAny(e.Message, "<>\x00") {
				t.Errorf("markup in %q", e.Message)
			}
			if transport == TransportGRPC && test.status == 403 {
				wantIn(t, e.Fix, "transport rest")
			}
		})
	}
}

func TestOtherJSONIsNoEmptyPage(t *testing.T) {
	f := newFake(t)
	c := f.client(t, TransportREST)
	for body, class := range map[string]Class{
		`{"status":"ok"}`: Stop,
		`[]`:              Stop,
		`null`:            Stop,
		`"events"`:        Stop,
		`{"events":5}`:    Undecodable,
	} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { writeJSON(w, 200, body); return true })
		wantError(t, list(t.Context(), c), class)
	}
	for _, body := range []string{`{}`, ` {} `, `{"events":[]}`, `{"events":[],"new":1}`} {
		f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool { writeJSON(w, 200, body); return true })
		if err := list(t.Context(), c); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Grpcgateway-Content-Type", "application/grpc")
		writeJSON(w, 200, `{"new":1}`)
		return true
	})
	if err := list(t.Context(), c); err != nil {
		t.Errorf("a new field in an empty page of the gateway: %v", err)
	}
}

func TestRedirectIsAnErrorThatNamesTheURL(t *testing.T) {
	other := newFake(t)
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL+r.URL.Path+"?token=abc", http.StatusTemporaryRedirect)
			return true
		})
		e := wantError(t, list(t.Context(), f.client(t, transport)), Stop)
		wantIn(t, e.Fix, "redirects are not followed")
		if transport == TransportREST {
			wantIn(t, e.Fix, "if "+other.URL+" is your ZITADEL set url to it")
		}
		if strings.Contains(e.Error(), "abc") {
			t.Errorf("the query is in %v", e)
		}
	})
	if sent, _ := other.noted(); len(sent) > 0 {
		t.Errorf("the redirect was followed with %v", sent)
	}
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
