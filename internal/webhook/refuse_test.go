package webhook_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

const event = `{"aggregateID":"1","aggregateType":"user","resourceOwner":"2","instanceID":"3","version":"v2","sequence":4,"event_type":"user.locked","created_at":"2026-11-22T09:29:34.992299Z","userID":"5"}`

// Everything that is not authenticated gets the same answer, and nothing else is said of it.
func TestRefused(t *testing.T) {
	w := newWorld(t, nil)
	change := func(f func(*http.Request)) *http.Request {
		r := w.signed("t", event)
		f(r)
		return r
	}
	marker := "S3cretMarker"
	for _, c := range []struct {
		what   string
		r      *http.Request
		status int
		why    webhook.Reason
	}{
		{"get", change(func(r *http.Request) { r.Method = http.MethodGet }), 405, webhook.BadMethod},
		{"a method of its own", change(func(r *http.Request) { r.Method = marker }), 405, webhook.BadMethod},
		{"no media type", change(func(r *http.Request) { r.Header.Del("Content-Type") }), 415, webhook.BadMediaType},
		{"form", change(func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }), 415, webhook.BadMediaType},
		{"latin", change(func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=latin1") }), 415, webhook.BadMediaType},
		{"gzip", change(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), 415, webhook.BadMediaType},
		{"too large, announced", change(func(r *http.Request) { r.ContentLength = webhook.MaxBody + 1 }), 413, webhook.TooLarge},
		{"no signature", change(func(r *http.Request) { r.Header.Del(webhook.SignatureHeader) }), 401, webhook.NoSignature},
		{"two signatures", change(func(r *http.Request) { r.Header.Add(webhook.SignatureHeader, r.Header.Get(webhook.SignatureHeader)) }), 401, webhook.BadHeader},
		{"other form", change(func(r *http.Request) { r.Header.Set(webhook.SignatureHeader, marker) }), 401, webhook.BadHeader},
		{"no target", w.signed("nobody", event), 401, webhook.NoTarget},
		{"no path", w.signed("", event), 401, webhook.NoTarget},
		{"out of the directory", w.signed("..%2f..%2fetc/passwd", event), 401, webhook.NoTarget},
		{"a dot file", w.signed(".", event), 401, webhook.NoTarget},
		{"other key", w.signed("t", event, testSecret), 401, webhook.BadSignature},
		{"secret of V1 as a key", w.signed("login", event, testSecret), 401, webhook.NoTarget},
		{"V1 with another secret", w.login(`{"post_auth_log":1,"outcome":"success"}`, testSecret+"x"), 401, webhook.BadSecret},
		{"V1 without a secret", w.login(`{}`, ""), 401, webhook.BadSecret},
		{"V1 with a key of V2", w.login(`{}`, testKey), 401, webhook.BadSecret},
		{"V1 to a target of V2", func() *http.Request {
			r := w.login(`{}`, testSecret)
			r.URL.Path = "/t"
			return r
		}(), 401, webhook.NoTarget},
		{"V1 with two secrets", func() *http.Request {
			r := w.login(`{}`, testSecret)
			r.Header.Add(webhook.V1Header, testSecret)
			return r
		}(), 401, webhook.NoSignature},
		{"V1 too large", w.login(strings.Repeat(" ", 20<<10), testSecret), 413, webhook.TooLarge},
		{"a body that breaks off", httptest.NewRequest(http.MethodPost, "/t", io.MultiReader(strings.NewReader("{"), broken{})), 400, webhook.Broken},
	} {
		if c.why == webhook.Broken {
			c.r.Header = w.signed("t", "x").Header
		}
		c.r.Header.Set("User-Agent", marker)
		w.want(t, c.what, c.r, c.status, c.why)
	}
	if len(w.spool.entries) > 0 || strings.Contains(w.log.String(), marker) {
		t.Errorf("%d entries, log %s", len(w.spool.entries), w.log)
	}
	for _, media := range []string{"application/json; charset=utf-8", "application/JSON;charset=UTF-8", "application/jwt"} {
		r := w.signed("t/any/where?x=y", strings.Replace(event, `"4"`, media, 1))
		r.Header.Set("Content-Type", media)
		w.want(t, media, r, 200, 0)
	}
	seen := map[string]bool{}
	for _, r := range webhook.Reasons() {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("reason %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("reset") }

// 200 means durable: a spool that fails is 503, and the same request may come again.
func TestAccepted_OnlyWhenDurable(t *testing.T) {
	w := newWorld(t, nil)
	w.spool.fail(errors.New("full"))
	w.want(t, "full", w.signed("t", event), 503, webhook.NotSpooled)
	w.want(t, "full", w.login(`{"post_auth_log":1,"outcome":"success"}`, testSecret), 503, webhook.NotSpooled)
	w.spool.fail(nil)
	w.want(t, "again", w.signed("t", event), 200, 0)
	w.want(t, "and again", w.signed("t", event), 200, 0)
	w.spool.one(t)
}

// Two of the same at once are one, and have one outcome.
func TestAccepted_AtOnce(t *testing.T) {
	for _, fail := range []error{nil, errors.New("full")} {
		w := newWorld(t, nil)
		w.spool.hold = make(chan struct{})
		w.spool.err = fail
		got := make(chan int)
		for range 20 {
			r := w.signed("t", event)
			go func() { got <- w.do(r) }()
		}
		close(w.spool.hold)
		want := 200
		if fail != nil {
			want = 503
		}
		for range 20 {
			if status := <-got; status != want {
				t.Errorf("status %d, want %d", status, want)
			}
		}
		if n := len(w.spool.entries); fail == nil && n != 1 {
			t.Errorf("%d entries", n)
		}
	}
}

// The message of V1 is the record of the line, and joins with the event by the auth request.
func TestLogin(t *testing.T) {
	w := newWorld(t, nil)
	doc := `{"post_auth_log":1,"outcome":"failure","error":"ID=COMMAND-3M0fs code=eyJhbGciOi.eyJhbGciOi.c2ln","method":"password","auth_request_id":"V2_400","user_name":"al\u000aice, outcome/success","remote_addr":"1.2.3.4:5"}`
	w.want(t, "login", w.login(doc, testSecret), 200, 0)
	noSecrets(t, w.spool.text())
	l, ok := w.spool.one(t).(*webhook.Login)
	if !ok {
		t.Fatal("no login")
	}
	if r := l.Record; r.EventType() != "action.login" || r.Trust != parser.TrustFull || r.Login.Outcome != "failure" || r.Login.AuthRequestID != "V2_400" ||
		r.Login.UserName != "al\nice, outcome/success" || !r.Time.IsZero() || !r.Read.Equal(w.now) || l.Target != "login" || strings.Contains(r.Login.Error, "eyJ") || r.ID() == "" {
		t.Errorf("%+v", r)
	}
	// What is no message of the script is kept as unknown, without its content.
	w = newWorld(t, nil)
	w.want(t, "other", w.login(`{"password":"Passw0rd!x"}`, testSecret), 200, 0)
	w.now = w.now.Add(time.Nanosecond)
	w.want(t, "the same later", w.login(`{"password":"Passw0rd!x"}`, testSecret), 200, 0)
	ids := map[string]bool{}
	for _, m := range w.spool.messages(t) {
		x := m.(*webhook.Execution)
		ids[x.ID] = true
		if x.Kind != webhook.KindUnknown || x.Size != 25 {
			t.Errorf("%+v", x)
		}
	}
	if len(ids) != 2 || w.Stats.Unknown.Load() != 2 {
		t.Errorf("%v", ids)
	}
	noSecrets(t, w.spool.text())
}

// What another instance sends does not come under this one's label.
func TestInstance_TheFirstOneOfATargetCounts(t *testing.T) {
	w := newWorld(t, nil)
	writeFile(t, filepath.Join(w.keys, "u"), testKey)
	w.now = w.now.Add(2 * time.Second) // it is seen
	other := strings.Replace(event, `"instanceID":"3"`, `"instanceID":"4"`, 1)
	call := `{"fullMethod":"/x/Y","instanceID":"4"}`
	w.want(t, "no good one pins nothing", w.signed("t", other, "another-key-of-some-length"), 401, webhook.BadSignature)
	w.want(t, "first", w.signed("t", event), 200, 0)
	w.want(t, "another one's event", w.signed("t", other), 401, webhook.OtherInstance)
	w.want(t, "another one's call", w.signed("t", call), 401, webhook.OtherInstance)
	w.want(t, "a function names none", w.signed("t", `{"function":"function/preuserinfo"}`), 200, 0)
	w.want(t, "its own again", w.signed("t", event+" "), 200, 0)
	w.want(t, "another target", w.signed("u", other+" "), 200, 0)
	if n := len(w.spool.messages(t)); n != 4 {
		t.Errorf("%d messages", n)
	}
}

// No panic leaves, and what it says is not logged.
func TestPanic(t *testing.T) {
	w := newWorld(t, nil)
	w.spool.panics = true
	w.want(t, "panic", w.signed("t", event), 500, webhook.Panicked)
	w.spool.panics = false
	w.want(t, "after it", w.signed("t", event), 200, 0)
	noSecrets(t, w.log.String())
	if !strings.Contains(w.log.String(), "panic in a request") {
		t.Error(w.log)
	}
}

// A change of the files is a change of keys, without a restart; half a file is none.
func TestKeys_Change(t *testing.T) {
	w := newWorld(t, nil)
	path := filepath.Join(w.keys, "t")
	const next = "another-key-of-some-length"
	n := 0
	try := func(what, key string, status int) {
		t.Helper()
		n++
		w.now = w.now.Add(200 * time.Millisecond)
		body := strings.Replace(event, `"sequence":4`, `"sequence":`+strings.Repeat("1", n), 1)
		if got := w.do(w.signed("t", body, key)); got != status {
			t.Errorf("%s: status %d, want %d", what, got, status)
		}
	}
	try("before", testKey, 200)
	try("before", next, 401)
	writeFile(t, path, testKey+"\r\n\n  "+next+"\n")
	try("both", next, 200)
	try("both", testKey, 200)
	writeFile(t, path, "")
	w.now = w.now.Add(time.Second)
	try("empty", testKey, 200)
	writeFile(t, path, "short")
	w.now = w.now.Add(time.Second)
	try("short", next, 200)
	if !strings.Contains(w.log.String(), "less than 16 bytes") {
		t.Error(w.log)
	}
	writeFile(t, path, next)
	w.now = w.now.Add(time.Second)
	try("the new one alone", next, 200)
	try("the old one", testKey, 401)
	if err := os.Rename(path, filepath.Join(w.keys, ".t")); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	try("removed", next, 401)
	// As Kubernetes does it: a link to a link to a file, changed at once.
	for i, key := range []string{testKey, next} {
		dir := filepath.Join(w.keys, "..data"+strings.Repeat("x", i+1))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "t"), key)
		link := filepath.Join(w.keys, "..new")
		if err := errors.Join(os.Symlink(dir, link), os.Rename(link, filepath.Join(w.keys, "..data"))); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.Symlink("..data/t", path); err != nil {
				t.Fatal(err)
			}
		}
		try("linked", key, 200)
	}
	for _, key := range []string{testKey, next} {
		if strings.Contains(w.log.String(), key) {
			t.Error("a key is in the log")
		}
	}
}

// A file beside the keys makes no target: not by its name, not by its content, and neither does
// a part of it.
func TestKeys_OtherFilesAreNoTargets(t *testing.T) {
	const prose = "These are the keys of our targets, one file for each.\n"
	var w *world
	for name, content := range map[string]string{
		"README": prose, "half": testKey + "\n" + prose, "spaced": "a key with some spaces", "latin": "schl\xfcssel-schl\xfcssel", "umlaut": "schlüssel-schlüssel",
		"t.bak": testKey, "t~": testKey, "t.md": prose, ".t": testKey,
	} {
		w = newWorld(t, nil)
		path := filepath.Join(w.keys, name)
		for _, when := range []string{"started with", "changed"} {
			if when == "started with" {
				dir := w.keys
				writeFile(t, path, content)
				w = newWorld(t, func(o *webhook.Options) { o.KeysDir = dir })
			} else {
				writeFile(t, path, content+"\n")
				w.now = w.now.Add(2 * time.Second)
			}
			for _, key := range []string{testKey, strings.TrimSpace(prose), strings.TrimSpace(content)} {
				if status := w.do(w.signed(name, event+when, key)); status != http.StatusUnauthorized {
					t.Errorf("%s: status %d", name, status)
				}
			}
			w.want(t, "beside "+name, w.signed("t", event+name+when), 200, 0)
			for range 3 {
				w.now = w.now.Add(2 * time.Second)
				w.want(t, "beside "+name, w.signed("t", event), 200, 0)
			}
			told := strings.Count(w.log.String(), path)
			if want := name[0] != '.'; told > 1 || (told == 1) != want || strings.Contains(w.log.String(), testKey) {
				t.Errorf("%s was told %d times:\n%s", name, told, w.log)
			}
		}
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "README"), prose)
	if _, err := webhook.NewWith(webhook.Options{ListenSettings: config.ListenSettings{KeysDir: dir}, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "README") {
		t.Errorf("no key at all: %v", err)
	}
}

// As of every other file with a secret.
func TestKeys_ThatOthersCanReadAreToldOfOnce(t *testing.T) {
	w := newWorld(t, nil)
	if err := os.Chmod(filepath.Join(w.keys, "t"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.now = w.now.Add(2 * time.Second)
		w.want(t, "it", w.signed("t", event), 200, 0)
		writeFile(t, filepath.Join(w.keys, "other"), testKey)
	}
	if n := strings.Count(w.log.String(), "mode 0644"); n != 1 {
		t.Errorf("told %d times:\n%s", n, w.log)
	}
}

// All that is wrong is told at once, and what to do.
func TestNew_Problems(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "pem"), "no key")
	empty := t.TempDir()
	settings := config.Settings{URL: must(url.Parse("https://zitadel.example.com")), Listen: config.ListenSettings{
		KeysDir: filepath.Join(dir, "none"), V1Dir: empty, CertFile: "x", CertKeyFile: "y", PrivateKeyFile: filepath.Join(dir, "pem")}}
	_, err := webhook.New(settings, &memory{}, slog.New(slog.DiscardHandler))
	for _, want := range []string{"keys_dir:", "v1_dir:", "webhook_cert_file and webhook_cert_key_file:", "private_key_file:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
	settings.CAFile = filepath.Join(dir, "pem")
	if _, err := webhook.New(settings, &memory{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Error(err)
	}
}
