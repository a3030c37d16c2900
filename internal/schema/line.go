package schema

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Line fills a from a line of ZITADEL's log. r must not change while a is in use.
func (t *Table) Line(a *Activity, r *parser.Record) {
	a.reset()
	a.line = r
	a.Type = r.EventType()
	row, known := t.Row(a.Type)
	a.set(row, known)
	a.Source, a.Instance = parser.Source, r.Instance
	a.scratch = r.AppendID(a.scratch)
	a.ID = text(a.scratch)
	a.Time, a.Read = r.Time, r.Read
	a.Level, a.Cut, a.Took = r.Level, r.Cut, r.Took
	a.Trust = r.Trust.String()
	a.Unverified = r.Unverified
	if r.ActionID != "" {
		a.AggregateType, a.AggregateID = "action", r.ActionID
		a.Entity.ID = r.ActionID
	}
	switch r.Kind {
	case parser.RunFailed:
		a.Reason = r.Error
	case parser.Access:
		a.access(&r.Access)
		a.Call.Join = r.Join.String()
	case parser.Served, parser.Gateway, parser.Activity:
		a.served(r)
	case parser.Other, parser.Malformed:
		a.Message = r.Raw
	case parser.Log:
		a.Message = r.Message
		if r.Format != parser.FormatText {
			a.login(&r.Login)
		}
	}
}

// login takes what a script says of a login. Only what nobody else can have
// written is in l.
func (a *Activity) login(l *parser.Login) {
	switch l.Outcome {
	case "success":
		a.Outcome = Success
	case "failure":
		a.Outcome = Failure
		a.Severity = max(a.Severity, Low)
	default:
		a.Outcome = Unknown
	}
	a.Reason = l.Error
	a.User = User{ID: l.UserID, Name: l.LoginName, Org: l.ResourceOwner}
	if a.User.Name == "" {
		a.User.Name = l.UserName
	}
	a.Organization.ID = l.ResourceOwner
	a.AuthRequest, a.Agent = l.AuthRequestID, l.AgentID
	a.Application.ID, a.IDP.ID = l.ApplicationID, l.IDPID
	a.Call.Host, a.Call.Path = l.RequestHost, l.RequestURL
	a.UserAgent = l.UserAgent
	a.setIP(l.RemoteAddr, IPPeer)
	a.setForwarded(wholeForwarded(l))
	a.ForwardedFor = l.ForwardedFor
	if l.Method != "" {
		a.addFactor(loginFactor(l.Method))
	}
	if a.AuthRequest != "" {
		a.Entity.ID = a.AuthRequest
	}
}

// wholeForwarded returns the entries of X-Forwarded-For that no script cut, up to the end that
// the proxies wrote.
func wholeForwarded(l *parser.Login) string {
	list := l.ForwardedFor
	if l.CutFields == "" {
		return list
	}
	for name := range strings.SplitSeq(l.CutFields, ",") {
		switch name {
		case "forwarded_for": // version 1 of the script cut the end; the client chose what is left
			return ""
		case "forwarded_for_start": // since version 2; a part of an entry can look like another address
			_, list, _ = strings.Cut(list, ",")
		}
	}
	return list
}

// loginFactor is the factor that a script names.
func loginFactor(method string) Factor {
	switch {
	case strings.EqualFold(method, "password"):
		return Factor{11, "Password"}
	case strings.EqualFold(method, "passwordless"), strings.EqualFold(method, "webauthn"):
		return passkey
	case strings.EqualFold(method, "U2F"):
		return Factor{9, "U2F"}
	case strings.EqualFold(method, "OTP"), strings.EqualFold(method, "TOTP"):
		return Factor{7, "OTP"}
	}
	return Factor{99, method}
}

// grpcOK is the gRPC code of success.
const grpcOK = 0

func (a *Activity) access(q *parser.Request) {
	a.Call = Call{Operation: q.URL, Path: q.URL, Protocol: q.Protocol, Host: q.Host, Status: q.Status, ID: q.RequestID}
	a.callOutcome()
	a.Trace = q.TraceID
	a.headers(q)
}

// headers takes what the client sent.
func (a *Activity) headers(q *parser.Request) {
	a.Project.ID = q.ProjectID
	a.UserAgent = q.UserAgent
	a.setForwarded(q.ForwardedFor)
	a.Call.AskedOrg = q.OrgHeader
	if q.RESTPath != "" {
		a.Call.Path, a.Call.Method = q.RESTPath, q.RESTMethod
	} else if a.Call.Protocol == "http" {
		a.Call.Path = q.URL
	}
}

func (a *Activity) callOutcome() {
	if c := &a.Call; c.isRPC() && c.Status != grpcOK || !c.isRPC() && c.Status >= 400 {
		a.Outcome = Failure
		a.Reason = c.Code
	}
}

// served takes a request or an activity. Only what ZITADEL says names the user.
func (a *Activity) served(r *parser.Record) {
	s := &r.Served
	a.Call = Call{
		Operation: s.Operation, Path: s.Path, Protocol: s.Protocol, Host: s.Host, Status: s.Status, HTTPStatus: s.HTTPStatus,
		ID: s.ID, Service: s.Service, Code: s.Code, Method: s.HTTPMethod, Trigger: s.Trigger, Join: r.Join.String(),
	}
	if r.Kind == parser.Activity && s.Code != "" {
		a.Call.Protocol = "grpc"
	}
	if a.Call.Operation == "" {
		a.Call.Operation = s.Path
	}
	a.callOutcome()
	a.Trace, a.Span = s.TraceID, s.SpanID
	a.Actor.ID = s.UserID
	a.Organization.ID = s.OrgID
	if r.Join.Joined() {
		a.headers(&r.Access)
	}
}

// Heartbeat is what a heartbeat says.
type Heartbeat struct {
	Type     string // event.type
	Source   string
	Instance string
	At       time.Time
	Metrics  []Metric
	Errors   map[string]uint64
}

// Heartbeat fills a from a heartbeat.
func (t *Table) Heartbeat(a *Activity, h *Heartbeat) {
	a.reset()
	a.Type = h.Type
	row, known := t.Row(h.Type)
	a.set(row, known)
	a.Source, a.Instance, a.Time, a.Read = h.Source, h.Instance, h.At, h.At
	a.scratch = append(a.scratch, h.Instance...)
	a.scratch = append(a.scratch, '/')
	a.scratch = append(a.scratch, h.Type...)
	a.scratch = append(a.scratch, '/')
	a.scratch = strconv.AppendInt(a.scratch, h.At.UnixMicro(), 10)
	a.ID = text(a.scratch)
	a.Metrics = append(a.Metrics, h.Metrics...)
	for _, kind := range slices.Sorted(maps.Keys(h.Errors)) {
		a.Errors = append(a.Errors, Count{kind, h.Errors[kind]})
	}
}
