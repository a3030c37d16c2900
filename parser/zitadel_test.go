package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// This file writes lines as ZITADEL does, so that tests know the truth behind
// a line: the script's text, ZITADEL's record, logrus, the container's runtime.

// header is one name with its values, of a form or of HTTP headers. Lists of
// them have an order of their own, as Go's maps have when goja walks them.
type header struct {
	key    string
	values []string
}

// attempt is one login as the official script sees it.
type attempt struct {
	failed     bool
	err, user  string
	changed    time.Time
	app, peer  string
	method     string
	url, host  string
	form, post []header
	headers    []header
	length     int
}

// message is what ZITADEL's example post_auth_log.js logs.
func (a *attempt) message() string {
	var b strings.Builder
	if a.failed {
		fmt.Fprintf(&b, "authentication failed: error/%s, username/%s", a.err, a.user)
	} else {
		fmt.Fprintf(&b, "successful login: username/%s", a.user)
	}
	fmt.Fprintf(&b, ", timestamp/%s, appID/%s, remoteAddr/%s, request/%s", a.changed, a.app, a.peer, a.request())
	return b.String()
}

// request is JSON.stringify(ctx.v1.httpRequest).
func (a *attempt) request() string {
	return fmt.Sprintf(`{"method":%s,"url":%s,"proto":"HTTP/1.1","contentLength":%d,"host":%s,"form":%s,"postForm":%s,"remoteAddr":%s,"headers":%s}`,
		stringify(a.method), stringify(a.url), a.length, stringify(a.host), stringifyMap(a.form), stringifyMap(a.post), stringify(a.peer), stringifyMap(a.headers))
}

