package parser

import (
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

// AppendJSON appends r to b as one line of JSON without the newline.
func AppendJSON(b []byte, r *Record) []byte {
	return appendRecord(b, encode.JSON, r, 0, nil)
}

// AppendMsgpack appends r to b as one Fluent Bit event, [EventTime, map]. pairs holds the
// encoded keys and values of more entries that are added to the map. Their keys must not be
// [Reserved].
func AppendMsgpack(b []byte, r *Record, more int, pairs []byte) []byte {
	return appendRecord(encode.AppendEventHead(b, r.Timestamp()), encode.Msgpack, r, more, pairs)
}

// AppendMap appends the fields of r to b, as one map in the format f.
func (r *Record) AppendMap(b []byte, f encode.Format) []byte { return appendRecord(b, f, r, 0, nil) }

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

// reserved are the keys that appendRecord writes; a test compares them.
var reserved = []string{"event", "login", "unverified", "message", "run", "access", "raw", "cut", "format", "trust", "action_id", "instance", "source"}

// eventTypes are the values of event.type by kind, except for logins; see EventType.
var eventTypes = [kinds]string{"log.other", "log.malformed", "action.log", "action.run.started", "action.run.succeeded", "action.run.failed", "access"}

// EventType is the value of event.type.
func (r *Record) EventType() string {
	if r.Kind == Log && r.Format != FormatText {
		return "action.login"
	}
	return eventTypes[r.Kind]
}

// ID identifies the line: the same line always has the same id. If the line has no time,
// the id uses Read, because two such lines may be equal. ID is empty if both are zero.
func (r *Record) ID() string { return string(r.appendID(nil)) }

// AppendID appends [Record.ID] to b.
func (r *Record) AppendID(b []byte) []byte { return r.appendID(b) }

func (r *Record) appendID(b []byte) []byte {
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

// counter counts the entries of a map.
type counter int

func (c *counter) add(present bool) bool {
	if present {
		*c++
	}
	return present
}

// appendRecord appends all fields in either format.
func appendRecord(b []byte, f encode.Format, r *Record, more int, pairs []byte) []byte {
	n := counter(3 + more) // event, instance or source, trust
	n.add(r.Instance != "")
	login, unverified := r.Login != Login{}, r.Unverified != Login{}
	n.add(login)
	n.add(unverified)
	message := n.add(r.Kind == Log && r.Format == FormatText)
	run := n.add(r.Kind == RunSucceeded || r.Kind == RunFailed)
	access := n.add(r.Kind == Access)
	raw := n.add(r.Raw != "")
	n.add(r.Cut)
	format := n.add(r.Kind == Log)
	n.add(r.ActionID != "")

	b = f.OpenMap(b, int(n))
	b = f.Field(b, 0, "event")
	b = appendEvent(b, f, r)
	if login {
		b = f.Field(b, 1, "login")
		b = appendLogin(b, f, &r.Login)
	}
	if unverified {
		b = f.Field(b, 1, "unverified")
		b = appendLogin(b, f, &r.Unverified)
	}
	if message {
		b = appendText(b, f, "message", r.Message)
	}
	if run {
		b = f.Field(b, 1, "run")
		b = appendRun(b, f, r)
	}
	if access {
		b = f.Field(b, 1, "access")
		b = appendAccess(b, f, &r.Access)
	}
	if raw {
		b = appendText(b, f, "raw", r.Raw)
	}
	if r.Cut {
		b = f.Field(b, 1, "cut")
		b = f.Bool(b, true)
	}
	if format {
		b = appendText(b, f, "format", r.Format.String())
	}
	b = appendText(b, f, "trust", r.Trust.String())
	if r.ActionID != "" {
		b = appendText(b, f, "action_id", r.ActionID)
	}
	if r.Instance != "" {
		b = appendText(b, f, "instance", r.Instance)
	}
	b = appendText(b, f, "source", Source)
	b = append(b, pairs...)
	return f.CloseMap(b)
}

func appendText(b []byte, f encode.Format, name, value string) []byte {
	b = f.Field(b, 1, name)
	return f.Text(b, value)
}

func appendEvent(b []byte, f encode.Format, r *Record) []byte {
	n := counter(1)
	at := n.add(!r.Time.IsZero())
	read := n.add(!r.Read.IsZero())
	id := n.add(at || read)
	n.add(r.Level != "")
	b = f.OpenMap(b, int(n))
	b = f.Field(b, 0, "type")
	b = f.Text(b, r.EventType())
	if id {
		var room [128]byte
		s := r.appendID(room[:0])
		b = appendText(b, f, "id", unsafe.String(unsafe.SliceData(s), len(s)))
	}
	if at {
		b = appendTime(b, f, "time", r.Time)
	}
	if read {
		b = appendTime(b, f, "read_at", r.Read)
	}
	if r.Level != "" {
		b = appendText(b, f, "level", r.Level)
	}
	return f.CloseMap(b)
}

func appendTime(b []byte, f encode.Format, name string, t time.Time) []byte {
	b = f.Field(b, 1, name)
	return f.TimeNano(b, t)
}

func appendLogin(b []byte, f encode.Format, l *Login) []byte {
	n := counter(0)
	for i := range loginFields {
		n.add(*loginFields[i].of(l) != "")
	}
	b = f.OpenMap(b, int(n))
	i := 0
	for j := range loginFields {
		if s := *loginFields[j].of(l); s != "" {
			b = f.Field(b, i, loginFields[j].name)
			b = f.Text(b, s)
			i++
		}
	}
	return f.CloseMap(b)
}

func appendRun(b []byte, f encode.Format, r *Record) []byte {
	n := counter(1)
	failed := n.add(r.Error != "")
	b = f.OpenMap(b, int(n))
	b = f.Field(b, 0, "took_ns")
	b = f.Uint(b, uint64(max(r.Took, 0)))
	if failed {
		b = appendText(b, f, "error", r.Error)
	}
	return f.CloseMap(b)
}

func appendAccess(b []byte, f encode.Format, a *Request) []byte {
	fields := [...]struct{ name, value string }{
		{"protocol", a.Protocol}, {"url", a.URL}, {"host", a.Host}, {"domain", a.Domain},
		{"project_id", a.ProjectID}, {"user_agent", a.UserAgent}, {"forwarded_for", a.ForwardedFor},
	}
	n := counter(1)
	for _, field := range fields {
		n.add(field.value != "")
	}
	b = f.OpenMap(b, int(n))
	b = f.Field(b, 0, "status")
	b = f.Uint(b, uint64(max(a.Status, 0)))
	for _, field := range fields {
		if field.value != "" {
			b = appendText(b, f, field.name, field.value)
		}
	}
	return f.CloseMap(b)
}
