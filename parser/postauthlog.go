package parser

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// The JSON of actions-scripts/post_auth_log.js. JSON quotes its values, so that no value can
// look like another field. Text that is not exactly in this form, including the order, is
// text of another script.
var litPostAuthLog = newLiteral(`{"post_auth_log":1,"outcome":"`)

// postAuthLogFields is the number of the script's keys behind "outcome". The record uses the
// same names, in the same order.
const postAuthLogFields = 14 // loginFields[1:15]

// postAuthLog holds the parts of one message.
type postAuthLog struct {
	scan    jsonScanner
	outcome string
	next    int // the first field that may still come
	values  [postAuthLogFields]span
	cut     span
}

// postAuthLog reads the message of our own script. matched is false if another script wrote
// the message. ok is false if the record is not complete.
func (p *Parser) postAuthLog(m *message, r *Record) (ok, matched bool) {
	l := postAuthLog{scan: jsonScanner{b: m.b, i: m.i + len(litPostAuthLog[m.n]), n: m.n}}
	if !l.read() {
		return false, false
	}
	end, ok := m.end(l.scan.i)
	if !ok {
		return false, true
	}
	// The scanner checks the structure; this checks the escapes.
	p.doc, p.tmp = unescape(p.doc[:0], m.b[m.i:end], m.n, p.tmp)
	if !gjson.ValidBytes(p.doc) {
		return false, false
	}
	p.beginAction(r, Log, m)
	r.Format = FormatPostAuthLog
	login := &r.Login
	login.Outcome = l.outcome
	for i, value := range l.values {
		field := &loginFields[1+i]
		if p.keep(field.of(login), value.of(m.b), m.n+1) {
			switch field.name {
			case "error":
				p.scrubLast()
			case "user_agent", "forwarded_for":
				p.cutLast()
			}
		}
	}
	if l.cut.to > l.cut.from {
		p.keepNames(&login.CutFields, l.cut.of(m.b))
	}
	p.finish(r)
	return true, true
}

// read reads the message. The scanner is behind the outcome's opening quote.
func (l *postAuthLog) read() bool {
	s := &l.scan
	end, next, how := stringEnd(s.b, s.i, s.n)
	if how != closed {
		return false
	}
	switch string(s.b[s.i:end]) {
	case "success":
		l.outcome = "success"
	case "failure":
		l.outcome = "failure"
	case "unknown":
		l.outcome = "unknown"
	default:
		return false
	}
	for s.i = next; s.is(','); {
		key, ok := s.quoted()
		if !ok || !s.is(':') || !l.member(key.of(s.b)) {
			return false
		}
	}
	return s.is('}') && s.ended()
}

func (l *postAuthLog) member(key []byte) (ok bool) {
	s := &l.scan
	if string(key) == "cut" && l.cut == (span{}) {
		l.next = postAuthLogFields
		from := s.i + 1
		if !s.is('[') {
			return false
		}
		for {
			if name, ok := s.quoted(); !ok || !only(name.of(s.b), appBytes) {
				return false
			}
			if !at(s.b, s.i, ",") {
				break
			}
			s.i++
		}
		l.cut = span{from, s.i}
		return s.is(']')
	}
	for i := l.next; i < postAuthLogFields; i++ {
		if string(key) == loginFields[1+i].name {
			l.next = i + 1
			l.values[i], ok = s.quoted()
			return ok
		}
	}
	return false
}

// keepNames keeps the names of a list of plain words, joined by commas.
func (p *Parser) keepNames(dst *string, list []byte) {
	from := len(p.buf)
	for name := range bytes.SplitSeq(list, []byte(",")) {
		name = bytes.Trim(name, `\"`)
		if !only(name, appBytes) || len(name) == 0 {
			continue
		}
		if len(p.buf) > from {
			p.buf = append(p.buf, ',')
		}
		p.buf = append(p.buf, name...)
	}
	p.kept(dst, from)
}
