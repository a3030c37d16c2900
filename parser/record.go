package parser

import (
	"time"
)

// Source is the value of the field "source" of every record of this package.
const Source = "action_log"

// Trust says how far the fields of a record can be believed.
type Trust uint8

const (
	// TrustNone: the line is printed unquoted, or its message has no known name. Whoever gets a
	// newline into any line of a log that is printed so can write whole lines, also such that
	// are told as TrustFull: do not believe that log.
	TrustNone Trust = iota
	// TrustPartial: only a part of what the message tells is in Record.Login, the outcome at
	// least; the rest may be an attacker's, and is in Unverified.
	TrustPartial
	// TrustFull: the line and its message are whole, and all of it that ZITADEL or the script
	// wrote is in Record.Login. Unverified is for no rule even so: it may hold an auth request
	// id, which is the client's in every message of the example script.
	TrustFull
)

// String is "none", "partial" or "full".
func (t Trust) String() string { return [...]string{"none", "partial", "full"}[t] }

// Format says in what form an action's message was.
type Format uint8

const (
	// FormatText is any message but the two below. It is kept as it is, scrubbed.
	FormatText Format = iota
	// FormatPostAuthLog is the JSON of this project's actions-scripts/post_auth_log.js.
	FormatPostAuthLog
	// FormatOfficial is the text of ZITADEL's example post_auth_log.js.
	FormatOfficial
)

// String is "text", "post_auth_log" or "official".
func (f Format) String() string { return [...]string{"text", "post_auth_log", "official"}[f] }

// Record is what a line says. Its strings stay valid for ever: they share one
// allocation that no later call touches.
type Record struct {
	Kind     Kind
	Time     time.Time // when it was logged, nanoseconds; zero where the line does not say
	Read     time.Time // when it was read; for the caller to set
	Instance string    // ZITADEL's instance id, or the label of Options
	Level    string    // info, warning or error
	ActionID string    // newer versions of ZITADEL say which action it was

	// Of Log.
	Format  Format
	Message string // of FormatText, scrubbed; empty for the other formats
	Login   Login  // what the message says of a login, where nobody else can write
	// Unverified holds what the message says of a login in places that an
	// attacker may have written. A field is here or in Login, never in both.
	Unverified Login
	Trust      Trust
	Cut        bool // ZITADEL or this parser cut the line; the end is missing

	// Of RunSucceeded and RunFailed.
	Took  time.Duration
	Error string // of RunFailed, scrubbed

	Access Request // of Access

	// Raw is the line, scrubbed, of Other and Malformed, where Options ask for it.
	Raw string

	// hash of what is told; with Time and Instance it makes the id.
	hash uint64
}

// Login is a login attempt as a script saw it. Empty fields were not told.
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
	RemoteAddr    string // TCP peer of ZITADEL, with port: the proxy where there is one
	ForwardedFor  string // X-Forwarded-For as received: the client can choose it
	UserAgent     string // as received
	AuthTime      string // RFC 3339
	ChangeDate    string // of the auth request, RFC 3339; the official script's "timestamp"
	RequestMethod string
	RequestURL    string // path and query, scrubbed
	RequestHost   string
	CutFields     string // names of fields that the script cut, separated by commas
}

// Request is an access record.
type Request struct {
	Protocol     string // http or grpc
	URL          string // path and query, scrubbed; ZITADEL cuts it at 200 bytes
	Status       int64  // HTTP status, or gRPC code
	Host         string // as requested
	Domain       string
	ProjectID    string
	UserAgent    string
	ForwardedFor string
}
