package zitadel

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// grpcTransport calls ZITADEL's gRPC services through zitadel-go's generated clients,
// on one connection of ours. zitadel-go's own connection (package client) would link
// all 33 services of ZITADEL; see docs/adr/0018-only-the-services-that-are-called.md.
type grpcTransport struct {
	conn     *grpc.ClientConn
	secure   bool
	language string
	clock    *clock
}

// readBuffer holds the small frames of an idle connection; grpc-go's default is 32 KB.
const readBuffer = 4 << 10

// redialMost is the longest wait before a host that is away is dialled again.
const redialMost = 3 * time.Second

// dial returns a connection that connects at its first call.
func dial(origin *url.URL, config *tls.Config) (*grpc.ClientConn, error) {
	target, creds, err := targetOf(origin, config)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(creds),
		// As a browser sends it: the default port is not part of an instance's
		// domain. It is also the name that the certificate must have.
		grpc.WithAuthority(origin.Host),
		grpc.WithUserAgent(userAgent),
		// The caller decides when to ask again, and sees every error.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize)),
		// Large enough for a whole page. Fixed windows also avoid the pings that
		// measure the connection.
		grpc.WithInitialWindowSize(4<<20),
		grpc.WithInitialConnWindowSize(4<<20),
		// An idle connection keeps little memory: a process may have thousands. What is larger
		// than the buffer is read without it.
		grpc.WithSharedWriteBuffer(true),
		grpc.WithReadBufferSize(readBuffer),
		// A server that is up again is found within seconds, not in grpc's 2 min.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: redialMost},
			MinConnectTimeout: 10 * time.Second,
		}),
		// Servers allow a ping every 5 min, and none without a call (grpc's default
		// enforcement). Timeout is also the TCP_USER_TIMEOUT, which ends
		// connections that a firewall has dropped.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}),
	)
}

// targetOf returns what gRPC dials for origin, and the credentials of the connection.
func targetOf(origin *url.URL, config *tls.Config) (string, credentials.TransportCredentials, error) {
	secure := origin.Scheme == "https"
	port := "80"
	if secure {
		port = "443"
	}
	port = cmp.Or(origin.Port(), port)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", nil, fmt.Errorf("url %s: want a port from 1 to 65535: %w", origin, err)
	}
	// passthrough: the dialer or the proxy resolves the name. gRPC's own resolver would
	// ask DNS for each new connection even if a proxy is the only way out.
	target := "passthrough:///" + net.JoinHostPort(origin.Hostname(), port)
	if !secure {
		return target, insecure.NewCredentials(), nil
	}
	return target, credentials.NewTLS(config.Clone()), nil
}

// bearer sends a token with one call. Unlike metadata, credentials of a call are not
// written to grpc-go's binary log.
type bearer struct {
	token  string
	secure bool // the token must not be sent over a connection without TLS
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.secure }

func (t *grpcTransport) call(ctx context.Context, m endpoint, token string, req proto.Message) (proto.Message, *failure) {
	if t.language != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "accept-language", t.language)
	}
	if org := orgOf(ctx); org != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, orgHeader, org)
	}
	var header, trailer metadata.MD
	codec := newBoundedCodec(eventsAsked(req))
	asked := t.clock.now()
	resp, err := m.rpc(ctx, t.conn, req, grpc.PerRPCCredentials(bearer{token, t.secure}),
		grpc.Header(&header), grpc.Trailer(&trailer), grpc.ForceCodecV2(codec))

	first := func(name string) string {
		for _, md := range []metadata.MD{header, trailer} {
			if values := md.Get(name); len(values) > 0 {
				return values[0]
			}
		}
		return ""
	}
	t.clock.see(first, asked)
	if err == nil {
		return resp, nil
	}
	if codec.refused != nil {
		return nil, codec.refused
	}

	s := status.Convert(err)
	f := &failure{code: s.Code(), text: s.Message(), retryAfter: retryAfter(first("retry-after"), first("date"))}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			f.retryAfter = min(max(info.GetRetryDelay().AsDuration(), 0), maxRetryAfter)
		}
	}
	switch status, page, ok := foreignAnswer(f.text); {
	case ok:
		f.said, f.status = byForeign, status
		f.code, f.text = codeOfStatus(status), foreignText(page)
		return nil, f
	case len(header) == 0 && len(trailer) == 0:
		f.said = byNobody
	}
	f.text = plainGRPC(f.text)
	return nil, f
}

// httpAnswer and httpPage match grpc-go's report of an answer that is HTTP but not
// gRPC: its status, and the start of its body.
var (
	httpAnswer = regexp.MustCompile(`unexpected HTTP status code received from server: (\d{3})|unexpected content-type|missing HTTP content-type`)
	httpPage   = regexp.MustCompile(`(?s)data: (".*")$`)
)

// foreignAnswer finds that report. The status is 200 if it names none.
func foreignAnswer(text string) (status int, page string, ok bool) {
	found := httpAnswer.FindStringSubmatch(text)
	if found == nil {
		return 0, "", false
	}
	if status, _ = strconv.Atoi(found[1]); status == 0 {
		status = 200
	}
	if body := httpPage.FindStringSubmatch(text); body != nil {
		page, _ = strconv.Unquote(body[1])
	}
	return status, page, true
}

// dialing matches grpc-go's prefix of an error of the system.
var dialing = regexp.MustCompile(`^(?:last )?(?:connection|resolver) error: (?:desc = "(.*)")?`)

// plainGRPC removes that prefix.
func plainGRPC(text string) string {
	if found := dialing.FindStringSubmatch(text); found != nil && found[1] != "" {
		if inner, err := strconv.Unquote(`"` + found[1] + `"`); err == nil {
			text = inner
		}
	}
	text = strings.TrimPrefix(text, "transport: ")
	return strings.TrimPrefix(text, "Error while dialing: ")
}
