package zitadel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// distant is a host in a synctest bubble behind a gate.
type distant struct {
	t     *testing.T
	url   string
	http  *http.Client
	gate  *gate
	away  atomic.Bool // dials are refused
	dials atomic.Int64
}

func newDistant(t *testing.T, answer http.HandlerFunc) *distant {
	listener := bufconn.Listen(4 << 10)
	d := &distant{t: t, url: "http://zitadel.example.com/"}
	d.gate = newGate(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		d.dials.Add(1)
		if d.away.Load() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return listener.DialContext(ctx)
	}})
	d.http = &http.Client{Transport: d.gate}
	server := &http.Server{Handler: answer}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }()
	t.Cleanup(func() {
		d.http.CloseIdleConnections()
		server.Close()
		<-serving
	})
	return d
}

func (d *distant) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func ok(http.ResponseWriter, *http.Request) {}

func TestAnOutageIsProbedForAllClientsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistant(t, ok)
		d.away.Store(true)
		const (
			n     = 512
			every = 500 * time.Millisecond
			lasts = 6 * time.Second
		)
		began := time.Now()
		var asking sync.WaitGroup
		for i := range n {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * every / n)
				for d.ask(t.Context()) != nil {
					if late := time.Since(began) - lasts; late > gateMost+every {
						t.Errorf("client %d is refused %s after the host is back", i, late)
						return
					}
					time.Sleep(every)
				}
			})
		}
		time.Sleep(lasts)
		// Waits of 1/8, 1/4, 1/2, 1, 3/2, 3/2 s, or up to twice as long.
		if got := d.dials.Load(); got < 5 || got > 7 {
			t.Errorf("%d dials in %s", got, lasts)
		}
		d.away.Store(false)
		asking.Wait()
	})
}

// The waits are those of internal/events.
func TestAReaderThatIsAloneIsNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistant(t, ok)
		for range 50 {
			d.away.Store(true)
			again := retry.New(500*time.Millisecond, time.Minute)
			for range 12 {
				dialled := d.dials.Load()
				if d.ask(t.Context()) == nil {
					t.Fatal("the host is not away")
				}
				if d.dials.Load() == dialled {
					t.Fatal("refused without a dial")
				}
				time.Sleep(again.Next())
			}
			d.away.Store(false)
			if err := d.ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.http.CloseIdleConnections() // the next round dials
		}
	})
}

func TestOnlyAFailedAttemptToConnectIsAnOutage(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	away := func(d *distant) { d.away.Store(true) }
	secure := func(d *distant) { d.url = "https://zitadel.example.com/" }
	proxied := func(d *distant) {
		d.gate.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example.com:3128"})
	}
	hanging := func(d *distant) { // a firewall drops what is sent
		d.gate.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			d.dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		set    []func(*distant)
		outage string // its text; empty: none
	}{
		{"nobody listens", ok, []func(*distant){away}, "dial tcp: connection refused"},
		{"no TLS", ok, []func(*distant){secure}, "server gave HTTP response to HTTPS client"},
		{"the proxy is away", ok, []func(*distant){proxied, away}, "proxyconnect tcp: dial tcp: connection refused"},
		{"the proxy is away, TLS", ok, []func(*distant){secure, proxied, away}, "proxyconnect tcp: dial tcp: connection refused"},
		{"the proxy cannot connect", status(502), []func(*distant){secure, proxied}, "Bad Gateway"},
		{"a refused token", status(401), nil, ""},
		{"ZITADEL is restarting", status(503), nil, ""},
		{"a proxy answers", status(502), []func(*distant){proxied}, ""},
		{"no answer", hangUp, nil, ""},
		{"the caller gives up", ok, []func(*distant){hanging}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDistant(t, tc.answer)
				d.gate.DisableKeepAlives = true // each request dials
				for _, set := range tc.set {
					set(d)
				}
				ask := func() string {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if err := d.ask(ctx); err != nil {
						return err.Error()
					}
					return ""
				}
				first := ask()
				if tc.outage != "" && !strings.HasSuffix(first, ": "+tc.outage) {
					t.Fatalf("got %q, want %q", first, tc.outage)
				}
				dialled := d.dials.Load()
				if second := ask(); second != first {
					t.Errorf("first %q, then %q", first, second)
				}
				if refused := d.dials.Load() == dialled; refused != (tc.outage != "") {
					t.Errorf("refused without a dial: %v", refused)
				}
			})
		})
	}
}

func TestOpenConnectionsAreUsedInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistant(t, ok)
		if err := d.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.gate.failed(errors.New("away"))
		if err := d.ask(t.Context()); err != nil {
			t.Error(err)
		}
		d.http.CloseIdleConnections()
		if d.ask(t.Context()) == nil {
			t.Error("the gate is open")
		}
	})
}

func TestARefusedClientHoldsNobodyUp(t *testing.T) {
	f := unstartedFake(t)
	f.Config.Protocols, f.EnableHTTP2 = nil, false
	f.Config.SetKeepAlivesEnabled(false) // each request dials
	f.Start()
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, 400, `{"error":"invalid_grant","error_description":"invalid assertion"}`)
	})
	conns := new(Conns)
	rest := func(s *config.Settings) { s.Transport = TransportREST }
	bad := f.sharingOne(t, conns, rest, func(s *config.Settings) { s.Token, s.KeyFile = "", keyFile(t) })
	good := f.sharingOne(t, conns, rest)
	for range 3 {
		wantError(t, list(t.Context(), bad), Stop)
		if err := list(t.Context(), good); err != nil {
			t.Error(err)
		}
	}
	closeAll(t, []*Client{bad, good})
}
