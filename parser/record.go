package parser

import "time"

// Source is the value of the field "source" of every record of this package.
const Source = "action_log"

// Trust says how far the fields of a record can be trusted.
type Trust uint8

const (
	// TrustNone: the line is printed unquoted, or its message has an unknown key. In such a
	// log, an attacker who can log a newline can write whole lines, including lines with
	// TrustFull. Do not trust that log.
	TrustNone Trust = iota
	// TrustPartial: Record.Login has the outcome and possibly more. An attacker may have
	// written the fields in Unverified.
	TrustPartial
	// TrustFull: the line and its message are complete, and Record.Login has everything that
	// ZITADEL or the script wrote. Do not use Unverified in rules even then: it may have an
	// auth request id, which the client chooses in messages of the example script.
	TrustFull
)

// String is "none", "partial" or "full".
func (t Trust) String() string { return [...]string{"none", "partial", "full"}[t] }

// Format is the form of an action's message.
type Format uint8

const (
	// FormatText is any other message. It is kept as text, without secrets.
	FormatText Format = iota
	// FormatPostAuthLog is the JSON of this project's actions-scripts/post_auth_log.js.
	FormatPostAuthLog
	// FormatOfficial is the text of ZITADEL's example post_auth_log.js.
	FormatOfficial
)

// String is "text", "post_auth_log" or "official".
func (f Format) String() string { return [...]string{"text", "post_auth_log", "official"}[f] }

// Record is the content of a line. Its strings share one allocation and stay valid.
type Record struct {
	Kind     Kind
	Time     time.Time // when it was logged, in nanoseconds; zero if the line has no time
	Read     time.Time // when it was read; the caller sets it
	Instance string    // ZITADEL's instance id, or the label of Options
	Level    string    // info, warning or error
	ActionID string    // only in newer versions of ZITADEL

	// Fields of Log.
	Format  Format
	Message string // of FormatText, without secrets; empty for other formats
	Login   Login  // fields that only ZITADEL or the script can have written
	// Unverified has the fields that an attacker may have written. A field is here or in
	// Login, never in both.
	Unverified Login
	Trust      Trust
	Cut        bool // ZITADEL or this parser cut the line; the end is missing

	// Fields of RunSucceeded and RunFailed. Took is also of Served.
	Took  time.Duration
	Error string // of RunFailed, without secrets

	Access Request       // of Access; of Served if Join says so
	Served ServedRequest // of Served, Gateway and Activity
	Join   Join          // of Served and Access, if a Joiner has seen the record

	// Raw is the line, without secrets, of Other and Malformed, with Options.Raw.
	Raw string

	// hash of all fields but Time and Instance; the id consists of the three.
	hash uint64
}

// Login is a login attempt as a script has logged it. Fields that it did not log are empty.
type Login struct {
	Outcome       string // success, failure or unknown
	Error         string // ZITADEL's error, such as ID=COMMAND-3M0fs Message=...
	Method        string // password, ...
	AuthRequestID string // joins with the id in the payload of password.check events
	AgentID       string
	UserID        string
	UserName      string
	LoginName     string
	ResourceOwner string // organisation of the user
	ApplicationID string
	IDPID         string
	RemoteAddr    string // TCP peer of ZITADEL, with port: the proxy, if there is one
	ForwardedFor  string // X-Forwarded-For as received: the client can choose it
	UserAgent     string // as received
	AuthTime      string // RFC 3339
	ChangeDate    string // of the auth request, RFC 3339; the official script's "timestamp"
	RequestMethod string
	RequestURL    string // path and query, without secrets
	RequestHost   string
	CutFields     string // names of fields that the script cut, separated by commas; forwarded_for_start: its start is missing
}

// Request is an access record.
type Request struct {
	Protocol  string // http or grpc
	URL       string // path and query, without secrets; ZITADEL cuts it at 200 bytes
	Status    int64  // HTTP status, or gRPC code
	Host      string // as requested
	Domain    string
	ProjectID string
	// UserAgent is that of the REST client, if ZITADEL's gateway passed the request on.
	UserAgent    string
	ForwardedFor string
	RequestID    string // ZITADEL's own, from the header of the answer; only of http
	TraceID      string // from the header traceparent: the client can choose it
	OrgHeader    string // x-zitadel-orgid: the organisation that the client asks for
	RESTPath     string // of a request through the gateway; a gRPC client can choose it
	RESTMethod   string
}

// ServedRequest is a request as ZITADEL's request log tells it, or an activity. Only ZITADEL
// writes its fields. Path, HTTPMethod, Host and PublicHost are as the client sent them. A
// client of gRPC can choose TraceID.
type ServedRequest struct {
	ID         string // ZITADEL's id of the request
	TraceID    string
	SpanID     string
	UserID     string // who authenticated; empty: nobody, or not by a token
	OrgID      string // of Activity: the organisation in which the user acted
	Protocol   string // grpc, connect or http
	Service    string // such as zitadel.admin.v1.AdminService, oidc or login_v1
	Operation  string // full method of gRPC and connect, with the service
	HTTPMethod string
	Path       string // of HTTP, without secrets
	Code       string // name of the gRPC code, such as OK or PermissionDenied
	Status     int64  // gRPC code, or HTTP status if Protocol is http
	HTTPStatus int64  // of Activity
	Host       string // host of the instance
	PublicHost string
	Trigger    string // of Activity: resourceAPI, sessionAPI, accessToken, refreshToken, samlResponse
	SystemUser bool   // of Activity
}
