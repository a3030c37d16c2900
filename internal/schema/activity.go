package schema

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Activity is what a record says, under names that no source and no schema
// decides. Everything that is not known is empty. Whoever knows more than one event
// says can set fields between filling and writing. The strings of an activity are
// valid until it is filled again.
type Activity struct {
	Row     *Row
	Type    string
	Known   bool   // the table knows the type
	Source  string // the way by which the record came
	Title   string // what happened, in a few words that no sender chooses
	Message string // of a log message, its text

	ID       string
	Time     time.Time // when it happened; zero where the source does not say
	Read     time.Time
	Instance string
	Sequence uint64 // 0: none

	AggregateType string
	AggregateID   string

	Outcome  Outcome
	Severity Severity
	Reason   string

	Actor  User   // who did it; empty where it was a part of ZITADEL, or is not known
	System string // the part of ZITADEL that did it: LOGIN, NOTIFICATION, ...
	User   User   // whom it was done to; of an authentication, who authenticated
	Users  []string
	// Changed are the new values of User.
	Changed User
	// Impersonated: Actor acts as User.
	Impersonated bool
	Roles        []string
	Entity       Object // what it was done to

	IP           netip.Addr
	Address      string // where the address is a pseudonym: its token, and IP is empty
	IPSource     IPSource
	ForwardedFor string
	UserAgent    string
	Trace        string // of a request; a client of gRPC can choose it
	Span         string
	Session      string
	AuthRequest  string
	Agent        string // ZITADEL's id of the browser

	Step     Step
	Factors  [maxFactors]Factor
	Factored int // how many of Factors are set

	Application  Object
	Client       string // client id of the application
	Project      Object
	Grant        string
	Organization Object
	IDP          Object

	Call    Call
	Level   string
	Trust   string // of a line
	Cut     bool
	Took    time.Duration
	Metrics []Metric
	Errors  []Count
	// Unverified holds what a line says in places that an attacker may have written.
	Unverified parser.Login

	event   *record.Event
	line    *parser.Record
	details []string // payload keys that no field above took
	scratch []byte
}

// User is a person or a machine.
type User struct {
	ID, Name, Email, FullName, Org string
	Kind                           UserKind
}

func (u *User) known() bool { return u.ID != "" || u.Name != "" }

// UserKind is OCSF's user type.
type UserKind uint8

// The kinds of users.
const (
	UserUnknown UserKind = 0
	Human       UserKind = 1
	Machine     UserKind = 4
)

// Object is a thing with an id and a name.
type Object struct{ ID, Name string }

// IPSource says how far an address can be believed.
type IPSource string

// The sources of addresses.
const (
	IPPeer      IPSource = "peer"          // the TCP peer of ZITADEL: a proxy, where there is one
	IPForwarded IPSource = "forwarded_for" // the client can choose it, where no proxy overwrites it
	IPSession   IPSource = "session"       // what the login client said when the session began
	IPCall      IPSource = "call"          // of the API call that wrote the event, like IPForwarded
	IPAmbiguous IPSource = "ambiguous"     // no address: API calls from several fit
)

// Step is the part of a login that a record is.
type Step string

// The steps. One login is one StepLogin.
const (
	StepNone   Step = ""
	StepLogin  Step = "login"
	StepFactor Step = "factor"
	StepToken  Step = "token"
	StepFlow   Step = "flow"
	StepLogout Step = "logout"
)

// Factor is an authentication factor: its OCSF id and a word for it.
type Factor struct {
	ID   uint8
	Name string
}

const maxFactors = 8

// MFA reports whether several factors were checked, or one that counts for two.
func (a *Activity) MFA() bool {
	for _, f := range a.Factors[:a.Factored] {
		if f.ID != a.Factors[0].ID || f == passkey {
			return true
		}
	}
	return false
}

// Call is an API call or a request.
type Call struct {
	Operation string // full method name, function or path
	Protocol  string // http, grpc or connect, where a line says it
	Path      string
	Host      string
	Status    int64
	Target    string
	// ChangeDate is that of what the call changed: the time of the event that it wrote.
	ChangeDate string

	// Of the request log and the activity log.
	ID         string // ZITADEL's id of the request
	Service    string
	Code       string // name of the gRPC code
	Method     string // of HTTP
	HTTPStatus int64  // where Status is a gRPC code
	AskedOrg   string // the organisation that the client asked for
	Trigger    string
	Join       string // how the two halves of the request were joined
}

// isRPC reports whether Status is a gRPC code.
func (c *Call) isRPC() bool { return c.Protocol == "grpc" || c.Protocol == "connect" }

// Metric is a number of a heartbeat.
type Metric struct {
	Name  string
	Value float64
}

