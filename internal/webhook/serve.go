package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
)

// Serve answers requests until ctx ends, and then returns nil. At the end it closes the listener
// and the connections without a request, and waits for the requests under way: up to half a second
// for their bodies, and up to five seconds for those that are authenticated. Close the spool after
// it. Serve may be called again: counters, and the memory of what must not be accepted twice, stay.
func (e *Endpoint) Serve(ctx context.Context, l net.Listener) error {
	// The option webhook_listen was checked, but its host may be a name.
	if at, ok := l.Addr().(*net.TCPAddr); ok && e.cert == nil && !e.settings.Plain && !at.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("webhook_listen: %s is not loopback, and there is no certificate: give webhook_cert_file and webhook_cert_key_file, or webhook_plain for a proxy that ends TLS", at)
	}
	conns := &connections{of: make(map[net.Conn]*connection)}
	server := &http.Server{
		Handler:           e,
		ReadHeaderTimeout: e.headerTimeout,
		ReadTimeout:       e.bodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		ConnState:         conns.changed,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, conns.get(c))
		},
		// Its lines contain text of unauthenticated senders.
		ErrorLog: log.New(silent{&e.Stats.broken}, "", 0),
		// No HTTP/2: its connections carry many requests, so their number would not
		// limit the requests.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	reporting, stopReporting := context.WithCancel(context.Background())
	var reporter sync.WaitGroup
	reporter.Go(func() { e.report(reporting) })
	defer reporter.Wait()
	defer stopReporting()

	l = netutil.LimitListener(l, e.maxConns)
	if e.cert != nil {
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				cert, _ := e.cert.Get(lookEvery)
				return cert, nil
			},
		})
	}
	failed := make(chan error, 1)
	go func() {
		err := fault.Contain(func() error { return server.Serve(l) })
		if f, ok := errors.AsType[*fault.Error](err); ok {
			e.log.Error("webhook: panic of the server", "error", f, "stack", f.Stack)
		}
		failed <- err
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		failed <- nil
	}
	err = errors.Join(err, e.shutdown(server, conns))
	<-failed //nolint:errcheck // http.ErrServerClosed, or what err has already
	return err
}

func (e *Endpoint) shutdown(server *http.Server, conns *connections) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	cutting := time.AfterFunc(e.arrivalTimeout, conns.cut)
	defer cutting.Stop()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		e.log.Info("webhook: requests that waited for the spool were closed at the end")
		err = server.Close()
	}
	return err
}

// report logs refusals once a minute, and the rest at the end.
func (e *Endpoint) report(ctx context.Context) {
	tick := time.NewTicker(e.reportEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		e.reportOnce()
	}
}

func (e *Endpoint) reportOnce() {
	e.reportMu.Lock()
	defer e.reportMu.Unlock()
	err := fault.Contain(func() error {
		e.reported.log(e.log, &e.Stats)
		return nil
	})
	if f, ok := errors.AsType[*fault.Error](err); ok {
		e.log.Error("webhook: panic while refusals were logged", "error", f, "stack", f.Stack)
	}
}

// connections are those of one server. At its end, it waits for long only for those with an
// authenticated request: anybody could delay the end with a slow request.
type connections struct {
	mu    sync.Mutex
	of    map[net.Conn]*connection
	ended bool
}

type connection struct {
	in   *connections
	good bool // its request is authenticated
}

type connectionKey struct{}

// changed is called by net/http. A connection is idle once the answer is written.
func (cs *connections) changed(c net.Conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch state {
	case http.StateNew:
		if cs.ended {
			sever(c)
		}
		if cs.of[c] == nil {
			cs.of[c] = &connection{in: cs}
		}
	case http.StateIdle:
		if one := cs.of[c]; one != nil {
			one.good = false
		}
	case http.StateClosed, http.StateHijacked:
		delete(cs.of, c)
	}
}

// get also creates a connection: net/http asks for its context before it reports it.
func (cs *connections) get(c net.Conn) *connection {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.of[c] == nil {
		cs.of[c] = &connection{in: cs}
	}
	return cs.of[c]
}

// cut closes every connection without an authenticated request, and all later ones.
func (cs *connections) cut() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.ended = true
	for c, one := range cs.of {
		if !one.good {
			sever(c)
		}
	}
}

// sever closes the socket. The close message of TLS could block.
func sever(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.Close()
}

// authenticated is called once the sender of a request is known.
func authenticated(ctx context.Context) {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return // the handler runs in another server
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.good = true
}
