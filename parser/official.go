package parser

import (
	"bytes"
	"time"
)

// The text of ZITADEL's example script, which is used in production:
//
//	successful login: username/U, timestamp/T, appID/A, remoteAddr/R, request/JSON
//	authentication failed: error/E, username/U, timestamp/T, ...
//
// The script quotes nothing. U is what a user typed, and may contain everything that follows
// it in this text. So the text is read from the right.
//
// The request is where `, request/{"method":"` begins JSON that is valid up to the end of the
// message (its escapes do not matter here). There is only one such place. If U opened JSON,
// the first quote of the real request would close a string of it, followed by a bare
// `method`. Inside the real request, every quote of a client has a backslash.
//
// Before the request are, from right to left, an address, a number and a time, without
// commas. The rest is E and U.
//
// All this is true only for a complete message. ZITADEL cuts a longer one to 1,999 bytes. A
// user name can be so long that it pushes out the real rest and ends in a forged one. Then
// only the outcome is certain.
const (
	officialSuccess = "successful login: username/"
	officialFailure = "authentication failed: error/"

	sepUser      = ", username/"
	sepTime      = ", timestamp/"
	sepApp       = ", appID/"
	sepRemote    = ", remoteAddr/"
	sepRequest   = ", request/"
	officialJSON = `{"method":"`

	// cutLength is the length to which ZITADEL cuts a message of more than 2,000 bytes
	// (internal/logstore/record, cutString). If the cut is inside a rune, the unquoted
	// message is longer, never shorter.
	cutLength = 1999

	// Limits of the lengths of A, R and T. An id of old versions is number@project, an
	// address may have a zone, a time a monotonic clock.
	maxApp, maxRemote, maxTime = 200, 80, 80

	// maxCandidates limits the places that are tried as the beginning of the request.
	// 2,000 bytes contain fewer.
	maxCandidates = 100
)

// litRequest is a list of []byte for bytes.Index, because a conversion would allocate.
var litRequest = func() (l [maxLayer + 1][]byte) {
	for n, s := range newLiteral(sepRequest + officialJSON) {
		l[n] = []byte(s)
	}
	return l
}()

// official holds the parts of the text.
type official struct {
	*message
	from    int  // behind the fixed beginning
	end     int  // of the message
	failed  bool // the outcome
	request int  // where sepRequest begins, or -1
	whole   bool // the text is complete and was read from the right

	err, user, date, app, remote span
	ambiguous                    bool // the boundary between err and user is not certain

	// Parts of the request.
	method, url, host, peer, agent span
	forwarded, form                span // lists
	strings                        int
}

// official reads the text of ZITADEL's example script. matched is false if the text only
// begins like it. ok is false if the record is not complete.
func (p *Parser) official(m *message, r *Record) (ok, matched bool) {
	o := official{message: m, from: m.i + len(officialSuccess), failed: at(m.b, m.i, officialFailure), request: -1}
	if o.failed {
		o.from = m.i + len(officialFailure)
	}
	if o.end, ok = m.end(o.read()); !ok {
		return false, true
	}
	cut := p.cutByZITADEL(&o)
	if o.request < 0 && !cut {
		return false, false
	}
	o.whole = o.whole && !cut && o.left()

	p.beginAction(r, Log, m)
	r.Format, r.Cut = FormatOfficial, cut
	sure, rest := &r.Login, &r.Login
	if !o.whole || o.ambiguous {
		r.Trust = TrustPartial
	}
	if !o.whole {
		o.leftmost()
		rest = &r.Unverified
	}
	sure.Outcome = "success"
	if o.failed {
		sure.Outcome = "failure"
	}
	p.officialText(&o, r, rest)
	p.officialRequest(&o, r, rest)
	p.finish(r)
	return true, true
}

// read finds the request, and returns where to start searching for the end of the message.
func (o *official) read() (from int) {
	from = o.from
	for i, n := o.from, 0; n < maxCandidates; n++ {
		d := bytes.Index(o.b[i:], litRequest[o.n])
		if d < 0 {
			break
		}
		i += d
		o.method, o.url, o.host, o.peer, o.agent, o.forwarded, o.form = span{}, span{}, span{}, span{}, span{}, span{}, span{}
		s := jsonScanner{b: o.b, i: i + len(sepRequest), n: o.n}
		whole := s.object(0, func(key []byte) bool { return o.member(&s, key) })
		if whole && s.ended() || !whole && s.cut {
			o.request, o.whole, o.strings = i, whole, s.strings
			return s.i
		}
		i++
	}
	return from
}

