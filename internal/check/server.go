package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/certs"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// expiresSoon is when a certificate, key or token gets a warning.
	expiresSoon = 14 * 24 * time.Hour
	// The answers' Date has whole seconds, so a smaller skew cannot be measured.
	// ZITADEL accepts the assertion of a key for one minute.
	skewNoted = 3 * time.Second
	skewWrong = time.Minute
)

func checkServer(ctx context.Context, r *report, s config.Settings) {
	if !checkReachable(ctx, r, s) {
		r.say(skips, "server", "token, role, clock and retention: not checked, because the server cannot be reached", "")
		return
	}
	checkToken(r, s, time.Now())

	other := zitadel.TransportREST
	if s.Transport == zitadel.TransportREST {
		other = zitadel.TransportGRPC
	}
	otherErr := checkOtherTransport(ctx, s, other)
	client, err := zitadel.New(ctx, s, zitadel.Options{TokenName: r.tokenName})
	if err != nil {
		r.say(fails, "client", err.Error(), "")
		return
	}
	defer client.Close()
	page, err := firstEvent(ctx, client)
	checkTransport(r, s.Transport, other, err, otherErr)
	if err == nil {
		who := ""
		if id, err := client.OwnUserID(ctx); err == nil {
			who = ", of user " + id
		}
		r.say(passes, "token", "accepted"+who, "")
		r.say(passes, "role", "the user may read events", "")
		checkRetention(r, s, page)
		checkScripts(ctx, r, client)
	}
	checkClock(r, client)
}

// checkReachable asks for ZITADEL's health page. Any answer proves that name,
// port, proxy and certificate are right.
func checkReachable(ctx context.Context, r *report, s config.Settings) bool {
	tlsConfig, err := certs.Client(s.CAFile)
	if err != nil {
		r.say(fails, "tls", err.Error(), "")
		return false
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport: transport,
		Timeout:   s.RequestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL.JoinPath("/debug/healthz").String(), nil)
	if err != nil {
		r.say(fails, "url", err.Error(), "")
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		name, text, fix := explainConnect(err, s)
		r.say(fails, name, text, fix)
		return false
	}
	defer resp.Body.Close()
	page, _ := bounded.ReadAll(resp.Body, 1<<16)
	if wantsTLS(s, resp.StatusCode, string(page)) {
		r.say(fails, "tls", textTLSPort, fixTLSPort)
		return false
	}
	r.say(passes, "url", s.URL.String()+" answers", "")
	checkCertificate(r, s, resp.TLS, time.Now())
	return true
}

const (
	textTLSPort = "this port speaks TLS, and url says http"
	fixTLSPort  = "use https:// in url"
)

// wantsTLS recognizes how TLS servers, such as Go's and nginx, answer plain HTTP.
func wantsTLS(s config.Settings, status int, page string) bool {
	return s.URL.Scheme == "http" && status == http.StatusBadRequest &&
		(strings.Contains(page, "HTTPS server") || strings.Contains(page, "HTTPS port"))
}

func checkCertificate(r *report, s config.Settings, state *tls.ConnectionState, now time.Time) {
	if state == nil || len(state.PeerCertificates) == 0 {
		if ip := net.ParseIP(s.URL.Hostname()); ip != nil && ip.IsLoopback() || s.URL.Hostname() == "localhost" {
			r.say(passes, "tls", "none, on loopback", "")
			return
		}
		r.say(warns, "tls", "none: token and events are sent unencrypted", "use https")
		return
	}
	leaf := state.PeerCertificates[0]
	text := fmt.Sprintf("verified, %s, certificate of %s by %s until %s", tls.VersionName(state.Version),
		leaf.Subject.CommonName, leaf.Issuer.CommonName, leaf.NotAfter.UTC().Format(time.DateOnly))
	if left := leaf.NotAfter.Sub(now); left < expiresSoon {
		r.say(warns, "tls", text+", in "+terminal.Roughly(left), "renew the certificate")
		return
	}
	r.say(passes, "tls", text, "")
}

// explainConnect explains an error of the connection.
func explainConnect(err error, s config.Settings) (name, text, fix string) {
	const network = "check host, port, firewall and proxy"
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "url", fmt.Sprintf("the name %s cannot be resolved: %v", s.URL.Hostname(), dns.Err), "check url and the DNS of this machine"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "tls", "the certificate was signed by an authority that this machine does not know", "set ca_file to the PEM file of that authority"
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "tls", "the certificate is not for this host: " + e.Error(), "use a name from the certificate"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "tls", e.Error(), "renew the certificate, and check this machine's clock"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return "tls", "the server does not speak TLS on this port", "check scheme and port of url"
	}
	if s.URL.Scheme == "http" && strings.Contains(err.Error(), `malformed HTTP response "\x15`) {
		return "tls", textTLSPort, fixTLSPort
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "url", fmt.Sprintf("no answer within %s", s.RequestTimeout), network
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return "url", fmt.Sprintf("%s: %v", s.URL, e), network + "; is ZITADEL running?"
	}
	return "url", err.Error(), "check host, port and proxy"
}

// checkToken says what a token or key shows without asking the server.
func checkToken(r *report, s config.Settings, now time.Time) {
	switch {
	case s.KeyFile != "":
		var key struct {
			ExpirationDate time.Time `json:"expirationDate"`
		}
		if data, err := os.ReadFile(s.KeyFile); err == nil && json.Unmarshal(data, &key) == nil && !key.ExpirationDate.IsZero() {
			r.expiry("the key in key_file", key.ExpirationDate, now)
		}
	case s.TokenFile != "":
		if token, ok := secretIn(s.TokenFile); ok {
			r.tokenExpiry(token, now)
		}
	case s.Token != "":
		r.tokenExpiry(s.Token.Reveal(), now)
	}
}

