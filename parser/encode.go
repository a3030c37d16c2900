package parser

import (
	"slices"
	"strconv"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// AppendJSON appends r to b as one line of JSON without the newline.
func AppendJSON(b []byte, r *Record) []byte { return document.AppendJSON(b, r) }

// AppendMsgpack appends r to b as one Fluent Bit event, [EventTime, map]. pairs holds the
// encoded keys and values of more entries that are added to the map. Their keys must not be
// [Reserved].
func AppendMsgpack(b []byte, r *Record, more int, pairs []byte) []byte {
	return document.AppendEvent(b, r, more, pairs)
}

// Timestamp is when the line was logged, or when it was read if the line does
// not say.
func (r *Record) Timestamp() time.Time {
	if r.Time.IsZero() {
		return r.Read
	}
	return r.Time
}

// Reserved reports whether name is a top-level key of records.
func Reserved(name string) bool { return slices.Contains(reserved, name) }

// reserved are the keys that WriteFields writes; a test compares them.
var reserved = []string{"event", "login", "unverified", "message", "run", "access", "request", "join", "raw", "cut", "format", "trust", "action_id", "instance", "source"}

// eventTypes are the values of event.type by kind, except for logins; see EventType.
var eventTypes = [kinds]string{"log.other", "log.malformed", "action.log", "action.run.started", "action.run.succeeded", "action.run.failed", "access", "request", "request.gateway", "activity"}

// EventType is the value of event.type.
func (r *Record) EventType() string {
	if r.Kind == Log && r.Format != FormatText {
		return "action.login"
	}
	return eventTypes[r.Kind]
}

// ID identifies the line: the same line always has the same id. If the line has no time,
// the id uses Read, because two such lines may be equal. ID is empty if both are zero.
func (r *Record) ID() string { return string(r.AppendID(nil)) }

// AppendID appends [Record.ID] to b.
func (r *Record) AppendID(b []byte) []byte {
	at := r.Timestamp()
	if at.IsZero() {
		return b
	}
	b = append(b, r.Instance...)
	b = append(b, "/"+Source+"/"...)
	b = strconv.AppendInt(b, at.UnixNano(), 10)
	b = append(b, '/')
	const hex = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hex[r.hash>>shift&15])
	}
	return b
}

// loginFields are the fields of a login, in the order of the record.
var loginFields = [...]struct {
	name string
	of   func(*Login) *string
}{
	{"outcome", func(l *Login) *string { return &l.Outcome }},
	{"error", func(l *Login) *string { return &l.Error }},
	{"method", func(l *Login) *string { return &l.Method }},
	{"auth_request_id", func(l *Login) *string { return &l.AuthRequestID }},
	{"agent_id", func(l *Login) *string { return &l.AgentID }},
	{"user_id", func(l *Login) *string { return &l.UserID }},
	{"user_name", func(l *Login) *string { return &l.UserName }},
	{"login_name", func(l *Login) *string { return &l.LoginName }},
	{"resource_owner", func(l *Login) *string { return &l.ResourceOwner }},
	{"application_id", func(l *Login) *string { return &l.ApplicationID }},
	{"idp_id", func(l *Login) *string { return &l.IDPID }},
	{"remote_addr", func(l *Login) *string { return &l.RemoteAddr }},
	{"forwarded_for", func(l *Login) *string { return &l.ForwardedFor }},
	{"user_agent", func(l *Login) *string { return &l.UserAgent }},
	{"auth_time", func(l *Login) *string { return &l.AuthTime }},
	{"change_date", func(l *Login) *string { return &l.ChangeDate }},
	{"request_method", func(l *Login) *string { return &l.RequestMethod }},
	{"request_url", func(l *Login) *string { return &l.RequestURL }},
	{"request_host", func(l *Login) *string { return &l.RequestHost }},
	{"cut_fields", func(l *Login) *string { return &l.CutFields }},
}

