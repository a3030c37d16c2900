package zitadel

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	authpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	userpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestMain(m *testing.M) {
	os.Setenv("NO_PROXY", "*") // whatever the machine has: nothing here leaves it
	goleak.VerifyTestMain(m)
}

// fake is an instance that answers gRPC and REST on one port, as ZITADEL does.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	list     listFunc
	takeOver func(http.ResponseWriter, *http.Request) bool
	token    http.HandlerFunc
	sent     []string // the Authorization of each API call
	tokens   int      // token requests
	language string   // of the last API call
}

type listFunc = func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error)

// onList answers events searches of both transports.
func (f *fake) onList(list listFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = list
}

// onHTTP answers an HTTP request, gRPC ones too, instead of everything else,
// where it returns true.
func (f *fake) onHTTP(takeOver func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takeOver = takeOver
}

// onToken answers the token endpoint.
func (f *fake) onToken(token http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = token
}

func (f *fake) search(ctx context.Context, req *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
	f.mu.Lock()
	list := f.list
	f.mu.Unlock()
	return list(ctx, req)
}

func newFake(t testing.TB) *fake {
	f := unstartedFake(t)
	f.Start()
	return f
}

func unstartedFake(t testing.TB) *fake {
	f := new(fake)
	f.list = func(context.Context, *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		return new(adminpb.ListEventsResponse), nil
	}
	f.token = func(w http.ResponseWriter, _ *http.Request) { writeToken(w, "fetched-token", 43199) }

	g := grpc.NewServer()
	adminpb.RegisterAdminServiceServer(g, &fakeAdmin{fake: f})
	authpb.RegisterAuthServiceServer(g, &fakeAuth{fake: f})
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		takeOver := f.takeOver
		f.mu.Unlock()
		if takeOver != nil && takeOver(w, r) {
			return
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(w, r)
			return
		}
		f.rest(w, r)
	}))
	f.Config.Protocols = new(http.Protocols)
	f.Config.Protocols.SetHTTP1(true)
	f.Config.Protocols.SetHTTP2(true)
	f.Config.Protocols.SetUnencryptedHTTP2(true)
	f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.EnableHTTP2 = true
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
		g.Stop()
	})
	return f
}

func (f *fake) rest(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, 200, fmt.Sprintf(`{"issuer":%q,"token_endpoint":%q}`, f.URL, f.URL+"/oauth/v2/token"))
		return
	case "/oauth/v2/token":
		f.mu.Lock()
		f.tokens++
		token := f.token
		f.mu.Unlock()
		token(w, r)
		return
	}
	f.note(r.Header.Get("Authorization"), r.Header.Get("Accept-Language"))
	var resp proto.Message
	var err error
	switch r.URL.Path {
	case listEvents.path:
		req := new(adminpb.ListEventsRequest)
		body, _ := io.ReadAll(r.Body)
		if err := protojson.Unmarshal(body, req); err != nil {
			writeStatus(w, status.New(codes.InvalidArgument, err.Error()))
			return
		}
		resp, err = f.search(r.Context(), req)
	case listEventTypes.path:
		resp = &adminpb.ListEventTypesResponse{EventTypes: []*eventpb.EventType{{Type: "user.added"}, {Type: "user.locked"}}}
	case listAggregateTypes.path:
		resp = &adminpb.ListAggregateTypesResponse{AggregateTypes: []*eventpb.AggregateType{{Type: "user"}}}
	case getMyUser.path:
		resp = &authpb.GetMyUserResponse{User: &userpb.User{Id: "own-user"}}
	default:
		writeStatus(w, status.New(codes.NotFound, "Not Found"))
		return
	}
	if err != nil {
		writeStatus(w, status.Convert(err))
		return
	}
	text, err := protojson.Marshal(resp)
	if err != nil {
		panic(err)
	}
	writeJSON(w, 200, string(text))
}

func (f *fake) note(authorization, language string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent, f.language = append(f.sent, authorization), language
}

func (f *fake) noted() (sent []string, tokens int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.sent...), f.tokens
}

func (f *fake) noteRPC(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(name string) string { return strings.Join(md.Get(name), "") }
	f.note(first("authorization"), first("accept-language"))
	// As ZITADEL's interceptor for caches does.
	grpc.SetHeader(ctx, metadata.Pairs("cache-control", "no-store", "expires", time.Now().UTC().Format(http.TimeFormat)))
}

type fakeAdmin struct {
	adminpb.UnimplementedAdminServiceServer
	*fake
}

func (a *fakeAdmin) ListEvents(ctx context.Context, req *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
	a.noteRPC(ctx)
	return a.search(ctx, req)
}

