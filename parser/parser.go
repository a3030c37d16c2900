package parser

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// Options of a [Parser].
type Options struct {
	// Kinds are the wanted kinds of lines. Zero: [DefaultKinds].
	Kinds Kinds
	// Raw keeps the line, without secrets, in records of Other and Malformed.
	Raw bool
	// LineKeys are the keys that hold the line in JSON around it. Empty: [DefaultLineKeys].
	// The text under a key that the caller chooses is trusted to be a line.
	LineKeys []string
	// Instance replaces the instance id of the line.
	Instance string
	// Panicked, if set, is called with the value of a panic that a line caused. The line
	// becomes [Malformed], without its text. If not set, Parse panics.
	Panicked func(v any)
}

// Parser holds the buffers of [Parser.Parse]. One goroutine at a time may use it.
type Parser struct {
	opts   Options
	counts Counts

	buf      []byte  // the record's strings, one after the other
	fields   []field // the fields that they belong to
	tmp      []byte
	doc      []byte
	env      envelope
	told     lineFields
	name     []byte
	instance string // of the last line, reused because it rarely changes
	inside   [maxInside]inside
	chosen   bool // the caller has chosen LineKeys
	doubted  bool // the line has TrustNone
	limit    int  // MaxLine; tests set less
}

// field is a string of the current record, p.buf[from:to].
type field struct {
	dst *string
	span
}

// Counts is the number of lines of each [Kind], wanted or not.
type Counts [kinds]uint64

// Add adds other to c.
func (c *Counts) Add(other Counts) {
	for k, n := range other {
		c[k] += n
	}
}

// New returns a parser.
func New(opts Options) *Parser {
	if opts.Kinds == 0 {
		opts.Kinds = DefaultKinds
	}
	p := &Parser{opts: opts, limit: MaxLine}
	p.useLineKeys()
	return p
}

// Counts returns the lines seen so far, by kind.
func (p *Parser) Counts() Counts { return p.counts }

// Parse reads one line, with or without its line end, into r, and reports whether its kind
// is wanted. If not, r is unchanged. Parse does not keep the line. Every line is counted. Of
// a line longer than [MaxLine], the rest is ignored.
func (p *Parser) Parse(line []byte, r *Record) (wanted bool) {
	if p.opts.Panicked != nil {
		defer func() {
			if v := recover(); v != nil {
				wanted = p.giveUp(line, r)
				p.opts.Panicked(v)
			}
		}()
	}
	p.doubted = false
	kind, wanted := p.line(line, r)
	if !wanted && p.opts.Kinds.Has(kind) { // Other or Malformed
		p.doubted = false
		p.begin(r, kind, TrustNone)
		r.Cut = len(line) > p.limit
		p.keepText(&r.Raw, trimEnd(line[:min(len(line), p.limit)]))
		if !p.opts.Raw {
			p.fields = p.fields[:0] // the text only contributes to the id
		}
		p.finish(r)
		wanted = true
	}
	p.counts[kind]++
	return wanted
}

// giveUp makes a malformed line of one that caused a panic. It does not read the line again.
func (p *Parser) giveUp(line []byte, r *Record) (wanted bool) {
	p.doubted = false
	p.counts[Malformed]++
	if !p.opts.Kinds.Has(Malformed) {
		return false
	}
	p.begin(r, Malformed, TrustNone)
	r.Cut = len(line) > p.limit
	p.buf = binary.LittleEndian.AppendUint64(p.buf, uint64(len(line)))
	p.finish(r)
	return true
}

