package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/protocol"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
)

// farEnd is a receiver of the forward protocol that outlives everything, and
// does not always answer.
type farEnd struct {
	tally    *tally
	listener net.Listener

	mu        sync.Mutex
	conns     map[net.Conn]bool
	stuck     chan struct{} // nil: not stuck; closed when it no longer is
	late      time.Duration // acknowledgements come so much later
	hangups   int           // so many more messages are answered by a hangup
	uncertain int           // records whose acknowledgement may not have arrived
	doubtful  int           // so many messages at the end of a connection are that
	err       error         // the first message that is none
	wg        sync.WaitGroup
}

func newFarEnd(doubtful int) (*farEnd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &farEnd{tally: newTally(), listener: l, doubtful: doubtful, conns: map[net.Conn]bool{}}
	f.wg.Go(f.accept)
	return f, nil
}

func (f *farEnd) addr() string { return f.listener.Addr().String() }

// stick takes nothing until unstick: the sender's output is stuck.
func (f *farEnd) stick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stuck == nil {
		f.stuck = make(chan struct{})
	}
}

func (f *farEnd) unstick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stuck != nil {
		close(f.stuck)
		f.stuck = nil
	}
}

// lateness makes acknowledgements come d later; zero heals.
func (f *farEnd) lateness(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = d
}

// hangUp takes the next n messages without a word.
func (f *farEnd) hangUp(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangups = n
}

func (f *farEnd) heal() {
	f.unstick()
	f.lateness(0)
	f.hangUp(0)
}

func (f *farEnd) close() {
	f.listener.Close()
	f.heal()
	f.mu.Lock()
	for c := range f.conns {
		c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *farEnd) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[c] = true
		f.mu.Unlock()
		f.wg.Go(func() {
			f.serve(c)
			c.Close()
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
		})
	}
}

// serve takes messages one after the other. That another one comes shows that
// the acknowledgement of the one before arrived; the last one of a connection
// may be sent again. A Fluent Bit's worker begins the next message before its
// engine has noted the acknowledgement, so there it is the last two.
func (f *farEnd) serve(c net.Conn) {
	r := msgp.NewReader(c)
	var sizes []int
	defer func() {
		f.mu.Lock()
		for _, n := range sizes[max(0, len(sizes)-f.doubtful):] {
			f.uncertain += n
		}
		f.mu.Unlock()
	}()
	for {
		if _, err := r.NextType(); err != nil { // waits for the first byte
			return
		}
		f.awaitFree()
		entries, chunk, err := readMessage(r)
		if broken := (*net.OpError)(nil); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
			return // cut in the middle
		}
		var records []forwardtest.Record
		if err == nil {
			records, err = forwardtest.Decode(entries)
		}
		if err == nil && chunk == "" {
			err = errors.New("a message that wants no acknowledgement")
		}
		if err != nil {
			f.mu.Lock()
			if f.err == nil {
				f.err = fmt.Errorf("%w: %.100q", err, entries)
			}
			f.mu.Unlock()
			return
		}
		f.tally.takeRecords(records)
		sizes = append(sizes, len(records))
		if !f.answer(c, chunk) {
			return
		}
	}
}

// readMessage reads [tag, entries, options]. Ours are one string of bytes,
// Fluent Bit's an array.
func readMessage(r *msgp.Reader) (entries []byte, chunk string, err error) {
	if n, err := r.ReadArrayHeader(); err != nil {
		return nil, "", err
	} else if n != 3 {
		return nil, "", fmt.Errorf("an array of %d", n)
	}
	if _, err := r.ReadString(); err != nil {
		return nil, "", err
	}
	if typ, err := r.NextType(); err != nil {
		return nil, "", err
	} else if typ == msgp.ArrayType {
		n, err := r.ReadArrayHeader()
		if err != nil {
			return nil, "", err
		}
		for range n {
			var entry msgp.Raw
			if err := entry.DecodeMsg(r); err != nil {
				return nil, "", err
			}
			entries = append(entries, entry...)
		}
	} else if entries, err = r.ReadBytes(nil); err != nil {
		return nil, "", err
	}
	options := map[string]any{}
	if err := r.ReadMapStrIntf(options); err != nil {
		return nil, "", err
	}
	chunk, _ = options["chunk"].(string)
	return entries, chunk, nil
}

func (f *farEnd) answer(c net.Conn, chunk string) (more bool) {
	f.awaitFree()
	f.mu.Lock()
	late, hangup := f.late, f.hangups > 0
	if hangup {
		f.hangups--
	}
	f.mu.Unlock()
	if hangup {
		return false
	}
	time.Sleep(late)
	var b bytes.Buffer
	if err := msgp.Encode(&b, &protocol.AckMessage{Ack: chunk}); err != nil {
		return false
	}
	_, err := c.Write(b.Bytes())
	return err == nil
}

func (f *farEnd) awaitFree() {
	f.mu.Lock()
	stuck := f.stuck
	f.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
}

func (f *farEnd) doubts() (uncertain int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uncertain, f.err
}
