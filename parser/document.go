package parser

import (
	"bytes"
	"unicode/utf8"
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
	var record Record
	ok, _ := p.postAuthLog(&message{e: &p.env, text: text{doc, 0, 0}, trust: TrustFull}, &record)
	if ok {
		*r = record
	}
	return ok
}
