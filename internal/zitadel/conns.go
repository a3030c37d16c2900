package zitadel

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"google.golang.org/grpc"
)

// clientsPerConn is how many clients share one gRPC connection. A call above the number of streams
// that the server allows waits for another one to end, and gRPC opens no second connection. The
// usual limits are 100 (HAProxy, Apache), 128 (nginx) and 250 (Go). A reader has two calls under
// way at most, a poll and one of the sweep, so that 48 clients stay below 100. (While names of the past are
// learned, a client has a third.)
const clientsPerConn = 48

// Conns are the connections of a process with many clients: those with the same origin (scheme,
// host and port) and the same authorities share them. A host that is away is then dialled once for
// each connection, with gRPC's back-off of up to 3 s, and not once for each client: meanwhile calls
// fail at once. (Requests of REST and of tokens are dialled each.) The zero value is ready. Methods are safe for concurrent use.
type Conns struct {
	mu sync.Mutex
	by map[string][]*conn // by origin
}

// conn is what clients share. Tokens, clocks and timeouts are each client's own.
type conn struct {
	of      *Conns
	origin  string
	roots   *x509.CertPool // nil: those of the system
	clients int            // guarded by Conns.mu

	grpc *grpc.ClientConn // connects at the first call
	http *http.Client     // for REST and tokens
}

// join returns a connection with room for one more client, which has to leave it.
func (c *Conns) join(origin *url.URL, config *tls.Config) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := origin.String()
	for _, shared := range c.by[name] {
		if shared.clients < clientsPerConn && shared.trusts(config) {
			shared.clients++
			return shared, nil
		}
	}
	dialled, err := dial(origin, config)
	if err != nil {
		return nil, err
	}
	fresh := &conn{of: c, origin: name, roots: config.RootCAs, clients: 1, grpc: dialled, http: newHTTPClient(config)}
	if c.by == nil {
		c.by = make(map[string][]*conn)
	}
	c.by[name] = append(c.by[name], fresh)
	return fresh, nil
}

// trusts compares certificates, not the name of ca_file, whose content may have changed.
func (s *conn) trusts(config *tls.Config) bool {
	if s.roots == nil || config.RootCAs == nil {
		return s.roots == config.RootCAs
	}
	return s.roots.Equal(config.RootCAs)
}

// leave closes the connection after its last client.
func (s *conn) leave() error {
	s.of.mu.Lock()
	s.clients--
	last := s.clients == 0
	if last {
		others := slices.DeleteFunc(s.of.by[s.origin], func(o *conn) bool { return o == s })
		if s.of.by[s.origin] = others; len(others) == 0 {
			delete(s.of.by, s.origin)
		}
	}
	s.of.mu.Unlock()
	if !last {
		return nil
	}
	s.http.CloseIdleConnections()
	return s.grpc.Close()
}