func (a *fakeAdmin) ListEventTypes(ctx context.Context, _ *adminpb.ListEventTypesRequest) (*adminpb.ListEventTypesResponse, error) {
	a.noteRPC(ctx)
	return &adminpb.ListEventTypesResponse{EventTypes: []*eventpb.EventType{{Type: "user.added"}, {Type: "user.locked"}}}, nil
}

func (a *fakeAdmin) ListAggregateTypes(ctx context.Context, _ *adminpb.ListAggregateTypesRequest) (*adminpb.ListAggregateTypesResponse, error) {
	a.noteRPC(ctx)
	return &adminpb.ListAggregateTypesResponse{AggregateTypes: []*eventpb.AggregateType{{Type: "user"}}}, nil
}

type fakeAuth struct {
	authpb.UnimplementedAuthServiceServer
	*fake
}

func (a *fakeAuth) GetMyUser(ctx context.Context, _ *authpb.GetMyUserRequest) (*authpb.GetMyUserResponse, error) {
	a.noteRPC(ctx)
	return &authpb.GetMyUserResponse{User: &userpb.User{Id: "own-user"}}, nil
}

// hang answers nothing for as long as the client waits. The server notices its
// end only once the request is read.
func hang(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func writeToken(w http.ResponseWriter, token string, seconds int) {
	writeJSON(w, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, seconds))
}

// writeStatus is how ZITADEL's gateway writes an error.
func writeStatus(w http.ResponseWriter, s *status.Status) {
	text, _ := json.Marshal(s.Message())
	httpStatus, ok := statusOfCode[s.Code()]
	if !ok {
		httpStatus = 500
	}
	writeJSON(w, httpStatus, fmt.Sprintf(`{"code":%d, "message":%s}`, s.Code(), text))
}

var statusOfCode = map[codes.Code]int{
	codes.Unauthenticated: 401, codes.NotFound: 404, codes.PermissionDenied: 403, codes.ResourceExhausted: 429,
	codes.InvalidArgument: 400, codes.Unavailable: 503, codes.Unimplemented: 501, codes.DeadlineExceeded: 504,
}

// client makes a client of f; set changes its settings, which have a token.
func (f *fake) client(t testing.TB, transport string, set ...func(*config.Settings)) *Client {
	t.Helper()
	return f.logging(t, transport, nil, set...)
}

// logging is client with a log.
func (f *fake) logging(t testing.TB, transport string, log *slog.Logger, set ...func(*config.Settings)) *Client {
	t.Helper()
	cfg := config.Settings{URL: mustURL(t, f.URL), Transport: transport, Token: "static-token", RequestTimeout: 2 * time.Minute}
	for _, s := range set {
		s(&cfg)
	}
	return mustNew(t, cfg, Options{Log: log})
}

func mustNew(t testing.TB, cfg config.Settings, o Options) *Client {
	t.Helper()
	c, err := New(context.Background(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// onBoth runs a test over each transport.
func onBoth(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{TransportGRPC, TransportREST} {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}

// list asks for a page and gives only its error.
func list(ctx context.Context, c *Client) error {
	_, err := c.ListEvents(ctx, &adminpb.ListEventsRequest{Limit: 1000, Asc: true})
	return err
}

// wantError is err as an *Error of this class.
func wantError(t *testing.T, err error, class Class) *Error {
	t.Helper()
	e, ok := err.(*Error)
	if !ok {
		t.Fatalf("error is %T %v, want an *Error", err, err)
	}
	if e.Class != class {
		t.Fatalf("class is %s, want %s: %v", e.Class, class, e)
	}
	if text := e.Error(); strings.ContainsAny(text, "\n\r") {
		t.Errorf("error is not one line: %q", text)
	}
	return e
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fakeClock is a clock that moves only when told to.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (f *fakeClock) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeClock) add(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// fakeTime gives c such a clock. Call it before anything else is asked of c.
func fakeTime(c *Client) *fakeClock {
	f := &fakeClock{now: time.Now()}
	c.clock.now = f.Now
	if l, ok := c.login.(*fileLogin); ok {
		l.secret.Now = f.Now
	}
	return f
}

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// keyFile writes the key file of service user "machine".
func keyFile(t testing.TB) string {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(testKey())})
	content, err := json.Marshal(map[string]string{"type": "serviceaccount", "keyId": "key-1", "userId": "machine", "key": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	writeFile(t, path, string(content))
	return path
}

// logBuffer collects what a client logs.
type logBuffer struct{ testkit.Text }

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
