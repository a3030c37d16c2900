package parser

import (
	"bytes"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// shownParameters are the parameters of a request whose values are kept: ids, and what the
// request asks for. The value of any other may be a code, a token or user input.
var shownParameters = map[string]bool{
	"authRequestID": true, "authRequest": true, "id": true, "userID": true, "orgID": true, "orgId": true, "idpConfigID": true,
	"client_id": true, "response_type": true, "response_mode": true, "scope": true, "prompt": true, "ui_locales": true,
	"grant_type": true, "code_challenge_method": true, "max_age": true, "error": true,
}

// scrubURL removes the values of parameters, except for shownParameters, from the last string.
func (p *Parser) scrubURL() {
	if !bytes.ContainsAny(p.last(), "?=%@#") {
		p.cutLast() // the path may contain a token
		return
	}
	path, query, _ := strings.Cut(string(p.last()), "?")
	var b strings.Builder
	b.WriteString(redact.String(path))
	for i, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' || r == '#' || r == '?' }) {
		sep := byte('&')
		if i == 0 {
			sep = '?'
		}
		b.WriteByte(sep)
		name, value, hasValue := strings.Cut(pair, "=")
		switch {
		case !hasValue:
			b.WriteString(redact.Redacted) // it may be the rest of a value
		case shownParameters[name]:
			b.WriteString(redact.String(name + "=" + value))
		default:
			b.WriteString(redact.String(name) + "=" + redact.Redacted)
		}
	}
	p.replaceLast([]byte(b.String()))
}
