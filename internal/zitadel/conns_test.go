package zitadel

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// counted is a listener that counts connections.
type counted struct {
	net.Listener
	accepted atomic.Int64
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

func countedFake(t testing.TB) (*fake, *counted) {
	f := unstartedFake(t)
	c := f.counted()
	f.Start()
	return f, c
}

func (f *fake) counted() *counted {
	c := &counted{Listener: f.Listener}
	f.Listener = c
	return c
}

// sharing makes n clients of f with common connections.
func (f *fake) sharing(t testing.TB, conns *Conns, n int, set ...func(*config.Settings)) []*Client {
	t.Helper()
	clients := make([]*Client, n)
	for i := range clients {
		clients[i] = f.sharingOne(t, conns, set...)
	}
	return clients
}

func (f *fake) sharingOne(t testing.TB, conns *Conns, set ...func(*config.Settings)) *Client {
	t.Helper()
	s := config.Settings{URL: mustURL(t, f.URL), Transport: TransportGRPC, Token: "static-token", RequestTimeout: 2 * time.Minute}
	for _, change := range set {
		change(&s)
	}
	c, err := New(t.Context(), s, Options{Conns: conns})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeAll(t testing.TB, clients []*Client) {
	t.Helper()
	for _, c := range clients {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// askAll asks for a page from each of the clients at the same time.
func askAll(t testing.TB, clients []*Client) {
	t.Helper()
	var asking sync.WaitGroup
	for _, c := range clients {
		asking.Go(func() {
			if err := list(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
}

// answerTogether answers n searches once all of them are there.
func (f *fake) answerTogether(n int) {
	var mu sync.Mutex
	there, all := 0, make(chan struct{})
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		mu.Lock()
		answer := all
		if there++; there == n {
			close(all)
			there, all = 0, make(chan struct{})
		}
		mu.Unlock()
		select {
		case <-answer:
			return new(adminpb.ListEventsResponse), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func TestClientsOfOneOriginShareConnections(t *testing.T) {
	f, listener := countedFake(t)
	conns := new(Conns)
	const n = clientsPerConn + 12
	clients := f.sharing(t, conns, n)
	if got := listener.accepted.Load(); got != 0 {
		t.Errorf("%d connections before the first call", got)
	}
	askAll(t, clients)
	if got := listener.accepted.Load(); got != 2 {
		t.Errorf("%d clients made %d connections, want 2", n, got)
	}
	closeAll(t, clients)
	if len(conns.by) != 0 {
		t.Errorf("connections without clients are kept: %v", conns.by)
	}
}

// Each client has a poll, a read of the sweep and one of names under way, and the server, which allows 100 calls
// at a time on a connection, answers none before it has all of them.
func TestNoClientOfAFullConnectionWaits(t *testing.T) {
	f := unstartedFake(t)
	f.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100}
	f.Start()
	f.answerTogether(3 * clientsPerConn)
	clients := f.sharing(t, new(Conns), clientsPerConn, func(s *config.Settings) { s.RequestTimeout = 20 * time.Second })
	defer closeAll(t, clients)
	if clients[0].conn != clients[clientsPerConn-1].conn {
		t.Fatal("the clients are not on one connection")
	}
	askAll(t, slices.Concat(clients, clients, clients))
}

// Over HTTP/1.1 each call needs a connection for itself, and the next round uses the same ones.
func TestConnectionsOfHTTP1AreUsedAgain(t *testing.T) {
	f := unstartedFake(t)
	f.Config.Protocols, f.EnableHTTP2 = nil, false
	listener := f.counted()
	f.Start()
	const n = 256
	f.answerTogether(n)
	clients := f.sharing(t, new(Conns), n, func(s *config.Settings) {
		s.Transport, s.RequestTimeout = TransportREST, 20*time.Second
	})
	defer closeAll(t, clients)
	for round := 0; round < 10 && !t.Failed(); round++ {
		askAll(t, clients)
	}
	if got := listener.accepted.Load(); got != n {
		t.Errorf("%d connections, want %d", got, n)
	}
}

func TestAClosedClientDisturbsNoOther(t *testing.T) {
	f, _ := countedFake(t)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	f.onList(func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		asked <- struct{}{}
		<-answer
		return new(adminpb.ListEventsResponse), nil
	})
	clients := f.sharing(t, new(Conns), 2)
	errs := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for i, c := range clients {
		go func() { errs[i] <- list(t.Context(), c) }()
	}
	<-asked
	<-asked
	for range 2 { // the second one gives up nothing more
		if err := clients[0].Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-errs[0]; err == nil {
		t.Error("the call of the closed client has succeeded")
	}
	close(answer)
	if err := <-errs[1]; err != nil {
		t.Errorf("the other client: %v", err)
	}
	closeAll(t, clients[1:])
}

func TestEachClientHasItsOwnToken(t *testing.T) {
	f, listener := countedFake(t)
	conns := new(Conns)
	wrong := f.sharingOne(t, conns, func(s *config.Settings) { s.Token = "other-token" })
	right := f.sharingOne(t, conns)
	for _, c := range []*Client{wrong, right} {
		if err := list(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if sent, _ := f.noted(); strings.Join(sent, ", ") != "Bearer other-token, Bearer static-token" {
		t.Errorf("sent: %q", sent)
	}
	if listener.accepted.Load() != 1 {
		t.Errorf("%d connections, want 1", listener.accepted.Load())
	}
	closeAll(t, []*Client{wrong, right})
}

// While a host is away, its clients fail at once and do not dial each for itself.
func TestAHostThatIsAwayIsNotDialledByEachClient(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		// What listens counts dials, and hangs up before the TLS handshake is done.
		f := unstartedFake(t)
		listener := f.counted()
		f.URL = "https://" + listener.Addr().String()
		var hangingUp sync.WaitGroup
		hangingUp.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		})
		const n = 3 * clientsPerConn
		clients := f.sharing(t, new(Conns), n, func(s *config.Settings) { s.Transport = transport })
		defer closeAll(t, clients)
		began := time.Now()
		for _, c := range clients {
			if e := wantError(t, list(t.Context(), c), Retry); e.Code != codes.Unavailable {
				t.Fatalf("got %v", e)
			}
		}
		took := time.Since(began)
		listener.Close()
		hangingUp.Wait()
		// A slow machine sees some of the dials that follow. The shortest waits before one are
		// 125 ms over REST, for all clients, and 160 ms on each gRPC connection.
		most := 1 + int64(took/(125*time.Millisecond))
		if transport == TransportGRPC {
			most *= n / clientsPerConn
		}
		if got := listener.accepted.Load(); got == 0 || got > most {
			t.Errorf("%d clients dialled %d times in %s, want at most %d", n, got, took, most)
		}
	})
}

func TestOtherAuthoritiesAreNotShared(t *testing.T) {
	conns := new(Conns)
	f := newFake(t)
	authority := func() func(*config.Settings) {
		path := testkit.NewAuthority(t).File()
		return func(s *config.Settings) { s.CAFile = path }
	}
	one, other := authority(), authority()
	clients := []*Client{f.sharingOne(t, conns), f.sharingOne(t, conns, one), f.sharingOne(t, conns, other), f.sharingOne(t, conns, one)}
	if clients[1].conn != clients[3].conn {
		t.Error("the same authorities do not share")
	}
	for i, a := range clients[:3] {
		for _, b := range clients[i+1 : 3] {
			if a.conn == b.conn {
				t.Error("different authorities share")
			}
		}
	}
	closeAll(t, clients)
}

// BenchmarkIdleClient is what one client keeps after a call, with connections of its own and
// shared.
func BenchmarkIdleClient(b *testing.B) {
	const n = 500
	for _, tc := range []struct {
		name  string
		conns *Conns
	}{{"own", nil}, {"shared", new(Conns)}} {
		b.Run(tc.name, func(b *testing.B) {
			f := newFake(b)
			for b.Loop() {
				goroutines, heap := runtime.NumGoroutine(), inUse()
				clients := f.sharing(b, tc.conns, n)
				for _, c := range clients {
					if err := list(b.Context(), c); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(inUse()-heap)/1024/n, "KiB/client")
				b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/client")
				closeAll(b, clients)
			}
		})
	}
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