// WriteFields writes the fields of r into the open map of d.
func (r *Record) WriteFields(d *document.Doc) {
	r.writeEvent(d)
	writeLogin(d, "login", &r.Login)
	writeLogin(d, "unverified", &r.Unverified)
	if r.Kind == Log && r.Format == FormatText {
		d.Text("message", r.Message)
	}
	if r.Kind == RunSucceeded || r.Kind == RunFailed {
		d.Map("run")
		d.Uint("took_ns", uint64(max(r.Took, 0)))
		d.Some("error", r.Error)
		d.End()
	}
	if r.Kind == Served || r.Kind == Gateway || r.Kind == Activity {
		r.writeServed(d)
	}
	if r.Kind == Access || r.Join.Joined() {
		writeAccess(d, &r.Access)
	}
	d.Some("join", r.Join.String())
	d.Some("raw", r.Raw)
	if r.Cut {
		d.Bool("cut", true)
	}
	if r.Kind == Log {
		d.Text("format", r.Format.String())
	}
	d.Text("trust", r.Trust.String())
	d.Some("action_id", r.ActionID)
	d.Some("instance", r.Instance)
	d.Text("source", Source)
}

func (r *Record) writeEvent(d *document.Doc) {
	d.Map("event")
	d.Text("type", r.EventType())
	var room [128]byte
	if id := r.AppendID(room[:0]); len(id) > 0 {
		d.TextBytes("id", id)
	}
	d.TimeNano("time", r.Time)
	d.TimeNano("read_at", r.Read)
	d.Some("level", r.Level)
	d.End()
}

func writeLogin(d *document.Doc, key string, l *Login) {
	if *l == (Login{}) {
		return
	}
	d.Map(key)
	for i := range loginFields {
		d.Some(loginFields[i].name, *loginFields[i].of(l))
	}
	d.End()
}

func writeAccess(d *document.Doc, a *Request) {
	d.Map("access")
	d.Uint("status", uint64(max(a.Status, 0)))
	d.Some("protocol", a.Protocol)
	d.Some("url", a.URL)
	d.Some("host", a.Host)
	d.Some("domain", a.Domain)
	d.Some("project_id", a.ProjectID)
	d.Some("user_agent", a.UserAgent)
	d.Some("forwarded_for", a.ForwardedFor)
	d.Some("request_id", a.RequestID)
	d.Some("trace_id", a.TraceID)
	d.Some("org_header", a.OrgHeader)
	d.Some("rest_path", a.RESTPath)
	d.Some("rest_method", a.RESTMethod)
	d.End()
}

// servedFields are the texts of a served request that are not from a fixed list.
var servedFields = [...]struct {
	name string
	of   func(*ServedRequest) *string
}{
	{"id", func(s *ServedRequest) *string { return &s.ID }},
	{"trace_id", func(s *ServedRequest) *string { return &s.TraceID }},
	{"span_id", func(s *ServedRequest) *string { return &s.SpanID }},
	{"user_id", func(s *ServedRequest) *string { return &s.UserID }},
	{"org_id", func(s *ServedRequest) *string { return &s.OrgID }},
	{"protocol", func(s *ServedRequest) *string { return &s.Protocol }},
	{"service", func(s *ServedRequest) *string { return &s.Service }},
	{"operation", func(s *ServedRequest) *string { return &s.Operation }},
	{"http_method", func(s *ServedRequest) *string { return &s.HTTPMethod }},
	{"path", func(s *ServedRequest) *string { return &s.Path }},
	{"code", func(s *ServedRequest) *string { return &s.Code }},
	{"host", func(s *ServedRequest) *string { return &s.Host }},
	{"public_host", func(s *ServedRequest) *string { return &s.PublicHost }},
	{"trigger", func(s *ServedRequest) *string { return &s.Trigger }},
}

func (r *Record) writeServed(d *document.Doc) {
	s := &r.Served
	d.Map("request")
	for i := range servedFields {
		d.Some(servedFields[i].name, *servedFields[i].of(s))
	}
	d.Uint("status", uint64(max(s.Status, 0)))
	if s.HTTPStatus > 0 {
		d.Uint("http_status", uint64(s.HTTPStatus))
	}
	if r.Kind != Activity {
		d.Uint("duration_ns", uint64(max(r.Took, 0)))
	}
	if s.SystemUser {
		d.Bool("system_user", true)
	}
	d.End()
}
