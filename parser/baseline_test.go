package parser_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logfmt/logfmt"
	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// simple is what the baselines tell of an official line: what Parse tells, but for trust.
type simple struct {
	time                                                       time.Time
	level, instance                                            string
	outcome, err, user, changed, app, peer                     string
	method, url, host, userAgent, forwardedFor, authRequestIDs string
}

// baselines do the job of Parse on bare lines of logrus text, as one would
// write it with well-known packages. Where ZITADEL cut the request, they tell
// what stands before it.
var baselines = []struct {
	name  string
	parse func(line []byte) (simple, bool)
}{
	{"logfmt+json+regexp", parseWithRegexp},
	{"unquote+gjson", parseWithGJSON},
}

var officialPattern = regexp.MustCompile(`(?s)^(?:(successful) login: |authentication failed: error/(.*), )username/(.*), timestamp/([^,]*), appID/([^,]*), remoteAddr/([^,]*), request/(\{"method".*)$`)

// request as the official script prints it.
type simpleRequest struct {
	Method, URL, Host string
	Form, Headers     map[string][]string
}

func parseWithRegexp(line []byte) (s simple, ok bool) {
	d := logfmt.NewDecoder(bytes.NewReader(line))
	var message, record []byte
	for d.ScanRecord() {
		for d.ScanKeyval() {
			switch string(d.Key()) {
			case "msg":
				message = bytes.Clone(d.Value())
			case "record":
				record = bytes.Clone(d.Value())
			}
		}
	}
	var rec struct {
		LogDate           time.Time
		Message, LogLevel string
		InstanceID        string `json:"instanceId"`
	}
	if d.Err() != nil || string(message) != logMessage || json.Unmarshal(record, &rec) != nil {
		return s, false
	}
	s.time, s.level, s.instance = rec.LogDate, rec.LogLevel, rec.InstanceID
	m := officialPattern.FindStringSubmatch(rec.Message)
	if m == nil {
		return s, false
	}
	s.outcome = "failure"
	if m[1] != "" {
		s.outcome = "success"
	}
	s.err, s.user, s.changed, s.app, s.peer = m[2], m[3], m[4], m[5], m[6]
	var req simpleRequest
	if json.Unmarshal([]byte(m[7]), &req) == nil {
		s.method, s.url, s.host = req.Method, req.URL, req.Host
		s.userAgent, s.forwardedFor = strings.Join(req.Headers["User-Agent"], ", "), strings.Join(req.Headers["X-Forwarded-For"], ", ")
		s.authRequestIDs = strings.Join(req.Form["authRequestID"], ", ")
	}
	return s, true
}

func parseWithGJSON(line []byte) (s simple, ok bool) {
	const before, key = `msg="log record emitted"`, ` record="`
	i := bytes.Index(line, []byte(key))
	if i < 0 || !bytes.Contains(line[:i], []byte(before)) {
		return s, false
	}
	record, err := strconv.Unquote(string(line[i+len(key)-1:]))
	if err != nil || !gjson.Valid(record) {
		return s, false
	}
	rec := gjson.GetMany(record, "logDate", "message", "logLevel", "instanceId")
	if s.time, err = time.Parse(time.RFC3339Nano, rec[0].Str); err != nil {
		return s, false
	}
	s.level, s.instance = rec[2].Str, rec[3].Str
	message, isSuccess := strings.CutPrefix(rec[1].Str, "successful login: username/")
	s.outcome = "success"
	if !isSuccess {
		if message, ok = strings.CutPrefix(message, "authentication failed: error/"); !ok {
			return s, false
		}
		s.outcome = "failure"
		if s.err, message, ok = strings.Cut(message, ", username/"); !ok {
			return s, false
		}
	}
	i = strings.LastIndex(message, `, request/{"method"`)
	if i < 0 {
		return s, false
	}
	request := message[i+len(", request/"):]
	message = message[:i]
	for _, f := range []struct {
		sep string
		dst *string
	}{{", remoteAddr/", &s.peer}, {", appID/", &s.app}, {", timestamp/", &s.changed}} {
		if i = strings.LastIndex(message, f.sep); i < 0 {
			return s, false
		}
		*f.dst, message = message[i+len(f.sep):], message[:i]
	}
	s.user = message
	if gjson.Valid(request) {
		req := gjson.GetMany(request, "method", "url", "host", "headers.User-Agent", "headers.X-Forwarded-For", "form.authRequestID")
		s.method, s.url, s.host = req[0].Str, req[1].Str, req[2].Str
		s.userAgent, s.forwardedFor, s.authRequestIDs = joined(req[3]), joined(req[4]), joined(req[5])
	}
	return s, true
}

func joined(list gjson.Result) string {
	var values []string
	list.ForEach(func(_, v gjson.Result) bool {
		values = append(values, v.Str)
		return true
	})
	return strings.Join(values, ", ")
}

// The baselines do the same job: on recorded lines they tell what Parse tells.
func TestBaselinesTellWhatParseTells(t *testing.T) {
	t.Parallel()
	for _, line := range recordedOfficial(t) {
		if !bytes.HasPrefix(line, []byte("time=")) {
			continue
		}
		r := parse(t, line)
		l := r.Login
		if r.Cut {
			l = r.Unverified
			l.Outcome = r.Login.Outcome
		}
		want := simple{r.Time, r.Level, r.Instance, l.Outcome, l.Error, l.UserName, l.ChangeDate, l.ApplicationID, l.RemoteAddr, l.RequestMethod, l.RequestURL, l.RequestHost, l.UserAgent, l.ForwardedFor, r.Unverified.AuthRequestID}
		if r.Cut {
			want.method, want.url, want.host, want.userAgent, want.forwardedFor, want.authRequestIDs = "", "", "", "", "", ""
		}
		for _, base := range baselines {
			got, ok := base.parse(line)
			if !ok {
				t.Errorf("%s refuses %s", base.name, line)
				continue
			}
			if changed, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", got.changed); err == nil {
				got.changed = changed.Format(time.RFC3339Nano)
			}
			if r.Trust == parser.TrustPartial && l.UserName == "" { // which is which cannot be told, and the baselines do not know
				continue
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(simple{})); diff != "" {
				t.Errorf("%s: -want +got\n%s\n%.1500s", base.name, diff, line)
			}
		}
	}
}
