package webhook_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/require"

	actionsscripts "github.com/zitadel-siem/zitadel-siem/actions-scripts"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

// post runs post_auth_webhook.js in ZITADEL's engine, with a recorded context, and returns what fetch was
// given, which ZITADEL writes as the engine's own JSON.
func post(tb testing.TB, contextFile string) (header http.Header, body string) {
	tb.Helper()
	v1, err := os.ReadFile("../../actions-scripts/testdata/" + contextFile)
	if err != nil {
		tb.Fatal(err)
	}
	vm := goja.New()
	registry := new(require.Registry)
	registry.Enable(vm)
	registry.RegisterNativeModule("zitadel/http", func(vm *goja.Runtime, module *goja.Object) {
		_ = module.Get("exports").ToObject(vm).Set("fetch", func(call goja.FunctionCall) goja.Value {
			o := call.Argument(1).ToObject(vm)
			var headers map[string][]string
			if err := vm.ExportTo(o.Get("headers"), &headers); err != nil {
				panic(err)
			}
			header = http.Header{}
			for name, values := range headers {
				header.Set(name, values[0])
			}
			encoded, err := o.Get("body").ToObject(vm).MarshalJSON()
			if err != nil {
				panic(err)
			}
			body = string(encoded)
			return vm.ToValue(map[string]int{"status": 200})
		})
	})
	script := strings.Replace(actionsscripts.PostAuthWebhook, `var KEY = "CHANGE-ME"`, `var KEY = "`+testSecret+`"`, 1)
	if _, err := vm.RunString(script + "\npost_auth_webhook({v1: " + string(v1) + "}, {})"); err != nil {
		tb.Fatal(err)
	}
	return header, body
}

// What our script sends is accepted as it is, becomes a login, and joins with the event of the same
// password check by the id of the auth request.
func TestLogin_OfTheScriptJoinsWithItsEvent(t *testing.T) {
	for file, want := range map[string]struct{ outcome, event string }{
		"078-ctx-dump.json":        {"success", "user.human.password.check.succeeded"},
		"079-ctx-dump-failed.json": {"failure", "user.human.password.check.failed"},
	} {
		w := newWorld(t, nil)
		header, body := post(t, file)
		r := w.login(body, "")
		r.Header = header
		w.want(t, file, r, http.StatusOK, 0)
		l, ok := w.spool.one(t).(*webhook.Login)
		if !ok || l.Record.Login.Outcome != want.outcome || l.Record.Trust != parser.TrustFull || l.Record.Login.RemoteAddr == "" {
			t.Fatalf("%s: %+v", file, l)
		}
		noSecrets(t, w.spool.text())
		n := 0
		for _, e := range zitadeltest.Recorded() {
			if e.GetPayload().GetFields()["id"].GetStringValue() == l.Record.Login.AuthRequestID {
				n++
				if got := e.GetType().GetType(); got != want.event || e.GetAggregate().GetId() != l.Record.Login.UserID {
					t.Errorf("%s joins with %s of %s", file, got, e.GetAggregate().GetId())
				}
			}
		}
		if n != 1 {
			t.Errorf("%s joins with %d events", file, n)
		}
	}
}
