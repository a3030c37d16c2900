package forward

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/IBM/fluent-forward-go/fluent/protocol"
	"github.com/tinylib/msgp/msgp"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

var errKey = errors.New("does not take this `shared_key`: set the same on both sides; or it wants a user name (`security.users`), which is not supported")

// greet proves to both sides that the other one knows the shared key: HELO, PING, PONG.
func (c *conn) greet(ctx context.Context, s config.OutputSettings) error {
	defer c.closeAfter(ctx)()
	b, err := c.read()
	if err != nil {
		return greetError(err, s, "no greeting", "is `shared_key` set there, and `tls` as here? Or "+silent)
	}
	nonce, ok := greeting(b)
	if !ok {
		return errForeign
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salt = hex.AppendEncode(nil, salt)
	key := []byte(s.SharedKey.Reveal())
	ping, err := protocol.NewPing(s.SelfHostname, key, salt, nonce)
	if err != nil {
		return err
	}
	if _, err := c.Write(appendPing(nil, ping)); err != nil {
		return greetError(err, s, "no answer to the handshake", errKey.Error())
	}
	if b, err = c.read(); err != nil {
		return greetError(err, s, "no answer to the handshake", "it "+errKey.Error())
	}
	var pong protocol.Pong
	switch _, err := pong.UnmarshalMsg(b); {
	case err != nil || pong.MessageType != protocol.MsgTypePong:
		return errForeign
	case !pong.AuthResult:
		return fmt.Errorf("%w (it says %.100q)", errKey, pong.Reason)
	case protocol.ValidatePongDigest(&pong, key, nonce, salt) != nil:
		return fmt.Errorf("%w (it does not prove that it knows it)", errKey)
	}
	return nil
}

// greeting returns the nonce of a HELO, which Fluent Bit writes as a string and
// Fluentd as binary.
func greeting(b []byte) (nonce []byte, ok bool) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n < 2 {
		return nil, false
	}
	kind, b, err := msgp.ReadStringZC(b)
	if err != nil || string(kind) != protocol.MsgTypeHelo {
		return nil, false
	}
	n, b, err = msgp.ReadMapHeaderBytes(b)
	for ; n > 0 && err == nil; n-- {
		var key []byte
		if key, b, err = msgp.ReadMapKeyZC(b); err != nil {
			return nil, false
		}
		if string(key) != "nonce" {
			b, err = msgp.Skip(b)
			continue
		}
		if msgp.NextType(b) == msgp.BinType {
			nonce, b, err = msgp.ReadBytesZC(b)
		} else {
			nonce, b, err = msgp.ReadStringZC(b)
		}
		// The buffer of the answer is used again.
		nonce = append([]byte(nil), nonce...)
	}
	return nonce, err == nil
}

// appendPing writes all parts as strings: Fluent Bit refuses a binary salt.
func appendPing(b []byte, p *protocol.Ping) []byte {
	b = msgp.AppendArrayHeader(b, 6)
	b = msgp.AppendString(b, p.MessageType)
	b = msgp.AppendString(b, p.ClientHostname)
	b = msgp.AppendStringFromBytes(b, p.SharedKeySalt)
	b = msgp.AppendString(b, p.SharedKeyHexDigest)
	b = msgp.AppendString(b, p.Username)
	return msgp.AppendString(b, p.Password)
}
