package forward

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/protocol"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const (
	// maxAnswer limits what the receiver can make us read: a greeting, the end of a
	// handshake or an acknowledgement. The largest has 200 bytes.
	maxAnswer = 4 << 10
	// piece is how many bytes share one deadline, so that a slow connection does not
	// look like a dead one.
	piece = 64 << 10
)

// Wrong answers.
var (
	errForeign = errors.New("answers with something else than the forward protocol: does `forward` lead to a forward input?")
	errTooLong = errors.New("answers with more than the forward protocol allows: does `forward` lead to a forward input?")
)

// conn is one connection. One goroutine at a time uses it.
type conn struct {
	net.Conn          // with TLS, if it is set
	raw      net.Conn // the socket
	settings config.OutputSettings
	w        *msgp.Writer
	answer   [maxAnswer]byte
	expiry   *time.Timer // while it is idle
}

func newConn(raw net.Conn, s config.OutputSettings) *conn {
	c := &conn{Conn: raw, raw: raw, settings: s}
	c.w = msgp.NewWriter(c)
	return c
}

// close does not send the close message of TLS: that could block, and after an
// acknowledgement it is not needed.
func (c *conn) close() { _ = c.raw.Close() }

// closeAfter closes c when ctx ends. The result undoes that.
func (c *conn) closeAfter(ctx context.Context) (undo func() bool) {
	return context.AfterFunc(ctx, c.close)
}

// send writes one message and waits for its acknowledgement.
func (c *conn) send(ctx context.Context, tag string, entries []byte, n int) error {
	defer c.closeAfter(ctx)()
	m := protocol.PackedForwardMessage{Tag: tag, EventStream: entries, Options: &protocol.MessageOptions{Size: &n}}
	chunk, err := m.Chunk()
	if err != nil {
		return err
	}
	c.w.Reset(c)
	err = m.EncodeMsg(c.w)
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		return c.sendError(err, "the connection broke while sending")
	}
	return c.awaitAck(chunk)
}

func (c *conn) awaitAck(chunk string) error {
	b, err := c.read()
	if err != nil {
		return c.sendError(err, "")
	}
	var ack protocol.AckMessage
	if _, err := ack.UnmarshalMsg(b); err != nil || ack.Ack == "" {
		return c.foreign(b)
	}
	if ack.Ack != chunk {
		return errors.New("acknowledges another message than the one that was sent: does `forward` lead to a forward input?")
	}
	return nil
}

// Write writes all of p. Each piece has its own deadline.
func (c *conn) Write(p []byte) (written int, err error) {
	for written < len(p) && err == nil {
		if err = c.SetWriteDeadline(time.Now().Add(c.settings.AckTimeout)); err != nil {
			break
		}
		var n int
		n, err = c.Conn.Write(p[written:min(len(p), written+piece)])
		written += n
	}
	return written, err
}

// read returns the next answer, which is valid until the next read. All of it
// has one deadline.
func (c *conn) read() ([]byte, error) { return c.readUntil(time.Now().Add(c.settings.AckTimeout)) }

func (c *conn) readUntil(deadline time.Time) ([]byte, error) {
	if err := c.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	for n := 0; n < len(c.answer); {
		read, err := c.Conn.Read(c.answer[n:])
		if n += read; read == 0 && err != nil {
			return nil, err
		}
		rest, err := msgp.Skip(c.answer[:n])
		switch {
		case err == nil && len(rest) == 0:
			return c.answer[:n], nil
		case !errors.Is(err, msgp.ErrShortBytes):
			return nil, errForeign // also if a second answer follows
		}
	}
	return nil, errTooLong
}
