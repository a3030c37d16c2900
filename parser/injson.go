package parser

import (
	"bytes"
	"slices"

	"github.com/tidwall/gjson"
)

// Collectors, journald and clouds put JSON around a line, with keys in any order and
// white space anywhere:
//
//	{"stream":"stderr","log":"time=... msg=\"log record emitted\" ...","time":"..."}
//	{"MESSAGE":[116,105,109,101,...],"__REALTIME_TIMESTAMP":"..."}
//	{"jsonPayload":{"message":"time=..."},"insertId":"..."}
//
// An application can write such an object too, with text of a client under a line key. So
// an object is read only if the whole line is one valid object, and the other keys decide
// how far its line is trusted:
//
//   - TrustFull requires a key that only the tool writes (see members.proven), or a line key
//     that the caller has chosen. It also requires a single text under a line key; of two, it
//     is not known which one is the line.
//   - An object with a level was written by a logger. Its message is text of the
//     application, not a line.
//   - The line in any other object has TrustNone.

// DefaultLineKeys are the keys that hold the line in the JSON of known tools, the most
// likely first. Their value is text, a list of bytes, or an object with one of these keys.
var DefaultLineKeys = []string{
	"log", "message", "MESSAGE", "textPayload", "line", "body", "msg", "text", "event", "Message", "Body", "@message",
	"short_message", "full_message", "original", "_raw", "LogEntry", "LogMessage",
}

// containers are keys of objects, and of lists with one object, that contain the line key in
// the JSON of Google Cloud, Fluent Bit, Elasticsearch, Splunk, Azure and OpenTelemetry.
var containers = []string{
	"jsonPayload", "log_processed", "_source", "result", "properties", "resourceLogs", "scopeLogs", "logRecords", "stringValue",
}

const (
	// maxInside is how many JSON wrappings are removed from one line.
	maxInside = 3
	// maxTexts limits the values that are tried in one object. Tools write one or two.
	maxTexts = 8
)

// inside are the buffers of one wrapping in JSON.
type inside struct{ doc, line []byte }

// find finds the record in a line with any wrapping. depth counts the JSON wrappings that
// were already removed.
func (p *Parser) find(t text, depth int) (record text, trust Trust, v verdict) {
	switch record, v = locate(t); {
	case v.hit():
		return record, TrustFull, v
	case v == guessed:
		return record, TrustNone, found
	}
	if record, trust, v, ok := p.inJSON(t, depth); ok {
		return record, trust, v
	}
	if v != unclear {
		return text{}, TrustNone, v
	}
	// A tool may have written a prefix before the JSON.
	if i := bytes.IndexByte(t.b[t.i:], '{'); i > 0 {
		if record, _, v, ok := p.inJSON(text{t.b, t.i + i, t.n}, depth); ok && v.hit() {
			return record, TrustNone, v
		}
	}
	record, v = t.search()
	return record, TrustNone, v
}

// inJSON finds the record in a line that is one valid JSON object. ok is false if the line
// is not such an object, or cannot contain a record.
func (p *Parser) inJSON(t text, depth int) (record text, trust Trust, v verdict, ok bool) {
	b := trimBlanks(t.b[t.i:])
	if depth == maxInside || len(b) == 0 || b[0] != '{' || !mayHoldRecord(b) {
		return text{}, TrustNone, foreign, false
	}
	in := &p.inside[depth]
	in.doc, p.tmp = unescape(in.doc[:0], b, t.n, p.tmp)
	if !shallow(in.doc) || !gjson.ValidBytes(in.doc) {
		return text{}, TrustNone, foreign, false
	}
	record, trust, v = p.inObject(text{b: compact(in.doc)}, depth)
	return record, trust, v, true
}

// mayHoldRecord is a fast check: a known line has one of the markers, except if journald
// wrote the line as a list of numbers.
func mayHoldRecord(b []byte) bool {
	return bytes.Contains(b, []byte(marker)) || bytes.Contains(b, []byte(servedMarker)) ||
		bytes.Contains(b, []byte(activityMarker)) || bytes.Contains(b, []byte(`"MESSAGE"`))
}

// trimBlanks removes a byte order mark and the white space around a line.
func trimBlanks(b []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
}

// compact removes the white space between the values of valid JSON, in place.
func compact(doc []byte) []byte {
	out, quoted := doc[:0], false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			out = append(out, c)
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		out = append(out, doc[i])
	}
	return out
}

// inObject finds the record in the compact object at t. Either a logger wrote the object, or
// it has one of the line keys.
func (p *Parser) inObject(t text, depth int) (record text, trust Trust, v verdict) {
	switch record, v = locate(t); {
	case v.hit():
		return record, TrustFull, v
	case v == guessed:
		return record, TrustNone, found
	}
	m := members{p: p, scan: jsonScanner{b: t.b, i: t.i}}
	if !m.scan.object(0, m.member) || m.ours {
		return text{}, TrustNone, foreign
	}
	v = foreign
	for _, c := range m.found[:m.n] {
		if m.levelled && !c.outer {
			continue
		}
		record, inner, how := p.inValue(c.value, depth)
		switch {
		case how.hit() && m.texts == 1 && c.isText && m.proven(c):
			return record, inner, how
		case how.hit():
			return record, TrustNone, how
		case how == broken:
			v = broken
		}
		if m.levelled && c.isText {
			break // other line keys there belong to the application
		}
	}
	return text{}, TrustNone, v
}

