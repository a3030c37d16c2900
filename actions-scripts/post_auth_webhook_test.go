package actionsscripts

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"
)

// received is a request that the endpoint got.
type received struct {
	method, key, contentType, body string
}

// endpoint answers with status and keeps what it got.
func endpoint(t *testing.T, status int) (url string, got *[]received) {
	got = new([]received)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, received{r.Method, r.Header.Get("X-Zitadel-Siem-Key"), r.Header.Get("Content-Type"), string(body)})
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// webhook is the script with its variables set.
func webhook(t *testing.T, url, key string) string {
	t.Helper()
	script := strings.Replace(PostAuthWebhook, `"https://siem.example.com/zitadel/post-auth"`, `"`+url+`"`, 1)
	changed := strings.Replace(script, `var KEY = "CHANGE-ME"`, `var KEY = "`+key+`"`, 1)
	if script == PostAuthWebhook || changed == script {
		t.Fatal("the variables have other values than this test knows")
	}
	return changed
}

// The endpoint gets what post_auth_log would have printed.
func TestWebhookSendsTheMessage(t *testing.T) {
	logins := []login{recorded(t, "078-ctx-dump.json"), recorded(t, "079-ctx-dump-failed.json")}
	for _, v := range hostile {
		logins = append(logins, everywhere(v))
	}
	for _, l := range logins {
		url, got := endpoint(t, http.StatusNoContent)
		e := newEngine()
		if err := e.run(webhook(t, url, "a, key"), "post_auth_webhook", e.context(l)); err != nil {
			t.Fatal(err)
		}
		if len(*got) != 1 || len(e.printer.lines) != 0 {
			t.Fatalf("got %q, printed %q", *got, e.printer.lines)
		}
		r := (*got)[0]
		if r.method != http.MethodPost || r.key != "a, key" || r.contentType != "application/json" {
			t.Errorf("%+v", r)
		}
		if err := checkKeys(r.body); err != nil {
			t.Errorf("%v in %s", err, r.body)
		}
		var m message
		if err := decode(r.body, &m); err != nil {
			t.Errorf("%v in %s", err, r.body)
		}
		if diff := cmp.Diff(logged(t, l), m); diff != "" {
			t.Error(diff)
		}
		for _, secret := range secrets {
			if strings.Contains(r.body, secret) {
				t.Errorf("the secret %s in %s", secret, r.body)
			}
		}
	}
}

// An answer that is no success is told, and breaks nothing. The key is not told.
func TestWebhookRefused(t *testing.T) {
	url, got := endpoint(t, http.StatusUnauthorized)
	e := newEngine()
	if err := e.run(webhook(t, url, "the key"), "post_auth_webhook", e.context(login{})); err != nil {
		t.Fatal(err)
	}
	want := []string{"warning: post_auth_webhook: the endpoint answered 401"}
	if diff := cmp.Diff(want, e.printer.lines); diff != "" || len(*got) != 1 {
		t.Errorf("%s%q", diff, *got)
	}
}

// The script as it is delivered sends nothing anywhere.
func TestWebhookNotSetUp(t *testing.T) {
	e := newEngine()
	if err := e.run(PostAuthWebhook, "post_auth_webhook", e.context(login{})); err != nil {
		t.Fatal(err)
	}
	want := []string{"warning: post_auth_webhook: set ENDPOINT and KEY in the script"}
	if diff := cmp.Diff(want, e.printer.lines); diff != "" {
		t.Error(diff)
	}
}

// Whatever a script can catch is caught, and told if there is somebody to tell.
func TestWebhookThatThrows(t *testing.T) {
	for _, js := range []string{
		`({fetch: function() { throw new Error("no") }})`,
		`({fetch: function() { throw {toString: function() { throw 1 }} }})`,
		`({fetch: function() { throw Symbol("x") }})`,
		`({fetch: function() { return null }})`,
		`({fetch: function() { return {get status() { throw null }} }})`,
		`({})`, `null`, `missing`,
	} {
		for _, log := range []bool{true, false} {
			e := newEngine()
			e.modules["zitadel/http"] = func(vm *goja.Runtime, module *goja.Object) {
				value, err := vm.RunString(js)
				if err != nil {
					panic(err)
				}
				_ = module.Set("exports", value)
			}
			if !log {
				delete(e.modules, "zitadel/log")
			}
			if err := e.run(webhook(t, "http://x", "k"), "post_auth_webhook", e.context(login{})); err != nil {
				t.Errorf("%s: %v", js, err)
			}
		}
	}
}

// This is why the action has to be allowed to fail: ZITADEL's fetch panics in Go where a
// connection fails, and no script can catch that.
func TestWebhookWithoutConnectionFailsTheRun(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	e := newEngine()
	err := e.run(webhook(t, url, "k"), "post_auth_webhook", e.context(login{}))
	if err == nil || !strings.HasPrefix(err.Error(), "panic: ") {
		t.Errorf("%v; if scripts can catch this now, the warnings in the script and README.md are too strong", err)
	}
}
