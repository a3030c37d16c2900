package parser

import (
	"bytes"
	"strconv"
)

// MaxLine is how much of a line is read, 1 MiB. ZITADEL's longest record has about 15 kB
// (2,000 bytes of message, each escaped as six bytes and quoted again).
const MaxLine = 1 << 20

// marker is the message of every line that ZITADEL's log store prints.
const marker = "log record emitted"

// text is a part of a line, b[i:], whose quotes are at layer n.
type text struct {
	b []byte
	i int
	n uint
}

// verdict is the result of looking for a record in a line.
type verdict uint8

const (
	foreign  verdict = iota // not a line that this package knows
	found                   // the record begins here
	guessed                 // the same, but a client may have written the marker
	unclear                 // the format does not allow a certain answer
	broken                  // the marker is there, but no record
	answered                // a line of the request log begins here
	active                  // a line of the activity log begins here
)

// hit reports whether the line is known, and where it begins.
func (v verdict) hit() bool { return v == found || v == answered || v == active }

// wrapping is what a container runtime wrote around a line.
type wrapping uint8

const (
	bare wrapping = iota
	inCRI
	inDocker
	wrappings = iota
)

// unwrap removes Docker's JSON or CRI's prefix from a line. partial reports that the line
// continues in the next one.
func unwrap(line []byte) (t text, in wrapping, partial bool) {
	if inner, flag, ok := cri(line); ok {
		return text{b: inner}, inCRI, flag == 'P'
	}
	const head = `{"log":"`
	if at(line, 0, head) {
		if end := logEnd(line, len(head)); at(line, end, `","stream":"`) {
			inner := line[:end]
			whole := trimEscape(inner, len(head), 'n')
			return text{b: trimEscape(whole, len(head), 'r'), i: len(head), n: 1}, inDocker, len(whole) == len(inner)
		}
	}
	return text{b: line}, bare, false
}

// logEnd returns the end of the string that begins at b[from] if another key follows it, or
// len(b). Quotes inside the string have backslashes.
func logEnd(b []byte, from int) int {
	for i := from; ; i++ {
		n := bytes.Index(b[i:], []byte(`","`))
		if n < 0 {
			return len(b)
		}
		if i += n; slashes(b[from:], i-from)%2 == 0 {
			return i
		}
	}
}

// trimEscape removes the escape \c from the end of b[from:]. After an escaped backslash, c is
// an ordinary letter.
func trimEscape(b []byte, from int, c byte) []byte {
	end := len(b) - 1
	if end <= from || b[end] != c {
		return b
	}
	if slashes(b[from:], end-from)%2 == 0 {
		return b
	}
	return b[:end-1]
}

// cri splits a line of the container runtime interface into its fields: time, stream, flag
// F (full) or P (partial), content.
func cri(line []byte) (content []byte, flag byte, ok bool) {
	// 2016-10-06T00:17:09.669794202Z stderr F content
	if len(line) < 30 || line[4] != '-' || line[10] != 'T' || line[0]-'0' > 9 {
		return nil, 0, false
	}
	space := bytes.IndexByte(line[:min(len(line), 40)], ' ')
	if space < 0 || !at(line, space, " stdout ") && !at(line, space, " stderr ") {
		return nil, 0, false
	}
	rest := line[space+len(" stdout "):]
	if len(rest) < 2 || rest[0] != 'F' && rest[0] != 'P' || rest[1] != ' ' && rest[1] != ':' {
		return nil, 0, false
	}
	flags := bytes.IndexByte(rest, ' ') // "F", or "P:" and additions of newer runtimes
	if flags < 0 {
		return nil, 0, false
	}
	return rest[flags+1:], rest[0], true
}

// locate finds the record in a line in one of logrus's formats, text or JSON.
func locate(t text) (record text, v verdict) {
	if t.i < len(t.b) && t.b[t.i] == '{' {
		f := jsonFields{scan: jsonScanner{b: t.b, i: t.i, n: t.n}}
		return f.locate()
	}
	return t.logfmt()
}

// fixed is how many pairs logrus writes before the fields: time, level, message.
const fixed = 3

// logfmt reads key=value pairs from the left. Text in quotes is never taken for a key. A
// value that logrus would quote and that is not quoted shows that quoting is off: then
// nothing behind it is certain.
func (t text) logfmt() (record text, v verdict) {
	q := quote[t.n]
	announced, loose := false, false
	for i, pair := t.i, 0; i < len(t.b); pair++ {
		eq := bytes.IndexByte(t.b[i:], '=')
		if eq <= 0 {
			break
		}
		key := t.b[i : i+eq]
		if bytes.IndexByte(key, ' ') >= 0 || bytes.IndexByte(key, '"') >= 0 {
			break
		}
		i += eq + 1
		quoted := at(t.b, i, q)
		if quoted && announced && string(key) == "record" && at(t.b, i+len(q), "{") {
			if loose {
				return text{}, unclear
			}
			return text{t.b, i + len(q), t.n + 1}, found
		}
		var value []byte
		if quoted {
			from := i + len(q)
			end, next, how := stringEnd(t.b, from, t.n)
			if how != closed || next < len(t.b) && t.b[next] != ' ' {
				break
			}
			value, i = t.b[from:end], next+1
		} else {
			end := bytes.IndexByte(t.b[i:], ' ')
			if end < 0 {
				end = len(t.b) - i
			}
			value = t.b[i : i+end]
			loose = loose || !only(value, bareBytes)
			i += end + 1
		}
		switch {
		case string(value) == marker && pair < fixed:
			announced = true
		case string(key) != "msg":
		case quoted && string(value) == servedMarker && at(t.b, t.i, "time="):
			return t, answered // slog's text: it never quotes a time
		case !loose && string(value) == activityMarker:
			return t, active
		case !quoted && string(value) == "log": // perhaps the marker, unquoted
			return text{}, unclear
		default:
			return text{}, foreign
		}
		if !announced && !loose && (pair >= fixed || i >= len(t.b)) {
			return text{}, foreign
		}
	}
	if announced {
		return text{}, broken
	}
	return text{}, unclear
}