// ended reports whether the message ends here.
func (s *jsonScanner) ended() bool {
	if s.n == 0 {
		return s.i == len(s.b)
	}
	return at(s.b, s.i, quote[s.n-1])
}

// member reads a member of the request. In deeper levels, a client chooses the names.
func (o *official) member(s *jsonScanner, key []byte) (ok bool) {
	var to *span
	switch string(key) {
	case "method":
		to = &o.method
	case "url":
		to = &o.url
	case "host":
		to = &o.host
	case "remoteAddr":
		to = &o.peer
	case "form":
		return s.object(1, func(key []byte) bool { return o.listed(s, key, "authRequestID", &o.form) })
	case "headers":
		return s.object(1, func(key []byte) bool {
			if len(key) == len("User-Agent") {
				return o.listed(s, key, "User-Agent", &o.agent)
			}
			return o.listed(s, key, "X-Forwarded-For", &o.forwarded)
		})
	default:
		return s.value(1)
	}
	if *to != (span{}) {
		return false // a name twice: another script wrote this
	}
	*to, ok = s.quoted()
	return ok
}

// listed stores the value in to if key is name.
func (o *official) listed(s *jsonScanner, key []byte, name string, to *span) bool {
	from := s.i
	ok := s.value(2)
	if string(key) == name {
		*to = span{from, s.i}
	}
	return ok
}

// cutByZITADEL reports whether the end of the message may be missing.
func (p *Parser) cutByZITADEL(o *official) bool {
	size := o.end - o.i
	if o.whole { // a quote of the request has several bytes here
		size -= o.strings * 2 * (1<<o.n - 1)
	}
	if size < cutLength {
		return false
	}
	p.doc, p.tmp = unescape(p.doc[:0], o.b[o.i:o.end], o.n, p.tmp)
	return isCut(len(p.doc))
}

// isCut reports whether the end of a message of this length may be missing. A length of
// 2,000 never results from a cut: 1 to 3 bytes of a cut rune become as many U+FFFD of three
// bytes each.
func isCut(size int) bool { return size >= cutLength && size != 2000 }

// left reads the text before the request from the right.
func (o *official) left() bool {
	to := o.request
	before := func(sep string, longest int) (s span, ok bool) {
		from := max(o.from, to-longest-len(sep))
		d := bytes.LastIndex(o.b[from:to], []byte(sep))
		if d < 0 {
			return span{}, false
		}
		s = span{from + d + len(sep), to}
		to = from + d
		return s, true
	}
	var ok bool
	if o.remote, ok = before(sepRemote, maxRemote); !ok || !bytes.Equal(o.remote.of(o.b), o.peer.of(o.b)) || !isAddr(o.peer.of(o.b)) {
		return false
	}
	if o.app, ok = before(sepApp, maxApp); !ok || !isApp(o.app.of(o.b)) {
		return false
	}
	if o.date, ok = before(sepTime, maxTime); !ok || !isDate(o.date.of(o.b)) {
		return false
	}
	o.user = span{o.from, to}
	if !o.failed {
		return true
	}
	d := bytes.Index(o.b[o.from:to], []byte(sepUser))
	if d < 0 {
		return false
	}
	o.err = span{o.from, o.from + d}
	o.user = span{o.err.to + len(sepUser), to}
	o.ambiguous = bytes.Contains(o.user.of(o.b), []byte(sepUser))
	return true
}

// leftmost reads the text before the request from the left. The result is not trusted.
func (o *official) leftmost() {
	limit, from := o.end, o.from
	if o.request >= 0 {
		limit = o.request
	}
	next := func(sep string) (s span, ok bool) {
		d := bytes.Index(o.b[from:limit], []byte(sep))
		if d < 0 {
			s = span{from, limit}
			from = limit
			return s, false
		}
		s = span{from, from + d}
		from += d + len(sep)
		return s, true
	}
	var ok bool
	if o.failed {
		if o.err, ok = next(sepUser); !ok {
			return
		}
	}
	if o.user, ok = next(sepTime); !ok {
		return
	}
	if o.date, ok = next(sepApp); !ok || !isDate(o.date.of(o.b)) {
		o.date = span{}
	}
	if o.app, ok = next(sepRemote); !ok || !isApp(o.app.of(o.b)) {
		o.app = span{}
	}
	if o.remote, _ = next(sepRequest); !isAddr(o.remote.of(o.b)) {
		o.remote = span{}
	}
}

