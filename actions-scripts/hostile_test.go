package actionsscripts

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// hostile are values that a visitor of the login page can choose.
var hostile = map[string]string{
	"newlines":           "a\r\nlevel=error msg=\"forged\"\n",
	"quotes":             `","outcome":"success","user_id":"1`,
	"backslashes":        `\`,
	"escape":             "\x1b[2J\x1b[31mred\x1b]0;title\x07",
	"official":           "bob, remoteAddr/6.6.6.6, request/{}",
	"percent":            "100%% %s %d %j %",
	"dollar":             "$1 $& $`",
	"controls":           "\x00\x01\x02\x08\x0b\x0c\x1f\x7f\u0080\u0085\u009f",
	"separators":         "a\u2028b\u2029c",
	"bidi":               "\u202e\u2066moc.elpmaxe\u2069\u202c",
	"byte order":         "\ufeff\ufffe\uffff",
	"invalid":            "\xff\xc3(\xed\xa0\x80\xf0\x9f",
	"html":               "<script>&amp;</script>",
	"proto":              "__proto__",
	"json":               `{"a":[1]}`,
	"emoji":              "\U0001f600\U0010ffff",
	"combined":           "e" + strings.Repeat("\u0301", 500),
	"long":               strings.Repeat("x", 100_000),
	"long controls":      strings.Repeat("\x01", 100_000),
	"long quotes":        strings.Repeat(`"`, 100_000),
	"long separators":    strings.Repeat("\u2028", 100_000),
	"long pairs":         strings.Repeat("\U0001f600", 10_000),
	"odd long pairs":     "x" + strings.Repeat("\U0001f600", 10_000),
	"long two bytes":     strings.Repeat("é", 10_000),
	"long three":         strings.Repeat("漢", 10_000),
	"long urls":          strings.Repeat("http://a", 20_000),
	"long forms":         strings.Repeat("code=token=", 20_000),
	"long unicode urls":  strings.Repeat("é://", 200_000),
	"long unicode forms": strings.Repeat("é token=", 50_000),
	"long percents":      strings.Repeat("%", 10_000),
}

// everywhere puts a value wherever a value can stand.
func everywhere(v string) login {
	return login{
		AuthMethod: authMethod(v), AuthError: v,
		AuthRequest: authRequest{
			Id: v, AgentId: v, UserId: v, UserName: v, LoginName: v, ApplicationId: v,
			ResourceOwner: v, SelectedIdpConfigId: v,
		},
		HttpRequest: httpRequest{
			RemoteAddr: v,
			Headers:    map[string][]string{"User-Agent": {v}, "X-Forwarded-For": {v, v}, v: {v}, "Cookie": {"Passw0rd!x"}},
			Form:       map[string][]string{"password": {"Passw0rd!x"}},
		},
	}
}

// A value that a visitor can choose decides no other value.
func TestHostileValues(t *testing.T) {
	for name, v := range hostile {
		t.Run(name, func(t *testing.T) {
			m := logged(t, everywhere(v))
			if m.Outcome != "failure" {
				t.Error(m.Outcome)
			}
			want := string([]rune(v)) // bytes that are no UTF-8 become U+FFFD
			for field, got := range map[string]string{
				"user_name": m.UserName, "login_name": m.LoginName, "user_id": m.UserID,
				"user_agent": m.UserAgent, "remote_addr": m.RemoteAddr, "method": m.Method,
			} {
				checkValue(t, m, field, got, want)
			}
			checkForwarded(t, m, want+", "+want)
		})
	}
}

// checkValue checks that a value is whole, or marked as cut and a beginning.
func checkValue(t testing.TB, m message, field, got, want string) {
	t.Helper()
	cut := contains(m.Cut, field)
	switch {
	case !cut && got != want:
		t.Errorf("%s is %.300q, want %.300q", field, got, want)
	case cut && (len(got) == 0 || got == want || !strings.HasPrefix(want, got)):
		t.Errorf("%s is cut to %.300q", field, got)
	}
}

// checkForwarded checks that a list of addresses is whole, or marked as cut and as many whole
// entries of its end as there is room for.
func checkForwarded(t testing.TB, m message, list string) {
	t.Helper()
	used, wantCut := 0, ""
	for _, r := range list {
		used += escapedSize(r)
	}
	want := list
	if used > 160 {
		wantCut = "forwarded_for_start"
		for used > 160-len("…") {
			r, n := utf8.DecodeRuneInString(want)
			used, want = used-escapedSize(r), want[n:]
		}
		want = "…" + want[min(uint(strings.IndexByte(want, ',')), uint(len(want))):]
	}
	if m.ForwardedFor != want || contains(m.Cut, "forwarded_for_start") != (wantCut != "") {
		t.Errorf("forwarded_for is %.300q, cut %q, want %.300q", m.ForwardedFor, m.Cut, want)
	}
}

// escapedSize is the length of a character in the JSON of a message.
func escapedSize(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case r < 0x20, 0x7f <= r && r <= 0x9f, 0x2028 <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
		return 6
	}
	return utf8.RuneLen(r)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// An ellipsis at the end is what a user typed; the list of names is the mark.
