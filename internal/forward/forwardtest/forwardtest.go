// Package forwardtest is a receiver of the Fluent forward protocol for tests:
// it decodes what it gets, and behaves as badly as it is told.
package forwardtest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/protocol"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Answer is what the server does with a message.
type Answer int

// The answers.
const (
	Ack       Answer = iota
	Silence          // neither answers nor closes
	WrongAck         // acknowledges a message that nobody sent
	Garbage          // answers with something else
	Flood            // answers without end
	Hangup           // closes instead of an answer
	Cut              // closes in the middle of a message, which is not counted
	Late             // acknowledges after Options.Delay
	AckHangup        // acknowledges, and closes
)

// Options of a server.
type Options struct {
	Network, Address string // tcp and any port of 127.0.0.1, where empty
	TLS              *tls.Config
	SharedKey        string
	Delay            time.Duration
	// Answer says what to do with the n-th message, counted from 0; nil is [Ack].
	Answer func(n int) Answer
	// Forget does not keep what comes, for benchmarks.
	Forget bool
}

// Message is what came in one piece.
type Message struct {
	Tag     string
	Chunk   string
	Size    int
	Records []Record
	Bytes   int // of the records
	At      time.Time
}

// Record is one record of a message.
type Record struct {
	Time time.Time
	Body map[string]any
}

// Server is a running receiver.
type Server struct {
	opts     Options
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]bool
	accepted int
	began    int // messages
	messages []Message
	faults   []error
	closed   bool
}

// Start starts a server, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Network == "" {
		o.Network, o.Address = "tcp", "127.0.0.1:0"
	}
	l, err := net.Listen(o.Network, o.Address)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{opts: o, listener: l, conns: map[net.Conn]bool{}}
	s.wg.Add(1)
	go s.accept()
	t.Cleanup(func() {
		s.Close()
		for _, err := range s.faults {
			t.Errorf("forwardtest: %v", err)
		}
	})
	return s
}

// Forward is the server's address as a sender wants it.
func (s *Server) Forward() config.Forward {
	f := config.Forward{Network: s.opts.Network, Address: s.listener.Addr().String(), TLS: s.opts.TLS != nil}
	if f.Network == "tcp" {
		f.Host, _, _ = net.SplitHostPort(f.Address)
	}
	return f
}

// Close ends the server and all its connections.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.wg.Wait()
}

// Messages returns what was acknowledged, or would have been.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Records returns the records of all messages.
func (s *Server) Records() (records []Record) {
	for _, m := range s.Messages() {
		records = append(records, m.Records...)
	}
	return records
}

// Accepted is how many connections there were.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open is how many connections there are.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Began is how many messages were read, whatever became of them.
func (s *Server) Began() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			c.Close()
			return
		}
		s.accepted++
		s.conns[c] = true
		s.wg.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.wg.Done()
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			s.serve(c)
		}()
	}
}

func (s *Server) serve(c net.Conn) {
	if s.opts.TLS != nil {
		c = tls.Server(c, s.opts.TLS)
	}
	r := msgp.NewReader(c)
	if s.opts.SharedKey != "" && !s.greet(c, r) {
		return
	}
	for m := new(protocol.PackedForwardMessage); s.message(c, r, m); {
	}
}

// greet behaves as Fluent Bit 5.1 does: it wants a salt that is a string, and
// closes when the key is wrong.
func (s *Server) greet(c net.Conn, r *msgp.Reader) bool {
	nonce := []byte("0123456789abcdef")
	b := msgp.AppendArrayHeader(nil, 2)
	b = msgp.AppendString(b, "HELO")
	b = msgp.AppendMapHeader(b, 2)
	b = msgp.AppendString(b, "nonce")
	b = msgp.AppendStringFromBytes(b, nonce)
	b = msgp.AppendString(b, "auth")
	b = msgp.AppendString(b, "")
	if _, err := c.Write(b); err != nil {
		return false
	}
	parts := make([]string, 6)
	if n, err := r.ReadArrayHeader(); err != nil || n != 6 {
		return false
	}
	for i := range parts {
		var err error
		if parts[i], err = r.ReadString(); err != nil {
			return false
		}
	}
	key := []byte(s.opts.SharedKey)
	ping := &protocol.Ping{ClientHostname: parts[1], SharedKeySalt: []byte(parts[2]), SharedKeyHexDigest: parts[3]}
	if protocol.ValidatePingDigest(ping, key, nonce) != nil {
		return false
	}
	pong, err := protocol.NewPong(true, "", "server", key, &protocol.Helo{Options: &protocol.HeloOpts{Nonce: nonce}}, ping)
	return err == nil && msgp.Encode(c, pong) == nil
}

func (s *Server) message(c net.Conn, r *msgp.Reader, m *protocol.PackedForwardMessage) (more bool) {
	if _, err := r.NextType(); err != nil { // waits for the first byte
		return false
	}
	answer := Ack
	if s.opts.Answer != nil {
		s.mu.Lock()
		answer = s.opts.Answer(s.began)
		s.mu.Unlock()
	}
	if answer == Cut {
		_, _ = io.CopyN(io.Discard, r, 100)
		return false
	}
	if err := m.DecodeMsg(r); err != nil {
		return false
	}
	s.mu.Lock()
	s.began++
	s.mu.Unlock()
	switch answer {
	case Silence:
		_, _ = io.Copy(io.Discard, r)
		return false
	case WrongAck:
		_ = msgp.Encode(c, &protocol.AckMessage{Ack: "of another"})
		return true
	case Garbage:
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return true
	case Flood:
		b := msgp.AppendMapHeader(nil, 1)
		b = append(b, 0xdb, 0x7f, 0xff, 0xff, 0xff) // a string of 2 GiB
		for ; ; b = make([]byte, 4096) {
			if _, err := c.Write(b); err != nil {
				return false
			}
		}
	case Hangup:
		return false
	case Late:
		time.Sleep(s.opts.Delay)
	}
	if err := s.take(m); err != nil {
		s.mu.Lock()
		s.faults = append(s.faults, err)
		s.mu.Unlock()
		return false
	}
	return msgp.Encode(c, &protocol.AckMessage{Ack: m.Options.Chunk}) == nil && answer != AckHangup
}

func (s *Server) take(m *protocol.PackedForwardMessage) error {
	if m.Options == nil || m.Options.Chunk == "" || m.Options.Size == nil {
		return errors.New("a message without chunk and size")
	}
	if s.opts.Forget {
		return nil
	}
	records, err := Decode(m.EventStream)
	if err != nil {
		return err
	}
	if len(records) != *m.Options.Size {
		return errors.New("size is not the number of records")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, Message{m.Tag, m.Options.Chunk, *m.Options.Size, records, len(m.EventStream), time.Now()})
	return nil
}

// Decode reads [EventTime, map] records one after the other.
func Decode(b []byte) (records []Record, err error) {
	for len(b) > 0 {
		var n uint32
		if n, b, err = msgp.ReadArrayHeaderBytes(b); err != nil {
			return nil, err
		}
		if n != 2 || len(b) < 10 || b[0] != 0xd7 || b[1] != 0 {
			return nil, errors.New("a record is not [EventTime, map]")
		}
		var r Record
		r.Time = time.Unix(int64(be32(b[2:])), int64(be32(b[6:]))).UTC()
		if r.Body, b, err = msgp.ReadMapStrIntfBytes(b[10:], nil); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