// bareBytes are the bytes of values that logrus does not quote.
var bareBytes = setOf("-._/@^+")

// jsonFields searches the members of a JSON line. The message is a member of the line. The
// record is too, or it is one level deeper, because logrus can write fields in an object
// (DataKey). In deeper levels, a client can choose the names.
type jsonFields struct {
	scan      jsonScanner
	depth     int
	announced bool // the message is the marker
	guessed   bool // another value is the marker: logrus can give the message any name
	line      verdict
	foreign   bool
	record    int // where the content of "record" begins; 0: not found yet
}

func (f *jsonFields) locate() (record text, v verdict) {
	begin := f.scan.i
	whole := f.scan.object(0, f.member)
	switch {
	case f.line != foreign:
		return text{f.scan.b, begin, f.scan.n}, f.line
	case f.foreign:
		return text{}, foreign
	case f.announced && f.record > 0:
		return text{f.scan.b, f.record, f.scan.n + 1}, found
	case (f.announced || f.guessed) && !whole:
		return text{}, broken
	case f.guessed && f.record > 0:
		return text{f.scan.b, f.record, f.scan.n + 1}, guessed
	case whole:
		return text{}, foreign
	}
	return text{}, unclear
}

// member reads one value; false ends the search.
func (f *jsonFields) member(key []byte) bool {
	s := &f.scan
	if at(s.b, s.i, "{") && f.depth == 0 {
		f.depth++
		ok := s.object(f.depth, f.member)
		f.depth--
		return ok
	}
	if !at(s.b, s.i, quote[s.n]) {
		return s.value(1)
	}
	from := s.i + len(quote[s.n])
	if string(key) == "record" && f.record == 0 && at(s.b, from, "{") {
		f.record = from
		if f.announced {
			return false // the record's end is searched later
		}
	}
	value, ok := s.quoted()
	switch {
	case !ok || f.depth > 0:
		return ok
	case string(key) == "msg", string(key) == "message": // the name of slog and logrus, and a common other name
		switch string(value.of(s.b)) {
		case servedMarker:
			f.line = answered
			return false
		case activityMarker:
			f.line = active
			return false
		}
		f.announced = string(value.of(s.b)) == marker
		f.foreign = !f.announced
		return f.announced && f.record == 0
	case string(value.of(s.b)) == marker:
		f.guessed = true
	}
	return true
}

// search looks for a record in a line of unclear format: unquoted text, terminal colours, a
// prefix that a tool has added.
func (t text) search() (record text, v verdict) {
	said := bytes.Index(t.b[t.i:], []byte(marker))
	if said < 0 {
		return t.searchRequest()
	}
	for i := t.i + said; ; {
		d := bytes.Index(t.b[i:], []byte("record"))
		if d < 0 {
			return text{}, broken
		}
		i += d + len("record")
		at0 := i
		for _, reset := range [...]string{"\x1b[0m", `\u001b[0m`} { // the latter in Docker's JSON
			if at(t.b, i, reset) {
				at0 = i + len(reset)
			}
		}
		if !at(t.b, at0, "=") {
			continue
		}
		at0++
		switch {
		case at(t.b, at0, "{"):
			return text{t.b, at0, t.n}, found
		case at(t.b, at0, quote[t.n]):
			return text{t.b, at0 + len(quote[t.n]), t.n + 1}, found
		}
	}
}

// searchRequest looks for a line of the request log or the activity log behind a prefix.
func (t text) searchRequest() (record text, v verdict) {
	for _, said := range [...]string{"msg=" + quote[t.n] + servedMarker + quote[t.n], "msg=" + activityMarker + " "} {
		i := bytes.Index(t.b[t.i:], []byte(said))
		if i < 0 {
			continue
		}
		if begin := bytes.LastIndex(t.b[t.i:t.i+i], []byte("time=")); begin > 0 {
			if record, v = (text{t.b, t.i + begin, t.n}).logfmt(); v.hit() {
				return record, v
			}
		}
	}
	return text{}, foreign
}

// digits reads a decimal number, which may be negative.
func digits(b []byte, i int) (v int64, next int, ok bool) {
	from := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	if i-from > 19 {
		return 0, i, false
	}
	v, err := strconv.ParseInt(string(b[from:i]), 10, 64)
	return v, i, err == nil
}
