package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// forgedRecords are whole lines, and parts of lines, as somebody who can choose a
// value in another line would write them.
func forgedRecords() (all []string) {
	record := executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record()
	for _, f := range formats {
		line := string(recordLine(f.formatter, record))
		all = append(all, line, "\n"+line, `" `+line, `x" `+line+` y="`, ` `+line, strings.ReplaceAll(line, `\`, ``), strings.ReplaceAll(line, `"`, ``))
	}
	return append(all, logMessage, `msg="`+logMessage+`" record="`+record+`"`, ` record=`+record, `", "msg":"`+logMessage+`","record":`+stringify(record)+`,"a":"`,
		"log record emitted record="+record, "log record emitted \x1b[36mrecord\x1b[0m="+record, record)
}

// A line whose message is another one is no log record, whatever its values hold.
func TestOtherLinesAreNeverTakenForRecords(t *testing.T) {
	t.Parallel()
	record, turn := forgedRecords()[0], 0
	for i, forged := range forgedRecords() {
		for j, f := range formats {
			if !f.quoted || testkit.Race && (i+j)%3 > 0 { // then each text in a third of the formats, in turn
				continue
			}
			for _, fields := range []logrus.Fields{
				{"path": forged}, {"a": forged, "path": forged}, {"record": forged}, {"error": fmt.Errorf("%s", forged)}, {"a": logMessage, "b": "record=" + forged, "zz": forged},
				{"a": logMessage, "record": forged}, {"zzzz": logMessage, "record": forged}, {"caller": logMessage, "record": forged}, {"a": logMessage, "record": record},
				{"headers": map[string]string{"a": logMessage, "msg": logMessage, "record": forged}}, {"h": map[string]any{"b": map[string]string{"a": logMessage, "record": record}}},
				{"data": map[string]string{"msg": logMessage, "record": forged}}, {"fields": []string{logMessage, "record", forged}},
			} {
				// Where the message may have any name, one of these can be it.
				anyName := strings.Contains(f.name, "field map") || strings.Contains(f.name, "message ")
				if a, ok := fields["record"]; ok && a != nil && len(fields) > 1 && anyName {
					continue
				}
				// Each with one of the messages and one of the wrappings, all of them in turn.
				turn++
				messages := []string{"activity", "request served", forged + " ", "a=b c"}
				line, w := logLine(f.formatter, messages[turn%len(messages)], fields), wrappings[turn/len(messages)%len(wrappings)]
				r := parse(t, w.wrap(line))
				// Where any key may be the message's, another value can announce a record.
				if r.Kind != parser.Other && (r.Kind != parser.Malformed || !anyName) {
					t.Errorf("%s, %s: a %v of %.400s", f.name, w.name, r.Kind, line)
					return
				}
			}
		}
	}
}

// slog writes ZITADEL's own operation, in text or JSON; what it quotes stays quoted.
func TestSlogLinesAreNeverTakenForRecords(t *testing.T) {
	t.Parallel()
	turn := 0
	for _, forged := range forgedRecords() {
		for _, name := range []string{"text", "json"} {
			for _, message := range []string{"request served", "x", forged + ".", "log record emitted by somebody"} {
				var out bytes.Buffer
				var h slog.Handler = slog.NewTextHandler(&out, nil)
				if name == "json" {
					h = slog.NewJSONHandler(&out, nil)
				}
				slog.New(h).Info(message, "path", forged, "error", fmt.Errorf("%s", forged), slog.Group("request", "msg", logMessage, "record", forged), "record", forged)
				if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
					t.Fatalf("slog wrote more than one line: %q", out.Bytes())
				}
				around := wrappings
				if testkit.Race {
					turn++
					around = []wrapping{wrappings[0], wrappings[1+turn%(len(wrappings)-1)]}
				}
				for _, w := range around {
					if r := parse(t, w.wrap(bytes.TrimSpace(out.Bytes()))); r.Kind != parser.Other {
						t.Errorf("%s, %s: a %v of %.400s", name, w.name, r.Kind, out.Bytes())
						return
					}
				}
			}
		}
	}
}

// Where text is printed raw, what is not known to be quoted is believed nowhere. Behind
// a newline a forger has a line to himself: it cannot be told from a true one, and no
// promise says otherwise (see the limits in doc.go).
func TestUnquotedFormatsAreNotBelieved(t *testing.T) {
	t.Parallel()
	believed := 0
	for _, forged := range forgedRecords() {
		for _, f := range formats {
			if f.quoted {
				continue
			}
			line := logLine(f.formatter, "activity", logrus.Fields{"path": forged})
			line, own, _ := bytes.Cut(line, []byte("\n"))
			if r := parse(t, line); r.Trust != parser.TrustNone && r.Login != (parser.Login{}) {
				t.Errorf("%s: trust %v login %+v of %.300q", f.name, r.Trust, r.Login, line)
				return
			}
			if r := parse(t, own); r.Trust == parser.TrustFull {
				believed++
			}
			// Every true record of such a log says what log it is.
			record := executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record()
			if r := parse(t, recordLine(f.formatter, record)); r.Kind != parser.Log || r.Trust != parser.TrustNone {
				t.Errorf("%s: a true record is a %v of trust %v", f.name, r.Kind, r.Trust)
			}
		}
	}
	if believed == 0 {
		t.Error("no forged line is believed: the limits in doc.go and docs/security.md say less than what holds")
	}
}

// A value that reads like the message, under a name that may be the message's, is
// believed in nothing; beside a true message it announces nothing at all.
func TestRenamedMessagesAreNotBelieved(t *testing.T) {
	t.Parallel()
	record := stringify(executionLog{LogDate: logged, Message: plainAttempt().message(), LogLevel: "info", InstanceID: instance}.record())
	for line, kind := range map[string]parser.Kind{
		`{"level":"info","message":"request served","path":"log record emitted","z":{"record":` + record + `}}`: parser.Other,
		`{"level":"info","path":"log record emitted","record":` + record + `,"message":"request served"}`:       parser.Other,
		`{"level":"info","path":"log record emitted","record":` + record + `,"msg":"request served"}`:           parser.Other,
		`{"severity":"INFO","text":"request served","path":"log record emitted","z":{"record":` + record + `}}`: parser.Log,
		`{"severity":"INFO","path":"log record emitted","z":{"record":` + record + `}}`:                         parser.Log,
		`{"severity":"INFO","path":"log record emitted","z":{"record":` + record[:len(record)-20]:               parser.Malformed,
	} {
		r := parse(t, []byte(line))
		if r.Kind != kind || r.Trust != parser.TrustNone || r.Login != (parser.Login{}) {
			t.Errorf("a %v, trust %v, login %+v of %s", r.Kind, r.Trust, r.Login, line)
		}
	}
}

// Random other lines: values, and names of values further in, are a client's.
func TestRandomOtherLinesAreNeverTakenForRecords(t *testing.T) {
	t.Parallel()
	forged := forgedRecords()
	rapid.Check(t, func(t *rapid.T) {
		value := func(label string) string {
			return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(forged), rapid.SampledFrom(pieces), rapid.String()), 0, 4).Draw(t, label), "")
		}
		fields := logrus.Fields{}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"caller", "path", "record", "user", "zz", "data", "error"}), rapid.ID[string]).Draw(t, "names") {
			if rapid.IntRange(0, 3).Draw(t, "nested") == 0 {
				fields[name] = map[string]string{value("key"): value("value"), "record": value("nested record")}
			} else {
				fields[name] = value(name)
			}
		}
		f := rapid.SampledFrom(formats).Draw(t, "format")
		if !f.quoted {
			return
		}
		line := logLine(f.formatter, rapid.SampledFrom([]string{"activity", "request served"}).Draw(t, "message"), fields)
		r := parse(t, rapid.SampledFrom(wrappings).Draw(t, "wrapping").wrap(line))
		if r.Kind != parser.Other && (r.Kind != parser.Malformed || !strings.Contains(f.name, "field map")) {
			t.Fatalf("%s: a %v of %.800q", f.name, r.Kind, line)
		}
	})
}

