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

// clientsPerConn is how many clients share a gRPC connection. gRPC opens no second one: a call above
// the number that the server allows at a time waits for another one to end. RFC 9113 recommends to
// allow at least 100; nginx allows 128, Go 250. A reader has three calls under way at most: a poll,
// one of the sweep, and one that learns names. So 32 clients stay below 100.
const clientsPerConn = 32

// Conns are the connections of a process with many clients: those with the same origin (scheme,
// host and port) and the same authorities share them; see docs/adr/0020-shared-connections.md.
// The zero value is ready. Methods are safe for concurrent use.
type Conns struct {
	mu sync.Mutex
	by map[string][]*pool // by origin; one for each set of authorities
}

// pool is what clients share. Tokens, clocks and timeouts are each client's own.
type pool struct {
	of     *Conns
	origin string
	roots  *x509.CertPool // nil: those of the system
	http   *http.Client   // for REST and tokens; it opens as many connections as it needs
	conns  []*conn        // guarded by Conns.mu
}

// conn is a connection for gRPC, and the pool that it belongs to.
type conn struct {
	pool    *pool
	clients int              // guarded by Conns.mu
	grpc    *grpc.ClientConn // connects at the first call
}

// join returns a connection with room for one more client, which has to leave it.
func (c *Conns) join(origin *url.URL, config *tls.Config) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := origin.String()
	var p *pool
	if i := slices.IndexFunc(c.by[name], func(p *pool) bool { return p.trusts(config) }); i >= 0 {
		p = c.by[name][i]
		for _, shared := range p.conns {
			if shared.clients < clientsPerConn {
				shared.clients++
				return shared, nil
			}
		}
	}
	dialled, err := dial(origin, config)
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = &pool{of: c, origin: name, roots: config.RootCAs, http: newHTTPClient(config)}
		if c.by == nil {
			c.by = make(map[string][]*pool)
		}
		c.by[name] = append(c.by[name], p)
	}
	fresh := &conn{pool: p, clients: 1, grpc: dialled}
	p.conns = append(p.conns, fresh)
	return fresh, nil
}

// trusts compares certificates, not the name of ca_file, whose content may have changed.
func (p *pool) trusts(config *tls.Config) bool {
	if p.roots == nil || config.RootCAs == nil {
		return p.roots == config.RootCAs
	}
	return p.roots.Equal(config.RootCAs)
}

// leave closes the connection after its last client.
func (s *conn) leave() error {
	if !s.pool.of.left(s) {
		return nil
	}
	return s.grpc.Close()
}

// left takes a client from s. If it was the last one, it removes s, and a pool without connections.
func (c *Conns) left(s *conn) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.clients--; s.clients > 0 {
		return false
	}
	p := s.pool
	p.conns = slices.DeleteFunc(p.conns, func(o *conn) bool { return o == s })
	if len(p.conns) > 0 {
		return true
	}
	p.http.CloseIdleConnections()
	c.by[p.origin] = slices.DeleteFunc(c.by[p.origin], func(o *pool) bool { return o == p })
	if len(c.by[p.origin]) == 0 {
		delete(c.by, p.origin)
	}
	return true
}
