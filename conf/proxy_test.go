package conf

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// internet is a proxy (HTTP CONNECT) behind which the services of the destinations are
// reached by their real names and over TLS, so that a configuration runs as it is
// shipped.
type internet struct {
	t     *testing.T
	ca    *testkit.Authority
	mu    sync.Mutex
	hosts map[string]func(net.Conn) // by host:port; nil: refuses connections
	certs map[string]*tls.Certificate
	proxy net.Listener
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &internet{t: t, ca: testkit.NewAuthority(t), hosts: map[string]func(net.Conn){}, certs: map[string]*tls.Certificate{}, proxy: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go i.tunnel(c)
		}
	}()
	return i
}

// env makes a program use the proxy for everything but loopback, and the address at which
// an output for AWS looks for the role of a machine.
func (i *internet) env() []string {
	url := "http://" + i.proxy.Addr().String()
	return []string{"HTTP_PROXY=" + url, "http_proxy=" + url, "NO_PROXY=localhost,127.0.0.1,169.254.169.254", "no_proxy=localhost,127.0.0.1,169.254.169.254"}
}

// serve answers at a name with a port.
func (i *internet) serve(address string, handler http.Handler) {
	i.t.Helper()
	conns := make(connections)
	s := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(conns)
	}()
	i.t.Cleanup(func() {
		close(conns)
		_ = s.Close()
		<-done
	})
	i.take(address, func(c net.Conn) { conns <- c })
}

// take gives connections to a name with a port to a function. A nil function refuses
// them.
func (i *internet) take(address string, f func(net.Conn)) {
	i.t.Helper()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hosts[address] = f
	if i.certs[host] == nil {
		pair, err := tls.LoadX509KeyPair(i.ca.Issue(i.t, host))
		if err != nil {
			i.t.Fatal(err)
		}
		i.certs[host] = &pair
	}
}

func (i *internet) tunnel(c net.Conn) {
	defer func() {
		if recover() != nil { // the test is over
			c.Close()
		}
	}()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil || r.Method != http.MethodConnect {
		fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		c.Close()
		return
	}
	i.mu.Lock()
	f, known := i.hosts[r.Host]
	host, _, _ := net.SplitHostPort(r.Host)
	cert := i.certs[host]
	i.mu.Unlock()
	if !known {
		i.t.Errorf("a connection to %s, which no destination names", r.Host)
	}
	if f == nil {
		fmt.Fprint(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		c.Close()
		return
	}
	fmt.Fprint(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	f(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*cert}}))
}

// connections is a listener for connections that are there already.
type connections chan net.Conn

var errClosed = errors.New("closed")

func (l connections) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, errClosed
	}
	return c, nil
}

func (l connections) Close() error   { return nil }
func (l connections) Addr() net.Addr { return &net.TCPAddr{} }