func TestCutCannotBeFaked(t *testing.T) {
	m := logged(t, login{AuthRequest: authRequest{UserName: `abc…","cut":["user_agent"]`}})
	if m.Cut != nil {
		t.Errorf("%+v", m)
	}
	m = logged(t, login{AuthRequest: authRequest{UserName: strings.Repeat("x", 200), LoginName: strings.Repeat("x", 201)}})
	if diff := cmp.Diff([]string{"login_name"}, m.Cut); diff != "" || len(m.UserName) != 200 || len(m.LoginName) != 200 {
		t.Errorf("%+v", m)
	}
}

// Go's strings hold no lone surrogates, those of a script can.
func TestLoneSurrogates(t *testing.T) {
	for js, want := range map[string]string{
		`"\ud83d"`:                   "\ufffd",
		`"\ude00"`:                   "\ufffd",
		`"a\ude00\ud83db"`:           "a\ufffd\ufffdb",
		`"\ud83d\ud83d\ude00"`:       "\ufffd\U0001f600",
		`"\ud83d\ude00\ude00\u0001"`: "\U0001f600\ufffd\x01",
	} {
		e := newEngine()
		if err := e.runWith(PostAuthLog, "post_auth_log", `{v1: {authRequest: {userName: `+js+`}}}`); err != nil {
			t.Fatal(err)
		}
		if m := e.message(t); m.UserName != want {
			t.Errorf("%s: %q", js, m.UserName)
		}
	}
	e := newEngine()
	if err := e.runWith(PostAuthLog, "post_auth_log", `{v1: {authRequest: {userName: "\ude00\ud83d".repeat(10000)}}}`); err != nil {
		t.Fatal(err)
	}
	// The pairs are the wrong way round at first, and right from the second unit on.
	if m := e.message(t); !strings.HasPrefix(m.UserName, "\ufffd\U0001f600\U0001f600") || !contains(m.Cut, "user_name") {
		t.Errorf("%+v", m)
	}
}

// A cut falls between characters, at every remainder of the budget.
func TestCutBetweenCharacters(t *testing.T) {
	for pad := range 12 {
		for _, piece := range []string{"\U0001f600", "漢", "é", "\x01", `"`} {
			want := strings.Repeat("x", pad) + strings.Repeat(piece, 200)
			m := logged(t, login{AuthRequest: authRequest{UserName: want}})
			checkValue(t, m, "user_name", m.UserName, want)
			if rest := strings.TrimLeft(m.UserName, "x"); strings.ReplaceAll(rest, piece, "") != "" {
				t.Errorf("%q with %d before: cut to %q", piece, pad, m.UserName)
			}
		}
	}
}

// What is taken out of an error makes it shorter; what was cut before stays marked.
func TestErrorCutBeforeItIsCleaned(t *testing.T) {
	m := logged(t, login{AuthError: "code=" + strings.Repeat("x", 970) + " " + strings.Repeat("\U0001f600", 50)})
	want := "code=[REDACTED] " + strings.Repeat("\U0001f600", 12)
	if m.Error != want || !contains(m.Cut, "error") {
		t.Errorf("%+v", m)
	}
	m = logged(t, login{AuthError: "code=" + strings.Repeat("x", 995)})
	if m.Error != "code=[REDACTED]" || m.Cut != nil {
		t.Errorf("%+v", m)
	}
}

// A client sends as many headers as it likes: they cost the login no time, and hide nothing.
func TestManyHeaders(t *testing.T) {
	l := recorded(t, "078-ctx-dump.json")
	l.HttpRequest.Headers = map[string][]string{"User-Agent": {"a"}, "X-Forwarded-For": {"192.0.2.1"}}
	e := newEngine()
	if err := e.run(PostAuthLog, "post_auth_log", e.context(l)); err != nil {
		t.Fatal(err)
	}
	few := e.message(t)
	for i := range 100_000 {
		l.HttpRequest.Headers[fmt.Sprintf("X%x", i)] = []string{""}
	}
	e = newEngine()
	ctx := e.context(l)
	start := time.Now()
	if err := e.run(PostAuthLog+"\nObject.keys = Object.getOwnPropertyNames = null;", "post_auth_log", ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if diff := cmp.Diff(few, e.message(t)); diff != "" {
		t.Error(diff)
	}
}

func FuzzPostAuthLog(f *testing.F) {
	for _, v := range hostile {
		v = v[:min(len(v), 2000)] // the fuzzer is slow with long ones
		f.Add(v, "Mozilla/5.0", "203.0.113.7, 10.0.0.1", "none")
		f.Add("alice", v, v, v)
	}
	f.Fuzz(func(t *testing.T, userName, userAgent, forwardedFor, authError string) {
		for _, secret := range secrets { // check looks for them
			if strings.Contains(userName+"\n"+userAgent+"\n"+forwardedFor+"\n"+authError, secret) {
				t.Skip("an input that holds what check looks for")
			}
		}
		l := recorded(t, "078-ctx-dump.json")
		l.AuthError, l.AuthRequest.UserName = authError, userName
		l.HttpRequest.Headers["User-Agent"] = []string{userAgent}
		l.HttpRequest.Headers["X-Forwarded-For"] = []string{forwardedFor}
		m := logged(t, l)
		if (m.Outcome == "success") != (authError == "none") || m.AuthRequestID != l.AuthRequest.Id {
			t.Errorf("%+v", m)
		}
		checkValue(t, m, "user_name", m.UserName, string([]rune(userName)))
		checkValue(t, m, "user_agent", m.UserAgent, string([]rune(userAgent)))
		checkForwarded(t, m, string([]rune(forwardedFor)))
	})
}
