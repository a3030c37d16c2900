package actionsscripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/require"
	"github.com/google/go-cmp/cmp"
)

func TestRecordedSuccess(t *testing.T) {
	want := message{
		Version: 1, Outcome: "success", Method: "password",
		AuthRequestID: "400713036509285414", AgentID: "400713036509219878",
		UserID: "400712808657849382", UserName: "alice", LoginName: "alice",
		ResourceOwner: "400712317102263334", ApplicationID: "400712808473365542",
		RemoteAddr: "127.0.0.1:41676",
		UserAgent:  "Mozilla/5.0 (X11; Linux x86_64) lab-login-driver/1.0",
	}
	if diff := cmp.Diff(want, logged(t, recorded(t, "078-ctx-dump.json"))); diff != "" {
		t.Error(diff)
	}
}

func TestRecordedFailure(t *testing.T) {
	m := logged(t, recorded(t, "079-ctx-dump-failed.json"))
	want := message{
		Outcome: "failure", ForwardedFor: "203.0.113.7, 10.0.0.1",
		Error: "ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid Parent=(passwap: password does not match hash: )",
	}
	if diff := cmp.Diff(want, message{Outcome: m.Outcome, ForwardedFor: m.ForwardedFor, Error: m.Error, Cut: m.Cut}); diff != "" {
		t.Error(diff)
	}
}

// The flow External Authentication has no authMethod, the error is always set.
func TestExternalFlow(t *testing.T) {
	l := recorded(t, "078-ctx-dump.json")
	l.AuthRequest.SelectedIdpConfigId = "400712808473365599"
	e := newEngine()
	ctx := e.context(l)
	delete(ctx["v1"].(fields), "authMethod")
	ctx["accessToken"], ctx["idToken"] = "Passw0rd!x", "Passw0rd!x"
	if err := e.run(PostAuthLog, "post_auth_log", ctx); err != nil {
		t.Fatal(err)
	}
	if m := e.message(t); m.Outcome != "success" || m.Method != "" || m.IdpID != "400712808473365599" {
		t.Errorf("%+v", m)
	}
}

// Success is what ZITADEL calls "none" alone. The last contexts are of other triggers.
func TestOutcome(t *testing.T) {
	for authError, want := range map[string]string{
		`"none"`:                                "success",
		`new String("none")`:                    "success",
		`"None"`:                                "failure",
		`"none "`:                               "failure",
		`"no\u0000ne"`:                          "failure",
		`""`:                                    "failure",
		`undefined`:                             "failure",
		`null`:                                  "failure",
		`false`:                                 "failure",
		`["none"]`:                              "failure",
		`{toString: function(){return "none"}}`: "failure",
		`(function(){throw "none"})`:            "failure",
	} {
		e := newEngine()
		if err := e.runWith(PostAuthLog, "post_auth_log", `{v1: {authError: `+authError+`}}`); err != nil {
			t.Fatal(err)
		}
		m := e.message(t)
		if m.Outcome != want || m.Outcome == "success" && m.Error != "" {
			t.Errorf("authError %s: %+v", authError, m)
		}
	}
}

// Whatever the context is, one message comes out and the run succeeds.
func TestNoContextBreaksTheLogin(t *testing.T) {
	for _, ctx := range []string{
		`undefined`, `null`, `0`, `""`, `[]`, `{}`, `function(){}`, `Symbol("x")`,
		`{v1: null}`, `{v1: "x"}`, `{get v1() { throw new Error("x") }}`, `{get v1() { throw null }}`,
		`new Proxy({}, {get: function() { throw 1 }, has: function() { throw 2 }})`,
		`{v1: new Proxy({}, {get: function() { throw 1 }})}`,
		`{v1: {authRequest: null, httpRequest: null}}`,
		`{v1: {authRequest: {}, httpRequest: {headers: null}}}`,
		`{v1: {authRequest: {get userName() { throw 1 }, get id() { throw undefined }}}}`,
		`{v1: {authRequest: {userName: {}, id: [], userId: function(){}, loginName: 1, agentId: true, authTime: Symbol()}}}`,
		`{v1: {authRequest: {userName: {valueOf: function() { throw 1 }}, id: {toString: null, valueOf: null}}}}`,
		`{v1: {authRequest: {userName: Object.create(null), id: new Proxy(function(){}, {})}}}`,
		`{v1: {authRequest: {authTime: {toJSON: function() { throw 1 }}}}}`,
		`{v1: {authRequest: {authTime: {toJSON: function() { return {} }}}}}`,
		`{v1: {httpRequest: {headers: {"User-Agent": null, "X-Forwarded-For": 7}}}}`,
		`{v1: {httpRequest: {headers: {"User-Agent": [null, {}], "X-Forwarded-For": {length: 1e9}}}}}`,
		`{v1: {httpRequest: {headers: {get "User-Agent"() { throw 1 }}}}}`,
		`{v1: {httpRequest: {headers: new Proxy({}, {ownKeys: function() { throw 1 }})}}}`,
		`{__proto__: {v1: {authRequest: {__proto__: {userName: "__proto__"}}}}}`,
		`{v1: (function() { var c = {}; c.v1 = c; c.authRequest = c; c.userName = c; return c })()}`,
	} {
		e := newEngine()
		if err := e.runWith(PostAuthLog, "post_auth_log", ctx); err != nil {
			t.Errorf("%s: %v", ctx, err)
			continue
		}
		if m := e.message(t); m.Outcome != "failure" || m.Error == "" {
			t.Errorf("%s: %+v", ctx, m)
		}
	}
}