// isAddr reports whether b can be an address with a port.
func isAddr(b []byte) bool {
	return len(b) <= maxRemote && only(b, addrBytes)
}

func isApp(b []byte) bool { return len(b) <= maxApp && only(b, appBytes) }

var (
	addrBytes = setOf(".:[]%-@")
	appBytes  = setOf("._-@:")
)

func setOf(extra string) *[256]bool {
	var t [256]bool
	for c := range 256 {
		t[c] = '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || bytes.IndexByte([]byte(extra), byte(c)) >= 0
	}
	return &t
}

func only(b []byte, set *[256]bool) bool {
	for _, c := range b {
		if !set[c] {
			return false
		}
	}
	return true
}

// isDate reports whether b is a time as time.Time prints it.
func isDate(b []byte) bool {
	var room [64]byte
	_, ok := appendDate(room[:0], b)
	return ok
}

// appendDate converts a time as time.Time prints it, 2026-11-22 09:24:58.049990376 +0000 UTC,
// to RFC 3339. ok is false for anything else.
func appendDate(dst, b []byte) (out []byte, ok bool) {
	if i := bytes.Index(b, []byte(" m=")); i > 0 { // a monotonic clock
		b = b[:i]
	}
	const shape = "0000-00-00 00:00:00"
	if len(b) < len(shape)+len(" +0000 UTC") || len(b) > maxTime || b[10] != ' ' {
		return dst, false
	}
	if utc, ok := bytes.CutSuffix(b, []byte(" +0000 UTC")); ok {
		from := len(dst)
		dst = append(append(dst, utc...), 'Z')
		dst[from+10] = 'T'
		if _, ok := parseTime(dst[from:]); ok {
			return dst, true
		}
		return dst[:from], false
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", string(b))
	if err != nil {
		return dst, false
	}
	return t.In(time.UTC).AppendFormat(dst, time.RFC3339Nano), true
}

// officialText keeps the fields before the request.
func (p *Parser) officialText(o *official, r *Record, rest *Login) {
	names := rest
	if o.ambiguous {
		names = &r.Unverified
	}
	if p.keep(&names.Error, o.err.of(o.b), o.n) {
		p.scrubLast()
	}
	if p.keep(&names.UserName, o.user.of(o.b), o.n) && names == &r.Unverified {
		p.scrubLast() // it may contain more than the user name
	}
	from := len(p.buf)
	p.buf, _ = appendDate(p.buf, o.date.of(o.b))
	p.kept(&rest.ChangeDate, from)
	p.keep(&rest.ApplicationID, o.app.of(o.b), o.n)
	p.keep(&rest.RemoteAddr, o.remote.of(o.b), o.n)
}

// officialRequest keeps the fields of the request that an audit trail needs. Forms and
// cookies are not read.
func (p *Parser) officialRequest(o *official, r *Record, rest *Login) {
	n := o.n + 1
	p.keep(&rest.RequestMethod, o.method.of(o.b), n)
	if p.keep(&rest.RequestURL, o.url.of(o.b), n) {
		p.scrubURL()
	}
	if p.keep(&rest.RequestHost, o.host.of(o.b), n) {
		p.cutLast()
	}
	if p.keepList(&rest.UserAgent, o, o.agent) {
		p.cutLast()
	}
	if p.keepList(&rest.ForwardedFor, o, o.forwarded) {
		p.cutLast()
	}
	// The client writes the form.
	if p.keepList(&r.Unverified.AuthRequestID, o, o.form) && !only(p.last(), appBytes) {
		p.dropLast()
	}
}

// keepList keeps the strings of a list, joined by ", " like the values of an HTTP header.
// The end of the list may be missing.
func (p *Parser) keepList(dst *string, o *official, list span) bool {
	from := len(p.buf)
	s := jsonScanner{b: o.b[:list.to], i: list.from + 1, n: o.n}
	for s.i < list.to {
		content, ok := s.quoted()
		if content == (span{}) {
			break
		}
		if len(p.buf) > from {
			p.buf = append(p.buf, ", "...)
		}
		p.buf, p.tmp = unescape(p.buf, content.of(o.b), o.n+1, p.tmp)
		if !ok || !s.is(',') {
			break
		}
	}
	return p.kept(dst, from)
}
