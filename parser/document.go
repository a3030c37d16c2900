package parser

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/zitadel-siem/zitadel-siem/internal/document"
)

// ParseDocument reads the document that actions-scripts/post_auth_webhook.js sends. It is the
// message of post_auth_log.js without the line around it. The record is the same as that of
// the line, except for the time and the instance, which only the line has. Time is zero; the
// id uses Read instead, which the caller sets. If the document is not exactly in the script's
// form, ParseDocument returns false and does not change r. It counts nothing.
//
// The fields are as trustworthy as the sender, who can write anything in them.
func (p *Parser) ParseDocument(doc []byte, r *Record) bool {
	doc = bytes.TrimRight(doc, " \t\r\n")
	if len(doc) > MaxLine || !at(doc, 0, litPostAuthLog[0]) || !utf8.Valid(doc) {
		return false
	}
	p.env = envelope{b: []byte("info"), level: span{0, len("info")}} // the level that the script uses
	p.doubted = false
	var record Record
	ok, _ := p.postAuthLog(&message{e: &p.env, text: text{doc, 0, 0}}, &record)
	if ok {
		*r = record
	}
	return ok
}

// AppendDocument appends the document of a record of FormatPostAuthLog with TrustFull. It
// contains no secret that [Parser.ParseDocument] removed. Parsing it gives the same record.
func AppendDocument(b []byte, r *Record) []byte {
	var d document.Doc
	d.Reset(b, document.JSON)
	d.Map("")
	d.Uint("post_auth_log", 1)
	d.Text("outcome", r.Login.Outcome)
	for i := range postAuthLogFields {
		field := &loginFields[1+i]
		d.Some(field.name, *field.of(&r.Login))
	}
	if r.Login.CutFields != "" {
		d.List("cut")
		for name := range strings.SplitSeq(r.Login.CutFields, ",") {
			d.Text("", name)
		}
		d.End()
	}
	d.End()
	return d.Bytes()
}
