package zitadel

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// A failure is what a transport reports, before it is classified.
type failure struct {
	code       codes.Code
	status     int // HTTP; over gRPC only when something else answered
	said       speaker
	text       string // may contain secrets
	location   string // where a redirect leads
	retryAfter time.Duration
	cause      error
	setup      bool // see endpoint
	scripts    bool // see endpoint
}

// speaker is the origin of a failure's text.
type speaker int

const (
	byZITADEL speaker = iota
	byForeign         // a proxy, a firewall or another server answered, not ZITADEL
	byNobody          // no answer: the text is from the system or a library
)

// A rule matches a failure if all its fields match; an empty field matches
// everything. The first matching rule decides.
type rule struct {
	said     []speaker
	codes    []codes.Code
	statuses []int
	texts    []string // any of them, in upper or lower case
	setup    bool     // only of such endpoints
	scripts  bool     // only of such endpoints

	class   Class
	fix     string // {login} is the option, {location} the target of a redirect, {skew} a hint about clocks
	fixGRPC string // added if gRPC failed before ZITADEL answered
}

var (
	foreign = []speaker{byForeign}
	nobody  = []speaker{byNobody}
)

const (
	tryREST = "; if a proxy on the way breaks gRPC, set transport rest"

	fixURL   = "url does not lead to ZITADEL's API: give scheme, host and port of the instance itself, and no path"
	fixRole  = "grant the service user the role IAM_OWNER_VIEWER (instance settings, managers)"
	fixOwner = "grant the service user the role IAM_OWNER (instance settings, managers), or another one that may read and write targets and executions of actions; " +
		"once they are set up, IAM_OWNER_VIEWER is enough to read events"
	fixScripts = "grant the service user the role ORG_OWNER in the organization (organization settings, managers), or IAM_OWNER for all organizations (instance settings, managers). " +
		"ORG_OWNER_VIEWER and IAM_OWNER_VIEWER may only read actions; only IAM_OWNER and IAM_OWNER_VIEWER may list all organizations"
	fixAgain = "somebody changed it at this moment, or ZITADEL's list is still older than the change: run this again in a few seconds"
	fixHTTP  = "this port speaks plain HTTP: use http:// in url, or the port that speaks TLS"
	fixTLS   = "this port speaks TLS: use https:// in url"
)

