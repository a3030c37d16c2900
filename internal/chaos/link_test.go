package chaos

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// link is an unreliable network between one client and one server: TCP on loopback
// whose two directions go through this process.
type link struct {
	listener net.Listener
	target   func() string // host:port, as of now

	mu    sync.Mutex
	rand  *rand.Rand
	pairs map[*pair]bool
	until time.Time // stalled
	cuts  int       // so many more pieces are cut in the middle
	wg    sync.WaitGroup
}

type pair struct{ client, server net.Conn }

func newLink(seed uint64, target func() string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, target: target, rand: rand.New(rand.NewPCG(seed, 1)), pairs: map[*pair]bool{}}
	k.wg.Go(k.accept)
	return k, nil
}

func (k *link) addr() string { return k.listener.Addr().String() }

// stall blocks both directions for d.
func (k *link) stall(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Now().Add(d)
}

// reset ends every connection with RST, and returns how many there were.
func (k *link) reset() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p := range k.pairs {
		p.reset()
		n++
	}
	return n
}

// cut lets the beginning of the next n pieces through, each followed by RST.
func (k *link) cut(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cuts = n
}

func (k *link) heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until, k.cuts = time.Time{}, 0
}

func (k *link) close() {
	k.listener.Close()
	k.heal()
	k.reset()
	k.wg.Wait()
}

func (k *link) accept() {
	for {
		client, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.wg.Go(func() { k.serve(client) })
	}
}

func (k *link) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", k.target(), time.Second)
	if err != nil {
		reset(client)
		return
	}
	p := &pair{client, server}
	k.mu.Lock()
	k.pairs[p] = true
	k.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { k.copy(p, server, client) })
	both.Go(func() { k.copy(p, client, server) })
	both.Wait()
	client.Close()
	server.Close()
	k.mu.Lock()
	delete(k.pairs, p)
	k.mu.Unlock()
}

func (k *link) copy(p *pair, to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			k.awaitOpen()
			if cut, ok := k.takeCut(n); ok {
				_, _ = to.Write(buf[:cut])
				p.reset()
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				p.reset()
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			p.reset()
			return
		}
	}
}

func (k *link) awaitOpen() {
	for {
		k.mu.Lock()
		wait := time.Until(k.until)
		k.mu.Unlock()
		if wait <= 0 {
			return
		}
		time.Sleep(min(wait, 50*time.Millisecond)) // it may be healed before
	}
}

func (k *link) takeCut(n int) (cut int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cuts == 0 {
		return 0, false
	}
	k.cuts--
	return k.rand.IntN(n), true
}

func (p *pair) reset() {
	reset(p.client)
	reset(p.server)
}

// reset closes with RST in the place of FIN: what is under way is gone.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
