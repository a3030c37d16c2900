package zitadel

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// The waits between two attempts to connect to a host that is away. They are at most half as long
// as those of a reader that asks again (internal/events), so that the gate never refuses a reader
// that is alone. The longest one bounds how long the others are refused after the host is back.
const (
	gateFirst = 250 * time.Millisecond
	gateMost  = redialMost
)

// A gate keeps many clients from dialling, each for itself, one host that is away. After a failed
// attempt to connect (name, TCP, proxy or TLS), a request that needs a new connection gets the
// error of that attempt at once. From time to time one such request is let through, and the first
// new connection ends the outage for all. Connections that are open stay in use.
//
// All requests have to be for one host. gRPC's connections have such waits of their own.
type gate struct {
	*http.Transport
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	away  error     // why the last attempt failed; nil: the host is not away
	next  time.Time // when the next attempt may begin
	waits *retry.Backoff
}

// notDialled is the error of an attempt that was not made. It carries that of one that was.
type notDialled struct{ error }

// newGate takes over t.
func newGate(t *http.Transport) *gate {
	g := &gate{Transport: t, dial: t.DialContext, waits: retry.New(gateFirst, gateMost)}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := g.pass(); err != nil {
			return nil, notDialled{err}
		}
		return g.dial(ctx, network, addr)
	}
	return g
}

// RoundTrip watches whether the request gets a connection.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	var connecting atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { connecting.Store(true) },
		GotConn: func(got httptrace.GotConnInfo) {
			connecting.Store(false)
			if !got.Reused {
				g.connected()
			}
		},
	})
	resp, err := g.Transport.RoundTrip(req.WithContext(ctx))
	if e, ok := errors.AsType[notDialled](err); ok {
		return nil, e.error
	}
	// The end of the request's own context says nothing about the host.
	if err != nil && connecting.Load() && req.Context().Err() == nil {
		g.failed(err)
	}
	return resp, err
}

// pass returns nil if an attempt to connect may begin now.
func (g *gate) pass() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away == nil {
		return nil
	}
	if time.Until(g.next) > 0 {
		return g.away
	}
	g.next = time.Now().Add(g.waits.Next())
	return nil
}

// failed notes a failed attempt. Attempts that were under way together count as one.
func (g *gate) failed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away == nil {
		g.next = time.Now().Add(g.waits.Next())
	}
	g.away = err
}

// connected ends an outage.
func (g *gate) connected() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.away != nil {
		g.away = nil
		g.waits.Reset()
	}
}
