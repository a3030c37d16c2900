package main_test

import (
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// link is the way from a Fluent Bit that sends to the socket of one that
// receives. It can be stuck, and while nobody receives it hangs up.
type link struct {
	listener net.Listener
	socket   string
	wg       sync.WaitGroup
	way      sync.RWMutex // held by who makes it stuck
	isStuck  bool
}

// newLink ends after all Fluent Bits that are started later.
func newLink(t *testing.T) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, socket: filepath.Join(t.TempDir(), "s")}
	l.wg.Go(l.accept)
	t.Cleanup(func() {
		l.unstick()
		listener.Close()
		l.wg.Wait()
	})
	return l
}

func (l *link) port() string { return strconv.Itoa(l.listener.Addr().(*net.TCPAddr).Port) }

// stick lets nothing through until unstick. What was sent by then comes later,
// though the sender may be gone, as from the buffers of a real network.
func (l *link) stick() { l.way.Lock(); l.isStuck = true }

func (l *link) unstick() {
	if l.isStuck {
		l.isStuck = false
		l.way.Unlock()
	}
}

func (l *link) accept() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", l.socket)
		if err != nil {
			from.Close()
			continue
		}
		l.wg.Go(func() { l.pass(to, from) })
		l.wg.Go(func() { l.pass(from, to) })
	}
}

func (l *link) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	for b := make([]byte, 64<<10); ; {
		n, end := from.Read(b)
		l.way.RLock()
		_, err := to.Write(b[:n])
		l.way.RUnlock()
		if end != nil || err != nil {
			return
		}
	}
}
