package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// Reasons why a forward input does not answer, or closes the connection.
const (
	silent    = "is its input paused, its disk full, or is it overloaded?"
	unwilling = "is its input paused, its disk full, or `chunk_size` here above `buffer_max_size` there"
)

// timedOut reports whether a deadline has passed.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// ended reports whether the other side closed the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func dialError(err error, s config.OutputSettings) error {
	var dns *net.DNSError
	switch {
	case timedOut(err):
		return fmt.Errorf("no connection within %s: is the address right, and does a firewall let it pass?", s.AckTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused: is a forward input listening there?")
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such socket: does a forward input have this `unix_path`?")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied: see the owner of the socket and `unix_perm` of the forward input")
	case errors.As(err, &dns):
		return fmt.Errorf("name not found (%s): is the address right?", dns.Err)
	}
	return err
}

// tlsError explains an error of TLS, in the handshake or after it: a client certificate
// is refused only after the handshake.
func tlsError(err error, s config.OutputSettings) error {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var header tls.RecordHeaderError
	switch {
	case timedOut(err):
		return fmt.Errorf("no TLS within %s: is `tls: on` set there?", s.AckTimeout)
	case errors.As(err, &name):
		return fmt.Errorf("its certificate is not for %s: forward to a name that is in the certificate", s.Forward.Host)
	case errors.As(err, &authority):
		return errors.New("its certificate is from an unknown authority: set `ca_file` to the file of that authority")
	case errors.As(err, &invalid):
		return fmt.Errorf("its certificate is not valid: %w", err)
	case errors.As(err, &header):
		return errors.New("it does not speak TLS: set `tls: on` there, or forward without tls://")
	case strings.Contains(err.Error(), "certificate required"), strings.Contains(err.Error(), "bad certificate"), strings.Contains(err.Error(), "unknown certificate"):
		return fmt.Errorf("it refuses the client certificate (%w): set `cert_file` and `cert_key_file` to ones that it accepts", err)
	case ended(err):
		return errors.New("closed the connection instead of TLS: is `tls: on` set there?")
	}
	return err
}

func greetError(err error, s config.OutputSettings, what, fix string) error {
	switch {
	case timedOut(err):
		return fmt.Errorf("%s within %s: %s", what, s.AckTimeout, fix)
	case ended(err):
		return fmt.Errorf("%s, it closed the connection: %s", what, fix)
	case s.Forward.TLS:
		return tlsError(err, s)
	}
	return err
}

// sendError explains why a message was not acknowledged. what is empty, or describes the
// error.
func (c *conn) sendError(err error, what string) error {
	// A receiver with a shared key sends a greeting first, and closes if there is no
	// answer. So the greeting can already be read.
	if what != "" {
		if b, err := c.readUntil(time.Now().Add(100 * time.Millisecond)); err == nil {
			return c.foreign(b)
		}
	}
	switch {
	case timedOut(err) && what == "":
		return fmt.Errorf("no ack within %s: %s", c.settings.AckTimeout, silent)
	case timedOut(err):
		return fmt.Errorf("%s: it took no bytes for %s", what, c.settings.AckTimeout)
	case ended(err) && c.settings.Forward.TLS:
		return errors.New("it closed the connection instead of an ack: " + unwilling + "?")
	case ended(err):
		return errors.New("it closed the connection instead of an ack: is `tls: on` set there? Or " + unwilling + "?")
	case c.settings.Forward.TLS:
		return tlsError(err, c.settings)
	}
	return err
}

// foreign explains an answer that is not an acknowledgement.
func (c *conn) foreign(b []byte) error {
	if _, ok := greeting(b); ok {
		return errors.New("it asks for a shared key: set `shared_key` or `shared_key_file`")
	}
	return errForeign
}
