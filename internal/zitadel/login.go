package zitadel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/grpc/codes"
)

// A login is one of the ways to have a token. Its errors are final: *Error, or
// the context's own.
type login interface {
	// token is the one to send now. It asks the network only where there is
	// none, or where it is about to expire.
	token(ctx context.Context) (string, error)
	// renew takes note that ZITADEL refused a token, and says whether token
	// may now give another one.
	renew(refused string) bool
	// userID is the user that the tokens are for, or empty where only ZITADEL knows.
	userID() string
	// option names the option, and the file, where a user mends the login.
	option() string
}

func (c *Client) newLogin(cfg Config, log *slog.Logger) (login, error) {
	switch {
	case cfg.TokenFile != "":
		return &fileLogin{secretFile: secretFile{name: "token_file", path: cfg.TokenFile, now: c.clock.now, scrub: c.scrub, log: log}}, nil
	case cfg.KeyFile != "":
		grant := &keyGrant{path: cfg.KeyFile, clock: c.clock}
		if _, err := grant.key(); err != nil {
			return nil, err
		}
		return newFetchLogin(c, grant, log), nil
	case cfg.ClientID != "":
		return newFetchLogin(c, &secretGrant{
			clientID: cfg.ClientID,
			secret:   secretFile{name: "client_secret_file", path: cfg.ClientSecretFile, now: c.clock.now, scrub: c.scrub, log: log},
			scrub:    c.scrub,
		}, log), nil
	}
	token := strings.TrimSpace(cfg.Token)
	c.scrub.hide(token)
	if err := sendable(token); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return staticLogin{value: token, name: cmp.Or(cfg.TokenName, "token")}, nil
}

// staticLogin is a token given as an option.
type staticLogin struct{ value, name string }

func (l staticLogin) token(context.Context) (string, error) { return l.value, nil }
func (l staticLogin) renew(string) bool                     { return false }
func (l staticLogin) userID() string                        { return "" }
func (l staticLogin) option() string                        { return l.name }

// fileLogin is a token in a file, which may be replaced at any time.
type fileLogin struct{ secretFile }

func (l *fileLogin) token(context.Context) (string, error) { return l.read(false) }

// renew reads the file whatever its dates say: the refusal says more.
func (l *fileLogin) renew(refused string) bool {
	now, err := l.read(true)
	return err == nil && now != refused
}

func (l *fileLogin) userID() string { return "" }
func (l *fileLogin) option() string { return l.name + " " + l.path }

// sendable is an error where a header cannot carry secret. Its text never
// repeats it.
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

// localStop is an error of this machine that somebody has to mend.
func localStop(message, mend string, cause error) *Error {
	return &Error{Class: Stop, Code: codes.Unauthenticated, Message: message, Mend: mend, Err: cause}
}
