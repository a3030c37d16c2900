package parser

import "bytes"

// told is the place of a field among lineFields.
type told uint8

const (
	unnamed told = iota
	toldTime
	toldLevel
	toldID
	toldHost
	toldPublicHost
	toldInstance
	toldUser
	toldTrace
	toldSpan
	toldStream
	toldProtocol
	toldService
	toldHTTPMethod
	toldPath
	toldCode
	toldStatus
	toldDuration
	toldOrg
	toldMethod
	toldTrigger
	toldSystem
	tolds
)

// servedName returns the field of a key of the request log. The names of Google Cloud are
// severity, trace and spanId.
func servedName(key []byte) told {
	switch string(key) {
	case "time":
		return toldTime
	case "level", "severity":
		return toldLevel
	case "request.id":
		return toldID
	case "request.instance_host":
		return toldHost
	case "request.public_host":
		return toldPublicHost
	case "request.instance_id":
		return toldInstance
	case "request.user_id":
		return toldUser
	case "TraceID", "trace":
		return toldTrace
	case "SpanID", "spanId":
		return toldSpan
	case "stream":
		return toldStream
	case "protocol":
		return toldProtocol
	case "service":
		return toldService
	case "http_method":
		return toldHTTPMethod
	case "path":
		return toldPath
	case "code":
		return toldCode
	case "status":
		return toldStatus
	case "duration":
		return toldDuration
	}
	return unnamed
}

// groupName returns the field of a key in the object "request" of JSON.
func groupName(key []byte) told {
	switch string(key) {
	case "id":
		return toldID
	case "instance_host":
		return toldHost
	case "public_host":
		return toldPublicHost
	case "instance_id":
		return toldInstance
	case "user_id":
		return toldUser
	}
	return unnamed
}

// activityName returns the field of a key of the activity log.
func activityName(key []byte) told {
	switch string(key) {
	case "time":
		return toldTime
	case "level":
		return toldLevel
	case "domain":
		return toldHost
	case "instance":
		return toldInstance
	case "user":
		return toldUser
	case "org":
		return toldOrg
	case "method":
		return toldMethod
	case "requestMethod":
		return toldHTTPMethod
	case "path":
		return toldPath
	case "grpcStatus":
		return toldCode
	case "httpStatus":
		return toldStatus
	case "trigger":
		return toldTrigger
	case "isSystemUser":
		return toldSystem
	}
	return unnamed
}

// toldValue is a value, and how often it is quoted.
type toldValue struct {
	span
	layers uint
}

// lineFields are the fields of a line of either log. Of two with one name, the first counts.
type lineFields struct {
	b    []byte
	v    [tolds]toldValue
	seen [tolds]bool
	name func(key []byte) told
}

func (f *lineFields) set(name told, s span, layers uint) {
	if !f.seen[name] {
		f.seen[name], f.v[name] = true, toldValue{s, layers}
	}
}

func (f *lineFields) of(name told) []byte { return f.v[name].of(f.b) }

// read reads all fields of the line at t. It returns false if the line is not complete.
func (f *lineFields) read(t text) bool {
	f.b = t.b
	if at(t.b, t.i, "{") {
		return f.json(t)
	}
	q := quote[t.n]
	for i := t.i; i < len(t.b); {
		eq := bytes.IndexByte(t.b[i:], '=')
		if eq <= 0 {
			return false
		}
		key := t.b[i : i+eq]
		if bytes.IndexByte(key, ' ') >= 0 || bytes.IndexByte(key, '"') >= 0 {
			return false
		}
		i += eq + 1
		if at(t.b, i, q) {
			from := i + len(q)
			end, next, how := stringEnd(t.b, from, t.n)
			if how != closed || next < len(t.b) && t.b[next] != ' ' {
				return false
			}
			f.set(f.name(key), span{from, end}, t.n+1)
			i = next + 1
			continue
		}
		end := bytes.IndexByte(t.b[i:], ' ')
		if end < 0 {
			end = len(t.b) - i
		}
		f.set(f.name(key), span{i, i + end}, t.n)
		i += end + 1
	}
	return true
}

func (f *lineFields) json(t text) bool {
	s := jsonScanner{b: t.b, i: t.i, n: t.n}
	nested := false
	var member func(key []byte) bool
	member = func(key []byte) bool {
		if !nested && string(key) == "request" && at(s.b, s.i, "{") {
			nested = true
			ok := s.object(1, member)
			nested = false
			return ok
		}
		name := f.name(key)
		if nested {
			name = groupName(key)
		}
		if at(s.b, s.i, quote[s.n]) {
			value, ok := s.quoted()
			f.set(name, value, s.n+1)
			return ok
		}
		from := s.i
		ok := s.value(1)
		f.set(name, span{from, s.i}, s.n)
		return ok
	}
	return s.object(0, member)
}

func (f *lineFields) number(name told) (n int64, ok bool) {
	b := f.of(name)
	if len(b) == 0 || b[0]-'0' > 9 { // an error would allocate
		return 0, false
	}
	n, end, ok := digits(b, 0)
	return n, ok && end == len(b)
}

// code reads a gRPC code: its number, its name in gRPC (NotFound), or its name in connect
// (not_found; 0 is code_0).
func (f *lineFields) code(name told) (code string, n int64) {
	if n, ok := f.number(name); ok && 0 <= n && n < int64(len(codes)) {
		return codes[n], n
	}
	b := f.of(name)
	if string(b) == "code_0" {
		return codes[0], 0
	}
	for i, code := range codes {
		if sameWord(b, code) {
			return code, int64(i)
		}
	}
	return "", unknownCode
}

// sameWord compares without regard to case and underscores.
func sameWord(b []byte, word string) bool {
	i := 0
	for _, c := range b {
		if c == '_' {
			continue
		}
		if i == len(word) || c|0x20 != word[i]|0x20 {
			return false
		}
		i++
	}
	return i == len(word)
}

// codes are the names of gRPC's codes, by number.
var codes = [...]string{
	"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied", "ResourceExhausted",
	"FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
}

// unknownCode is gRPC's Unknown.
const unknownCode = 2
