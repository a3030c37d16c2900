package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-logfmt/logfmt"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// reference is what a line says, found the plain and slow way: one decoder of
// somebody else's for each layer, every layer decoded as a whole.
type reference struct {
	kind     parser.Kind
	time     time.Time
	took     time.Duration
	level    string
	instance string
	message  string
	access   map[string]any
	login    *parser.Login     // of an official message that is whole and unforged
	fields   map[string]string // of a request or an activity
}

func (r *reference) official() bool {
	return strings.HasPrefix(r.message, "successful login: username/") || strings.HasPrefix(r.message, "authentication failed: error/")
}

// terminal matches a line of logrus on a terminal: level, time, message, fields.
var terminal = regexp.MustCompile(`^\x1b\[\d+m[A-Z]+\x1b\[0m\[[^]]*\] log record emitted +.*?\x1b\[\d+mrecord\x1b\[0m=(".*")$`)

func decodeReference(line []byte) (ref reference) {
	line = bytes.TrimRight(line, "\r\n")
	doc, announced := recordOf(line)
	if !announced {
		requestReference(line, &ref)
		return ref
	}
	var rec struct {
		LogDate    time.Time
		Took       *int64
		Message    *string
		LogLevel   string
		InstanceID string `json:"instanceId"`
		Protocol   *int
	}
	if err := json.Unmarshal([]byte(doc), &rec); err != nil {
		ref.kind = parser.Malformed
		return ref
	}
	ref.time, ref.level, ref.instance = rec.LogDate, rec.LogLevel, rec.InstanceID
	switch {
	case rec.Message != nil && rec.Took != nil:
		ref.kind, ref.message, ref.took = parser.Log, *rec.Message, time.Duration(*rec.Took)
		switch {
		case ref.message == "action run started" && ref.took == 0:
			ref.kind = parser.RunStarted
		case ref.message == "action run succeeded" && ref.took > 0:
			ref.kind = parser.RunSucceeded
		case strings.HasPrefix(ref.message, "action run failed") && ref.took > 0:
			ref.kind = parser.RunFailed
		}
	case rec.Protocol != nil:
		ref.kind = parser.Access
		_ = json.Unmarshal([]byte(doc), &ref.access) // it was valid above
	default:
		ref.kind = parser.Malformed
	}
	if ref.kind == parser.Log && ref.official() {
		ref.login = officialReference(ref.message)
	}
	return ref
}

// recordOf returns the JSON of a log record and whether the line announces one.
func recordOf(line []byte) (doc string, announced bool) {
	if m := terminal.FindSubmatch(line); m != nil {
		doc, err := strconv.Unquote(string(m[1]))
		return doc, err == nil
	}
	if bytes.HasPrefix(line, []byte("{")) {
		var fields struct{ Msg, Record string }
		if json.Unmarshal(line, &fields) != nil || fields.Msg != "log record emitted" {
			return "", false
		}
		return fields.Record, true
	}
	// go-logfmt unquotes as JSON does; what Go's %q has besides (\x7f, \a, \v) is
	// an error to it, so that the record is unquoted by strconv instead.
	const key = ` record="`
	if i := bytes.Index(line, []byte(key)); i >= 0 && bytes.HasSuffix(line, []byte(`"`)) {
		d := logfmt.NewDecoder(bytes.NewReader(line[:i]))
		for d.ScanRecord() {
			for d.ScanKeyval() {
				if string(d.Key()) == "msg" && string(d.Value()) == "log record emitted" {
					doc, err := strconv.Unquote(string(line[i+len(key)-1:]))
					return doc, err == nil
				}
			}
		}
	}
	return "", false
}

const (
	beforeRequest = `, request/{"method":"`
	officialTail  = `, timestamp/(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \+0000 UTC), appID/(\d*), remoteAddr/(\S*)$`
)

var tail = regexp.MustCompile(officialTail)

// requestOf is the request JSON of an official message.
type requestOf struct {
	Method, URL, Host, RemoteAddr string
	Form, PostForm, Headers       map[string][]string
}

// wholeRequest finds the one request in a message: it is JSON to the very end.
func wholeRequest(message string) (before string, req *requestOf) {
	for i := 0; ; {
		d := strings.Index(message[i:], beforeRequest)
		if d < 0 {
			return "", nil
		}
		i += d
		doc := message[i+len(", request/"):]
		if json.Valid([]byte(doc)) {
			req = &requestOf{}
			if json.Unmarshal([]byte(doc), req) != nil {
				return "", nil
			}
			return message[:i], req
		}
		i++
	}
}

// officialReference is the login that an official message tells, where it is
// shorter than what ZITADEL cuts at and nothing in it is ambiguous.
func officialReference(message string) *parser.Login {
	if len(message) >= 1999 {
		return nil
	}
	before, req := wholeRequest(message)
	if req == nil {
		return nil
	}
	m := tail.FindStringSubmatchIndex(before)
	if m == nil || before[m[6]:m[7]] != req.RemoteAddr {
		return nil
	}
	l := &parser.Login{
		ChangeDate: before[m[2]:m[3]], ApplicationID: before[m[4]:m[5]], RemoteAddr: req.RemoteAddr,
		RequestMethod: req.Method, RequestURL: req.URL, RequestHost: req.Host,
		UserAgent:    strings.Join(req.Headers["User-Agent"], ", "),
		ForwardedFor: strings.Join(req.Headers["X-Forwarded-For"], ", "),
	}
	changed, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", l.ChangeDate)
	if err != nil {
		return nil
	}
	l.ChangeDate = changed.Format(time.RFC3339Nano)
	head := before[:m[0]]
	if user, ok := strings.CutPrefix(head, "successful login: username/"); ok {
		l.Outcome, l.UserName = "success", user
		return l
	}
	head = strings.TrimPrefix(head, "authentication failed: error/")
	if strings.Count(head, ", username/") != 1 {
		return nil
	}
	l.Outcome = "failure"
	l.Error, l.UserName, _ = strings.Cut(head, ", username/")
	return l
}

// requestReference decodes a line of the request log or the activity log, or leaves ref alone.
func requestReference(line []byte, ref *reference) {
	fields := map[string]string{}
	if bytes.HasPrefix(line, []byte("{")) {
		var doc map[string]any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if d.Decode(&doc) != nil {
			return
		}
		for k, v := range doc {
			if group, ok := v.(map[string]any); ok {
				for inner, v := range group {
					fields[k+"."+inner] = fmt.Sprint(v)
				}
				continue
			}
			fields[k] = fmt.Sprint(v)
		}
	} else {
		d := logfmt.NewDecoder(bytes.NewReader(line))
		for d.ScanRecord() {
			for d.ScanKeyval() {
				fields[string(d.Key())] = string(d.Value())
			}
		}
	}
	switch fields["msg"] {
	case "request served":
		ref.kind, ref.instance = parser.Served, fields["request.instance_id"]
		if fields["service"] == "grpc_gateway" {
			ref.kind = parser.Gateway
		}
		if ns, err := strconv.ParseInt(fields["duration"], 10, 64); err == nil {
			ref.took = time.Duration(ns)
		} else {
			ref.took, _ = time.ParseDuration(fields["duration"])
		}
	case "activity":
		ref.kind, ref.instance = parser.Activity, fields["instance"]
	default:
		return
	}
	ref.level = strings.ToLower(fields["level"])
	ref.time, _ = time.Parse(time.RFC3339Nano, fields["time"])
	ref.fields = fields
}
