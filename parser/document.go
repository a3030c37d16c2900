package parser

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/zitadel-siem/zitadel-siem/internal/encode"
)

// ParseDocument reads the document that actions-scripts/post_auth_webhook.js sends: the message of
// post_auth_log.js, without the line around it. The record is the one of that line, but for the time
// and the instance, which only the line has: Time is zero, and Read, for the caller to set, stands
// in for it in the record's id. As with a line, what is not exactly in the script's form is
// not its message: ParseDocument then returns false and leaves r as it is. It counts nothing.
//
// Its fields are trusted as far as the sender is: who may post documents may write them.
func (p *Parser) ParseDocument(doc []byte, r *Record) bool {
	doc = bytes.TrimRight(doc, " \t\r\n")
	if len(doc) > MaxLine || !at(doc, 0, litPostAuthLog[0]) || !utf8.Valid(doc) {
		return false
	}
	p.env = envelope{b: []byte("info"), level: span{0, len("info")}} // as the script logs it
	p.doubted = false
	var record Record
	ok, _ := p.postAuthLog(&message{e: &p.env, text: text{doc, 0, 0}}, &record)
	if ok {
		*r = record
	}
	return ok
}

// AppendDocument appends the document of a record of FormatPostAuthLog that is fully trusted. What
// [Parser.ParseDocument] scrubbed is not in it, and reading it gives the same record.
func AppendDocument(b []byte, r *Record) []byte {
	b = append(b, litPostAuthLog[0]...)
	b = append(b, r.Login.Outcome...)
	b = append(b, '"')
	for i := range postAuthLogFields {
		field := &loginFields[1+i]
		if value := *field.of(&r.Login); value != "" {
			b = encode.JSON.Text(encode.JSON.Field(b, 1, field.name), value)
		}
	}
	if r.Login.CutFields != "" {
		b = append(b, `,"cut":["`...)
		b = append(b, strings.ReplaceAll(r.Login.CutFields, ",", `","`)...)
		b = append(b, `"]`...)
	}
	return append(b, '}')
}
