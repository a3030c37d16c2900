package zitadel

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// withKey and withSecret are the two logins that fetch tokens.
func withKey(t *testing.T) func(*config.Settings) {
	path := keyFile(t)
	return func(cfg *config.Settings) { cfg.Token, cfg.KeyFile = "", path }
}

func withSecret(t *testing.T) (set func(*config.Settings), path string) {
	path = filepath.Join(t.TempDir(), "secret")
	writeFile(t, path, "client-secret+/=\n")
	return func(cfg *config.Settings) { cfg.Token, cfg.ClientID, cfg.ClientSecretFile = "", "client id", path }, path
}

func TestKeyIsExchangedByASignedAssertion(t *testing.T) {
	f := newFake(t)
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || r.PostFormValue("scope") != scopes {
			t.Errorf("form is %v", r.PostForm)
		}
		parts := strings.Split(r.PostFormValue("assertion"), ".")
		if len(parts) != 3 {
			t.Fatalf("assertion has %d parts", len(parts))
		}
		signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			t.Error(err)
		}
		var header struct{ Alg, Kid string }
		var claims struct {
			Iss, Sub string
			Aud      []string
			Iat, Exp int64
			Jti      string
		}
		for i, into := range []any{&header, &claims} {
			text, _ := base64.RawURLEncoding.DecodeString(parts[i])
			if err := json.Unmarshal(text, into); err != nil {
				t.Error(err)
			}
		}
		now := time.Now().Unix()
		if header.Alg != "RS256" || header.Kid != "key-1" || claims.Iss != "machine" || claims.Sub != "machine" ||
			len(claims.Aud) != 1 || claims.Aud[0] != f.URL || claims.Iat > now || claims.Iat < now-60 || claims.Exp <= now || claims.Jti == "" {
			t.Errorf("header %+v, claims %+v", header, claims)
		}
		writeToken(w, "fetched-token", 3600)
	})
	c := f.client(t, TransportREST, withKey(t))
	if err := list(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if id, err := c.OwnUserID(t.Context()); err != nil || id != "machine" {
		t.Errorf("own user %q, error %v", id, err)
	}
	if sent, _ := f.noted(); len(sent) != 1 || sent[0] != "Bearer fetched-token" {
		t.Errorf("sent %v", sent)
	}
}

// An assertion from the future is refused, and clocks do differ.
func TestAssertionIsMadeInTheServersTime(t *testing.T) {
	f := newFake(t)
	behind := time.Now().Add(-2 * time.Hour)
	f.onHTTP(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", behind.UTC().Format(http.TimeFormat))
		return false
	})
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		text, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.PostFormValue("assertion"), ".")[1])
		var claims struct{ Iat int64 }
		json.Unmarshal(text, &claims)
		if late := behind.Sub(time.Unix(claims.Iat, 0)); late < 0 || late > time.Minute {
			t.Errorf("the assertion is %s older than the server's now", late)
		}
		writeJSON(w, 400, `{"error":"invalid_grant","error_description":"invalid assertion"}`)
	})
	e := wantError(t, list(t.Context(), f.client(t, TransportREST, withKey(t))), Stop)
	wantIn(t, e.Fix, "this machine's clock is 2h0m", "ahead")
}

func TestClientSecretIsExchanged(t *testing.T) {
	f := newFake(t)
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		if id != "client id" || secret != "client-secret+/=" || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != scopes {
			t.Errorf("id %q, secret %q, form %v", id, secret, r.PostForm)
		}
		writeToken(w, "fetched-token", 3600)
	})
	set, _ := withSecret(t)
	c := f.client(t, TransportGRPC, set)
	if id, err := c.OwnUserID(t.Context()); err != nil || id != "own-user" {
		t.Errorf("own user %q, error %v", id, err)
	}
}

