package zitadel

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const (
	formType = "application/x-www-form-urlencoded"

	// scopes are openid, and ZITADEL's own project as audience: without it, its APIs
	// refuse the token.
	scopes = "openid urn:zitadel:iam:org:project:id:zitadel:aud"

	// margin is how long before its end a token is replaced; at most half its life.
	margin = time.Minute

	// settled is the age below which a refused token is not replaced: another one
	// would be refused too, and each token writes two events into the log that is
	// being read.
	settled = 10 * time.Second
)

// A grant is what ZITADEL issues a token for.
type grant interface {
	// form returns the body of the token request and, if client is not nil, its
	// Basic authentication.
	form(ctx context.Context, issuer string) (form url.Values, client *url.Userinfo, err error)
	userID() string
	option() string
}

// fetchLogin fetches a token from ZITADEL and keeps it until shortly before it
// expires, or until it is refused. Concurrent callers share one request.
//
// It does not use zitadel-go's token source, which has no ca_file, no deadlines, no
// limit on the answer and no classes of errors, and which sends the credential to
// any host that discovery names.
type fetchLogin struct {
	grant
	client *Client
	log    *slog.Logger

	mu      sync.Mutex
	held    string
	fetched time.Time
	until   time.Time // zero: no end is known
	flight  *flight
}

// A flight is a running token request.
type flight struct {
	done  chan struct{}
	token string
	err   error
}

func newFetchLogin(c *Client, g grant, log *slog.Logger) *fetchLogin {
	return &fetchLogin{grant: g, client: c, log: log}
}

func (l *fetchLogin) token(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	l.mu.Lock()
	if l.held != "" && (l.until.IsZero() || l.client.clock.now().Before(l.until)) {
		defer l.mu.Unlock()
		return l.held, nil
	}
	under := l.flight
	if under == nil {
		under = &flight{done: make(chan struct{})}
		if !l.client.start(func() { l.fly(under) }) {
			l.mu.Unlock()
			return "", l.client.closed()
		}
		l.flight = under
	}
	l.mu.Unlock()

	select {
	case <-under.done:
		return under.token, under.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (l *fetchLogin) fly(under *flight) {
	asked := l.client.clock.now()
	// The request is shared by all waiting callers, so it does not end with the
	// context of one of them; bounded ends it with the client.
	token, life, err := l.fetch(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flight = nil
	under.token, under.err = token, err
	defer close(under.done)
	if err != nil {
		return
	}
	l.held, l.fetched, l.until = token, asked, time.Time{}
	if life > 0 {
		l.until = asked.Add(life - min(margin, life/2))
	}
	l.log.Debug("fetched a token", "option", l.option(), "life", life)
}

func (l *fetchLogin) renew(refused string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != refused {
		return true
	}
	if l.client.clock.now().Sub(l.fetched) < settled {
		return false
	}
	l.held = ""
	return true
}

// fetch finds the token endpoint and requests a token.
func (l *fetchLogin) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	issuer, path, err := l.discover(ctx)
	if err != nil {
		return "", 0, err
	}
	form, client, err := l.form(ctx, issuer)
	if err != nil {
		return "", 0, err
	}
	form.Set("scope", scopes)
	l.client.scrub.hide(form.Get("assertion"))

	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	err = l.exchange(ctx, http.MethodPost, path, strings.NewReader(form.Encode()), client, &answer)
	if err != nil {
		return "", 0, err
	}
	l.client.scrub.hide(answer.AccessToken)
	if sendable(answer.AccessToken) != nil {
		return "", 0, l.client.fail(&failure{code: codes.Unknown, status: http.StatusOK, said: byForeign, text: "the token endpoint answered without a token"})
	}
	// 34 years are enough, and do not overflow.
	return answer.AccessToken, time.Duration(min(max(answer.ExpiresIn, 0), 1<<30)) * time.Second, nil
}

// discover asks for the issuer, which an assertion must name, and the path of the
// token endpoint. Only the path is used: the secret is sent to url and to no other
// host. Without discovery, ZITADEL's own defaults are used.
func (l *fetchLogin) discover(ctx context.Context) (issuer, path string, err error) {
	var answer struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	err = l.exchange(ctx, http.MethodGet, "/.well-known/openid-configuration", nil, nil, &answer)
	if e, ok := errors.AsType[*Error](err); ok && e.HTTPStatus == http.StatusNotFound {
		err = nil
	}
	if err != nil {
		return "", "", err
	}
	issuer, path = l.client.origin, "/oauth/v2/token"
	if answer.Issuer != "" {
		issuer = answer.Issuer
	}
	if u, err := url.Parse(answer.TokenEndpoint); err == nil && strings.HasPrefix(u.EscapedPath(), "/") {
		path = u.EscapedPath()
	}
	return issuer, path, nil
}

// exchange is one HTTP request under the timeout, with a JSON answer.
func (l *fetchLogin) exchange(ctx context.Context, verb, path string, body *strings.Reader, client *url.Userinfo, answer any) error {
	c := l.client
	return c.bounded(ctx, func(ctx context.Context) *failure {
		req, err := http.NewRequestWithContext(ctx, verb, c.origin+path, nil)
		if body != nil {
			req, err = http.NewRequestWithContext(ctx, verb, c.origin+path, body)
		}
		if err != nil {
			return &failure{code: codes.InvalidArgument, text: err.Error()}
		}
		if body != nil {
			req.Header.Set("Content-Type", formType)
		}
		if client != nil {
			password, _ := client.Password()
			// Form-encoded first, as RFC 6749 (2.3.1) wants it.
			req.SetBasicAuth(url.QueryEscape(client.Username()), url.QueryEscape(password))
		}
		repeatable(req)
		content, _, f := exchange(c.conn.pool.http, req, c.clock)
		if f != nil {
			return f
		}
		if json.Unmarshal(content, answer) != nil {
			return &failure{code: codes.Unknown, status: http.StatusOK, said: byForeign, text: "the answer of " + path + " is not ZITADEL's"}
		}
		return nil
	})
}

// codeOfOAuth is the gRPC code for an error of the token endpoint.
func codeOfOAuth(name string, status int) codes.Code {
	switch name {
	case "invalid_grant", "invalid_client", "unauthorized_client", "access_denied":
		return codes.Unauthenticated
	case "invalid_request", "invalid_scope", "unsupported_grant_type":
		return codes.InvalidArgument
	}
	if status == http.StatusTooManyRequests {
		return codes.ResourceExhausted
	}
	return codes.Unavailable // server_error, temporarily_unavailable, and unknown ones
}

// secretGrant asks for tokens with a service user's client id and secret.
type secretGrant struct {
	clientID string
	secret   *secretFile
	scrub    *scrubber
}

func (g *secretGrant) form(context.Context, string) (url.Values, *url.Userinfo, error) {
	secret, err := g.secret.read(true)
	if err != nil {
		return nil, nil, err
	}
	sent := url.QueryEscape(secret) // as Basic sends it
	g.scrub.hide(sent)
	g.scrub.hide(url.QueryEscape(g.clientID) + ":" + sent)
	return url.Values{"grant_type": {"client_credentials"}}, url.UserPassword(g.clientID, secret), nil
}

func (g *secretGrant) userID() string { return "" }
func (g *secretGrant) option() string {
	return "client_id and client_secret_file " + config.ForPeople(g.secret.path)
}
