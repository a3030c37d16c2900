package parser_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/parser"
	"pgregory.net/rapid"
)

const instance = "400712317102197798"

var logged = time.Date(2026, 11, 22, 9, 24, 58, 169853012, time.UTC)

// line is an attempt as it stands in a file.
func (a *attempt) line(f format, w wrapping) []byte {
	return w.wrap(recordLine(f.formatter, executionLog{LogDate: logged, Message: a.message(), LogLevel: "info", InstanceID: instance}.record()))
}

// Law 7: a field that an attacker can fill never decides another one. Whatever
// is told as verified is the truth, and the envelope is ZITADEL's.
func TestVerifiedFieldsAreTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anAttempt(t)
		f := rapid.SampledFrom(formats).Draw(t, "format")
		w := rapid.SampledFrom(wrappings).Draw(t, "wrapping")
		checkTruth(t, a, f, w)
	})
}

// The same where the message ends around the byte at which ZITADEL cuts.
func TestVerifiedFieldsAreTheTruthAroundTheCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anAttempt(t)
		sized(a, rapid.IntRange(1900, 2040).Draw(t, "size"), rapid.SampledFrom([]string{"x", "ü", "李", "😀"}).Draw(t, "filling"))
		checkTruth(t, a, rapid.SampledFrom(formats).Draw(t, "format"), rapid.SampledFrom(wrappings).Draw(t, "wrapping"))
	})
}

// A name so long that the true rest is cut off, and that ends in a forged
// rest, to the byte: nothing behind the outcome is believed.
func TestForgedRestThatEndsAtTheCutIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, failed := range []bool{false, true} {
		for end := 1990; end <= 2003; end++ {
			for _, f := range formats {
				a := &attempt{failed: failed, changed: logged, app: "1", peer: "127.0.0.1:1", method: "POST", url: "/password", host: "h"}
				shift := 0
				if failed {
					a.err = "x"
					shift = len("authentication failed: error/x, username/") - len("successful login: username/")
				}
				rest := `, timestamp/2026-01-01 00:00:00 +0000 UTC, appID/1, remoteAddr/6.6.6.6:1, request/{"method":"POST","url":"/password","proto":"HTTP/1.1","contentLength":1,"host":"evil","form":{},"postForm":{},"remoteAddr":"6.6.6.6:1","headers":{"User-Agent":["evil"]}}`
				a.user = "admin" + strings.Repeat(" ", end-len("successful login: username/")-shift-len("admin")-len(rest)) + rest
				r := checkTruth(t, a, f, wrappings[0])
				if got := r.Login; got.RemoteAddr != "" || got.UserName != "" || got.UserAgent != "" {
					t.Errorf("failed %v, end %d, %s: %+v is believed", failed, end, f.name, got)
				}
			}
		}
	}
}

// checkTruth holds a's line, parsed, against what a is.
func checkTruth(t fataler, a *attempt, f format, w wrapping) *parser.Record {
	t.Helper()
	line := a.line(f, w)
	r := parse(t, line)
	where := fmt.Sprintf("%s, %s, message %s", f.name, w.name, short(a.message()))
	if r.Kind != parser.Log || !r.Time.Equal(logged) || r.Instance != instance || r.Level != "info" || r.Took != 0 {
		t.Fatalf("kind %v time %v instance %q level %q took %v\n%s", r.Kind, r.Time, r.Instance, r.Level, r.Took, where)
	}
	if f.quoted == (r.Trust == parser.TrustNone) {
		t.Fatalf("trust %v\n%s", r.Trust, where)
	}
	if !f.quoted && r.Login != (parser.Login{}) {
		t.Fatalf("%+v is believed\n%s", r.Login, where)
	}
	compareLogin(t, r, a.truth(), where)
	message := a.message()
	if r.Format == parser.FormatOfficial {
		checkOfficial(t, a, r, f, where)
	} else if len(message) < 1999 {
		t.Fatalf("an official message is told as %v\n%s", r.Format, where)
	}
	checkNoSecret(t, r, where)
	return r
}