// Count is how often something happened.
type Count struct {
	Name string
	N    uint64
}

// Wanted reports whether a belongs to a tier, or to one that is wanted more.
func (a *Activity) Wanted(t Tier) bool { return a.Row.Tier <= t }

// reset empties a for another record. Its buffers stay.
func (a *Activity) reset() {
	details, scratch, users, roles, metrics, errors := a.details, a.scratch, a.Users, a.Roles, a.Metrics, a.Errors
	*a = Activity{}
	a.details, a.scratch, a.Users, a.Roles, a.Metrics, a.Errors = details[:0], scratch[:0], users[:0], roles[:0], metrics[:0], errors[:0]
}

// set gives a its row.
func (a *Activity) set(r *Row, known bool) {
	a.Row, a.Known = r, known
	a.Title = r.Title
	a.Outcome, a.Severity = r.Outcome, r.Severity
	a.Step = stepOf(r)
	if r.Factor != 0 {
		a.addFactor(Factor{r.Factor, factorName(r)})
	}
}

func stepOf(r *Row) Step {
	switch r.Group {
	case "logon", "logon_fail", "impersonate", "own_login":
		return StepLogin
	case "factor_ok", "factor_fail", "factor_step":
		return StepFactor
	case "token", "token_renew", "token_revoke":
		return StepToken
	case "flow_create", "flow_step", "flow_fail":
		return StepFlow
	case "logoff":
		return StepLogout
	}
	return StepNone
}

func (a *Activity) addFactor(f Factor) {
	if a.Factored < maxFactors {
		a.Factors[a.Factored] = f
		a.Factored++
	}
}

var factorNames = map[uint8]string{1: "SMS", 7: "OTP", 8: "Email", 9: "U2F", 10: "WebAuthn", 11: "Password"}

// passkey is WebAuthn with user verification, which counts as two factors.
var passkey = Factor{10, "WebAuthn"}

func factorName(r *Row) string {
	if name, ok := factorNames[r.Factor]; ok {
		return name
	}
	switch {
	case strings.Contains(strings.ToLower(r.Type), "recoverycode"):
		return "Recovery Code"
	case strings.Contains(r.Type, "external"), strings.Contains(r.Type, "intent"):
		return "Identity Provider"
	case strings.Contains(r.Type, "secret"):
		return "Client Secret"
	}
	return "Other"
}

// authMethods are the factors by domain.UserAuthMethodType.
var authMethods = [...]Factor{
	1: {7, "OTP"}, 2: {9, "U2F"}, 3: passkey, 4: {11, "Password"}, 5: {99, "Identity Provider"}, 6: {1, "SMS"}, 7: {8, "Email"},
	8: {7, "OTP"}, 9: {99, "Private Key"}, 11: {99, "Recovery Code"},
}

// HasAddress reports whether the address, or its pseudonym, is known.
func (a *Activity) HasAddress() bool { return a.IP.IsValid() || a.Address != "" }

// SetIP takes an address if s is one, with or without a port.
func (a *Activity) SetIP(s string, source IPSource) bool { return a.setIP(s, source) }

// setIP takes an address if s is one, with or without a port.
func (a *Activity) setIP(s string, source IPSource) bool {
	ip, ok := parseIP(s)
	if ok {
		a.IP, a.IPSource = ip, source
	}
	return ok
}

func parseIP(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return netip.Addr{}, false
	}
	if s[0] == '[' || strings.Count(s, ":") == 1 { // with a port; an error would allocate
		at, err := netip.ParseAddrPort(s)
		return at.Addr().Unmap().WithZone(""), err == nil
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

// setForwarded takes an address of an X-Forwarded-For list. Each proxy appends the
// address of its own peer, so a client can choose everything but the end of the
// list. The last address that is not private is the client as the outermost proxy
// saw it. A client inside the private network can still put a public address before
// its own; IPForwarded says that the address is not proved.
func (a *Activity) setForwarded(list string) {
	a.ForwardedFor = list
	if ip := Forwarded(list); ip.IsValid() {
		a.IP, a.IPSource = ip, IPForwarded
	}
}

// Forwarded is the address that an activity takes of an X-Forwarded-For list; not valid if
// there is none.
func Forwarded(list string) netip.Addr {
	last := netip.Addr{}
	for rest := list; rest != ""; {
		i := strings.LastIndexByte(rest, ',')
		ip, ok := parseIP(rest[i+1:])
		rest = rest[:max(i, 0)]
		if !ok {
			break // the client chose what is left of something that is no address
		}
		if !last.IsValid() {
			last = ip
		}
		if !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			last = ip
			break
		}
	}
	return last
}

// cut returns at most n bytes of s, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// text views b as a string.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
