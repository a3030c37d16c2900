package zitadeltest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	actionpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/action/v2"
	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	managementpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
)

// Options of a server. The zero value is plain HTTP for any loopback host.
type Options struct {
	// Hosts are the domains of the instance, without ports. Without any, every
	// loopback name and address is accepted; a real server accepts only its domains.
	Hosts []string
	// TLS serves with a certificate made at the start: see [Server.CertPEM].
	TLS bool
	// Now is the server's clock; default time.Now.
	Now func() time.Time
	// TokenLifetime of issued tokens; default 12 h, ZITADEL's own.
	TokenLifetime time.Duration
}

// Server is a ZITADEL that answers from a store. It is safe for concurrent use.
type Server struct {
	store   *Store
	opts    Options
	now     func() time.Time
	pat     string
	actions *Actions
	orgs    *Orgs

	mu       sync.Mutex
	faults   Faults
	limiter  *rate.Limiter
	tokens   map[string]token
	users    map[string]serviceUser // by user id or client id
	certPEM  []byte
	cert     *tls.Certificate
	addr     string // of the first Start, with its port
	listener net.Listener
	http     *http.Server
	grpc     *grpc.Server
	served   chan struct{} // closed when http has ended
	conns    map[net.Conn]struct{}

	counters         map[string]*counter
	requests, issued atomic.Int64
}

// NewServer returns a server that does not listen yet.
func NewServer(store *Store, opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.TokenLifetime == 0 {
		opts.TokenLifetime = 12 * time.Hour
	}
	s := &Server{
		store: store, opts: opts, now: opts.Now, pat: rand.Text(), actions: &Actions{now: opts.Now}, orgs: newOrgs(),
		tokens: map[string]token{}, users: map[string]serviceUser{}, conns: map[net.Conn]struct{}{},
		counters: map[string]*counter{"ListEvents": {}, "ListEventTypes": {}, "ListAggregateTypes": {}},
	}
	s.tokens[s.pat] = token{role: Viewer}
	return s
}

// Store is the store that the server reads.
func (s *Server) Store() *Store { return s.store }

// Start listens on addr, "127.0.0.1:0" for any free port.
func (s *Server) Start(addr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return errors.New("zitadeltest: the server runs already")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("zitadeltest: %w", err)
	}
	if s.opts.TLS && s.cert == nil {
		if s.cert, s.certPEM, err = selfSigned(s.opts.Hosts); err != nil {
			l.Close()
			return fmt.Errorf("zitadeltest: certificate: %w", err)
		}
	}
	s.addr = l.Addr().String()
	s.listener = l

	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.intercept), grpc.ForceServerCodecV2(codec{}))
	adminpb.RegisterAdminServiceServer(s.grpc, adminpb.UnimplementedAdminServiceServer{})
	actionpb.RegisterActionServiceServer(s.grpc, actionpb.UnimplementedActionServiceServer{})
	managementpb.RegisterManagementServiceServer(s.grpc, managementpb.UnimplementedManagementServiceServer{})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:   s.handler(s.grpc),
		Protocols: protocols,
		ErrorLog:  log.New(io.Discard, "", 0), // cut connections are no news
		ConnState: s.track,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	if s.cert != nil {
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*s.cert}, MinVersion: tls.VersionTLS12}
	}
	s.served = make(chan struct{})
	go func(h *http.Server, tls bool, served chan struct{}) {
		defer close(served)
		if tls {
			_ = h.ServeTLS(l, "", "") // always an error: closed
		} else {
			_ = h.Serve(l)
		}
	}(s.http, s.cert != nil, s.served)
	return nil
}

// Stop closes the listener, and all connections at once. New ones are refused until
// [Server.Restart].
func (s *Server) Stop() {
	s.mu.Lock()
	h, g, served := s.http, s.grpc, s.served
	s.http, s.grpc = nil, nil
	s.mu.Unlock()
	if h == nil {
		return
	}
	_ = h.Close() // ends connections; nothing to do about an error
	<-served
	g.Stop()
	s.DropConnections()
}

// Restart stops the server where it runs, and starts it on the same address. If that was a port of
// the system's choice, a connection of any process may have taken it meanwhile: choose one that
// systems do not give out (testkit.FreePort).
func (s *Server) Restart() error {
	s.Stop()
	s.mu.Lock()
	addr := s.addr
	s.mu.Unlock()
	return s.Start(addr)
}

// Close is Stop, for defer and io.Closer.
func (s *Server) Close() error {
	s.Stop()
	return nil
}

// DropConnections closes all connections; new ones are accepted.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
		delete(s.conns, c)
	}
}

// URL is scheme, host and port, without a slash at the end. It is empty before
// the first Start and stays the same afterwards.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr == "" {
		return ""
	}
	return s.scheme() + "://" + s.addr
}

// scheme needs no lock: options never change.
func (s *Server) scheme() string {
	if s.opts.TLS {
		return "https"
	}
	return "http"
}

// CertPEM is the certificate authority to trust when the server speaks TLS; nil
// before Start.
func (s *Server) CertPEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certPEM
}

type connKey struct{}

func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[c] = struct{}{}
	case http.StateClosed:
		delete(s.conns, c)
	}
}

// handler answers everything on the one listener.
func (s *Server) handler(g *grpc.Server) http.Handler {
	rest := s.rest()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if s.throttled() {
			s.tooMany(w)
			return
		}
		if after, ok := s.cut(); ok {
			conn, _ := r.Context().Value(connKey{}).(net.Conn)
			w = &cutter{ResponseWriter: w, conn: conn, left: after}
		}
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// tooMany is the answer of a proxy; it does not have ZITADEL's format.
func (s *Server) tooMany(w http.ResponseWriter) {
	if after := s.Faults().RetryAfter; after > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(after.Seconds())))
	}
	http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
}

// cutter closes the connection once left bytes of the body are written.
type cutter struct {
	http.ResponseWriter
	conn net.Conn
	left int
	done bool
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.done {
		return 0, net.ErrClosed
	}
	if len(b) < c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	n, err := c.ResponseWriter.Write(b[:c.left])
	c.Flush()
	c.done = true
	if c.conn != nil {
		c.conn.Close()
	}
	return n, errors.Join(err, net.ErrClosed)
}

func (c *cutter) Flush() {
	if f, ok := c.ResponseWriter.(http.Flusher); ok && !c.done {
		f.Flush()
	}
}