// What can be read comes out, whatever stands beside it.
func TestOneBadFieldLeavesTheOthers(t *testing.T) {
	e := newEngine()
	err := e.runWith(PostAuthLog, "post_auth_log", `{v1: {authError: "none", authRequest: {
		id: "1", get agentId() { throw 1 }, userId: {}, userName: "__proto__", loginName: "constructor"},
		httpRequest: {remoteAddr: "[::1]:1", headers: {"user-agent": "a", "x-forwarded-for": ["1", "2"], "X-Forwarded-For": ["0"]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := message{
		Version: 1, Outcome: "success", AuthRequestID: "1", UserName: "__proto__", LoginName: "constructor",
		RemoteAddr: "[::1]:1", ForwardedFor: "0, 1, 2", UserAgent: "a",
	}
	if diff := cmp.Diff(want, e.message(t)); diff != "" {
		t.Error(diff)
	}
}

// A message that cannot be built is told, and is no success.
func TestUnknownOutcome(t *testing.T) {
	e := newEngine()
	if err := e.runWith(PostAuthLog+"\nfit = null;", "post_auth_log", `{v1: {authError: "none", authMethod: "x"}}`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message{Version: 1, Outcome: "unknown"}, e.message(t)); diff != "" {
		t.Error(diff)
	}
}

// A log that throws, and modules that are not there, break no login.
func TestLoggerThatThrows(t *testing.T) {
	throwing := func(js string) require.ModuleLoader {
		return func(vm *goja.Runtime, module *goja.Object) {
			value, err := vm.RunString(js)
			if err != nil {
				panic(err)
			}
			_ = module.Set("exports", value)
		}
	}
	for name, loader := range map[string]require.ModuleLoader{
		"throws":  throwing(`({log: function() { throw new Error("disk full") }})`),
		"null":    throwing(`({log: function() { throw null }})`),
		"nothing": throwing(`({})`),
		"no log":  throwing(`null`),
		"go error": func(vm *goja.Runtime, module *goja.Object) {
			_ = module.Set("exports", map[string]any{"log": func(...string) error { return errors.New("disk full") }})
		},
		"missing": nil,
	} {
		e := newEngine()
		delete(e.modules, "zitadel/log")
		if loader != nil {
			e.modules["zitadel/log"] = loader
		}
		if err := e.run(PostAuthLog, "post_auth_log", e.context(recorded(t, "078-ctx-dump.json"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The first argument of log is a format. This engine leaves a % alone if there is no second
// argument, another one may not.
func TestMessageIsNoFormat(t *testing.T) {
	var arguments []string
	e := newEngine()
	e.modules["zitadel/log"] = func(vm *goja.Runtime, module *goja.Object) {
		_ = module.Set("exports", map[string]any{"log": func(a ...string) { arguments = a }})
	}
	if err := e.run(PostAuthLog, "post_auth_log", e.context(login{AuthRequest: authRequest{UserName: "%%"}})); err != nil {
		t.Fatal(err)
	}
	if len(arguments) != 2 || arguments[0] != "%s" || !strings.Contains(arguments[1], `"%%"`) {
		t.Errorf("log was called with %q", arguments)
	}
}

func TestAuthTime(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 26, 22, 136818141, time.FixedZone("", 3600))
	for _, test := range []struct {
		in   any
		want string
	}{
		{at, "2026-11-22T09:26:22.136818141+01:00"},
		{&at, "2026-11-22T09:26:22.136818141+01:00"},
		{at.UTC().Truncate(time.Second), "2026-11-22T08:26:22Z"},
		{"2026-11-22T08:26:22.1Z", "2026-11-22T08:26:22.1Z"},
		{time.Time{}, ""},
		{"0001-01-01T00:00:00Z", ""},
		{"yesterday", ""},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{1795339582, ""},
		{nil, ""},
	} {
		e := newEngine()
		ctx := fields{"v1": fields{"authError": "none", "authRequest": fields{"authTime": test.in}}}
		if err := e.run(PostAuthLog, "post_auth_log", ctx); err != nil {
			t.Fatal(err)
		}
		if m := e.message(t); m.AuthTime != test.want {
			t.Errorf("%v: %q, want %q", test.in, m.AuthTime, test.want)
		}
	}
	e := newEngine()
	if err := e.runWith(PostAuthLog, "post_auth_log", `{v1: {authRequest: {authTime: new Date(0)}}}`); err != nil {
		t.Fatal(err)
	}
	if m := e.message(t); m.AuthTime != "1970-01-01T00:00:00.000Z" {
		t.Errorf("Date: %q", m.AuthTime)
	}
}

// Errors may quote what an identity provider or its client said.
func TestErrorWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		`Post "https://idp.example/token?code=Passw0rd!x&state=1": EOF`: `Post "https://idp.example/token?[REDACTED]": EOF`,
		`bad form code=Passw0rd!x&client_secret=Passw0rd!x`:             `bad form code=[REDACTED]&client_secret=[REDACTED]`,
		`Response: {"id_token": "Passw0rd!x"}`:                          `Response: {"id_token": "[REDACTED]"}`,
		`oauth2: cannot fetch token: 400 Bad Request`:                   `oauth2: cannot fetch token: 400 Bad Request`,
		`ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid`:         `ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid`,
	} {
		if m := logged(t, login{AuthError: in}); m.Error != want || m.Outcome != "failure" {
			t.Errorf("%s: %+v", in, m)
		}
	}
}

// The script that ZITADEL shows as an example joins values with commas and prints the
// whole request. In our own words, with the context of which ours prints no secret:
func TestWhyNotTheOfficialScript(t *testing.T) {
	const official = `function log(ctx) {
		var r = ctx.v1.authRequest;
		require("zitadel/log").log("login of user/" + r.userName + ", request/" + JSON.stringify(ctx.v1.httpRequest));
	}`
	l := recorded(t, "078-ctx-dump.json")
	l.AuthRequest.UserName = "bob, request/{}"
	e := newEngine()
	if err := e.run(official, "log", e.context(l)); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"Passw0rd!x", "zitadel.useragent=", "gorilla.csrf.Token", "user/bob, request/{}, request/"} {
		if !strings.Contains(e.printer.lines[0], leak) {
			t.Errorf("%q is not in %s", leak, e.printer.lines[0])
		}
	}
	if m := logged(t, l); m.UserName != "bob, request/{}" {
		t.Errorf("%+v", m)
	}
}

// A function that returns something fails in ZITADEL, although it threw nothing.
func TestReturnsNothing(t *testing.T) {
	e := newEngine()
	if err := e.run(`function f() { return "x" }`, "f", nil); err == nil {
		t.Error("the engine lets a function return text; the comment in the scripts is wrong")
	}
}

func TestReadsNoFormNoCookie(t *testing.T) {
	e := newEngine()
	const ctx = `{v1: new Proxy({
			authError: "none", authRequest: {}, httpRequest: new Proxy({headers: {Cookie: ["x"], Authorization: ["x"]}}, {get: spy("httpRequest")})
		}, {get: spy("v1")})}`
	script := PostAuthLog + `
		var seen = {};
		function spy(of) { return function(target, name) { seen[of + "." + String(name)] = 1; return target[name] } }`
	if err := e.runWith(script, "post_auth_log", ctx); err != nil {
		t.Fatal(err)
	}
	var seen map[string]int
	if err := e.vm.ExportTo(e.vm.Get("seen"), &seen); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"v1.authError": 1, "v1.authMethod": 1, "v1.authRequest": 1, "v1.httpRequest": 1,
		"httpRequest.headers": 1, "httpRequest.remoteAddr": 1,
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("read %v", seen)
	}
}

func ExamplePostAuthLog() {
	e := newEngine()
	_ = e.run(PostAuthLog, "post_auth_log", e.context(login{
		AuthMethod:  "password",
		AuthError:   "ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid",
		AuthRequest: authRequest{Id: "400713037599738918", UserId: "400712808657849382", UserName: "al\nice"},
		HttpRequest: httpRequest{RemoteAddr: "192.0.2.1:41676"},
	}))
	var pretty map[string]any
	_ = json.Unmarshal([]byte(e.printer.lines[0]), &pretty)
	fmt.Println(e.printer.lines[0])
	fmt.Printf("%q\n", pretty["user_name"])
	// Output:
	// {"post_auth_log":1,"outcome":"failure","error":"ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid","method":"password","auth_request_id":"400713037599738918","user_id":"400712808657849382","user_name":"al\u000aice","remote_addr":"192.0.2.1:41676"}
	// "al\nice"
}