func stringifyMap(m []header) string {
	var b strings.Builder
	for i, h := range m {
		fmt.Fprintf(&b, "%s%s:[", []string{",", ""}[btoi(i == 0)], stringify(h.key))
		for j, v := range h.values {
			b.WriteString([]string{",", ""}[btoi(j == 0)] + stringify(v))
		}
		b.WriteByte(']')
	}
	return "{" + b.String() + "}"
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stringify quotes as JSON.stringify does: no HTML escapes, no \u2028.
func stringify(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			if i := strings.IndexRune("\b\t\n\f\r", r); i >= 0 {
				b.WriteString(`\` + "btnfr"[i:i+1])
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// get returns the values of a header joined as HTTP joins them.
func get(m []header, key string) string {
	for _, h := range m {
		if h.key == key {
			return strings.Join(h.values, ", ")
		}
	}
	return ""
}

// executionLog is ZITADEL's record of what an action logs.
type executionLog struct {
	LogDate    time.Time      `json:"logDate"`
	Took       time.Duration  `json:"took"`
	Message    string         `json:"message,omitempty"`
	LogLevel   string         `json:"logLevel"`
	InstanceID string         `json:"instanceId"`
	ActionID   string         `json:"actionId,omitempty"`
	Metadata   map[string]any `json:"metadata,omitempty"`
}

// cutMessage is ZITADEL's cutString(message, 2000).
func cutMessage(s string) string {
	if len(s) <= 2000 {
		return s
	}
	return s[:1999]
}

// record is the JSON that ZITADEL's log store prints.
func (e executionLog) record() string {
	e.Message = cutMessage(e.Message)
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(b)
}

// decoded is the message that a reader of the record gets: a rune that was cut
// is U+FFFD there.
func decoded(message string) string {
	cut := cutMessage(message)
	if !utf8.ValidString(cut) {
		return string([]rune(cut))
	}
	return cut
}

const (
	caller     = "/home/runner/work/zitadel/zitadel/internal/logstore/emitters/stdout/stdout.go:19"
	logMessage = "log record emitted"
)

// logLine is what logrus writes for fields, without the newline.
func logLine(f logrus.Formatter, message string, fields logrus.Fields) []byte {
	var out bytes.Buffer
	l := logrus.New()
	l.SetOutput(&out)
	l.SetFormatter(f)
	l.WithFields(fields).WithTime(time.Date(2026, 11, 22, 9, 24, 58, 0, time.UTC)).Info(message)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// recordLine is logLine of a record as ZITADEL's log store emits it.
func recordLine(f logrus.Formatter, record string) []byte {
	return logLine(f, logMessage, logrus.Fields{"caller": caller, "record": record})
}

// reversed is JSON as some tool writes it anew: the message comes last.
type reversed struct{}

func (reversed) Format(e *logrus.Entry) ([]byte, error) {
	line, err := (&logrus.JSONFormatter{}).Format(e)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(members))
	slices.Reverse(names)
	names = append(slices.DeleteFunc(names, func(name string) bool { return name == "msg" }), "msg")
	var out []string
	for _, name := range names {
		out = append(out, stringify(name)+":"+string(members[name]))
	}
	return []byte("{" + strings.Join(out, ",") + "}\n"), nil
}

// format is a way to log: quoted says that text cannot leave its place in it, and that
// its message has one of the two names that are known.
type format struct {
	name      string
	formatter logrus.Formatter
	quoted    bool
}

func text(change func(*logrus.TextFormatter)) logrus.Formatter {
	f := &logrus.TextFormatter{DisableColors: true}
	change(f)
	return f
}

// formats are logrus's, with the options that ZITADEL's configuration can set.
var formats = []format{
	{"text", text(func(*logrus.TextFormatter) {}), true},
	{"text, force quote", text(func(f *logrus.TextFormatter) { f.ForceQuote = true }), true},
	{"text, no timestamp", text(func(f *logrus.TextFormatter) { f.DisableTimestamp = true }), true},
	{"text, unsorted", text(func(f *logrus.TextFormatter) { f.DisableSorting = true }), true},
	{"text, full timestamp of another layout", text(func(f *logrus.TextFormatter) { f.FullTimestamp, f.TimestampFormat = true, time.StampNano }), true},
	{"text, padded levels, empty quoted", text(func(f *logrus.TextFormatter) { f.PadLevelText, f.QuoteEmptyFields = true, true }), true},
	{"text, field map", text(func(f *logrus.TextFormatter) {
		f.FieldMap = logrus.FieldMap{logrus.FieldKeyTime: "@timestamp", logrus.FieldKeyLevel: "severity", logrus.FieldKeyMsg: "message"}
	}), true},
	{"text, unquoted", text(func(f *logrus.TextFormatter) { f.DisableQuote = true }), false},
	{"text, unquoted, field map", text(func(f *logrus.TextFormatter) {
		f.DisableQuote, f.FieldMap = true, logrus.FieldMap{logrus.FieldKeyTime: "@timestamp", logrus.FieldKeyLevel: "severity", logrus.FieldKeyMsg: "message"}
	}), false},
	{"colours", &logrus.TextFormatter{ForceColors: true}, false},
	{"colours, full timestamp", &logrus.TextFormatter{ForceColors: true, FullTimestamp: true, DisableLevelTruncation: true}, false},
	{"colours, unquoted", &logrus.TextFormatter{ForceColors: true, DisableQuote: true}, false},
	{"json", &logrus.JSONFormatter{}, true},
	{"json, no html escapes", &logrus.JSONFormatter{DisableHTMLEscape: true}, true},
	{"json, no timestamp", &logrus.JSONFormatter{DisableTimestamp: true}, true},
	{"json, field map", &logrus.JSONFormatter{FieldMap: logrus.FieldMap{logrus.FieldKeyTime: "@timestamp", logrus.FieldKeyLevel: "severity", logrus.FieldKeyMsg: "message"}}, true},
	{"json, message behind the record", &logrus.JSONFormatter{FieldMap: logrus.FieldMap{logrus.FieldKeyMsg: "zzz"}}, false},
	{"json, message first", &logrus.JSONFormatter{FieldMap: logrus.FieldMap{logrus.FieldKeyMsg: "a"}}, false},
	{"json, in reverse", reversed{}, true},
	{"json, data key", &logrus.JSONFormatter{DataKey: "data"}, true},
	{"json, data key behind", &logrus.JSONFormatter{DataKey: "zdata", DisableHTMLEscape: true}, true},
}

// wrapping is what a container's runtime makes of a line.
type wrapping struct {
	name string
	wrap func(line []byte) []byte
}

func docker(line []byte, html bool) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(string(line) + "\n"); err != nil {
		panic(err) // a string
	}
	return fmt.Appendf(nil, `{"log":%s,"stream":"stderr","time":"2026-11-22T09:24:58.001346628Z"}`, bytes.TrimSpace(b.Bytes()))
}

var wrappings = []wrapping{
	{"bare", func(line []byte) []byte { return line }},
	{"newline", func(line []byte) []byte { return append(bytes.Clone(line), '\n') }},
	{"CRLF", func(line []byte) []byte { return append(bytes.Clone(line), "\r\n"...) }},
	{"Docker", func(line []byte) []byte { return docker(line, true) }},
	{"Docker, no html escapes", func(line []byte) []byte { return docker(line, false) }},
	{"Docker, CRLF", func(line []byte) []byte { return docker(append(bytes.Clone(line), '\r'), true) }},
	{"CRI", func(line []byte) []byte {
		return append([]byte("2026-11-22T09:24:58.001346628Z stderr F "), line...)
	}},
	{"CRI, local time", func(line []byte) []byte {
		return append([]byte("2026-11-22T10:24:58.001346628+01:00 stdout F "), line...)
	}},
}

// truth is what a parser that sees everything would tell of a.
func (a *attempt) truth() parser.Login {
	l := parser.Login{
		Outcome: "success", UserName: a.user, ChangeDate: a.changed.Format(time.RFC3339Nano), ApplicationID: a.app, RemoteAddr: a.peer,
		RequestMethod: a.method, RequestURL: a.url, RequestHost: a.host, UserAgent: get(a.headers, "User-Agent"), ForwardedFor: get(a.headers, "X-Forwarded-For"),
	}
	if a.failed {
		l.Outcome, l.Error = "failure", a.err
	}
	return l
}
