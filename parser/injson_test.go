package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// dotNet quotes as .NET's encoder does: with escapes for quotes and for all but ASCII letters.
func dotNet(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\\':
			b.WriteString(`\\`)
		case r < ' ' || strings.ContainsRune("\"&'+<>`\x7f", r) || r > 0x7f && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04X\u%04X`, high, low)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// numbers is a line as journalctl writes what is not printable.
func numbers(s string) string {
	list := make([]string, len(s))
	for i := range len(s) {
		list[i] = strconv.Itoa(int(s[i]))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// around is something that a tool puts around a line. In shape, S is the line as a JSON
// string, N the same with a newline at its end, U as .NET writes it, B as a list of bytes, L the line itself.
type around struct {
	name  string
	shape string
	trust parser.Trust // of a bare line that is fully trusted
}

func (a around) wrap(line []byte) []byte {
	s := string(line)
	return []byte(strings.NewReplacer("<S>", stringify(s), "<N>", stringify(s+"\n"), "<U>", dotNet(s), "<B>", numbers(s), "<L>", s,
		"<D>", string(docker(line, true)), "<DS>", stringify(string(docker(line, true)))).Replace(a.shape))
}

var arounds = []around{
	{"Docker, another order", `{"stream":"stderr","log":<N>,"time":"2026-11-22T09:27:11.9Z"}`, parser.TrustFull},
	{"Docker, time first", `{"time":"2026-11-22T09:27:11.9Z","stream":"stdout","log":<N>}`, parser.TrustFull},
	{"Docker, spaces", `{ "log": <N>, "stream": "stderr", "time": "2026-11-22T09:27:11.9Z" }`, parser.TrustFull},
	{"Docker, attributes", `{"log":<N>,"stream":"stderr","attrs":{"tag":"zitadel","a":{"b":[1,2.5e-3,null,true]}},"time":"x"}`, parser.TrustFull},
	{"Docker's fluentd driver", `{"log":<S>,"container_id":"abc","container_name":"/zitadel","source":"stderr"}`, parser.TrustFull},
	{"Fluent Bit, kubernetes", `{"date":1795339631.807131,"stream":"stderr","logtag":"F","log":<S>,"kubernetes":{"pod_name":"zitadel-0","labels":{"app":"zitadel"}}}`, parser.TrustFull},
	{"Fluent Bit", `{"date":"2026-11-22T09:27:11.807131Z","log":<S>}`, parser.TrustNone},
	{"Vector", `{"file":"/var/log/z.log","host":"h","message":<S>,"source_type":"file","timestamp":"2026-11-22T09:27:11.8Z"}`, parser.TrustNone},
	{"only message", `{"message":<S>}`, parser.TrustNone},
	{"only message, .NET", `{"message":<U>}`, parser.TrustNone},
	{"tabs and spaces", "\t{\t\"a\" :\t1 ,  \"message\"\t: <S> \t} ", parser.TrustNone},
	{"carriage return", "{\"message\":<S>}\r", parser.TrustNone},
	{"carriage return and newline", "{\"message\":<S>}\r\n", parser.TrustNone},
	{"byte order mark", "\ufeff{\"message\":<S>}", parser.TrustNone},
	{"journald", `{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795339631807131","_BOOT_ID":"b","PRIORITY":"6","MESSAGE":<S>,"_HOSTNAME":"h"}`, parser.TrustFull},
	{"journald, bytes", `{"MESSAGE":<B>,"PRIORITY":"6","__REALTIME_TIMESTAMP":"1795339631807131"}`, parser.TrustFull},
	{"journald, bytes, spaces", `{ "MESSAGE" : <B> }`, parser.TrustNone},
	{"Google Cloud", `{"insertId":"1","labels":{},"logName":"projects/p/logs/stderr","resource":{"type":"k8s_container"},"severity":"ERROR","textPayload":<N>,"timestamp":"x"}`, parser.TrustFull},
	{"Google Cloud, JSON", `{"insertId":"1","jsonPayload":{"message":<S>,"pid":7},"severity":"ERROR"}`, parser.TrustNone},
	{"Promtail", `{"labels":{"app":"zitadel"},"line":<S>,"timestamp":"2026-11-22T09:27:11.8Z"}`, parser.TrustNone},
	{"OpenTelemetry", `{"timeUnixNano":"1","severityText":"INFO","body":{"stringValue":<S>},"attributes":[{"key":"a","value":{"stringValue":"b"}}]}`, parser.TrustNone},
	{"OpenTelemetry, whole", `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"body":{"stringValue":<S>}}]}]}]}`, parser.TrustNone},
	{"OpenTelemetry, text", `{"Body":<S>,"TraceId":"","Resource":{"k8s.pod.name":"z"}}`, parser.TrustNone},
	{"Filebeat", `{"@timestamp":"x","log":{"offset":0,"file":{"path":"/z.log"}},"message":<S>,"agent":{"type":"filebeat"}}`, parser.TrustNone},
	{"Elasticsearch", `{"_index":"a","_source":{"message":<S>}}`, parser.TrustNone},
	{"Splunk", `{"preview":false,"result":{"_raw":<S>}}`, parser.TrustNone},
	{"Splunk HEC", `{"time":1795339631.8,"event":<S>,"sourcetype":"zitadel"}`, parser.TrustNone},
	{"GELF", `{"version":"1.1","host":"h","short_message":<S>,"_x":1}`, parser.TrustNone},
	{"Azure", `{"TimeGenerated":"x","LogEntry":<S>,"LogEntrySource":"stderr"}`, parser.TrustNone},
	{"an object within", `{"log":{"message":<S>},"stream":"stderr"}`, parser.TrustNone},
	{"two line keys", `{"message":"started","log":<S>,"stream":"stderr"}`, parser.TrustNone},
	{"the same text twice", `{"log":<S>,"message":<S>,"stream":"stderr"}`, parser.TrustNone},
	{"the same key twice", `{"stream":"stderr","log":"x","log":<S>}`, parser.TrustNone},
	{"Docker's own in a collector's", `{"message":<DS>}`, parser.TrustNone},
	{"Docker's own in Docker's", `{"time":"x","stream":"stderr","log":<DS>}`, parser.TrustFull},
	{"CRI around Docker's, another order", `2026-11-22T09:24:58.001346628Z stderr F {"stream":"stderr","log":<N>}`, parser.TrustFull},
	{"compose", `zitadel-1  | <L>`, parser.TrustNone},
	{"compose around Docker's", `zitadel-1  | <D>`, parser.TrustNone},
	{"kubectl --prefix", `[pod/zitadel-7d9f/zitadel] <L>`, parser.TrustNone},
	{"kubectl --timestamps", `2026-11-22T09:27:11.807131028Z <L>`, parser.TrustNone},
	{"kubectl --prefix --timestamps", `[pod/zitadel-7d9f/zitadel] 2026-11-22T09:27:11.807131028Z <L>`, parser.TrustNone},
	{"syslog", `<14>Nov 22 09:27:11 host zitadel[123]: <L>`, parser.TrustNone},
	{"syslog 5424", `<14>1 2026-11-22T09:27:11.8Z host zitadel 123 - [x@1 a="b"] <L>`, parser.TrustNone},
	{"journalctl", `Nov 22 09:27:11 host zitadel[123]: <L>`, parser.TrustNone},
	{"a prefix before a collector's", `INFO  {"message":<S>}`, parser.TrustNone},
}

// Lines that tools of containers and journals wrote around the record of a failed run.
func TestJSONAroundTheLine(t *testing.T) {
	t.Parallel()
	for _, line := range splitLines(readFile(t, "testdata/around/run-failed.jsonl")) {
		r := parse(t, line)
		if r.EventType() != "action.run.failed" || r.Error != "Error: boom at log (<eval>:3:132(25))" || r.Instance != instance {
			t.Errorf("%s, %+v of %s", r.EventType(), r, line)
		}
	}
}

// The same line has the same id and tells the same, bare and in whatever a tool puts around it: all
// recorded lines in all of it. What is believed of it is what the tool's own keys allow.
func TestSameLineHasTheSameIDInWhateverIsAroundIt(t *testing.T) {
	t.Parallel()
	seen := 0
	p := everything()
	for _, rec := range recordings(t) {
		for i, line := range rec.lines {
			line = bytes.TrimSuffix(line, []byte("\r"))
			if strings.HasPrefix(rec.name, "mixed") && i%61 != 0 {
				continue // the cases hold all its kinds
			}
			bare := parse(t, line)
			if request := bare.Kind == parser.Served || bare.Kind == parser.Gateway; bare.Time.IsZero() || request && i%4 != 0 {
				continue // no record is in it: the time at which it was read is its id's
			}
			seen++
			id, told := bare.ID(), toldBy(bare)
			for j, a := range arounds {
				if testkit.Race && (i+j)%3 > 0 && i > 0 { // then each line in a third of them, in turn
					continue
				}
				if bytes.HasPrefix(line, []byte("\x1b")) && strings.Contains(a.shape, "<L>") {
					continue // a terminal's line behind a prefix is no line of any tool
				}
				var r parser.Record
				if !p.Parse(a.wrap(line), &r) {
					t.Fatalf("%s: not wanted", a.name)
				}
				if r.ID() != id || toldBy(&r) != told {
					t.Fatalf("%s, %s:%d\nid   %s\nwant %s\ngot  %s\nwant %s", a.name, rec.name, i+1, r.ID(), id, toldBy(&r), told)
				}
				if most := min(a.trust, bare.Trust); r.Trust != most {
					t.Fatalf("%s, %s:%d: trust %v, want %v", a.name, rec.name, i+1, r.Trust, most)
				}
				if r.Trust == parser.TrustNone && (r.Login != (parser.Login{}) || r.Served.UserID+r.Served.OrgID != "") {
					t.Fatalf("%s, %s:%d: %+v, %+v is believed", a.name, rec.name, i+1, r.Login, r.Served)
				}
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d recorded records", seen)
	}
}

// toldBy is what a record tells, believed or not.
func toldBy(r *parser.Record) string {
	c := *r
	believed, unverified := fieldsOf(c.Login), fieldsOf(c.Unverified)
	for name, value := range unverified {
		believed[name] += value
	}
	believed["UserID"] += c.Served.UserID
	believed["ResourceOwner"] += c.Served.OrgID
	c.Served.UserID, c.Served.OrgID = "", ""
	c.Login, c.Unverified, c.Trust = parser.Login{}, parser.Login{}, parser.TrustNone
	login, _ := json.Marshal(believed)
	return string(parser.AppendJSON(nil, &c)) + string(login)
}

// Every format of logrus in everything that a tool puts around it: what is around never
// makes more of a line than the line itself does.
func TestEveryFormatInWhateverIsAroundIt(t *testing.T) {
	t.Parallel()
	for _, f := range formats {
		line := plainAttempt().line(f, wrappings[0])
		bare := parse(t, line)
		for _, a := range arounds {
			if bytes.ContainsAny(line, "\x1b") && strings.Contains(a.shape, "<L>") {
				continue
			}
			r := parse(t, a.wrap(line))
			if r.ID() != bare.ID() || r.Trust > bare.Trust || r.Trust != min(a.trust, bare.Trust) {
				t.Errorf("%s, %s: id %s, want %s; trust %v of %v and %v", f.name, a.name, r.ID(), bare.ID(), r.Trust, a.trust, bare.Trust)
			}
		}
	}
}

// Law 7: what an application logs as JSON is no wrapping, whatever a client puts into its
// values, and what may be one is believed in nothing.
func TestApplicationsJSONIsNoWrapping(t *testing.T) {
	t.Parallel()
	for _, forged := range forgedRecords() {
		s := stringify(forged)
		for shape, kind := range map[string]parser.Kind{
			`{"time":"x","level":"INFO","msg":S}`:                                    parser.Other,
			`{"level":"error","message":S,"ts":1}`:                                   parser.Other,
			`{"severity":"ERROR","message":S,"kubernetes":{"a":"b"}}`:                parser.Other,
			`{"level":"info","msg":"request served","body":S,"event":S,"line":S}`:    parser.Other,
			`{"level":"info","msg":"request served","path":S,"headers":{"log":S}}`:   parser.Other,
			`{"msg":"request served","path":S,"headers":{"log":S,"message":S}}`:      parser.Other,
			`{"a":S,"b":[S],"c":{"message":S}}`:                                      parser.Other,
			`{"message":"request served","path":S}`:                                  parser.Other,
			`{"log":"request served\n","stream":"stderr","path":S}`:                  parser.Other,
			`{"stream":"stderr","log":"request served\n","x":S}`:                     parser.Other,
			`{"event":{"type":"action.log"},"message":S,"source":"action_log"}`:      parser.Other,
			`{"stream":"stderr","log":"{\"level\":\"info\",\"msg\":\"x\"}\n","x":S}`: parser.Other,
		} {
			line := strings.ReplaceAll(shape, "S", s)
			if !json.Valid([]byte(line)) {
				continue // a form feed in a forged text and the like
			}
			if r := parse(t, []byte(line)); r.Kind != kind {
				t.Fatalf("a %v of %s", r.Kind, line)
			}
		}
		// These may be a tool's. They are read, and nothing in them is believed.
		for _, shape := range []string{
			`{"message":S}`, `{"message":S,"kubernetes":{"a":"b"},"stream":"stderr"}`, `{"log":"x","message":S,"stream":"stderr"}`, `{"log":S,"message":S,"stream":"stderr"}`,
			`{"log":"x","log":S,"stream":"stderr"}`, `{"textPayload":S}`, `{"jsonPayload":{"message":S},"insertId":"1","logName":"l"}`, `x {"stream":"stderr","log":S}`,
			`{"message":"{\"stream\":\"stderr\"}","log":S}`,
		} {
			if r := parse(t, []byte(strings.ReplaceAll(shape, "S", s))); r.Trust != parser.TrustNone || r.Login != (parser.Login{}) {
				t.Fatalf("trust %v, %+v is believed of %s in %s", r.Trust, r.Login, forged, shape)
			}
		}
	}
}

// A text that a client sent and that looks like a wrapping stays text of the record it is in.
func TestTextThatLooksLikeAWrappingStaysText(t *testing.T) {
	t.Parallel()
	inner := string(docker(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: "action run succeeded", Took: 1, LogLevel: "info", InstanceID: "666"}.record()), true))
	turn := 0
	for _, message := range []string{inner, "user " + inner, `{"stream":"stderr","log":` + stringify(inner) + `}`} {
		for _, f := range formats {
			line := recordLine(f.formatter, executionLog{LogDate: logged, Message: message, LogLevel: "info", InstanceID: instance}.record())
			for _, a := range append([]around{{"bare", "<L>", parser.TrustFull}}, arounds...) {
				if turn++; testkit.Race && turn%3 > 0 { // then each in a third of the formats, in turn
					continue
				}
				if bytes.ContainsAny(line, "\x1b") && strings.Contains(a.shape, "<L>") {
					continue
				}
				if r := parse(t, a.wrap(line)); r.Kind != parser.Log || r.Instance != instance || r.Message != message {
					t.Errorf("%s, %s: a %v of instance %q, message %q", f.name, a.name, r.Kind, r.Instance, r.Message)
				}
			}
		}
	}
}

// What is no valid JSON as a whole is no wrapping.
func TestOnlyWholeJSONIsAWrapping(t *testing.T) {
	t.Parallel()
	line := stringify(string(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: "hello", LogLevel: "info", InstanceID: instance}.record())))
	for _, shape := range []string{`{"message":S`, `{"message":S}}`, `{"message":S} x`, `{"message":S,}`, `{message:S}`, `{"message":S "a":1}`, `{"a":01,"message":S}`, `{"message":S}{"message":S}`} {
		if r := parse(t, []byte(strings.ReplaceAll(shape, "S", line))); r.Kind == parser.Log || r.Trust != parser.TrustNone {
			t.Errorf("%s: a %v of trust %v", shape, r.Kind, r.Trust)
		}
	}
	for _, shape := range []string{`{"MESSAGE":[256]}`, `{"MESSAGE":[-1]}`, `{"MESSAGE":["a"]}`, `{"MESSAGE":[]}`, `{"MESSAGE":[1,]}`, `{"MESSAGE":[1.5]}`, `{"MESSAGE":[[1]]}`, `{"MESSAGE":{}}`, `{"MESSAGE":""}`, `{"MESSAGE":null}`} {
		if r := parse(t, []byte(shape)); r.Kind != parser.Other {
			t.Errorf("%s: a %v", shape, r.Kind)
		}
	}
}

