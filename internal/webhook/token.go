package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/certs"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/keyfile"
)

const (
	// A key set is used for keySetAge at most before it is fetched again, so that a
	// withdrawn key ends. It is also fetched for an unknown key, but not more often
	// than once in keySetPause.
	keySetAge   = time.Hour
	keySetPause = 10 * time.Second
	// keySetLast is how long an old set is used if no new one can be fetched.
	keySetLast = 24 * time.Hour
	// keySetTimeout is below ZITADEL's default of 10 s for a target.
	keySetTimeout = 5 * time.Second
	maxKeySet     = 1 << 20 // bytes
)

// What ZITADEL signs web keys with, and what it encrypts to a target's key with.
var (
	signatureAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
	keyAlgorithms       = []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.ECDH_ES_A256KW}
	contentAlgorithms   = []jose.ContentEncryption{jose.A256GCM}
)

var (
	errToken  = errors.New("the token cannot be verified")
	errKeySet = errors.New("the keys of the instance cannot be fetched")
)

// fetchKeys returns the JWKS of an instance.
type fetchKeys func(context.Context) ([]byte, error)

// keyset caches the JWKS of an instance.
type keyset struct {
	fetch fetchKeys
	now   func() time.Time
	log   *slog.Logger

	current atomic.Pointer[fetched]
	mu      sync.Mutex // held while fetching
	tried   time.Time
}

type fetched struct {
	keys jose.JSONWebKeySet
	at   time.Time
}

// key returns the keys with this id. Only requests with a valid signature get here, so
// no one else can cause a fetch. A request with a known key does not wait: the set is
// fetched in the background.
func (k *keyset) key(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	if f := k.current.Load(); f != nil && k.now().Sub(f.at) <= keySetLast {
		if keys := f.keys.Key(id); len(keys) > 0 {
			if k.now().Sub(f.at) >= keySetAge {
				k.refreshBeside()
			}
			return keys, nil
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh(ctx)
	now, f := k.now(), k.current.Load()
	if f == nil || now.Sub(f.at) > keySetLast {
		return nil, errKeySet
	}
	if keys := f.keys.Key(id); len(keys) > 0 {
		return keys, nil
	}
	if f.at.Before(k.tried) {
		return nil, errKeySet // it may be in the set that could not be fetched
	}
	return nil, errToken
}

// refresh fetches the set, if the last try is long enough ago. k.mu is held.
func (k *keyset) refresh(ctx context.Context) {
	now := k.now()
	if !k.tried.IsZero() && now.Sub(k.tried).Abs() < keySetPause {
		return
	}
	k.tried = now
	if next, err := k.get(ctx); err == nil {
		k.current.Store(&fetched{next, now})
	}
}

// refreshBeside calls refresh in the background, unless it is running.
func (k *keyset) refreshBeside() {
	if !k.mu.TryLock() {
		return
	}
	go func() {
		defer k.mu.Unlock()
		err := fault.Contain(func() error {
			k.refresh(context.Background()) // has a timeout of its own
			return nil
		})
		if f, ok := errors.AsType[*fault.Error](err); ok {
			k.log.Error("webhook: panic while the keys of the instance were fetched", "error", f, "stack", f.Stack)
		}
	}()
}

func (k *keyset) get(ctx context.Context) (set jose.JSONWebKeySet, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keySetTimeout)
	defer cancel()
	b, err := k.fetch(ctx)
	if err != nil {
		return set, err
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return set, err
	}
	if len(set.Keys) == 0 {
		return set, errors.New("no keys")
	}
	return set, nil
}

// keysOf fetches the JWKS of the instance that is pulled from.
func keysOf(s config.Settings) (fetchKeys, error) {
	tlsConfig, err := certs.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Timeout:       s.RequestTimeout,
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	url := s.URL.JoinPath("/oauth/v2/keys").String()
	return func(ctx context.Context) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", answer.StatusCode)
		}
		return bounded.ReadAll(answer.Body, maxKeySet)
	}, nil
}

// isToken reports whether a body is a JWT or JWE in compact form, and how many dots it
// has. A JSON object begins with a brace.
func isToken(body []byte) (dots int, ok bool) {
	if len(body) == 0 || body[0] == '{' {
		return 0, false
	}
	dots = bytes.Count(body, []byte{'.'})
	return dots, dots == 2 || dots == 4
}

// open returns the payload of a JWT or JWE. JSON is returned unchanged.
func (e *Endpoint) open(ctx context.Context, body []byte) ([]byte, error) {
	dots, ok := isToken(body)
	if !ok {
		return body, nil
	}
	if dots == 4 {
		if e.private == nil {
			return nil, errToken
		}
		var err error
		keys, _ := e.private.Get(lookEvery)
		if body, err = decrypt(body, keys); err != nil {
			return nil, err
		}
	}
	token, err := jose.ParseSignedCompact(string(body), signatureAlgorithms)
	if err != nil || len(token.Signatures) != 1 {
		return nil, errToken
	}
	header := token.Signatures[0].Protected
	keys, err := e.keyset.key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != header.Algorithm || !key.Valid() || !key.IsPublic() {
			continue
		}
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errToken
}

func decrypt(body []byte, keys []any) ([]byte, error) {
	token, err := jose.ParseEncryptedCompact(string(body), keyAlgorithms, contentAlgorithms)
	if err != nil {
		return nil, errToken
	}
	for _, key := range keys {
		if plain, err := token.Decrypt(key); err == nil {
			return plain, nil
		}
	}
	return nil, errToken
}

// readPrivateKeys reads the keys of a PEM file; there may be several while a key is
// changed. Its errors do not contain the content.
func readPrivateKeys(path string) (keys []any, err error) {
	rest, _, err := bounded.ReadFile(path, maxPrivate)
	if err != nil {
		return nil, fmt.Errorf("%q %w", path, err)
	}
	for len(keys) < keyfile.MaxKeys {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := parsePrivateKey(block)
		if err != nil {
			return nil, fmt.Errorf("%q %w", path, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%q holds no private key in PEM", path)
	}
	return keys, nil
}

func parsePrivateKey(block *pem.Block) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		switch key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey:
			return key, nil
		}
		return nil, errors.New("holds a key that is neither RSA nor EC")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("must hold only unencrypted private keys (PKCS #8, PKCS #1 or SEC 1)")
}