// tokenExpiry reads the expiry of a JWT. A personal access token shows none.
func (r *report) tokenExpiry(token string, now time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return
	}
	var claims struct {
		Expires int64 `json:"exp"`
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil || claims.Expires == 0 {
		return
	}
	r.expiry("the token (a JWT)", time.Unix(claims.Expires, 0), now)
}

func (r *report) expiry(what string, at, now time.Time) {
	text := fmt.Sprintf("%s is valid until %s", what, at.UTC().Format(time.RFC3339))
	switch left := at.Sub(now); {
	case left <= 0:
		r.say(fails, "token", strings.Replace(text, "is valid", "was valid", 1), "create a new one for the service user")
	case left < expiresSoon:
		r.say(warns, "token", text+", in "+terminal.Roughly(left), "create a new one for the service user")
	default:
		r.say(passes, "token", text, "")
	}
}

// checkOtherTransport tries the transport that is not configured. ZITADEL's own
// refusal proves as well that the transport works.
func checkOtherTransport(ctx context.Context, s config.Settings, transport string) error {
	s.Transport = transport
	client, err := zitadel.New(ctx, s, zitadel.Options{TokenName: "ZITADEL_TOKEN"})
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = recentEvent(ctx, client)
	return err
}

// recentEvent asks for one event of the last minute, which costs least.
func recentEvent(ctx context.Context, client *zitadel.Client) ([]*eventpb.Event, error) {
	now := time.Now()
	return client.ListEvents(ctx, &adminpb.ListEventsRequest{
		Limit: 1,
		CreationDateFilter: &adminpb.ListEventsRequest_Range{Range: &adminpb.ListEventsRequestCreationDateRange{
			Since: timestamppb.New(now.Add(-time.Minute)),
			Until: timestamppb.New(now),
		}},
	})
}

// firstEvent asks for the oldest event of the instance itself. Every log begins
// with it.
func firstEvent(ctx context.Context, client *zitadel.Client) ([]*eventpb.Event, error) {
	return client.ListEvents(ctx, &adminpb.ListEventsRequest{Limit: 1, Asc: true, AggregateTypes: []string{"instance"}})
}

// checkTransport reports gRPC and REST, and what ZITADEL said about token and
// role.
func checkTransport(r *report, chosen, other string, err, otherErr error) {
	switch {
	case err == nil:
		r.say(passes, chosen, "works and will be used", "")
		if otherErr == nil {
			r.say(passes, other, "works too (transport: "+other+")", "")
		} else {
			r.say(skips, other, "does not work from here, but is not needed: "+otherErr.Error(), "")
		}
	case otherErr == nil:
		r.say(fails, chosen, err.Error(), "use transport: "+other+", which works")
	default:
		name, text := chosen, err.Error()
		fix := ""
		if e, ok := errors.AsType[*zitadel.Error](err); ok {
			name, fix = aspect(e, chosen), e.Fix
			text = strings.TrimSuffix(text, ": "+fix)
		}
		r.say(fails, name, text, fix)
	}
}

// aspect is what an error of ZITADEL is about.
func aspect(e *zitadel.Error, transport string) string {
	switch {
	case e.Code == codes.Unauthenticated:
		return "token"
	case e.Code == codes.PermissionDenied, strings.Contains(e.Message, "membership not found"):
		return "role"
	case e.Code == codes.NotFound, e.Code == codes.Unimplemented:
		return "url"
	case e.Class == zitadel.Throttled:
		return "quota"
	}
	return transport
}

func checkClock(r *report, client *zitadel.Client) {
	server, local, ok := client.ServerTime()
	if !ok {
		r.say(skips, "clock", "the server's answers have no Date", "")
		return
	}
	skew := local.Sub(server).Round(time.Second)
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	text := fmt.Sprintf("this machine is %s %s the server", terminal.Roughly(skew.Abs()), direction)
	switch {
	case skew.Abs() >= skewWrong:
		r.say(warns, "clock", text, "set the clocks (NTP). Reading uses the server's clock, but the dates of keys and certificates are compared with this one")
	case skew.Abs() >= skewNoted:
		r.say(warns, "clock", text, "set the clocks (NTP)")
	default:
		r.say(passes, "clock", "within "+skewNoted.String()+" of the server's", "")
	}
}

// checkRetention reports whether older events are hidden: the first event of an
// instance has the sequence 1.
func checkRetention(r *report, s config.Settings, page []*eventpb.Event) {
	const fix = "raise the audit-log retention (an instance limit, or DefaultAuditLogRetention) before the SIEM needs older events"
	if len(page) == 0 {
		r.say(warns, "retention", "ZITADEL shows no event of the instance itself: older ones are hidden", fix)
		return
	}
	first := page[0]
	date := first.GetCreationDate().AsTime().UTC().Format(time.RFC3339)
	if first.GetSequence() != 1 {
		v := warns
		if !s.Start.Beginning {
			v = passes // older events are not wanted anyway
		}
		r.say(v, "retention", fmt.Sprintf("ZITADEL shows no events before about %s", date), fix)
		return
	}
	r.say(passes, "retention", "nothing is hidden; the first event is of "+date, "")
}
