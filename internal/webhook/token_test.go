package webhook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
var otherKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// jwt signs as ZITADEL does.
func jwt(alg jose.SignatureAlgorithm, key any, kid, payload string) string {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT")))
	return must(must(signer.Sign([]byte(payload))).CompactSerialize())
}

// jwe encrypts as ZITADEL does.
func jwe(alg jose.KeyAlgorithm, enc jose.ContentEncryption, key any, token string) string {
	e := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: key, KeyID: "k"}, (&jose.EncrypterOptions{}).WithType("JWT").WithContentType("JWT")))
	return must(must(e.Encrypt([]byte(token))).CompactSerialize())
}

func writePEM(tb testing.TB, path string, keys ...any) {
	tb.Helper()
	text := ""
	for _, k := range keys {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k))}))
	}
	writeFile(tb, path, text)
}

// issuer is an instance's JWKS that can change and fail.
type issuer struct {
	mu    sync.Mutex
	keys  []jose.JSONWebKey
	err   error
	calls int
	block chan struct{} // jwks waits for it
}

func (i *issuer) asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls
}

func (i *issuer) jwks(context.Context) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if block := i.block; block != nil {
		i.mu.Unlock()
		<-block
		i.mu.Lock()
	}
	return must(json.Marshal(jose.JSONWebKeySet{Keys: i.keys})), i.err
}

