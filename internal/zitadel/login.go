package zitadel

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// A login is one of the ways to get a token. Its errors are of type *Error, or
// the context's own.
type login interface {
	// token returns the token to send now. It uses the network only if there is
	// none, or if it is about to expire.
	token(ctx context.Context) (string, error)
	// renew notes that ZITADEL refused a token, and reports whether token may now
	// return another one.
	renew(refused string) bool
	// userID is the user that the tokens are for; empty if only ZITADEL knows.
	userID() string
	// option names the option, and its file, for messages about the login.
	option() string
}

func (c *Client) newLogin(s config.Settings, o Options) (login, error) {
	switch {
	case s.TokenFile != "":
		return &fileLogin{c.newSecretFile("token_file", s.TokenFile, o.Log)}, nil
	case s.KeyFile != "":
		grant := &keyGrant{path: s.KeyFile, clock: c.clock}
		if _, err := grant.key(); err != nil {
			return nil, err
		}
		return newFetchLogin(c, grant, o.Log), nil
	case s.ClientID != "":
		secret := c.newSecretFile("client_secret_file", s.ClientSecretFile, o.Log)
		return newFetchLogin(c, &secretGrant{clientID: s.ClientID, secret: secret, scrub: c.scrub}, o.Log), nil
	}
	token := s.Token.Reveal()
	c.scrub.hide(token)
	if err := sendable(token); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return staticLogin{value: token, name: cmp.Or(o.TokenName, "token")}, nil
}

// staticLogin is a token given as an option.
type staticLogin struct{ value, name string }

func (l staticLogin) token(context.Context) (string, error) { return l.value, nil }
func (l staticLogin) renew(string) bool                     { return false }
func (l staticLogin) userID() string                        { return "" }
func (l staticLogin) option() string                        { return l.name }

// fileLogin is a token in a file that may be replaced at any time.
type fileLogin struct{ *secretFile }

func (l *fileLogin) token(context.Context) (string, error) { return l.read(false) }

// renew reads the file even if it looks unchanged, because ZITADEL refused its
// token.
func (l *fileLogin) renew(refused string) bool {
	now, err := l.read(true)
	return err == nil && now != refused
}

func (l *fileLogin) userID() string { return "" }
func (l *fileLogin) option() string { return l.secretFile.option + " " + config.ForPeople(l.path) }

// sendable returns an error if a header cannot carry the secret. The error does
// not repeat it.
func sendable(secret string) error {
	if secret == "" {
		return errors.New("is empty")
	}
	for _, r := range secret {
		if r <= ' ' || r > '~' {
			return errors.New("holds a space, a line break or another character that no token has")
		}
	}
	return nil
}

// localStop is an error on this machine that the user must fix.
func localStop(message, fix string, cause error) *Error {
	return &Error{Class: Stop, Code: codes.Unauthenticated, Message: message, Fix: fix, Err: cause}
}
