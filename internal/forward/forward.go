// Package forward sends records with the Fluent forward protocol to a Fluent Bit or a
// Fluentd. Each message is acknowledged, or its sending returns an error.
//
// The messages, their ids and the digests of the handshake are made by
// github.com/IBM/fluent-forward-go. Its client is not used: it sets no deadline for
// most reads and writes, trusts the lengths that it reads, and writes the salt of the
// handshake as binary, which Fluent Bit refuses.
package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/certs"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const (
	// maxConns is how many messages are sent at the same time: more than the
	// workers that an output has in practice.
	maxConns = 16
	// idleTime is below the minute after which load balancers drop a connection.
	idleTime = 30 * time.Second
)

// ErrClosed is returned by [Sender.Send] after the sender was closed.
var ErrClosed = errors.New("forward: closed")

// Sender sends to one receiver. It is safe for concurrent use.
type Sender struct {
	settings config.OutputSettings
	tls      *tls.Config // nil: no TLS
	slots    chan struct{}

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	sends  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	idle   []*conn // the one that was used last is at the end
}

// New returns a sender to the receiver that settings.Forward names. Each step of a
// message may take settings.AckTimeout: connecting, the handshake, the write of
// each 64 KiB, and the acknowledgement. New reads the files, and does not use the
// network yet.
func New(settings config.OutputSettings) (*Sender, error) {
	s := &Sender{settings: settings, slots: make(chan struct{}, maxConns)}
	if s.settings.SelfHostname == "" {
		s.settings.SelfHostname, _ = os.Hostname() // any name will do
	}
	if settings.Forward.TLS {
		var err error
		if s.tls, err = certs.Client(settings.CAFile); err != nil {
			return nil, err
		}
		s.tls.ServerName = settings.Forward.Host
		if settings.CertFile != "" {
			if err := certs.Present(s.tls, settings.CertFile, settings.CertKeyFile); err != nil {
				return nil, err
			}
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Send sends n records, encoded one after the other in entries, as one message
// with tag. It returns nil only when the receiver has acknowledged this message.
// After an error, the receiver may have the records or not.
func (s *Sender) Send(ctx context.Context, tag string, entries []byte, n int) error {
	if !s.begin() {
		return ErrClosed
	}
	defer s.sends.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()

	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return s.wrap(ctx, nil)
	}
	c, err := s.connection(ctx)
	if err != nil {
		return s.wrap(ctx, err)
	}
	if err := c.send(ctx, tag, entries, n); err != nil {
		c.close()
		return s.wrap(ctx, err)
	}
	s.keep(c)
	return nil
}

// Greet connects, with the handshake if there is a shared key. It sends no record, so it
// does not show whether the receiver acknowledges records.
func (s *Sender) Greet(ctx context.Context) error {
	if !s.begin() {
		return ErrClosed
	}
	defer s.sends.Done()
	c, err := s.connection(ctx)
	if err != nil {
		return s.wrap(ctx, err)
	}
	s.keep(c)
	return nil
}

func (s *Sender) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sends.Add(1)
	return true
}

// wrap names the address, and distinguishes the end of ctx from an error of the receiver.
func (s *Sender) wrap(ctx context.Context, err error) error {
	switch {
	case s.ctx.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("forward to %s: given up: %w", s.settings.Forward, ctx.Err())
	}
	return fmt.Errorf("forward to %s: %w", s.settings.Forward, err)
}

// connection returns an idle connection that is still open, or a new one.
func (s *Sender) connection(ctx context.Context) (*conn, error) {
	for c := s.takeIdle(); c != nil; c = s.takeIdle() {
		if c.quiet() {
			return c, nil
		}
		c.close()
	}
	return s.dial(ctx)
}

func (s *Sender) takeIdle() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	last := len(s.idle) - 1
	c := s.idle[last]
	s.idle = s.idle[:last]
	c.expiry.Stop()
	return c
}

// keep keeps c for the next message, for idleTime.
func (s *Sender) keep(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.close()
		return
	}
	s.idle = append(s.idle, c)
	c.expiry = time.AfterFunc(idleTime, func() { s.expire(c) })
}

func (s *Sender) expire(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.idle, c); i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
		c.close()
	}
}

// dial connects, with TLS and the handshake if they are set.
func (s *Sender) dial(ctx context.Context) (*conn, error) {
	soon, cancel := context.WithTimeout(ctx, s.settings.AckTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(soon, s.settings.Forward.Network, s.settings.Forward.Address)
	if err != nil {
		return nil, dialError(err, s.settings)
	}
	c := newConn(raw, s.settings)
	if s.tls != nil {
		encrypted := tls.Client(raw, s.tls)
		if err := encrypted.HandshakeContext(soon); err != nil {
			c.close()
			return nil, tlsError(err, s.settings)
		}
		c.Conn = encrypted
	}
	if s.settings.SharedKey != "" {
		if err := c.greet(ctx, s.settings); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// Close ends all running sends, and returns when they have ended.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()

	s.cancel()
	for _, c := range idle {
		c.expiry.Stop()
		c.close()
	}
	s.sends.Wait()
	return nil
}
