package parser

import (
	"bytes"
	"time"
	"unsafe"
)

// The request log and the activity log. ZITADEL writes the first with slog, as text, as
// JSON, or as JSON for Google Cloud with other names, and the second with logrus:
//
//	time=... level=INFO msg="request served" request.id=... request.user_id=... TraceID=... service=... path=... code=OK duration=59ms
//	{"time":"...","level":"INFO","msg":"request served","request":{"id":"..."},"TraceID":"...","service":"...","path":"...","code":0,"duration":59402762}
//	time="..." level=info msg=activity method=/zitadel.admin.v1.AdminService/ListEvents org=... user=...
//
// A value that needs quotes has them, so that a path with a space or a quote cannot add a
// field.
const (
	servedMarker   = "request served"
	activityMarker = "activity"
)

// request reads a line of the request log or the activity log. A line of another program
// that only has the same message is Other.
func (p *Parser) request(t text, v verdict, r *Record) (kind Kind, done bool) {
	f := &p.told
	*f = lineFields{name: servedName}
	if v == active {
		f.name = activityName
	}
	whole := f.read(t)
	date, dated := parseTime(f.of(toldTime))
	kind = f.kind(v)
	switch {
	case kind == Other:
		return Other, false
	case !whole || !dated || !f.complete(kind):
		return Malformed, false
	}
	var took time.Duration
	if kind != Activity {
		var ok bool
		if took, ok = p.duration(toldDuration); !ok {
			return Malformed, false
		}
	}
	switch {
	case !p.opts.Kinds.Has(kind):
		return kind, false
	}
	p.begin(r, kind, TrustFull)
	r.Time, r.Level, r.Took = date, "info", took
	p.label(r, f.of(toldInstance), f.v[toldInstance].layers)
	if kind == Activity {
		p.activity(r)
	} else {
		p.served(r)
	}
	p.finish(r)
	return kind, true
}

// kind tells the lines of ZITADEL from those of other programs.
func (f *lineFields) kind(v verdict) Kind {
	switch {
	case v == active && f.seen[toldTrigger] && f.seen[toldInstance]:
		return Activity
	case v == active || string(f.of(toldStream)) != "request" && !f.seen[toldID]:
		return Other
	case string(f.of(toldProtocol)) == "http" && string(f.of(toldService)) == "grpc_gateway":
		return Gateway
	}
	return Served
}

// complete reports whether the fields are there that every such line has. They include the
// last one, so that the line was not cut between two fields.
func (f *lineFields) complete(k Kind) bool {
	if k == Activity {
		return f.seen[toldUser]
	}
	return f.seen[toldProtocol] && f.seen[toldService] && f.seen[toldPath] && f.seen[toldDuration] && (f.seen[toldCode] || f.seen[toldStatus])
}

func (p *Parser) served(r *Record) {
	f, s := &p.told, &r.Served
	s.HTTPMethod, s.Protocol = wordOf(httpMethods[:], f.of(toldHTTPMethod)), wordOf(protocols[:], f.of(toldProtocol))
	if s.HTTPMethod == "" {
		p.keepScrubbed(&s.HTTPMethod, toldHTTPMethod)
	}
	if s.Protocol == "" {
		p.keepScrubbed(&s.Protocol, toldProtocol)
	}
	if isRequestID(view(f.of(toldID))) {
		p.keepTold(&s.ID, toldID)
	}
	if trace := f.of(toldTrace); isTraceID(view(trace)) {
		p.keepTold(&s.TraceID, toldTrace)
	}
	p.keepTold(&s.SpanID, toldSpan)
	p.keepTold(&s.UserID, toldUser)
	p.keepTold(&s.Service, toldService)
	p.keepScrubbed(&s.Host, toldHost)
	p.keepScrubbed(&s.PublicHost, toldPublicHost)
	if s.Protocol == "http" {
		s.Status, _ = f.number(toldStatus)
		if p.keepTold(&s.Path, toldPath) {
			p.scrubURL()
		}
		return
	}
	p.keepTold(&s.Operation, toldPath) // only registered methods have a line
	s.Code, s.Status = f.code(toldCode)
	if s.Code == "" {
		p.keepScrubbed(&s.Code, toldCode)
	}
}

func (p *Parser) activity(r *Record) {
	f, s := &p.told, &r.Served
	s.HTTPMethod = wordOf(httpMethods[:], f.of(toldHTTPMethod))
	if s.HTTPMethod == "" {
		p.keepScrubbed(&s.HTTPMethod, toldHTTPMethod)
	}
	p.keepTold(&s.UserID, toldUser)
	p.keepTold(&s.OrgID, toldOrg)
	p.keepTold(&s.Operation, toldMethod)
	p.keepTold(&s.Trigger, toldTrigger)
	p.keepScrubbed(&s.Host, toldHost)
	if p.keepTold(&s.Path, toldPath) {
		p.scrubURL()
	}
	if len(f.of(toldCode)) > 0 {
		s.Code, s.Status = f.code(toldCode)
	}
	s.HTTPStatus, _ = f.number(toldStatus)
	s.SystemUser = string(f.of(toldSystem)) == "true"
}

func (p *Parser) keepTold(dst *string, name told) bool {
	v := &p.told.v[name]
	return p.keep(dst, v.of(p.told.b), v.layers)
}

// keepScrubbed is keepTold for what a client may have written.
func (p *Parser) keepScrubbed(dst *string, name told) {
	if p.keepTold(dst, name) {
		p.cutLast()
	}
}

// duration reads a duration as text writes it (59.4ms) or JSON (nanoseconds). Text always ends
// with an s; it is the last field, and may be cut.
func (p *Parser) duration(name told) (d time.Duration, ok bool) {
	f := &p.told
	if n, ok := f.number(name); ok {
		return time.Duration(n), at(f.b, f.v[name].to, "}") || at(f.b, f.v[name].to, ",")
	}
	v := &f.v[name]
	p.name, p.tmp = unescape(p.name[:0], v.of(f.b), v.layers, p.tmp) // µ may be escaped
	if !bytes.HasSuffix(p.name, []byte("s")) {
		return 0, false
	}
	d, err := time.ParseDuration(view(p.name))
	return d, err == nil
}

// Words that need no copy.
var (
	httpMethods = [...]string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	protocols   = [...]string{"grpc", "http", "connect"}
)

func wordOf(words []string, b []byte) string {
	for _, word := range words {
		if string(b) == word {
			return word
		}
	}
	return ""
}

// view returns b as a string, valid until b changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
