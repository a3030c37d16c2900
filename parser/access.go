package parser

import (
	"strings"

	"github.com/tidwall/gjson"
)

// access reads an access record, which is ZITADEL's AccessLog as JSON. Only headers that say
// where the request came from are kept: others hold secrets, for example a Location with an
// authorization code.
func (p *Parser) access(t text, r *Record) bool {
	doc, ok := p.unquote(t)
	if !ok {
		return false
	}
	fields := gjson.Parse(doc)
	get := func(name string) gjson.Result { return fields.Get(name) }
	date, ok := parseTime([]byte(get("logDate").Str))
	if !ok {
		return false
	}
	p.begin(r, Access, TrustFull)
	r.Time = date
	switch get("protocol").Int() {
	case 0:
		r.Access.Protocol = "grpc"
	case 1:
		r.Access.Protocol = "http"
	}
	r.Access.Status = get("responseStatus").Int()
	p.label(r, []byte(get("instanceId").Str), 0)
	if p.keepPlain(&r.Access.URL, get("requestUrl").Str) {
		p.scrubURL()
	}
	for _, f := range [...]struct {
		dst  *string
		from string
	}{
		{&r.Access.Host, "requestedHost"},
		{&r.Access.Domain, "requestedDomain"},
		{&r.Access.ProjectID, "projectId"},
	} {
		if p.keepPlain(f.dst, get(f.from).Str) {
			p.cutLast()
		}
	}
	headers := get("requestHeaders")
	for _, h := range [...]struct {
		dst  *string
		name string
	}{
		{&r.Access.UserAgent, "user-agent"},
		{&r.Access.ForwardedFor, "x-forwarded-for"},
	} {
		var values []string
		headers.Get(h.name).ForEach(func(_, v gjson.Result) bool {
			values = append(values, v.Str)
			return true
		})
		if p.keepPlain(h.dst, strings.Join(values, ", ")) {
			p.cutLast()
		}
	}
	p.finish(r)
	return true
}

// keepPlain is keep for an unquoted string.
func (p *Parser) keepPlain(dst *string, s string) bool {
	from := len(p.buf)
	p.buf = append(p.buf, s...)
	return p.kept(dst, from)
}