// rules maps each error to its class and its fix. The texts are those of ZITADEL,
// grpc-go and the Go library.
var rules = []rule{
	// Pages that cannot be returned as requested.
	{codes: []codes.Code{codes.ResourceExhausted}, texts: []string{"larger than max"},
		class: TooLarge},
	{codes: []codes.Code{codes.Internal}, class: Undecodable,
		texts: []string{"ADMIN-eaimD", "error while marshaling", "failed to unmarshal the received message", textNoPage}},

	// TLS, before any answer.
	{said: nobody, texts: []string{"signed by unknown authority", "certificate is not trusted"},
		class: Stop, fix: "set ca_file to the certificate authority that signed the server's certificate"},
	{said: nobody, texts: []string{"certificate has expired or is not yet valid"},
		class: Stop, fix: "renew the server's certificate, or set this machine's clock right"},
	{said: nobody, texts: []string{"x509: certificate is ", "x509: cannot validate certificate for", "x509: certificate relies on"},
		class: Stop, fix: "use in url a name that the server's certificate holds"},
	{said: nobody, texts: []string{"first record does not look like a TLS handshake", "gave HTTP response to HTTPS client"},
		class: Stop, fix: fixHTTP},
	{said: nobody, texts: []string{"looked like an HTTP/1.1 header", "missing selected ALPN property", "no application protocol"},
		class: Stop, fix: "the server speaks no HTTP/2, which gRPC needs, on this port: set transport rest, or use the right port and scheme in url"},
	{said: nobody, texts: []string{"malformed HTTP response \"\\x15", "frame header looked like a TLS", "http2: frame too large"},
		class: Stop, fix: fixTLS},
	{said: nobody, texts: []string{"certificate required", "bad certificate"},
		class: Stop, fix: "the server wants a client certificate, which cannot be given: let the API through without one"},
	// A load balancer whose servers are restarting does this too.
	{said: nobody, texts: []string{"reading server preface: EOF", "reading server preface: connection reset", "reading server preface: read tcp"},
		class: Retry, fix: "if this lasts, this port speaks TLS (use https:// in url), or no HTTP/2, which gRPC needs (set transport rest)"},
	{said: nobody, texts: []string{"x509:", "failed to verify certificate", "protocol version", "unrecognized name"},
		class: Stop, fix: "TLS with the server is not possible: check its certificate, ca_file and url"},
	{said: nobody, texts: []string{"tls: "},
		class: Retry, fix: "if this lasts, check the server's TLS and what stands before it"},

	// The connection to the server. It may recover, so keep trying.
	{said: nobody, texts: []string{"Proxy Authentication Required"},
		class: Stop, fix: "give the proxy of HTTPS_PROXY its user and password, or name the host in NO_PROXY"},
	{said: nobody, texts: []string{"no such host", "produced zero addresses", "server misbehaving"},
		class: Retry, fix: "if this lasts, check the host in url and this machine's name servers"},
	{said: nobody, texts: []string{"connection refused"},
		class: Retry, fix: "if this lasts, check that ZITADEL runs and that url names its port"},
	{said: nobody, texts: []string{"network is unreachable", "no route to host", "i/o timeout", "proxyconnect", "do connect handshake"},
		class: Retry, fix: "if this lasts, check the network, firewall and proxy (HTTPS_PROXY, NO_PROXY) between here and url"},
	{said: nobody, codes: []codes.Code{codes.DeadlineExceeded},
		class: Retry, fix: "ZITADEL may be waiting for an open transaction of its database; if this lasts, raise request_timeout"},
	{said: nobody, texts: []string{"without sending trailers"},
		class: Retry, fixGRPC: tryREST},
	{said: nobody, class: Retry},

	// Not ZITADEL answered.
	{said: foreign, texts: []string{textTooMany},
		class: Stop, fix: "ZITADEL keeps to the limit, so something else answers or changes the answers: check url and what stands before ZITADEL"},
	{said: foreign, statuses: []int{301, 302, 303, 307, 308},
		class: Stop, fix: "redirects are not followed; if {location} is your ZITADEL set url to it, otherwise let the API through whatever redirects"},
	{said: foreign, statuses: []int{http.StatusBadRequest}, texts: []string{"HTTPS port", "HTTPS server"},
		class: Stop, fix: fixTLS},
	{said: foreign, statuses: []int{http.StatusUnauthorized},
		class: Stop, fix: "not ZITADEL but something before it asks for a login: let the API through it"},
	{said: foreign, statuses: []int{http.StatusForbidden},
		class: Stop, fix: "not ZITADEL but a proxy or firewall before it refuses: let the API through it", fixGRPC: tryREST},
	{said: foreign, statuses: []int{http.StatusProxyAuthRequired},
		class: Stop, fix: "give the proxy of HTTPS_PROXY its user and password, or name the host in NO_PROXY"},
	{said: foreign, statuses: []int{http.StatusTooManyRequests},
		class: Throttled, fix: "a proxy before ZITADEL limits the requests; if this lasts, raise poll_interval"},
	{said: foreign, statuses: []int{http.StatusRequestTimeout, http.StatusTooEarly},
		class: Retry},
	{said: foreign, statuses: []int{http.StatusMisdirectedRequest},
		class: Stop, fix: "the server does not know the host in url: use the external domain of the instance"},
	{said: foreign, statuses: []int{http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired},
		class: Stop, fix: fixURL, fixGRPC: tryREST},
	{said: foreign, codes: []codes.Code{codes.Unavailable, codes.Internal}, class: Retry, fixGRPC: tryREST},
	{said: foreign, class: Stop, fix: fixURL, fixGRPC: tryREST},

	// ZITADEL's own answers to setup. A name that is taken and was not listed was
	// created a moment ago.
	{setup: true, codes: []codes.Code{codes.NotFound}, texts: []string{"membership not found"},
		class: Stop, fix: "the user of the token has no role: " + fixOwner},
	{setup: true, codes: []codes.Code{codes.PermissionDenied},
		class: Stop, fix: "the role of the token's user is too small (IAM_OWNER_VIEWER is not enough): " + fixOwner},
	{setup: true, codes: []codes.Code{codes.InvalidArgument}, texts: []string{"DeniedURL"},
		class: Stop, fix: "the host of the endpoint is on ZITADEL's deny list, where private networks are by default: give a public one, or take it off the list (HTTPClient.DenyList)"},
	{setup: true, codes: []codes.Code{codes.InvalidArgument, codes.FailedPrecondition},
		class: Stop, fix: "ZITADEL refuses the request: check endpoint, name and events"},
	{setup: true, codes: []codes.Code{codes.AlreadyExists}, class: Stop, fix: "somebody made it at this moment: run this again"},
	{setup: true, codes: []codes.Code{codes.NotFound}, texts: []string{"Target.NotFound", "Target not found"},
		class: Stop, fix: "somebody took a target away at this moment: run this again"},
	{setup: true, codes: []codes.Code{codes.NotFound}, texts: []string{"ConditionInvalid", "condition is invalid"},
		class: Stop, fix: "ZITADEL does not know such events: check events"},
	{setup: true, codes: []codes.Code{codes.Unimplemented},
		class: Stop, fix: "this ZITADEL has no targets and executions (Actions V2, API v2): it is too old, or url does not lead to its API"},

	// ZITADEL's own answers about Actions V1. The ids in the texts are the same in every
	// language.
	{scripts: true, codes: []codes.Code{codes.PermissionDenied}, texts: []string{"AUTH-Bs7Ds", "Organisation doesn't exist"},
		class: Stop, fix: "there is no such organization in this instance: check the id"},
	{scripts: true, codes: []codes.Code{codes.NotFound}, texts: []string{"membership not found"},
		class: Stop, fix: "the user of the token has no role in this organization: " + fixScripts},
	{scripts: true, codes: []codes.Code{codes.PermissionDenied},
		class: Stop, fix: "the role of the token's user is too small: " + fixScripts},
	{scripts: true, codes: []codes.Code{codes.AlreadyExists}, class: Stop, fix: fixAgain},
	{scripts: true, codes: []codes.Code{codes.FailedPrecondition, codes.NotFound}, texts: []string{"COMMAND-dg422", "COMMAND-Sfg2t", "COMMAND-Dgh4h", "COMMAND-Aa22g"},
		class: Stop, fix: fixAgain},
	{scripts: true, codes: []codes.Code{codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted}, texts: []string{"Action", "Script", "Timeout"},
		class: Stop, fix: "ZITADEL refuses the action: an old version takes shorter scripts, or the organization may have no more actions"},
	{scripts: true, codes: []codes.Code{codes.Unimplemented},
		class: Stop, fix: "this ZITADEL has no Actions V1, or url does not lead to its API"},

	// ZITADEL's own answers, and those of its token endpoint.
	{codes: []codes.Code{codes.Unauthenticated}, texts: []string{"invalid_grant"},
		class: Stop, fix: "the key in {login} was removed, has expired or is of another instance, or its user is locked or deactivated{skew}: make a new key for the service user"},
	{codes: []codes.Code{codes.Unauthenticated}, texts: []string{"invalid_client", "unauthorized_client"},
		class: Stop, fix: "{login} are wrong, replaced, or of another instance, or the user is locked or deactivated: make a new client secret for the service user"},
	{codes: []codes.Code{codes.Unauthenticated}, texts: []string{"auth header missing"},
		class: Stop, fix: "a token was sent but did not arrive: let the Authorization header through the proxy before ZITADEL"},
	{codes: []codes.Code{codes.Unauthenticated},
		class: Stop, fix: "the token is wrong, removed, expired or of another instance, or its user is locked or deactivated: renew it in {login}"},
	{codes: []codes.Code{codes.NotFound}, texts: []string{"membership not found"},
		class: Stop, fix: "the user of the token has no role: " + fixRole},
	{codes: []codes.Code{codes.NotFound}, texts: []string{"Instance not found", "unable to set instance"},
		class: Stop, fix: "the host in url is not a domain of the instance: use its external domain"},
	{codes: []codes.Code{codes.PermissionDenied},
		class: Stop, fix: "the role of the token's user is too small (ORG_OWNER is not enough): " + fixRole},
	{codes: []codes.Code{codes.NotFound, codes.Unimplemented}, class: Stop, fix: fixURL},
	{codes: []codes.Code{codes.ResourceExhausted}, texts: []string{"Instance.Blocked", "LIMITS-"},
		class: Throttled, fix: "the instance is blocked: ask its operator"},
	{codes: []codes.Code{codes.ResourceExhausted},
		class: Throttled, fix: "the quota of the instance or its rate limit is used up; if this lasts, raise poll_interval or the quota"},
	{codes: []codes.Code{codes.InvalidArgument},
		class: Stop, fix: "ZITADEL refuses the request: check the filter options; where they are right this is a bug, please report it"},
	{codes: []codes.Code{codes.DeadlineExceeded},
		class: Retry, fix: "ZITADEL may be waiting for an open transaction of its database; if this lasts, raise request_timeout"},
	{class: Retry},
}