// Each token writes two events: one per call is a log without end.
func TestTokenIsFetchedOnceForThousandCallsAndAgainBeforeItExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		f.onToken(func(w http.ResponseWriter, _ *http.Request) {
			_, n := f.noted()
			writeToken(w, fmt.Sprintf("token-%d", n), 600)
		})
		c := f.client(t, transport, withKey(t))
		clock := fakeTime(c)
		for range 10 {
			var calls sync.WaitGroup
			for range 4 {
				calls.Go(func() {
					for range 25 {
						if err := list(t.Context(), c); err != nil {
							t.Error(err)
						}
					}
				})
			}
			calls.Wait()
			clock.add(53 * time.Second) // 530 s in all: one minute and 10 s before the end
		}
		if _, tokens := f.noted(); tokens != 1 {
			t.Fatalf("%d tokens for 1000 calls, want 1", tokens)
		}
		clock.add(11 * time.Second)
		if err := list(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		sent, tokens := f.noted()
		if tokens != 2 || sent[len(sent)-1] != "Bearer token-2" {
			t.Errorf("%d tokens, last sent %s, want a second one before the first expires", tokens, sent[len(sent)-1])
		}
	})
}

func TestShortTokenIsUsedForHalfItsLife(t *testing.T) {
	f := newFake(t)
	f.onToken(func(w http.ResponseWriter, _ *http.Request) { writeToken(w, "token", 60) })
	c := f.client(t, TransportREST, withKey(t))
	clock := fakeTime(c)
	for range 4 {
		if err := list(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		clock.add(29 * time.Second)
	}
	if _, tokens := f.noted(); tokens != 2 {
		t.Errorf("%d tokens within 87 s, want 2", tokens)
	}
}

// refuseAllBut makes f answer 16/401 to every token but one.
func refuseAllBut(f *fake, good func() string) {
	f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
		sent, _ := f.noted()
		last := sent[len(sent)-1]
		if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("authorization")) > 0 {
			last = md.Get("authorization")[0]
		}
		if last == "Bearer "+good() {
			return new(adminpb.ListEventsResponse), nil
		}
		return nil, status.Error(codes.Unauthenticated, "Errors.Token.Invalid (AUTH-7fs1e)")
	})
}

func TestRefusedTokenIsFetchedOnceMore(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		var mu sync.Mutex
		good := "token-1"
		f.onToken(func(w http.ResponseWriter, _ *http.Request) {
			_, n := f.noted()
			writeToken(w, fmt.Sprintf("token-%d", n), 43199)
		})
		refuseAllBut(f, func() string { mu.Lock(); defer mu.Unlock(); return good })
		c := f.client(t, transport, withKey(t))
		clock := fakeTime(c)
		if err := list(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		good = "token-2" // the first one is revoked
		mu.Unlock()
		clock.add(time.Hour)
		if err := list(t.Context(), c); err != nil {
			t.Errorf("after the refusal: %v", err)
		}
		sent, tokens := f.noted()
		if tokens != 2 || strings.Join(sent, ",") != "Bearer token-1,Bearer token-1,Bearer token-2" {
			t.Errorf("%d tokens, sent %v", tokens, sent)
		}

		mu.Lock()
		good = "none" // the user is locked
		mu.Unlock()
		clock.add(time.Hour)
		for range 5 {
			e := wantError(t, list(t.Context(), c), Stop)
			wantIn(t, e.Fix, "renew it in key_file")
		}
		if _, tokens := f.noted(); tokens != 3 {
			t.Errorf("%d tokens, want 3: a new one that is refused too is not replaced at once", tokens)
		}
	})
}

func TestStaticTokenThatIsRefusedIsNotSentAgain(t *testing.T) {
	f := newFake(t)
	refuseAllBut(f, func() string { return "another" })
	e := wantError(t, list(t.Context(), f.client(t, TransportGRPC)), Stop)
	wantIn(t, e.Fix, "renew it in token")
	if sent, _ := f.noted(); len(sent) != 1 {
		t.Errorf("%d calls, want 1", len(sent))
	}
}

