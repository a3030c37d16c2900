package schema

import (
	"fmt"
	"time"

	"github.com/zitadel-siem/zitadel-siem/parser"
)

// heartbeatType is event.type of a heartbeat.
const heartbeatType = "heartbeat"

// exampleAt is the time of every example.
var exampleAt = time.Date(2026, 11, 22, 9, 24, 30, 935802000, time.UTC)

const exampleTrace = "7cb6b631099988650d83603c3cd74b89"

// exampleLine makes the record of a line, or returns nil where no line has the type.
func exampleLine(typ string) *parser.Record {
	// Only a parser makes the hash that the id ends in, so it parses a line of its own for each type.
	r := &parser.Record{}
	parser.New(parser.Options{Kinds: parser.AllKinds}).Parse([]byte("an example of "+typ), r)
	r.Time, r.Read, r.Instance, r.Level, r.Trust, r.Format, r.Raw = exampleAt, exampleAt.Add(1500*time.Millisecond), "example", "info", parser.TrustFull, parser.FormatText, ""
	switch typ {
	case "action.login":
		r.Kind, r.Format = parser.Log, parser.FormatPostAuthLog
		r.Login = parser.Login{
			Outcome: "failure", Error: "ID=COMMAND-3M0fs Message=Password is invalid", Method: "password", AuthRequestID: "300000000000000003", AgentID: "300000000000000004",
			UserID: "300000000000000001", LoginName: "minnie@example.com", ResourceOwner: "100000000000000001", ApplicationID: "300000000000000005@example",
			RemoteAddr: "192.0.2.10:40000", ForwardedFor: "203.0.113.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)",
		}
	case "action.log":
		r.Kind, r.Message = parser.Log, "text of a script"
	case "action.run.started":
		r.Kind = parser.RunStarted
	case "action.run.succeeded":
		r.Kind, r.Took = parser.RunSucceeded, 3*time.Millisecond
	case "action.run.failed":
		r.Kind, r.Took, r.Error = parser.RunFailed, 3*time.Millisecond, "TypeError: value is undefined"
	case "access":
		r.Kind = parser.Access
		r.Access = parser.Request{Protocol: "http", URL: "/ui/login/login", Host: "zitadel.example.com", Status: 200, UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", ForwardedFor: "203.0.113.7"}
	case "request":
		r.Kind, r.Took, r.Join = parser.Served, 59402762, parser.JoinTraceID
		r.Served = parser.ServedRequest{
			ID: "dc1b7hpksdu8plek1760", TraceID: exampleTrace, SpanID: "57bdd9ec0aad527b", UserID: "300000000000000001", Protocol: "grpc", Service: "zitadel.management.v1.ManagementService",
			Operation: "/zitadel.management.v1.ManagementService/AddOrg", HTTPMethod: "POST", Code: "PermissionDenied", Status: 7, Host: "zitadel.example.com",
		}
		r.Access = parser.Request{
			Protocol: "grpc", URL: r.Served.Operation, Host: "zitadel.example.com", Status: 7, UserAgent: "curl/8.9.1", ForwardedFor: "203.0.113.7", TraceID: exampleTrace,
			OrgHeader: "100000000000000001", RESTPath: "/orgs", RESTMethod: "POST",
		}
	case "request.gateway":
		r.Kind, r.Took = parser.Gateway, 59402762
		r.Served = parser.ServedRequest{Protocol: "http", Service: "grpc_gateway", HTTPMethod: "GET", Path: "/nowhere", Status: 404}
	case "activity":
		r.Kind = parser.Activity
		r.Served = parser.ServedRequest{
			UserID: "300000000000000001", OrgID: "100000000000000001", Operation: "/zitadel.management.v1.ManagementService/AddOrg", HTTPMethod: "POST", Path: "/orgs",
			Code: "OK", HTTPStatus: 200, Host: "https://zitadel.example.com", Trigger: "resourceAPI",
		}
	case "log.malformed":
		r.Kind, r.Trust, r.Raw = parser.Malformed, parser.TrustNone, "level=info msg=\"log record emitted\" record=\"{broken"
	case "log.other":
		r.Kind, r.Trust, r.Raw = parser.Other, parser.TrustNone, "starting"
	default:
		return nil
	}
	return r
}

func exampleHeartbeat() *Heartbeat {
	return &Heartbeat{
		Type: heartbeatType, Source: "zitadel_siem", Instance: "example", At: exampleAt,
		Metrics: []Metric{{"events", 2881}, {"lag_seconds", 0.4}, {"read_up_to_age_seconds", 15.4}, {"last_success_age_seconds", 2.1}}, Errors: map[string]uint64{"unavailable": 1},
	}
}

// originsOfLine are the values of a line's record and where each of them is.
func originsOfLine(r *parser.Record) map[string]string {
	l := &r.Login
	m := map[string]string{
		r.ID(): "time, instance and a hash of the line", r.Instance: "instance", r.Level: "event.level", r.EventType(): "event.type", r.Trust.String(): "trust",
		stamp(r.Time): "event.time", stamp(r.Read): "event.read_at", fmt.Sprint(r.Time.UnixMilli()): "event.time", fmt.Sprint(r.Read.UnixMilli()): "event.read_at",
		l.Outcome: "login.outcome", l.Error: "login.error", l.AuthRequestID: "login.auth_request_id", l.AgentID: "login.agent_id", l.UserID: "login.user_id", l.LoginName: "login.login_name",
		l.ResourceOwner: "login.resource_owner", l.ApplicationID: "login.application_id", l.ForwardedFor: "login.forwarded_for", l.UserAgent: "login.user_agent",
		r.Message: "message", r.Raw: "raw", r.Error: "run.error", r.Access.URL: "access.url", r.Access.Host: "access.host",
	}
	if r.Kind == parser.Access {
		m[r.Access.UserAgent], m[r.Access.ForwardedFor] = "access.user_agent", "access.forwarded_for"
	}
	if s := &r.Served; r.Kind == parser.Served || r.Kind == parser.Gateway || r.Kind == parser.Activity {
		for text, field := range map[string]string{
			s.ID: "request.id", s.TraceID: "request.trace_id", s.SpanID: "request.span_id", s.UserID: "request.user_id", s.OrgID: "request.org_id", s.Service: "request.service",
			s.Protocol: "request.protocol", s.Operation: "request.operation", s.HTTPMethod: "request.http_method", s.Path: "request.path", s.Code: "request.code", s.Host: "request.host",
			s.Trigger: "request.trigger", r.Join.String(): "join",
		} {
			m[text] = field
		}
		if a := &r.Access; r.Join.Joined() {
			for text, field := range map[string]string{
				a.UserAgent: "access.user_agent", a.ForwardedFor: "access.forwarded_for", a.OrgHeader: "access.org_header", a.RESTPath: "access.rest_path",
			} {
				m[text] = field
			}
		}
	}
	delete(m, "")
	return m
}
