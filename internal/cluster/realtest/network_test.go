package realtest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// network is the way from one process to any number of servers: TCP through this process.
type network struct {
	mu      sync.Mutex
	way     way
	changed chan struct{} // closed and replaced when the way changes
	conns   map[net.Conn]bool
	all     sync.WaitGroup
}

type way int

const (
	open   way = iota
	cut        // connections are reset, and so are new ones
	silent     // connections stand, and nothing arrives; what was sent arrives when the way is open
	slow       // each piece takes slowness
)

const slowness = 150 * time.Millisecond

func newNetwork(t testing.TB) *network {
	n := &network{changed: make(chan struct{}), conns: map[net.Conn]bool{}}
	t.Cleanup(func() { // after the listeners, which have a cleanup each
		n.set(cut)
		n.all.Wait()
	})
	return n
}

// to returns the address at which this way to server, HOST:PORT, begins.
func (n *network) to(t testing.TB, server string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	n.all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			n.all.Go(func() { n.serve(client, server) })
		}
	})
	return l.Addr().String()
}

func (n *network) set(w way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.way = w
	close(n.changed)
	n.changed = make(chan struct{})
	if w == cut {
		for c := range n.conns {
			reset(c)
		}
	}
}

// pass waits until something may arrive. It reports false if the way is cut.
func (n *network) pass() bool {
	for {
		n.mu.Lock()
		w, changed := n.way, n.changed
		n.mu.Unlock()
		switch w {
		case cut:
			return false
		case silent:
			<-changed
			continue
		case slow:
			time.Sleep(slowness)
		}
		return true
	}
}

func (n *network) serve(client net.Conn, address string) {
	defer n.forget(client)
	if !n.remember(client) || !n.pass() {
		return
	}
	server, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return
	}
	defer n.forget(server)
	if !n.remember(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { n.copy(server, client) })
	both.Go(func() { n.copy(client, server) })
	both.Wait()
}

func (n *network) copy(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		k, err := from.Read(b)
		if k > 0 {
			if !n.pass() {
				break
			}
			if _, failed := to.Write(b[:k]); failed != nil {
				break
			}
		}
		if err == io.EOF && n.pass() {
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			break
		}
	}
	reset(to)
	reset(from)
}

func (n *network) remember(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.way != cut {
		n.conns[c] = true
	}
	return n.way != cut
}

func (n *network) forget(c net.Conn) {
	reset(c)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// reset closes with RST: what is under way is gone.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
