package parser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// Law 6: no password, cookie, token or form value leaves. A line that lost its
// end, wherever, is the hardest: no JSON in it is whole.
func TestCutLinesLeakNoSecret(t *testing.T) {
	t.Parallel()
	a := plainAttempt()
	a.form = append(a.form, header{"code", []string{secretSign + `"}}` + secretSign}}, header{`a"b\`, []string{secretSign + `\"]` + secretSign}})
	a.post = a.form
	a.headers = append(a.headers, header{"Authorization", []string{"Bearer " + secretSign}})
	for _, f := range formats {
		for _, w := range wrappings {
			line := a.line(f, w)
			step := 37 // every byte where it is quoted once, some of them everywhere
			if w.name == "bare" && (f.name == "text" || f.name == "json") {
				step = 1
			}
			for end := 0; end < len(line); end += step {
				checkNoSecretInRaw(t, line[:end], fmt.Sprintf("%s, %s, cut at %d", f.name, w.name, end))
				if t.Failed() {
					return
				}
			}
		}
	}
}

// The same with hostile names and values, cut or not, and for a script that
// logs the request in its own words.
func TestHostileLinesLeakNoSecret(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anAttempt(t)
		f := rapid.SampledFrom(formats).Draw(t, "format")
		w := rapid.SampledFrom(wrappings).Draw(t, "wrapping")
		line := a.line(f, w)
		if rapid.Bool().Draw(t, "cut") {
			line = line[:rapid.IntRange(0, len(line)).Draw(t, "end")]
		}
		where := fmt.Sprintf("%s, %s, %d bytes of %s", f.name, w.name, len(line), short(a.message()))
		checkNoSecretInRaw(t, line, where)
	})
}

// A script of somebody's own, that logs the request: its message is kept as text, scrubbed.
func TestTextWithARequestLeaksNoSecret(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anAttempt(t)
		before := rapid.SampledFrom([]string{"", "login ", `{"request":`, "user " + a.user + " ", "successful login of "}).Draw(t, "before")
		message := before + a.request()
		if strings.HasPrefix(before, "{") {
			message += "}"
		}
		f := rapid.SampledFrom(formats).Draw(t, "format")
		line := recordLine(f.formatter, executionLog{LogDate: logged, Message: message, LogLevel: "info", InstanceID: instance}.record())
		if rapid.IntRange(0, 3).Draw(t, "wrapped") == 0 {
			line = docker(line, true)
		}
		r := parse(t, line)
		if r.Kind != parser.Log || r.Format != parser.FormatText || r.Login != (parser.Login{}) {
			t.Fatalf("kind %v format %v login %+v of %s", r.Kind, r.Format, r.Login, short(message))
		}
		checkNoSecret(t, r, f.name+", "+short(message))
	})
}

// A dump of the request under other names of a script's own choosing.
func TestRequestInOtherShapesLeaksNoSecret(t *testing.T) {
	t.Parallel()
	a := plainAttempt()
	request := a.request()
	indented := &bytes.Buffer{}
	if err := json.Indent(indented, []byte(request), "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string]string{
		"request": request, "indented": indented.String(), "quoted once more": stringify(request), "twice more": stringify(stringify(request)),
		"quoted in an object": `{"req":` + stringify(request) + `}`, "form alone": stringifyMap(a.form), "upper case": strings.ReplaceAll(request, `"form"`, `"Form"`),
		"cookie": "zitadel.useragent=" + secretSign + "; zitadel.login.csrf=" + secretSign, "cookie header": "Cookie: a=" + secretSign + "; b=" + secretSign,
		"code": "redirected to http://localhost:19999/cb?code=" + secretSign + "&state=st", "code behind another": "/cb?state=st&code=" + secretSign, "authorization": "Authorization: Bearer " + secretSign,
	} {
		t.Run(name, func(t *testing.T) { requestInShape(t, message) })
	}
}

func requestInShape(t *testing.T, message string) {
	for _, f := range formats {
		for _, w := range wrappings {
			where := f.name + ", " + w.name
			// Such text also is what a run fails with, and what other lines hold.
			log := executionLog{LogDate: logged, Message: message, LogLevel: "info", InstanceID: instance}
			checkNoSecret(t, parse(t, w.wrap(recordLine(f.formatter, log.record()))), where)
			log.Took, log.Message = 1, "action run failed: "+message
			checkNoSecret(t, parse(t, w.wrap(recordLine(f.formatter, log.record()))), "failed, "+where)
			checkNoSecret(t, parse(t, w.wrap(logLine(f.formatter, "something else", logrus.Fields{"request": message}))), "other, "+where)
		}
	}
}

// An access record tells of a request what an audit trail wants, without codes.
func TestAccessRecordsLeakNoSecret(t *testing.T) {
	t.Parallel()
	for _, f := range formats {
		for _, w := range wrappings {
			record := fmt.Sprintf(`{"logDate":"2026-11-22T09:24:58.001346628Z","protocol":1,"requestUrl":%s,"responseStatus":302,`+
				`"requestHeaders":{"authorization":["Bearer %[2]s"],"cookie":["%[2]s"],"user-agent":["Mozilla"],"x-forwarded-for":["6.6.6.6"],"referer":["http://a/?code=%[2]s"]},`+
				`"responseHeaders":{"location":["http://localhost:19999/cb?code=%[2]s"],"set-cookie":["%[2]s"]},`+
				`"instanceId":%[3]q,"projectId":"7","requestedDomain":"localhost","requestedHost":"localhost:18080"}`,
				`"/oauth/v2/authorize?client_id=5\u0026code=`+secretSign+`\u0026state=`+secretSign+`"`, secretSign, instance)
			line := w.wrap(recordLine(f.formatter, record))
			r := parse(t, line)
			where := f.name + ", " + w.name
			if r.Kind != parser.Access || r.Access.Status != 302 || r.Access.UserAgent != "Mozilla" || r.Access.Host != "localhost:18080" || r.Instance != instance {
				t.Errorf("%s: %v %+v", where, r.Kind, r.Access)
			}
			checkNoSecret(t, r, where)
			step := 7
			if testkit.Race && (w.name != "bare" || f.name != "text" && f.name != "json") {
				step = 61
			}
			for end := len(line) / 2; end < len(line); end += step {
				checkNoSecretInRaw(t, line[:end], where)
			}
		}
	}
}