// textNoPage is our own text for JSON that is not a page.
const textNoPage = "the answer is complete but cannot be decoded"

// classify finds the rule for f. The last rule matches everything.
func classify(f *failure) *rule {
	text := strings.ToLower(f.text)
	for i := range rules {
		if rules[i].matches(f, text) {
			return &rules[i]
		}
	}
	return &rules[len(rules)-1]
}

func (r *rule) matches(f *failure, text string) bool {
	return (!r.setup || f.setup) && (!r.scripts || f.scripts) &&
		(len(r.said) == 0 || slices.Contains(r.said, f.said)) &&
		(len(r.codes) == 0 || slices.Contains(r.codes, f.code)) &&
		(len(r.statuses) == 0 || slices.Contains(r.statuses, f.status)) &&
		(len(r.texts) == 0 || slices.ContainsFunc(r.texts, func(t string) bool {
			return strings.Contains(text, strings.ToLower(t))
		}))
}

// codeOfStatus maps an HTTP status that did not come from a gRPC server to a gRPC code
// (grpc, doc/http-grpc-status-mapping.md).
func codeOfStatus(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.Unimplemented
	case http.StatusInternalServerError:
		return codes.Internal
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	}
	if status > 504 {
		return codes.Unavailable // 505 and 511 have a rule; CDNs send 52x if the origin is unreachable
	}
	return codes.Unknown
}