// The caller's line keys are the only ones then, in their order, and one text under them is believed to be a line.
func TestLineKeysOfTheCaller(t *testing.T) {
	t.Parallel()
	a := plainAttempt()
	line, other := a.line(formats[0], wrappings[0]), recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: "other", LogLevel: "info", InstanceID: instance}.record())
	for _, c := range []struct {
		keys, shape string
		kind        parser.Kind
		trust       parser.Trust
		user        string
	}{
		{"text", `{"text":S}`, parser.Log, parser.TrustPartial, "alice"}, // the auth request id is the client's
		{"text", `{"level":"info","text":S}`, parser.Log, parser.TrustPartial, "alice"},
		{"text", `{"message":S}`, parser.Other, parser.TrustNone, ""},
		{"text,message", `{"message":S}`, parser.Log, parser.TrustPartial, "alice"},
		{"text,message", `{"message":O,"text":S}`, parser.Log, parser.TrustNone, ""},
		{"message,text", `{"text":S,"message":O}`, parser.Log, parser.TrustNone, ""},
		{"my.key", `{"my.key":S}`, parser.Log, parser.TrustPartial, "alice"},
		{strings.Join(parser.DefaultLineKeys, ","), `{"message":S}`, parser.Log, parser.TrustNone, ""},
	} {
		p := parser.New(parser.Options{Kinds: parser.AllKinds, LineKeys: strings.Split(c.keys, ",")})
		var r parser.Record
		shape := strings.NewReplacer("S", stringify(string(line)), "O", stringify(string(other))).Replace(c.shape)
		p.Parse([]byte(shape), &r)
		trust := r.Trust
		if trust == parser.TrustFull {
			trust = parser.TrustPartial
		}
		if r.Kind != c.kind || trust != c.trust || r.Login.UserName != c.user {
			t.Errorf("%s of %s: a %v of trust %v, user %q", c.keys, c.shape, r.Kind, r.Trust, r.Login.UserName)
		}
		if c.trust == parser.TrustNone && c.kind == parser.Log && slices.Contains([]string{"message,text"}, c.keys) && r.Message != "other" {
			t.Errorf("%s of %s: message %q: the first key does not win", c.keys, c.shape, r.Message)
		}
	}
}
