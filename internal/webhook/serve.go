package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Serve answers requests until ctx ends, and then returns nil: it takes no new ones and waits for those
// that are authenticated, which have five seconds for the spool. Close the spool after it. It closes the
// listener. It may be called again: what was counted, and what must not be accepted twice, stays.
func (e *Endpoint) Serve(ctx context.Context, l net.Listener) error {
	if e.cert == nil && !e.o.Plain && l.Addr().Network() != "unix" {
		host, _, _ := net.SplitHostPort(l.Addr().String())
		if !loopback(host) {
			l.Close()
			return fmt.Errorf("listen: %s is not loopback, and there is no certificate: give listen_cert_file and listen_cert_key_file, or listen_plain for a proxy that ends TLS", l.Addr())
		}
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
		// Its lines hold the words of strangers.
		ErrorLog: log.New(silent{&e.Stats.broken}, "", 0),
		// A connection of HTTP/2 carries many requests: connections would bound nothing.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	telling, stopTelling := context.WithCancel(context.Background())
	var told sync.WaitGroup
	told.Go(func() { e.tell(telling) })
	defer told.Wait()
	defer stopTelling()

	l = netutil.LimitListener(l, e.o.MaxConns)
	if e.cert != nil {
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return e.cert.get(lookEvery), nil
			},
		})
	}
	failed := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil { // what it says may be a stranger's words
				e.log.Error("webhook: panic of the server", "stack", string(debug.Stack()))
				failed <- fmt.Errorf("panic of type %T", v)
			}
		}()
		failed <- server.Serve(l)
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		failed <- nil
	}
	err = errors.Join(err, e.shutdown(server, conns))
	<-failed // http.ErrServerClosed, or told already
	return err
}

func (e *Endpoint) shutdown(server *http.Server, conns *connections) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	conns.cut()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		e.log.Info("webhook: requests that wait for the spool were cut off at the end")
		err = server.Close()
	}
	return err
}

// tell logs refusals once a minute, and what is left at the end.
func (e *Endpoint) tell(ctx context.Context) {
	tick := time.NewTicker(e.tellEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		e.tellOnce()
	}
}

func (e *Endpoint) tellOnce() {
	defer func() {
		if recover() != nil {
			e.log.Error("webhook: panic while refusals were told", "stack", string(debug.Stack()))
		}
	}()
	e.telling.Lock()
	defer e.telling.Unlock()
	e.told.tell(e.log, &e.Stats)
}

// connections are those of one server. At its end only those are waited for whose request is
// authenticated: any stranger could hold the end up with a slow one.
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

// get returns one that net/http has not told of yet too: it asks for the context first.
func (cs *connections) get(c net.Conn) *connection {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.of[c] == nil {
		cs.of[c] = &connection{in: cs}
	}
	return cs.of[c]
}

// cut closes every connection but those with a good request, and all that come.
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

// sever does not say good-bye, for which TLS could wait.
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
		return // of a server of somebody else
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.good = true
}