func TestErrorsOfTheTokenEndpoint(t *testing.T) {
	secret, _ := withSecret(t)
	for _, test := range []struct {
		name   string
		set    func(*config.Settings)
		status int
		kind   string
		body   string
		class  Class
		fix    string
	}{
		{"key removed", withKey(t), 400, "application/json", `{"error":"invalid_grant","error_description":"invalid assertion"}`, Stop, "make a new key"},
		{"secret wrong", secret, 401, "application/json", `{"error":"invalid_client","error_description":"client not found"}`, Stop, "make a new client secret"},
		{"wrong host", withKey(t), 404, "application/json", `{"code":5,"message":"unable to set instance using origin: Instance not found."}`, Stop, "use its external domain"},
		{"scope", withKey(t), 400, "application/json", `{"error":"invalid_scope"}`, Stop, ""},
		{"database", withKey(t), 500, "application/json", `{"error":"server_error","error_description":"Errors.Internal"}`, Retry, ""},
		{"proxy", withKey(t), 502, "text/html", `<h1>Bad gateway</h1>`, Retry, ""},
		{"quota", withKey(t), 429, "application/json", `{"code":8,"message":"Quota.Access.Exhausted (QUOTA-vjAy8)"}`, Throttled, "quota"},
		{"other page", withKey(t), 200, "text/html", `<h1>Welcome</h1>`, Stop, "url does not lead"},
		{"no token", withKey(t), 200, "application/json", `{"ok":true}`, Stop, "url does not lead"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t)
			f.onToken(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.kind)
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
			})
			e := wantError(t, list(t.Context(), f.client(t, TransportGRPC, test.set)), test.class)
			wantIn(t, e.Fix, test.fix)
			wantIn(t, e.Error(), f.URL)
			if test.class == Throttled && e.RetryAfter != 5*time.Second {
				t.Errorf("retry after %s, want 5s", e.RetryAfter)
			}
			if sent, tokens := f.noted(); len(sent) != 0 || tokens != 1 {
				t.Errorf("%d API calls, %d token requests", len(sent), tokens)
			}
		})
	}
}

func TestTokenRequestHasATimeoutOfItsOwn(t *testing.T) {
	f := newFake(t)
	f.onToken(func(_ http.ResponseWriter, r *http.Request) { hang(r) })
	c := f.client(t, TransportGRPC, withKey(t), func(cfg *config.Settings) { cfg.RequestTimeout = 100 * time.Millisecond })
	e := wantError(t, list(context.Background(), c), Retry)
	wantIn(t, e.Error(), "100ms")
}

func TestWaitingForATokenEndsWithTheCaller(t *testing.T) {
	f := newFake(t)
	asked := make(chan struct{})
	f.onToken(func(_ http.ResponseWriter, r *http.Request) { close(asked); hang(r) })
	c := f.client(t, TransportGRPC, withKey(t))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if err := list(ctx, c); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestDiscoveryNamesTheEndpointButNeverAnotherHost(t *testing.T) {
	other := newFake(t)
	f := newFake(t)
	f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			writeJSON(w, 200, `{"issuer":"https://issuer.example.com","token_endpoint":"`+other.URL+`/custom/token"}`)
		case "/custom/token":
			r.URL.Path = "/oauth/v2/token"
			return false
		default:
			return false
		}
		return true
	})
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		text, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.PostFormValue("assertion"), ".")[1])
		wantIn(t, string(text), `"aud":["https://issuer.example.com"]`)
		writeToken(w, "token", 3600)
	})
	if err := list(t.Context(), f.client(t, TransportREST, withKey(t))); err != nil {
		t.Fatal(err)
	}
	if _, tokens := other.noted(); tokens != 0 {
		t.Error("the assertion went to another host")
	}
	// Without discovery ZITADEL's own path is right.
	f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			http.NotFound(w, r)
			return true
		}
		return false
	})
	f.onToken(func(w http.ResponseWriter, _ *http.Request) { writeToken(w, "token", 3600) })
	if err := list(t.Context(), f.client(t, TransportREST, withKey(t))); err != nil {
		t.Error(err)
	}
}