// inValue finds the record in the value of a line key.
func (p *Parser) inValue(value text, depth int) (record text, trust Trust, v verdict) {
	in := &p.inside[depth]
	switch b := value.b[value.i:]; {
	case b[0] == '{':
		return p.inObject(value, depth)
	case b[0] == '"':
		in.line, p.tmp = unescape(in.line[:0], b[1:len(b)-1], 1, p.tmp)
	case len(b) > 1 && b[1] == '{':
		s := jsonScanner{b: value.b, i: value.i + 1}
		if !s.value(1) || !s.is(']') { // more than one line
			return text{}, TrustNone, foreign
		}
		return p.inObject(text{b: value.b, i: value.i + 1}, depth)
	default:
		var ok bool
		if in.line, ok = appendBytes(in.line[:0], b); !ok {
			return text{}, TrustNone, foreign
		}
	}
	t, _, _ := unwrap(trimEnd(in.line))
	return p.find(t, depth+1)
}

// appendBytes appends the bytes of a list of numbers. journald writes text that is not
// printable as such a list.
func appendBytes(dst, list []byte) (out []byte, ok bool) {
	for number := range bytes.SplitSeq(list[1:len(list)-1], []byte(",")) {
		n := 0
		if len(number) == 0 || len(number) > 3 {
			return dst, false
		}
		for _, c := range number {
			if c-'0' > 9 {
				return dst, false
			}
			n = n*10 + int(c-'0')
		}
		if n > 255 {
			return dst, false
		}
		dst = append(dst, byte(n))
	}
	return dst, true
}

// lineValue is the value of a line key in an object.
type lineValue struct {
	rank   int    // index of the key in the line keys
	key    []byte // as written
	value  text   // ends at the end of value.b
	isText bool   // text or bytes, not an object
	outer  bool   // the key is not one that loggers use for their message
}

// members are the members of an object that a tool may have written around a line.
type members struct {
	p     *Parser
	scan  jsonScanner
	found [maxTexts]lineValue // by rank
	n     int
	texts int // how many of found are text

	levelled   bool // the object was written by a logger
	ours       bool // the object is a record of this package
	std        bool // "stream" is stdout or stderr
	kubernetes bool
	id, name   bool // of a container
	journal    bool
	cloud      bool
}

// member reads one member and skips its value.
func (m *members) member(key []byte) bool {
	s := &m.scan
	from := s.i
	if !s.value(1) {
		return false
	}
	value := s.b[from:s.i]
	switch string(key) {
	case "level", "Level", "@level", "lvl", "severity", "Severity", "loglevel", "log_level", "logLevel":
		m.levelled = true
	case "source":
		m.ours = string(value) == `"`+Source+`"`
	case "stream":
		m.std = string(value) == `"stderr"` || string(value) == `"stdout"`
	case "kubernetes":
		m.kubernetes = value[0] == '{'
	case "container_id":
		m.id = true
	case "container_name":
		m.name = true
	case "__REALTIME_TIMESTAMP", "__CURSOR", "_BOOT_ID":
		m.journal = true
	case "insertId", "logName":
		m.cloud = true
	}
	rank := m.p.rank(key)
	if rank < 0 || len(value) < 3 || value[0] != '"' && value[0] != '{' && value[0] != '[' {
		return true
	}
	if m.n == maxTexts {
		return false
	}
	list := value[0] == '[' && value[1] != '{'
	v := lineValue{rank: rank, key: key, value: text{b: s.b[:s.i], i: from}, isText: value[0] == '"' || list}
	switch string(key) {
	case "log", "MESSAGE", "textPayload", "jsonPayload", "log_processed":
		v.outer = true
	default:
		v.outer = m.p.chosen
	}
	if v.isText {
		m.texts++
	}
	i := m.n
	for ; i > 0 && m.found[i-1].rank > rank; i-- {
		m.found[i] = m.found[i-1]
	}
	m.found[i] = v
	m.n++
	return true
}

// proven reports whether the object has keys that only the tool writes that uses the line
// key of v. "message" is never proven: tools copy the keys of an application's JSON into
// their own object.
func (m *members) proven(v lineValue) bool {
	switch string(v.key) {
	case "log": // Docker, Fluent Bit, containerd
		return m.p.chosen || m.std || m.kubernetes || m.id && m.name
	case "MESSAGE":
		return m.p.chosen || m.journal
	case "textPayload":
		return m.p.chosen || m.cloud
	}
	return m.p.chosen
}

// rank returns the place of a key among the line keys, or -1.
func (p *Parser) rank(key []byte) int {
	for i, name := range p.opts.LineKeys {
		if string(key) == name {
			return i
		}
	}
	for i, name := range containers {
		if string(key) == name {
			return len(p.opts.LineKeys) + i
		}
	}
	return -1
}

// useLineKeys sets the default line keys if the caller has not chosen any.
func (p *Parser) useLineKeys() {
	p.chosen = len(p.opts.LineKeys) > 0 && !slices.Equal(p.opts.LineKeys, DefaultLineKeys)
	if !p.chosen {
		p.opts.LineKeys = DefaultLineKeys
	}
}