// line returns the kind of a line. done reports that r is filled.
func (p *Parser) line(line []byte, r *Record) (kind Kind, done bool) {
	if len(line) > p.limit {
		line = line[:p.limit]
	}
	line = trimEnd(line)
	t, in, _ := unwrap(line)
	record, trust, v := p.find(t, 0)
	if v != found && in == inDocker { // it may be JSON of another tool that begins like Docker's
		if r, tr, how, ok := p.inJSON(text{b: line}, 0); ok && how != foreign {
			record, trust, v = r, tr, how
		}
	}
	switch v {
	case found:
		p.doubted = trust == TrustNone
		return p.record(record, r)
	case answered, active:
		p.doubted = trust == TrustNone
		return p.request(record, v, r)
	case broken:
		return Malformed, false
	}
	return Other, false
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// record reads a record of the log store.
func (p *Parser) record(t text, r *Record) (kind Kind, done bool) {
	e := &p.env
	*e = envelope{}
	start, access, ok := e.head(t)
	if ok && !access {
		m := message{e: e, text: text{t.b, start, t.n + 1}}
		if kind, done, ok = p.message(&m, r); ok {
			return kind, done
		}
	}
	if !access {
		var plain []byte
		*e, plain, access, ok = p.plain(t)
		if ok && !access {
			m := message{e: e, text: text{plain, 0, 0}}
			if kind, done, ok = p.message(&m, r); ok {
				return kind, done
			}
		}
	}
	if access && !p.opts.Kinds.Has(Access) {
		return Access, false
	}
	if access && p.access(t, r) {
		return Access, true
	}
	return Malformed, false
}

// message is the message of an action's record. Its quotes are at layer n.
type message struct {
	text
	e *envelope
}

// end finds the end of the message and reads the envelope behind it.
func (m *message) end(from int) (end int, ok bool) {
	if m.n == 0 {
		return len(m.b), true
	}
	end, _, how := stringEnd(m.b, from, m.n-1)
	return end, how == closed && m.e.tail(end)
}

var litRun = newLiteral("action run ")

// message reads an action's message. ok is false if the record is not complete.
func (p *Parser) message(m *message, r *Record) (kind Kind, done, ok bool) {
	switch {
	case at(m.b, m.i, litRun[0]):
		return p.run(m, r)
	case !p.opts.Kinds.Has(Log):
		_, ok := m.end(m.i)
		return Log, false, ok
	case at(m.b, m.i, officialSuccess), at(m.b, m.i, officialFailure):
		if ok, matched := p.official(m, r); matched {
			return Log, ok, ok
		}
	case at(m.b, m.i, litPostAuthLog[m.n]):
		if ok, matched := p.postAuthLog(m, r); matched {
			return Log, ok, ok
		}
	}
	return p.plainText(m, r)
}

// plainText reads a message of another script.
func (p *Parser) plainText(m *message, r *Record) (kind Kind, done, ok bool) {
	end, ok := m.end(m.i)
	if !ok {
		return Log, false, false
	}
	p.beginAction(r, Log, m)
	from := len(p.buf)
	if p.keep(&r.Message, m.b[m.i:end], m.n) {
		r.Cut = isCut(len(p.buf) - from)
		p.scrubLast()
	}
	p.finish(r)
	return Log, true, true
}

// run reads the messages at the begin and the end of an action's run. Only the end of a run
// has a duration; messages of a script have none.
func (p *Parser) run(m *message, r *Record) (kind Kind, done, ok bool) {
	const failed = "failed: "
	end, ok := m.end(m.i)
	if !ok {
		return Log, false, false
	}
	rest := m.b[m.i+len(litRun[0]) : end]
	kind = Log
	switch {
	case string(rest) == "started" && m.e.took == 0:
		kind = RunStarted
	case string(rest) == "succeeded" && m.e.took > 0:
		kind = RunSucceeded
	case bytes.HasPrefix(rest, []byte(failed)) && m.e.took > 0:
		kind = RunFailed
	}
	if !p.opts.Kinds.Has(kind) {
		return kind, false, true
	}
	if kind == Log {
		return p.plainText(m, r)
	}
	p.beginAction(r, kind, m)
	r.Took = m.e.took
	if kind == RunFailed {
		from := len(p.buf)
		if p.keep(&r.Error, rest[len(failed):], m.n) {
			r.Cut = isCut(len(litRun[0]) + len(failed) + len(p.buf) - from)
			p.scrubLast()
		}
	}
	p.finish(r)
	return kind, true, true
}

// begin starts a record.
func (p *Parser) begin(r *Record, kind Kind, trust Trust) {
	*r = Record{Kind: kind, Trust: trust, Instance: p.opts.Instance}
	p.buf, p.fields = p.buf[:0], p.fields[:0]
}

// beginAction starts a record with the fields of the envelope.
func (p *Parser) beginAction(r *Record, kind Kind, m *message) {
	p.begin(r, kind, TrustFull)
	r.Time = m.e.date
	level := m.e.level.of(m.e.b)
	switch string(level) {
	case "info":
		r.Level = "info"
	case "warning":
		r.Level = "warning"
	case "error":
		r.Level = "error"
	default:
		p.keep(&r.Level, level, m.e.layers)
	}
	p.label(r, m.e.instance.of(m.e.b), m.e.layers)
	p.keep(&r.ActionID, m.e.action.of(m.e.b), m.e.layers)
}

// label sets the instance. The hash does not include it, because the id already does.
func (p *Parser) label(r *Record, id []byte, layers uint) {
	if p.opts.Instance != "" {
		return // begin has set it
	}
	if len(id) == 0 { // the next line has one again
		return
	}
	p.name, p.tmp = unescape(p.name[:0], id, layers, p.tmp)
	if string(p.name) != p.instance {
		p.instance = string(p.name)
	}
	r.Instance = p.instance
}

// keep adds a string that is quoted layers times, unless it is empty.
func (p *Parser) keep(dst *string, raw []byte, layers uint) bool {
	from := len(p.buf)
	p.buf, p.tmp = unescape(p.buf, raw, layers, p.tmp)
	return p.kept(dst, from)
}

// kept makes p.buf[from:] a string of the record, unless it is empty.
func (p *Parser) kept(dst *string, from int) bool {
	if len(p.buf) == from {
		return false
	}
	p.fields = append(p.fields, field{dst, span{from, len(p.buf)}})
	return true
}

// keepText adds text of unknown content, without secrets.
func (p *Parser) keepText(dst *string, raw []byte) {
	from := len(p.buf)
	p.buf = Scrub(p.buf, raw)
	p.kept(dst, from)
}

// last returns the string that was added last.
func (p *Parser) last() []byte { return p.fields[len(p.fields)-1].of(p.buf) }

// scrubLast removes the secrets from the last string, which is free text.
func (p *Parser) scrubLast() {
	p.tmp = Scrub(p.tmp[:0], p.last())
	p.replaceLast(p.tmp)
}

// cutLast removes text with the shape of a secret from the last string.
func (p *Parser) cutLast() {
	s := p.last()
	view := unsafe.String(unsafe.SliceData(s), len(s))
	if out := redact.String(view); out != view {
		p.replaceLast([]byte(out))
	}
}

// dropLast removes the last string.
func (p *Parser) dropLast() {
	f := p.fields[len(p.fields)-1]
	p.buf, p.fields = p.buf[:f.from], p.fields[:len(p.fields)-1]
}

func (p *Parser) replaceLast(b []byte) {
	f := &p.fields[len(p.fields)-1]
	p.buf = append(p.buf[:f.from], b...)
	f.to = len(p.buf)
}

// finish sets the strings of the record, with one allocation, and its hash.
func (p *Parser) finish(r *Record) {
	if len(p.fields) > 0 {
		all := string(p.buf)
		for i, f := range p.fields {
			*f.dst = all[f.from:f.to]
			p.fields[i].dst = nil
		}
	}
	p.buf = appendShape(p.buf, r)
	r.hash = xxhash.Sum64(p.buf)
	if p.doubted {
		r.doubt()
	}
}

// doubt marks a record as TrustNone. The hash is computed before, so that the same record
// has the same id in any wrapping.
func (r *Record) doubt() {
	r.Trust = TrustNone
	for i := range loginFields {
		if to, from := loginFields[i].of(&r.Unverified), loginFields[i].of(&r.Login); *to == "" {
			*to = *from
		}
	}
	r.Login = Login{}
	for _, f := range [...]struct{ to, from *string }{{&r.Unverified.UserID, &r.Served.UserID}, {&r.Unverified.ResourceOwner, &r.Served.OrgID}} {
		if *f.to == "" {
			*f.to = *f.from
		}
		*f.from = ""
	}
}

// appendShape appends the lengths of the strings of r, and the fields that are not strings.
// Two records have the same hash only if all fields are equal.
func appendShape(b []byte, r *Record) []byte {
	size := func(s string) { b = binary.AppendUvarint(b, uint64(len(s))) }
	for _, l := range [...]*Login{&r.Login, &r.Unverified} {
		if *l == (Login{}) {
			b = append(b, 0)
			continue
		}
		b = append(append(b, 1), l.Outcome...)
		for i := range loginFields {
			size(*loginFields[i].of(l))
		}
	}
	if r.Kind == Access {
		a := &r.Access
		b = binary.AppendVarint(append(b, a.Protocol...), a.Status)
		for _, s := range [...]string{
			a.Protocol, a.URL, a.Host, a.Domain, a.ProjectID, a.UserAgent, a.ForwardedFor, a.RequestID, a.TraceID, a.OrgHeader, a.RESTPath, a.RESTMethod,
		} {
			size(s)
		}
	}
	if s := &r.Served; *s != (ServedRequest{}) {
		b = binary.AppendVarint(binary.AppendVarint(append(b, s.Protocol...), s.Status), s.HTTPStatus)
		b = append(append(b, s.Code...), s.HTTPMethod...)
		for i := range servedFields {
			size(*servedFields[i].of(s))
		}
		if s.SystemUser {
			b = append(b, 1)
		}
	}
	b = append(b, r.Level...)
	for _, s := range [...]string{r.Level, r.ActionID, r.Message, r.Error} { // the rest is Raw
		size(s)
	}
	b = binary.AppendVarint(b, int64(r.Took))
	cut := byte(0)
	if r.Cut {
		cut = 1
	}
	return append(b, byte(r.Kind), byte(r.Format), byte(r.Trust), cut)
}
