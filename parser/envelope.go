package parser

import (
	"time"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// The record of an action is ZITADEL's ExecutionLog as JSON. Newer versions add "actionId"
// and "metadata" at the end:
//
//	{"logDate":"...","took":0,"message":"...","logLevel":"info","instanceId":"..."}
var (
	litDate    = newLiteral(`{"logDate":"`)
	litTook    = newLiteral(`","took":`)
	litAccess  = newLiteral(`","protocol":`)
	litMessage = newLiteral(`,"message":"`)
	litLevel   = newLiteral(`","logLevel":"`)
	litIID     = newLiteral(`","instanceId":"`)
	litAction  = newLiteral(`,"actionId":"`)
)

// envelope is the record around an action's message. The spans are parts of b.
type envelope struct {
	b        []byte
	n        uint // the layer of its quotes
	layers   uint // how often the content of the spans is quoted
	date     time.Time
	took     time.Duration
	level    span
	instance span
	action   span
}

// head reads the envelope up to the message, and returns where the message begins. access
// reports that this is an access record.
func (e *envelope) head(t text) (next int, access, ok bool) {
	b, n := t.b, t.n
	e.b, e.n, e.layers = b, n, n+1
	if !at(b, t.i, litDate[n]) {
		return 0, false, false
	}
	from := t.i + len(litDate[n])
	end, _, how := stringEnd(b, from, n)
	if how != closed {
		return 0, false, false
	}
	if e.date, ok = parseTime(b[from:end]); !ok {
		return 0, false, false
	}
	if at(b, end, litAccess[n]) {
		return end, true, true
	}
	if !at(b, end, litTook[n]) {
		return 0, false, false
	}
	took, i, ok := digits(b, end+len(litTook[n]))
	if !ok || !at(b, i, litMessage[n]) {
		return 0, false, false
	}
	e.took = time.Duration(took)
	return i + len(litMessage[n]), false, true
}

// tail reads the envelope behind the message, from the closing quote of the message on.
func (e *envelope) tail(i int) bool {
	b, n := e.b, e.n
	if _, ok := e.member(i, &litLevel, &e.level); !ok {
		return false
	}
	next, ok := e.member(e.level.to, &litIID, &e.instance)
	if !ok {
		return false
	}
	if at(b, next, litAction[n]) {
		if next, ok = e.member(next, &litAction, &e.action); !ok {
			return false
		}
	}
	// The values of metadata are not used, but the record must be complete.
	if at(b, next, ",") {
		s := jsonScanner{b: b, i: next + 1, n: n}
		for {
			if _, ok := s.quoted(); !ok || !s.is(':') || !s.value(1) {
				return false
			}
			if !at(b, s.i, ",") {
				break
			}
			s.i++
		}
		next = s.i
	}
	return at(b, next, "}")
}

// member reads the string that follows key at b[i:].
func (e *envelope) member(i int, key *literal, to *span) (next int, ok bool) {
	if !at(e.b, i, key[e.n]) {
		return 0, false
	}
	from := i + len(key[e.n])
	end, next, how := stringEnd(e.b, from, e.n)
	*to = span{from, end}
	return next, how == closed
}

// plain reads a record whose fields have another order, or that has other fields between
// them. It unquotes the whole record first, and the message with it. Both are valid until
// the next line.
func (p *Parser) plain(t text) (e envelope, message []byte, access, ok bool) {
	doc, ok := p.unquote(t)
	if !ok {
		return e, nil, false, false
	}
	get := func(name string) gjson.Result { return gjson.Get(doc, name) }
	if e.date, ok = parseTime([]byte(get("logDate").Str)); !ok {
		return e, nil, false, false
	}
	msg, level := get("message"), get("logLevel")
	if msg.Type != gjson.String || level.Type != gjson.String {
		return e, nil, get("protocol").Exists(), get("protocol").Exists()
	}
	e.took = time.Duration(get("took").Int())
	keep := func(s string) span {
		from := len(e.b)
		e.b = append(e.b, s...)
		return span{from, len(e.b)}
	}
	m := keep(msg.Str)
	e.level, e.instance, e.action = keep(level.Str), keep(get("instanceId").Str), keep(get("actionId").Str)
	return e, m.of(e.b), false, true
}

// unquote returns the record as JSON, valid until the next call.
func (p *Parser) unquote(t text) (doc string, ok bool) {
	end := len(t.b)
	if t.n > 0 {
		end, _, _ = stringEnd(t.b, t.i, t.n-1)
	}
	p.doc, p.tmp = unescape(p.doc[:0], t.b[t.i:end], t.n, p.tmp)
	doc = unsafe.String(unsafe.SliceData(p.doc), len(p.doc))
	return doc, shallow(p.doc) && gjson.Valid(doc)
}

// maxNesting limits the nesting of JSON for gjson, whose stack grows with each bracket.
// ZITADEL's records have three levels and those of their metadata.
const maxNesting = 64

// shallow reports whether the nesting of doc is at most maxNesting.
func shallow(doc []byte) bool {
	return !bounded.Deeper(doc, maxNesting)
}

// parseTime reads RFC 3339 with up to nine fractional digits.
func parseTime(b []byte) (time.Time, bool) {
	const shape = "0000-00-00T00:00:00.000000000"
	if len(b) < len("2006-01-02T15:04:05Z") || len(b) > len(shape+"+00:00") {
		return time.Time{}, false
	}
	if b[len(b)-1] != 'Z' {
		t, err := time.Parse(time.RFC3339Nano, string(b))
		return t, err == nil
	}
	if len(b) > len(shape+"Z") || len(b) == len("2006-01-02T15:04:05.Z") {
		return time.Time{}, false
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	for i, c := range b[:len(b)-1] {
		if shape[i] == '0' && c-'0' > 9 || shape[i] != '0' && c != shape[i] {
			return time.Time{}, false
		}
	}
	month, day, hour, minute, second := two(5), two(8), two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	nanos, scale := 0, 100_000_000
	if len(b) > 20 {
		for _, c := range b[20 : len(b)-1] {
			nanos += int(c-'0') * scale
			scale /= 10
		}
	}
	t := time.Date(two(0)*100+two(2), time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t, t.Day() == day // time.Date accepts the 31st of a short month
}
