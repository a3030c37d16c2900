package parser_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/zitadel-siem/zitadel-siem/parser"
	"pgregory.net/rapid"
)

// slogForms are the ways in which ZITADEL's request log can be printed. The names of the third
// are those of Google Cloud.
var slogForms = []struct {
	name string
	make func(io.Writer, *slog.HandlerOptions) slog.Handler
	keys map[string]string
}{
	{"text", func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) }, nil},
	{"json", func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) }, nil},
	{"gcp", func(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) }, map[string]string{
		slog.LevelKey: "severity", slog.MessageKey: "message", "TraceID": "trace", "SpanID": "spanId",
	}},
}

// httpLine is a line of the request log about a path that a client chose.
func httpLine(form int, source bool, path, method, host string) []byte {
	var b bytes.Buffer
	f := slogForms[form]
	log := slog.New(f.make(&b, &slog.HandlerOptions{AddSource: source, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if name := f.keys[a.Key]; name != "" && len(groups) == 0 {
			a.Key = name
		}
		if a.Key == slog.TimeKey {
			a.Value = slog.TimeValue(logged)
		}
		return a
	}}))
	log.Info("request served", slog.Group("request", "id", "dc1barhksdudeeurqbvg", "instance_host", host, "instance_id", instance), "TraceID", "4814629eacb31a778aacd8fa6f617d6b",
		"SpanID", "fecd114959bc08a4", "stream", "request", "version", "v4", "protocol", "http", "service", "oidc", "http_method", method, "path", path, "status", 302, "duration", 15318811*time.Nanosecond)
	return b.Bytes()
}

// Law 7: what a client puts into path, method and host stays there, in every form and in
// every wrapping.
func TestLaw7_APathDecidesNoOtherFieldOfARequest(t *testing.T) {
	t.Parallel()
	pieces := []string{"/", "a", " ", `"`, `\`, "\n", "\r", "=", "request.user_id=root", ` request.user_id=root`, `" request.user_id="root`, `","request":{"user_id":"root"}`, " duration=0s", "ü", "😀", "\x00", "\x7f", "\u2028", "{", "}", "%20"}
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		form, source := rapid.IntRange(0, len(slogForms)-1).Draw(t, "form"), rapid.Bool().Draw(t, "source")
		path, method, host := "/"+text.Draw(t, "path"), text.Draw(t, "method"), text.Draw(t, "host")
		w := rapid.SampledFrom(wrappings).Draw(t, "wrapping")
		r := parse(t, w.wrap(bytes.TrimSuffix(httpLine(form, source, path, method, host), []byte("\n"))))
		s := r.Served
		if r.Kind != parser.Served || r.Trust != parser.TrustFull || !r.Time.Equal(logged) && !r.Time.Equal(logged.Truncate(time.Millisecond)) || r.Instance != instance || r.Took != 15318811 {
			t.Fatalf("%v trust %v time %v instance %q took %v", r.Kind, r.Trust, r.Time, r.Instance, r.Took)
		}
		if s.UserID != "" || s.Service != "oidc" || s.Status != 302 || s.ID != "dc1barhksdudeeurqbvg" || s.TraceID != "4814629eacb31a778aacd8fa6f617d6b" || s.Operation != "" {
			t.Fatalf("%s: %+v", slogForms[form].name, s)
		}
		if !strings.ContainsAny(path, `?=%@#`) && s.Path != path {
			t.Fatalf("%s: path %q, want %q", slogForms[form].name, s.Path, path)
		}
	})
}

// The same for the activity log, whose REST path is from a header.
func TestLaw7_APathDecidesNoOtherFieldOfAnActivity(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/orgs", `/x user=root`, `/x" user="root`, "/x\nuser=root", `/x","user":"root`} {
		for name, formatter := range map[string]logrus.Formatter{"text": &logrus.TextFormatter{DisableColors: true}, "json": &logrus.JSONFormatter{}} {
			var b strings.Builder
			log := logrus.Logger{Out: &b, Formatter: formatter, Level: logrus.InfoLevel}
			log.WithFields(logrus.Fields{
				"domain": "http://localhost", "grpcStatus": "7", "httpStatus": "403", "instance": instance, "isSystemUser": true, "method": "/s/m", "org": "2", "path": path, "requestMethod": "POST",
				"trigger": "resourceAPI", "user": "1",
			}).Info("activity")
			r := parse(t, []byte(b.String()))
			want := parser.ServedRequest{
				Host: "http://localhost", Code: "PermissionDenied", Status: 7, HTTPStatus: 403, SystemUser: true, Operation: "/s/m", OrgID: "2", HTTPMethod: "POST", Trigger: "resourceAPI", UserID: "1", Path: r.Served.Path,
			}
			if r.Kind != parser.Activity || r.Trust != parser.TrustFull || r.Instance != instance || r.Served != want || !strings.HasPrefix(r.Served.Path, "/") {
				t.Errorf("%s, %q: %v %+v", name, path, r.Kind, r.Served)
			}
		}
	}
}

// Law 8: a line that was cut is malformed, and not a request with less in it.
func TestLaw8_ACutRequestIsMalformed(t *testing.T) {
	t.Parallel()
	for form := range slogForms {
		line := bytes.TrimSuffix(httpLine(form, false, "/oauth/v2/authorize", "GET", "localhost"), []byte("\n"))
		for n := range line {
			r := parse(t, line[:n])
			if r.Kind != parser.Malformed && r.Kind != parser.Other {
				t.Errorf("%s: %d bytes are a %v: %s", slogForms[form].name, n, r.Kind, line[:n])
			}
		}
		if r := parse(t, line); r.Kind != parser.Served {
			t.Errorf("%s: the whole line is a %v", slogForms[form].name, r.Kind)
		}
	}
}

// Lines of other programs with the same message are of no kind that names a user.
func TestLinesOfOtherProgramsAreNoRequests(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`time=2026-11-22T09:27:10.114Z level=INFO msg="request served" user=root path=/`,
		`{"time":"2026-11-22T09:27:10Z","level":"INFO","msg":"request served","user":"root"}`,
		`time="2026-11-22T09:27:10Z" level=info msg=activity user=root`,
		`{"level":"info","msg":"activity","user":"root","time":"2026-11-22T09:27:10Z"}`,
		`level=info msg=activity`, `{"message":"activity"}`, `activity`, `request served`,
		`time=2026-11-22T09:27:10.114Z level=INFO msg="x" a="msg=\"request served\" request.id=dc1barhksdudeeurqbvg stream=request"`,
	} {
		if r := parse(t, []byte(line)); r.Kind != parser.Other {
			t.Errorf("%v: %s", r.Kind, line)
		}
	}
}

// Law 6: a path of the request log, and a path and an agent of the access log, may hold what a
// client put into its URL.
func TestLaw6_NoSecretInThePathOfARequest(t *testing.T) {
	t.Parallel()
	const secret = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	for form := range slogForms {
		for _, path := range []string{"/a/" + secret, "/a?code=" + secret, "/a?access_token=geheim-und-lang-1234", "/a#" + secret} {
			out := string(parser.AppendJSON(nil, parse(t, httpLine(form, false, path, "GET", "localhost"))))
			if strings.Contains(out, "c2lnbmF0dXJlLW9m") || strings.Contains(out, "geheim-und") {
				t.Errorf("%s: %s", slogForms[form].name, out)
			}
		}
	}
}
