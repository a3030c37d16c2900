package parser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// What every recorded line is, when it was, and what it says, agrees with
// decoders that others wrote.
func TestRecordedLinesAreReadAsTheReferenceReadsThem(t *testing.T) {
	t.Parallel()
	seen := map[parser.Kind]int{}
	for _, rec := range recordings(t) {
		p := everything()
		for i, line := range rec.lines {
			ref := decodeReference(line)
			seen[ref.kind]++
			var r parser.Record
			if !p.Parse(line, &r) {
				t.Errorf("%s:%d: not wanted", rec.name, i+1)
				continue
			}
			if r.Kind != ref.kind {
				t.Errorf("%s:%d: kind %v, want %v", rec.name, i+1, r.Kind, ref.kind)
				continue
			}
			compareEnvelope(t, rec.name, i+1, &r, &ref)
		}
		total := uint64(0)
		for _, n := range p.Counts() {
			total += n
		}
		if total != uint64(len(rec.lines)) {
			t.Errorf("%s: counted %d lines of %d", rec.name, total, len(rec.lines))
		}
	}
	for _, k := range []parser.Kind{parser.Other, parser.Log, parser.RunStarted, parser.RunSucceeded, parser.RunFailed, parser.Access, parser.Served, parser.Gateway, parser.Activity} {
		if seen[k] == 0 {
			t.Errorf("no recorded line of kind %v: the reference is blind", k)
		}
	}
}

func compareEnvelope(t *testing.T, name string, line int, r *parser.Record, ref *reference) {
	t.Helper()
	if ref.kind == parser.Other {
		return
	}
	if !r.Time.Equal(ref.time) || r.Instance != ref.instance || r.Level != ref.level {
		t.Errorf("%s:%d: time %v instance %q level %q, want %v %q %q", name, line, r.Time, r.Instance, r.Level, ref.time, ref.instance, ref.level)
	}
	switch ref.kind {
	case parser.RunSucceeded, parser.RunFailed:
		if r.Took != ref.took {
			t.Errorf("%s:%d: took %v, want %v", name, line, r.Took, ref.took)
		}
		if want := strings.TrimPrefix(ref.message, "action run failed: "); ref.kind == parser.RunFailed && r.Error != want {
			t.Errorf("%s:%d: error %q, want %q", name, line, r.Error, want)
		}
	case parser.Served, parser.Gateway, parser.Activity:
		compareRequest(t, name, line, r, ref)
	case parser.Log:
		compareMessage(t, name, line, r, ref)
	case parser.Access:
		for field, got := range map[string]string{"requestedHost": r.Access.Host, "requestedDomain": r.Access.Domain, "projectId": r.Access.ProjectID} {
			if want, _ := ref.access[field].(string); got != want {
				t.Errorf("%s:%d: %s %q, want %q", name, line, field, got, want)
			}
		}
		if want, _ := ref.access["responseStatus"].(float64); float64(r.Access.Status) != want {
			t.Errorf("%s:%d: status %d, want %v", name, line, r.Access.Status, want)
		}
		if want := []string{"grpc", "http"}[int(ref.access["protocol"].(float64))]; r.Access.Protocol != want {
			t.Errorf("%s:%d: protocol %q, want %q", name, line, r.Access.Protocol, want)
		}
		url, _ := ref.access["requestUrl"].(string)
		if path, _, _ := strings.Cut(url, "?"); !strings.HasPrefix(r.Access.URL, path) {
			t.Errorf("%s:%d: URL %q, want %q", name, line, r.Access.URL, url)
		}
	}
}

func compareRequest(t *testing.T, name string, line int, r *parser.Record, ref *reference) {
	t.Helper()
	s, path := &r.Served, r.Served.Path
	want := map[string]string{
		ref.fields["request.id"]: s.ID, ref.fields["TraceID"]: s.TraceID, ref.fields["SpanID"]: s.SpanID, ref.fields["service"]: s.Service, ref.fields["protocol"]: s.Protocol,
		ref.fields["request.user_id"] + ref.fields["user"]: s.UserID, ref.fields["org"]: s.OrgID, ref.fields["http_method"] + ref.fields["requestMethod"]: s.HTTPMethod,
		ref.fields["trigger"]: s.Trigger, ref.fields["request.instance_host"] + ref.fields["domain"]: s.Host,
	}
	if s.Protocol == "http" || ref.kind == parser.Activity {
		want[ref.fields["method"]] = s.Operation
	} else {
		path = s.Operation
	}
	want[ref.fields["path"]] = path
	for want, got := range want {
		if got != want {
			t.Errorf("%s:%d: %q, want %q", name, line, got, want)
		}
	}
	if code, n := ref.fields["code"], s.Status; code != "" && (code != s.Code || (code == "OK") != (n == 0)) {
		t.Errorf("%s:%d: code %q %d, want %q", name, line, s.Code, n, code)
	}
	if status := ref.fields["status"] + ref.fields["httpStatus"]; status != "" && s.Protocol != "grpc" && status != fmt.Sprint(s.Status) && status != fmt.Sprint(s.HTTPStatus) {
		t.Errorf("%s:%d: status %d or %d, want %s", name, line, s.Status, s.HTTPStatus, status)
	}
	if r.Took != ref.took {
		t.Errorf("%s:%d: took %v, want %v", name, line, r.Took, ref.took)
	}
	if r.Trust != parser.TrustFull {
		t.Errorf("%s:%d: trust %v", name, line, r.Trust)
	}
}

func compareMessage(t *testing.T, name string, line int, r *parser.Record, ref *reference) {
	t.Helper()
	coloured := strings.Contains(name, "tty")
	switch {
	case !ref.official():
		if r.Format != parser.FormatText || r.Message != ref.message {
			t.Errorf("%s:%d: format %v message %.300q, want text %.300q", name, line, r.Format, r.Message, ref.message)
		}
		if r.Login != (parser.Login{}) || r.Unverified != (parser.Login{}) {
			t.Errorf("%s:%d: a login from a message that tells none", name, line)
		}
		return
	case r.Format != parser.FormatOfficial || r.Message != "":
		t.Errorf("%s:%d: format %v message %.100q of an official message", name, line, r.Format, r.Message)
		return
	case ref.login == nil: // cut
		if !r.Cut || r.Trust == parser.TrustFull {
			t.Errorf("%s:%d: a message of %d bytes: cut %v, trust %v", name, line, len(ref.message), r.Cut, r.Trust)
		}
		return
	}
	got, trust := r.Login, parser.TrustFull
	if coloured {
		if got != (parser.Login{}) {
			t.Errorf("%s:%d: %+v is believed in a format without quotes", name, line, got)
		}
		got, trust = r.Unverified, parser.TrustNone
		got.AuthRequestID = ""
	}
	if diff := cmp.Diff(*ref.login, got); diff != "" {
		t.Errorf("%s:%d: -want +got\n%s", name, line, diff)
	}
	if r.Trust != trust && (coloured || r.Trust != parser.TrustPartial || r.Unverified.AuthRequestID == "") {
		t.Errorf("%s:%d: trust %v, want %v", name, line, r.Trust, trust)
	}
}
