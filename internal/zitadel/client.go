package zitadel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	authpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/certs"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

const (
	// TransportGRPC and TransportREST are the values of the option transport.
	TransportGRPC = "grpc"
	TransportREST = "rest"

	userAgent = "zitadel-siem"
)

// Options of a client, beside the settings.
type Options struct {
	Log *slog.Logger // nil: nothing is logged
	// TokenName is the name by which the user knows the option token, for errors.
	// Empty: token.
	TokenName string
	// Patience is how long one call may wait in all until ZITADEL no longer refuses it
	// because of a quota or a rate limit. 0: the caller repeats calls itself.
	Patience time.Duration
	// Conns are shared with other clients; nil: the client has connections of its own.
	Conns *Conns
}

// Client asks one instance. It keeps one token, and one connection or a share of one; see
// [Conns]. It is safe for concurrent use.
type Client struct {
	origin    string
	name      string // transport
	timeout   time.Duration
	login     login
	transport transport
	conn      *conn
	leave     func() error // conn's, once
	scrub     *scrubber
	clock     *clock
	patience  patience
	log       *slog.Logger

	life   context.Context // ends with Close
	end    context.CancelFunc
	waitMu sync.Mutex // orders start before Close
	wait   sync.WaitGroup

	ownMu    sync.Mutex
	ownToken string // the token that ownID belongs to
	ownID    string
}

// A transport makes one call. It neither retries nor classifies.
type transport interface {
	call(ctx context.Context, m endpoint, token string, req proto.Message) (proto.Message, *failure)
}

// New makes a client for the url and the login in the settings. It reads the files
// that must be correct from the start: ca_file and key_file. It does not wait for the
// network. If a token_file or a client_secret_file
// is missing, calls fail until the file is there.
func New(ctx context.Context, s config.Settings, o Options) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	tlsConfig, err := certs.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	c := &Client{
		origin:  s.URL.String(),
		name:    s.Transport,
		timeout: s.RequestTimeout,
		scrub:   newScrubber(),
		clock:   newClock(),

		patience: patience(o.Patience),
		log:      o.Log,
	}
	conns := o.Conns
	if conns == nil {
		conns = new(Conns)
	}
	if c.conn, err = conns.join(s.URL, tlsConfig); err != nil {
		return nil, err
	}
	c.leave = sync.OnceValue(c.conn.leave)
	// The client lives longer than the call to New; only Close ends it.
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	if c.login, err = c.newLogin(s, o); err != nil {
		c.end()
		_ = c.leave() // err says what to do
		return nil, err
	}
	if s.Transport == TransportREST {
		c.transport = &restTransport{origin: c.origin, language: s.Language, http: c.conn.pool.http, clock: c.clock}
		return c, nil
	}
	c.transport = &grpcTransport{conn: c.conn.grpc, secure: s.URL.Scheme == "https", language: s.Language, clock: c.clock}
	if o.Conns == nil {
		c.conn.grpc.Connect() // thousands that share connect when they call
	}
	return c, nil
}

// ListEvents requests one page, in the order in which ZITADEL returns it.
// The error is an [*Error], or the one of ctx.
func (c *Client) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) ([]*eventpb.Event, error) {
	resp, err := invoke(ctx, c, listEvents, req)
	if err != nil {
		return nil, err
	}
	return resp.GetEvents(), nil
}

// EventTypes returns the event types that the server knows.
func (c *Client) EventTypes(ctx context.Context) ([]string, error) {
	resp, err := invoke(ctx, c, listEventTypes, new(adminpb.ListEventTypesRequest))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(resp.GetEventTypes()))
	for _, t := range resp.GetEventTypes() {
		names = append(names, t.GetType())
	}
	return names, nil
}

// AggregateTypes returns the aggregate types that the server knows.
func (c *Client) AggregateTypes(ctx context.Context) ([]string, error) {
	resp, err := invoke(ctx, c, listAggregateTypes, new(adminpb.ListAggregateTypesRequest))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(resp.GetAggregateTypes()))
	for _, t := range resp.GetAggregateTypes() {
		names = append(names, t.GetType())
	}
	return names, nil
}

// OwnUserID returns the user that the token belongs to. A key file names the user;
// with other logins ZITADEL is asked once for each token.
func (c *Client) OwnUserID(ctx context.Context) (string, error) {
	if id := c.login.userID(); id != "" {
		return id, nil
	}
	token, err := c.login.token(ctx)
	if err != nil {
		return "", err
	}
	c.ownMu.Lock()
	id, known := c.ownID, c.ownToken == token && c.ownID != ""
	c.ownMu.Unlock()
	if known {
		return id, nil
	}
	resp, err := invoke(ctx, c, getMyUser, new(authpb.GetMyUserRequest))
	if err != nil {
		return "", err
	}
	id = resp.GetUser().GetId()
	if id == "" {
		return "", c.fail(&failure{code: codes.Internal, text: "ZITADEL's answer does not say whose token this is"})
	}
	c.ownMu.Lock()
	c.ownToken, c.ownID = token, id
	c.ownMu.Unlock()
	return id, nil
}