func TestTokens(t *testing.T) {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	is := &issuer{}
	is.keys = []jose.JSONWebKey{
		{Key: rsaKey().Public(), KeyID: "rsa", Algorithm: "RS256", Use: "sig"}, {Key: ec.Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"},
		{Key: rsaKey().Public(), KeyID: "enc", Algorithm: "RS256", Use: "enc"},
	}
	private := filepath.Join(t.TempDir(), "private.pem")
	writePEM(t, private, otherKey(), ec)
	w := newWorld(t, func(o *webhook.Options) { o.JWKS, o.PrivateKeyFile = is.jwks, private })
	good := jwt(jose.RS256, rsaKey(), "rsa", event)
	cut := strings.LastIndexByte(good, '.')
	for _, c := range []struct {
		what, body string
		status     int
	}{
		{"RSA", good, 200},
		{"EC", jwt(jose.ES256, ec, "ec", event), 200},
		{"encrypted, RSA", jwe(jose.RSA_OAEP_256, jose.A256GCM, otherKey().Public(), good), 200},
		{"encrypted, EC", jwe(jose.ECDH_ES_A256KW, jose.A256GCM, ec.Public(), good), 200},
		{"other key", jwt(jose.RS256, otherKey(), "rsa", event), 401},
		{"unknown key", jwt(jose.RS256, rsaKey(), "unknown", event), 401},
		{"no key id", jwt(jose.RS256, rsaKey(), "", event), 401},
		{"a key for something else", jwt(jose.RS256, rsaKey(), "enc", event), 401},
		{"other algorithm than the key's", jwt(jose.RS512, rsaKey(), "rsa", event), 401},
		{"an algorithm with a shared key", jwt(jose.HS256, []byte(strings.Repeat("k", 32)), "rsa", event), 401},
		{"no algorithm", "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".", 401},
		{"no signature", good[:cut+1], 401},
		{"encrypted to another key", jwe(jose.RSA_OAEP_256, jose.A256GCM, rsaKey().Public(), good), 401},
		{"encrypted, other algorithm", jwe(jose.RSA_OAEP, jose.A256GCM, otherKey().Public(), good), 401},
		{"encrypted, other content", jwe(jose.RSA_OAEP_256, jose.A128GCM, otherKey().Public(), good), 401},
		{"encrypted without a signature", jwe(jose.RSA_OAEP_256, jose.A256GCM, otherKey().Public(), event), 401},
		{"encrypted twice", jwe(jose.RSA_OAEP_256, jose.A256GCM, otherKey().Public(), jwe(jose.RSA_OAEP_256, jose.A256GCM, otherKey().Public(), good)), 401},
	} {
		w.spool.entries = nil
		w.want(t, c.what, w.signed("t", c.body), c.status, webhook.BadToken)
		if c.status == 200 {
			if e, ok := w.spool.one(t).(*webhook.Event); !ok || e.Event.GetSequence() != 4 {
				t.Errorf("%s: %+v", c.what, e)
			}
		} else if len(w.spool.entries) > 0 {
			t.Errorf("%s: kept", c.what)
		}
	}
	// Every byte counts, whatever the HMAC says.
	for i := 0; i < len(good); i += 7 {
		if good[i] != '.' {
			changed := good[:i] + string(good[i]^1) + good[i+1:]
			if status := w.do(w.signed("t", changed)); status != 401 && i != len(good)-1 {
				t.Fatalf("byte %d of a token: status %d", i, status)
			}
		}
	}
	// The HMAC is asked first: a token alone could be replayed for ever.
	r := w.signed("t", good)
	r.Header.Del(webhook.SignatureHeader)
	w.want(t, "a token alone", r, 401, webhook.NoSignature)
}

func TestTokens_NotSetUp(t *testing.T) {
	w := newWorld(t, nil)
	w.want(t, "no key file", w.signed("t", jwe(jose.RSA_OAEP_256, jose.A256GCM, otherKey().Public(), "x")), 401, webhook.BadToken)
}

// The key set is fetched when it is needed: a new key is found, a key that was taken back ends, an
// instance that is away costs nothing at first, and nobody can make us ask without end.
func TestKeySet_IsCached(t *testing.T) {
	is := &issuer{keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "a"}}}
	w := newWorld(t, func(o *webhook.Options) { o.JWKS = is.jwks })
	n := 0
	try := func(what, kid string, key *rsa.PrivateKey, status int, why webhook.Reason, calls int) {
		t.Helper()
		n++
		body := strings.Replace(event, `"sequence":4`, `"sequence":`+strconv.Itoa(n), 1)
		w.want(t, what, w.signed("t", jwt(jose.RS256, key, kid, body)), status, why)
		testkit.Until(t, what+": asked another number of times", func() bool { return is.asked() == calls })
	}
	is.err = errors.New("away")
	try("away", "a", rsaKey(), 503, webhook.NoKeySet, 1)
	try("away, soon again", "a", rsaKey(), 503, webhook.NoKeySet, 1)
	is.err = nil
	w.now = w.now.Add(11 * time.Second)
	try("there", "a", rsaKey(), 200, 0, 2)
	try("cached", "a", rsaKey(), 200, 0, 2)
	try("unknown, too soon", "b", otherKey(), 401, webhook.BadToken, 2)
	w.now = w.now.Add(11 * time.Second)
	is.keys = append(is.keys, jose.JSONWebKey{Key: otherKey().Public(), KeyID: "b"})
	try("new", "b", otherKey(), 200, 0, 3)
	is.keys = is.keys[1:]
	try("taken back, not known yet", "a", rsaKey(), 200, 0, 3)
	w.now = w.now.Add(time.Hour)
	is.block = make(chan struct{})
	for range 3 { // nobody waits for the new set, which is fetched once
		try("taken back, and found out meanwhile", "a", rsaKey(), 200, 0, 4)
	}
	close(is.block)
	try("taken back", "c", rsaKey(), 401, webhook.BadToken, 4) // waits for it
	try("taken back", "a", rsaKey(), 401, webhook.BadToken, 4)
	is.err = errors.New("away")
	w.now = w.now.Add(2 * time.Hour)
	try("away, known", "b", otherKey(), 200, 0, 5)
	try("away, unknown", "c", otherKey(), 503, webhook.NoKeySet, 5)
	w.now = w.now.Add(24 * time.Hour)
	try("away for a day", "b", otherKey(), 503, webhook.NoKeySet, 6)
}

func TestKeySet_OverHTTP(t *testing.T) {
	is := &issuer{keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "a"}}}
	mode := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode {
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "endless":
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat(" ", 1<<16))); err != nil {
					return
				}
			}
		default:
			b, _ := is.jwks(r.Context())
			_, _ = w.Write(b)
		}
	}))
	defer server.Close()
	at := must(url.Parse(server.URL))
	jwks := must(webhook.KeysOf(config.Settings{URL: at, RequestTimeout: time.Minute}))
	w := newWorld(t, func(o *webhook.Options) { o.JWKS = jwks })
	for i, c := range []struct {
		mode   string
		status int
	}{{"redirect", 503}, {"endless", 503}, {"", 200}} {
		mode = c.mode
		w.now = w.now.Add(time.Minute)
		body := strings.Replace(event, `"sequence":4`, `"sequence":`+strconv.Itoa(i), 1)
		w.want(t, c.mode, w.signed("t", jwt(jose.RS256, rsaKey(), "a", body)), c.status, webhook.NoKeySet)
	}
}