// checkNoSecretInRaw parses line and scrubs it, and looks for secrets in both.
func checkNoSecretInRaw(t fataler, line []byte, where string) {
	t.Helper()
	checkNoSecret(t, parse(t, line), where)
	if out := string(parser.Scrub(nil, line)); strings.Contains(out, secretSign) {
		i := strings.Index(out, secretSign)
		t.Fatalf("Scrub leaves a secret: %q\n%s", out[max(0, i-150):min(len(out), i+60)], where)
	}
}

// Quotes and braces that a client types never end the removal early: the name stands bare in the
// message, before the form, and so does an error.
func TestScrubIsNotLedAstrayByWhatAClientTypes(t *testing.T) {
	t.Parallel()
	hostile := []string{`"form":{"a":"`, `"form":{`, `"form":[`, `"form":{"`, `"postForm":{"a":["`, `\"form\":{\"`, `"form":{"a":"\`, `form":{`, `"headers":{"Cookie":["`, `{"form":{}`, `"form":{}}`}
	typed := []string{`"}}`, `"]}`, `"`, `}`, `]}`, `"}}"`, `\"}}`, `\`, `{`, `"form":{}`, `,"x":"`}
	for i, name := range hostile {
		for j, password := range typed {
			a := plainAttempt()
			a.user = name
			secret := secretSign + password + secretSign
			a.form = []header{{"loginName", []string{name}}, {"password", []string{secret}}, {"code", []string{secret}}}
			a.post = a.form
			for k, f := range formats {
				if testkit.Race && (i+j+k)%3 > 0 { // then each pair in a third of the formats, in turn
					continue
				}
				line := a.line(f, wrappings[0])
				for _, end := range []int{len(line), len(line) - 1, len(line) - 60, len(line) * 3 / 4} {
					checkNoSecretInRaw(t, line[:end], fmt.Sprintf("%s, name %s, password %s, %d of %d bytes", f.name, name, secret, end, len(line)))
				}
			}
		}
	}
}

// Law 6: white space, as tools write JSON anew, hides no form.
func TestFormsGoWithBlanksAroundTheColon(t *testing.T) {
	t.Parallel()
	for _, blanks := range []string{"", " ", "\t", "\n", "\r\n", "\n\t  ", `\n`, `\n  `, `\\n\\t`} {
		for _, shape := range []string{`{"form"*:{"answer":"S"}}`, `{"form":*{"answer":"S"}}`, `{"form"*:*["S"]}`, `x \"postForm\"*:*{\"answer\":\"S\"}`, `{"a":"n\\n","form"*:*{"answer":"S"}}`} {
			in := strings.ReplaceAll(strings.ReplaceAll(shape, "*", blanks), "S", secretSign)
			if out := string(parser.Scrub(nil, []byte(in))); strings.Contains(out, secretSign) {
				t.Errorf("%q leaves %q", in, out)
			}
		}
	}
	for _, s := range []string{`"forms": {"a":1}`, `"form": 7`, `form: {a}`, `"platform":{"a":1}`} {
		if out := string(parser.Scrub(nil, []byte(s))); out != s {
			t.Errorf("%q became %q", s, out)
		}
	}
}

// Law 6 for the URLs of access records: tokens in the path, names in escapes.
func TestURLsLeakNoSecret(t *testing.T) {
	t.Parallel()
	const S = "hunter2x"
	for url, want := range map[string]string{
		"/a/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c": "/a/*",
		"/a/ghp_abcdefghijklmnop1234567890/b":          "/a/*/b",
		"/a/Bearer eyJabcabcabc":                       "/a/Bearer *",
		"/cb?code=" + S:                                "/cb?code=*",
		"/cb?%70assword%3D" + S:                        "/cb?*",
		"/cb?error=%70assword%3D" + S:                  "/cb?error=%70assword%3D*",
		"/login/%70assword=" + S:                       "/login/%70assword=*",
		"/login/%70assword%3D" + S + "%26id%3D1":       "/login/%70assword%3D*%26id%3D1",
		"/cb%3Fcode=" + S:                              "/cb%3Fcode=*",
		"/ui/login/password":                           "/ui/login/password",
		"/oauth/v2/authorize?client_id=5&prompt=login": "/oauth/v2/authorize?client_id=5&prompt=login",
	} {
		record := fmt.Sprintf(`{"logDate":"2026-11-22T09:24:58.001346628Z","protocol":1,"requestUrl":%q,"responseStatus":302,"instanceId":%q}`, url, instance)
		r := parse(t, recordLine(formats[0].formatter, record))
		if want = strings.ReplaceAll(want, "*", "[REDACTED]"); r.Kind != parser.Access || r.Access.URL != want {
			t.Errorf("%q:\ngot  %q\nwant %q", url, r.Access.URL, want)
		}
	}
}