// Odd lines are Other or Malformed, with their text where it was asked for (law 8).
func TestWhatIsNotUnderstoodIsKept(t *testing.T) {
	t.Parallel()
	good := string(recordLine(formats[0].formatter, executionLog{LogDate: logged, Message: "hello", LogLevel: "info", InstanceID: instance}.record()))
	for line, kind := range map[string]parser.Kind{
		"": parser.Other, " ": parser.Other, "\x00": parser.Other, "{": parser.Other, "{}": parser.Other, "null": parser.Other, `{"log":"`: parser.Other, "=": parser.Other, "a=": parser.Other, `a="`: parser.Other,
		"2026-11-22T09:24:58.001346628Z stderr F ": parser.Other, "panic: runtime error": parser.Other, logMessage: parser.Malformed,
		strings.Replace(good, `"{\"logDate`, `"[{\"logDate`, 1):                 parser.Malformed,
		strings.Replace(good, `\"message\"`, `\"nachricht\"`, 1):                parser.Malformed,
		strings.Replace(good, `2026-11-22T09:24:58.169`, `2026-13-45T99:24`, 1): parser.Malformed,
		good[:len(good)-2]:  parser.Malformed,
		good[:len(good)-30]: parser.Malformed,
		strings.Replace(good, `record=`, `recorded=`, 1): parser.Malformed,
	} {
		r := parse(t, []byte(line))
		if r.Kind != kind && line != logMessage {
			t.Errorf("%.400q is a %v, want %v", line, r.Kind, kind)
		}
		if (r.Kind == parser.Other || r.Kind == parser.Malformed) && r.Raw == "" && strings.TrimSpace(line) != "" {
			t.Errorf("%q: the line is lost", line)
		}
		var out map[string]any
		if err := json.Unmarshal(parser.AppendJSON(nil, r), &out); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}