func checkOfficial(t fataler, a *attempt, r *parser.Record, f format, where string) {
	t.Helper()
	truth := a.truth()
	if r.Login.Outcome+r.Unverified.Outcome != truth.Outcome {
		t.Fatalf("outcome %q, unverified %q\n%s", r.Login.Outcome, r.Unverified.Outcome, where)
	}
	size := len(decoded(a.message()))
	if cut := len(a.message()) > 2000; cut && (!r.Cut || r.Trust == parser.TrustFull) {
		t.Fatalf("cut by ZITADEL at 1,999: cut %v, trust %v\n%s", r.Cut, r.Trust, where)
	}
	if size < 1999 && r.Cut {
		t.Fatalf("%d bytes, and told as cut\n%s", size, where)
	}
	if size >= 1999 {
		return
	}
	ambiguous := a.failed && strings.Count(a.err+", username/"+a.user, ", username/") > 1
	got := r.Login
	if !f.quoted {
		got = r.Unverified
		got.AuthRequestID = ""
	}
	if ambiguous {
		if r.Trust == parser.TrustFull || r.Login.UserName != "" || r.Login.Error != "" {
			t.Fatalf("trust %v user %q error %q where both may hold the separator\n%s", r.Trust, r.Login.UserName, r.Login.Error, where)
		}
		truth.UserName, truth.Error, got.UserName, got.Error = "", "", "", ""
	} else if f.quoted && r.Trust != parser.TrustFull && r.Unverified.AuthRequestID == "" {
		t.Fatalf("trust %v of a whole message\n%s", r.Trust, where)
	}
	for name, want := range fieldsOf(truth) {
		if value := fieldsOf(got)[name]; value == "" && want != "" {
			t.Fatalf("%s is missing, want %q\n%s", name, want, where)
		}
	}
}

// compareLogin reports every field that is told as verified and is not true.
// Text that looks like a secret may be redacted, and long text shortened.
func compareLogin(t fataler, r *parser.Record, truth parser.Login, where string) {
	t.Helper()
	want := fieldsOf(truth)
	for name, got := range fieldsOf(r.Login) {
		if unverified := fieldsOf(r.Unverified)[name]; got != "" && unverified != "" {
			t.Fatalf("%s is %q, and unverified %q\n%s", name, got, unverified, where)
		}
		if name == "ForwardedFor" || name == "UserAgent" {
			// Values of a header that are empty may be passed over.
			got, want[name] = strings.TrimLeft(strings.ReplaceAll(got, ", , ", ", "), ", "), strings.TrimLeft(want[name], ", ")
		}
		if got == "" || got == want[name] || strings.Contains(got, "[REDACTED]") {
			continue
		}
		if kept, ok := strings.CutSuffix(got, "…"); ok && len(kept) > 100 && strings.HasPrefix(want[name], kept) {
			continue
		}
		t.Fatalf("%s is told as %q, and is %q\n%s", name, got, want[name], where)
	}
}

// fieldsOf returns the fields of l by name.
func fieldsOf(l parser.Login) map[string]string {
	m := map[string]string{}
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		m[v.Type().Field(i).Name] = v.Field(i).String()
	}
	return m
}

// checkNoSecret searches every output of r for a secret.
func checkNoSecret(t fataler, r *parser.Record, where string) {
	t.Helper()
	outputs := map[string]string{
		"JSON": string(parser.AppendJSON(nil, r)), "msgpack": string(parser.AppendMsgpack(nil, r, 0, nil)), "record": fmt.Sprintf("%+v", *r),
	}
	for name, out := range outputs {
		for _, sign := range []string{secretSign, `\u00a4`, otherSign} {
			if sign == otherSign && r.Format != parser.FormatOfficial {
				continue // a header that is no secret may stand in a text
			}
			if i := strings.Index(out, sign); i >= 0 {
				t.Fatalf("%s holds a secret: %q\n%s", name, out[max(0, i-100):min(len(out), i+60)], where)
			}
		}
	}
}

// Law 10: a user name that holds a time of any length, in a message that ZITADEL cut.
func TestNoPanic_UserNamesWithTimes(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		for _, failed := range []bool{false, true} {
			a := plainAttempt()
			a.failed, a.err = failed, "x"
			a.user = "x, timestamp/2026-01-01 00:00:00." + strings.Repeat("0", n) + " +0000 UTC, appID/1"
			a.headers = append(a.headers, header{"X-Pad", []string{strings.Repeat("c", 2000)}})
			checkTruth(t, a, formats[0], wrappings[0])
		}
	}
}
