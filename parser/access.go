package parser

import (
	"unsafe"

	"github.com/tidwall/gjson"
)

// accessFields are the members of an access record that are used.
type accessFields struct {
	date, protocol, status, instance, url, host, domain, project gjson.Result
	request, response                                            gjson.Result // headers
}

func (f *accessFields) member(key, value gjson.Result) bool {
	switch key.Str {
	case "logDate":
		f.date = value
	case "protocol":
		f.protocol = value
	case "responseStatus":
		f.status = value
	case "instanceId":
		f.instance = value
	case "requestUrl":
		f.url = value
	case "requestedHost":
		f.host = value
	case "requestedDomain":
		f.domain = value
	case "projectId":
		f.project = value
	case "requestHeaders":
		f.request = value
	case "responseHeaders":
		f.response = value
	}
	return true
}

// accessHeaders are the request headers that are kept. They say where the request came from
// and which other line belongs to it. Others hold secrets.
type accessHeaders struct {
	agent, gatewayAgent, forwardedFor, trace, org, path, method gjson.Result
}

func (h *accessHeaders) member(key, value gjson.Result) bool {
	switch key.Str {
	case "user-agent":
		h.agent = value
	case "grpcgateway-user-agent":
		h.gatewayAgent = value
	case "x-forwarded-for":
		h.forwardedFor = value
	case "traceparent":
		h.trace = value
	case "x-zitadel-orgid":
		h.org = value
	case "zitadel-activity-path":
		h.path = value
	case "zitadel-activity-request-method":
		h.method = value
	}
	return true
}

// access reads an access record, which is ZITADEL's AccessLog as JSON.
func (p *Parser) access(t text, r *Record) bool {
	doc, ok := p.unquote(t)
	if !ok {
		return false
	}
	var f accessFields
	gjson.Parse(doc).ForEach(f.member)
	date, ok := parseTime(bytesOf(f.date.Str))
	if !ok {
		return false
	}
	p.begin(r, Access, TrustFull)
	a := &r.Access
	r.Time = date
	switch f.protocol.Int() {
	case 0:
		a.Protocol = "grpc"
	case 1:
		a.Protocol = "http"
	}
	a.Status = f.status.Int()
	p.label(r, bytesOf(f.instance.Str), 0)
	if p.keepPlain(&a.URL, f.url.Str) {
		p.scrubURL()
	}
	p.keepScrubbedText(&a.Host, f.host.Str)
	p.keepScrubbedText(&a.Domain, f.domain.Str)
	p.keepScrubbedText(&a.ProjectID, f.project.Str)
	if id := f.response.Get("x-request-id").Get("0").Str; isRequestID(id) {
		p.keepPlain(&a.RequestID, id)
	}
	var h accessHeaders
	f.request.ForEach(h.member)
	if h.gatewayAgent.Exists() {
		h.agent = h.gatewayAgent // the other one is the gateway's
	}
	p.keepHeader(&a.UserAgent, h.agent)
	p.keepHeader(&a.ForwardedFor, h.forwardedFor)
	p.keepPlain(&a.TraceID, traceOf(h.trace.Get("0").Str)) // ZITADEL takes the first
	p.keepHeader(&a.OrgHeader, h.org)
	if p.keepPlain(&a.RESTPath, h.path.Get("0").Str) {
		p.scrubURL()
	}
	p.keepHeader(&a.RESTMethod, h.method)
	p.finish(r)
	return true
}

// keepHeader adds the values of a header, joined as HTTP joins them.
func (p *Parser) keepHeader(dst *string, values gjson.Result) {
	from := len(p.buf)
	values.ForEach(func(_, v gjson.Result) bool {
		if len(p.buf) > from {
			p.buf = append(p.buf, ", "...)
		}
		p.buf = append(p.buf, v.Str...)
		return true
	})
	if p.kept(dst, from) {
		p.cutLast()
	}
}

// keepScrubbedText adds a string that a client may have written.
func (p *Parser) keepScrubbedText(dst *string, s string) {
	if p.keepPlain(dst, s) {
		p.cutLast()
	}
}

// keepPlain is keep for an unquoted string.
func (p *Parser) keepPlain(dst *string, s string) bool {
	from := len(p.buf)
	p.buf = append(p.buf, s...)
	return p.kept(dst, from)
}

// traceOf returns the trace id of a traceparent header of the W3C, or "".
func traceOf(traceparent string) string {
	const shape = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(traceparent) != len(shape) || traceparent[:3] != "00-" || traceparent[35] != '-' {
		return ""
	}
	if id := traceparent[3:35]; isTraceID(id) {
		return id
	}
	return ""
}

// isTraceID reports whether s is a trace id: 16 bytes in lower-case hex, not all zero.
func isTraceID(s string) bool {
	const size, zero = 32, "00000000000000000000000000000000"
	if len(s) != size || s == zero {
		return false
	}
	for i := range size {
		if c := s[i]; c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return true
}

// isRequestID reports whether s is an xid: 12 bytes in base 32, as ZITADEL makes them.
func isRequestID(s string) bool {
	const size = 20
	if len(s) != size {
		return false
	}
	for i := range size {
		if c := s[i]; c-'0' > 9 && c-'a' > 'v'-'a' {
			return false
		}
	}
	return true
}

// bytesOf returns s as bytes, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
