package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// memory is a spool in memory.
type memory struct {
	mu      sync.Mutex
	entries [][]byte
	err     error
	hold    chan struct{} // Append waits for it
	waiting atomic.Int32  // for hold
	panics  bool
}

func (m *memory) Append(ctx context.Context, entries ...[]byte) error {
	if m.hold != nil {
		m.waiting.Add(1)
		select {
		case <-m.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.panics {
		panic("Passw0rd!x")
	}
	if m.err != nil {
		return m.err
	}
	m.entries = append(m.entries, entries...)
	return nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) messages(tb testing.TB) (out []webhook.Message) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		msg, err := webhook.Decode(e)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, msg)
	}
	return out
}

func (m *memory) one(tb testing.TB) webhook.Message {
	tb.Helper()
	out := m.messages(tb)
	if len(out) != 1 {
		tb.Fatalf("%d messages, want one", len(out))
	}
	return out[0]
}

func (m *memory) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(bytes.Join(m.entries, []byte("\n")))
}

// world is an endpoint with a clock, a spool and a log.
type world struct {
	*webhook.Endpoint
	spool *memory
	now   time.Time
	log   *testkit.Text
	keys  string // directories
	v1    string

	ctx    context.Context // of Serve
	close  func()
	served sync.WaitGroup
}

// Serve is the endpoint's, until Close, which waits for it.
func (w *world) Serve(l net.Listener) error {
	w.served.Add(1)
	defer w.served.Done()
	return w.Endpoint.Serve(w.ctx, l)
}

func (w *world) Close() {
	w.close()
	w.served.Wait()
}

const (
	testKey    = "a-signing-key/of+some_length="
	testSecret = "a.secret!of-the-script"
)

// newWorld has the target "t" with testKey and the script "login" with testSecret, and
// the recorded targets.
func newWorld(tb testing.TB, change func(*webhook.Options)) *world {
	tb.Helper()
	w := &world{spool: &memory{}, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), log: &testkit.Text{}, keys: tb.TempDir(), v1: tb.TempDir()}
	if err := os.CopyFS(w.keys, os.DirFS("testdata/keys")); err != nil {
		tb.Fatal(err)
	}
	copied, _ := filepath.Glob(filepath.Join(w.keys, "*"))
	for _, path := range copied {
		if err := os.Chmod(path, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	writeFile(tb, filepath.Join(w.keys, "t"), testKey)
	writeFile(tb, filepath.Join(w.v1, "login"), testSecret)
	o := webhook.Options{ListenSettings: config.ListenSettings{KeysDir: w.keys, V1Dir: w.v1}, Spool: w.spool, Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: func() time.Time { return w.now },
		JWKS: func(context.Context) ([]byte, error) { return os.ReadFile("testdata/jwks.json") }}
	if change != nil {
		change(&o)
	}
	e, err := webhook.NewWith(o)
	if err != nil {
		tb.Fatal(err)
	}
	w.Endpoint = e
	w.ctx, w.close = context.WithCancel(context.Background())
	tb.Cleanup(w.Close)
	return w
}

func writeFile(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// serve starts the endpoint on loopback.
func (w *world) serve(tb testing.TB) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(l) }()
	tb.Cleanup(func() {
		w.Close()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return l.Addr().String()
}

// signed is a request as ZITADEL would make it.
func (w *world) signed(target, body string, keys ...string) *http.Request {
	if len(keys) == 0 {
		keys = []string{testKey}
	}
	r := httptest.NewRequest(http.MethodPost, "/"+target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(actions.SigningHeader, actions.ComputeSignatureHeader(w.now, []byte(body), keys...))
	return r
}

func (w *world) login(body, secret string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.V1Header, secret)
	return r
}

func (w *world) do(r *http.Request) (status int) {
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec.Code
}

func (w *world) want(tb testing.TB, what string, r *http.Request, status int, why webhook.Reason) {
	tb.Helper()
	before := w.Stats.Refused(why)
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if rec.Code != status {
		tb.Errorf("%s: status %d, want %d", what, rec.Code, status)
	}
	if status == http.StatusOK {
		if rec.Body.Len() > 0 {
			tb.Errorf("%s: the answer %q would replace a request", what, rec.Body)
		}
		return
	}
	if w.Stats.Refused(why) != before+1 {
		tb.Errorf("%s: not counted as %v", what, why)
	}
	if want := http.StatusText(status) + "\n"; rec.Body.String() != want {
		tb.Errorf("%s: body %q", what, rec.Body)
	}
}

// recording is a request of a real ZITADEL.
type recording struct {
	name, path string
	header     http.Header
	body       string
	at         time.Time
}

func (r recording) request() *http.Request {
	req := httptest.NewRequest(http.MethodPost, r.path, strings.NewReader(r.body))
	req.Header = r.header.Clone()
	return req
}

func recordings(tb testing.TB) (all []recording) {
	tb.Helper()
	files, err := filepath.Glob("testdata/actions-v2/*.http")
	if err != nil || len(files) != 101 {
		tb.Fatal(len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			tb.Fatal(file, err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			tb.Fatal(file, err)
		}
		t, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get(webhook.SignatureHeader), "t="), ",")
		seconds, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			tb.Fatal(file, err)
		}
		all = append(all, recording{filepath.Base(file), req.URL.Path, req.Header, string(body), time.Unix(seconds, 0)})
	}
	return all
}