// ServerTime returns the server's clock according to its last answer, which may have
// been an error, and the local clock of the same moment. The resolution is one
// second. ok is false before the first answer, and if the answers show no clock.
func (c *Client) ServerTime() (server, local time.Time, ok bool) { return c.clock.last() }

// Close ends running calls and gives the connections up. It may be called again.
func (c *Client) Close() error {
	c.waitMu.Lock()
	c.end()
	c.waitMu.Unlock()
	c.wait.Wait()
	return c.leave()
}

// start runs work that Close waits for. It returns false if the client is closed.
func (c *Client) start(work func()) bool {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if c.life.Err() != nil {
		return false
	}
	c.wait.Go(work)
	return true
}

// call asks, again while ZITADEL throttles; see [Options.Patience].
func (c *Client) call(ctx context.Context, m endpoint, req proto.Message) (resp proto.Message, err error) {
	err = c.patience.wait(ctx, c.log, func() error {
		resp, err = c.askWithToken(ctx, m, req)
		return err
	})
	return resp, err
}

// askWithToken uses the current token. If ZITADEL refuses it and another one is available,
// it asks once more.
func (c *Client) askWithToken(ctx context.Context, m endpoint, req proto.Message) (proto.Message, error) {
	token, err := c.login.token(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := c.ask(ctx, m, token, req)
	if e, ok := errors.AsType[*Error](err); ok && e.refused && c.login.renew(token) {
		if token, err = c.login.token(ctx); err != nil {
			return nil, err
		}
		resp, err = c.ask(ctx, m, token, req)
	}
	return resp, err
}

func (c *Client) ask(ctx context.Context, m endpoint, token string, req proto.Message) (resp proto.Message, err error) {
	err = c.bounded(ctx, func(ctx context.Context) (f *failure) {
		if resp, f = c.transport.call(ctx, m, token, req); f != nil {
			f.setup, f.scripts = m.setup, m.scripts
		}
		return f
	})
	return resp, err
}

// bounded runs one exchange until the request timeout or the end of the client, and
// turns its failure into the error that callers see.
func (c *Client) bounded(ctx context.Context, exchange func(context.Context) *failure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.life.Err() != nil {
		return c.closed()
	}
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()

	f := exchange(within)
	switch {
	case f == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case c.life.Err() != nil:
		return c.closed()
	case f.code == codes.DeadlineExceeded && nearDeadline(ctx, c.timeout):
		return context.DeadlineExceeded // the caller's own
	case within.Err() != nil, f.code == codes.DeadlineExceeded && nearDeadline(within, c.timeout):
		f = &failure{
			code:  codes.DeadlineExceeded,
			said:  byNobody,
			text:  fmt.Sprintf("no complete answer within %s", c.timeout),
			cause: context.DeadlineExceeded,
		}
	}
	return c.fail(f)
}

// nearDeadline reports whether ctx is about to end: gRPC sends the deadline to the
// server, whose error may arrive before our own timeout.
func nearDeadline(ctx context.Context, timeout time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < timeout/10
}

func (c *Client) closed() error {
	return &Error{Class: Stop, Code: codes.Canceled, URL: c.origin, Message: "the client is closed"}
}

// fail is the only place where a failure becomes an Error: classified, with its fix,
// and without secrets.
func (c *Client) fail(f *failure) *Error {
	r, limit := classify(f), maxMessage
	if f.said == byForeign {
		limit = maxForeign
	}
	e := &Error{
		Class:      r.class,
		Code:       f.code,
		HTTPStatus: f.status,
		URL:        c.origin,
		Message:    c.scrub.line(f.text, limit),
		RetryAfter: f.retryAfter,
		refused:    f.code == codes.Unauthenticated && f.said == byZITADEL,
	}
	e.Fix = strings.NewReplacer(
		"{login}", c.login.option(),
		"{location}", cmp.Or(c.scrub.line(f.location, maxMessage), "that place"),
		"{skew}", c.clock.skewHint(),
	).Replace(r.fix)
	if f.said != byZITADEL && c.name == TransportGRPC {
		e.Fix = strings.TrimPrefix(e.Fix+r.fixGRPC, "; ")
	}
	// The cause is for errors.Is and errors.As; its text must not hold secrets either.
	if f.cause != nil && c.scrub.clean(f.cause.Error()) {
		e.Err = f.cause
	}
	return e
}
