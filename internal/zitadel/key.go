package zitadel

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/crypto"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// userKey is the JSON that ZITADEL writes for a key.
type userKey struct {
	Type   string `json:"type"` // empty is serviceaccount
	KeyID  string `json:"keyId"`
	Key    string `json:"key"` // PEM
	UserID string `json:"userId"`
}

// parseKeyFile reads the JSON file that ZITADEL creates for a key of a service user.
// Its errors contain neither the content nor the text of the parser's error: any
// part of it may be the key.
func parseKeyFile(content []byte) (*userKey, error) {
	k := new(userKey)
	if err := json.Unmarshal(content, k); err != nil {
		return nil, errors.New("is not the JSON of a key")
	}
	switch strings.ToLower(k.Type) {
	case "serviceaccount", "":
	case "application":
		return nil, errors.New("is the key of an application, not of a service user")
	default:
		return nil, errors.New("is not the JSON of a key")
	}
	if k.KeyID == "" || k.UserID == "" || k.Key == "" {
		return nil, errors.New("lacks keyId, userId or key")
	}
	private, _, err := crypto.BytesToPrivateKey([]byte(k.Key))
	switch {
	case errors.Is(err, crypto.ErrPEMDecode):
		return nil, errors.New("has a key that is not PEM")
	case errors.Is(err, crypto.ErrUnsupportedFormat):
		return nil, errors.New("has a key that is damaged")
	}
	if _, ok := private.(*rsa.PrivateKey); !ok {
		return nil, errors.New("has a key that is not an RSA key")
	}
	return k, nil
}

// assertion returns the signed JWT that ZITADEL exchanges for a token (RFC 7523).
func assertion(k *userKey, audience string, now time.Time) (string, error) {
	private, algorithm, err := crypto.BytesToPrivateKey([]byte(k.Key))
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: algorithm,
		Key:       &jose.JSONWebKey{Key: private, KeyID: k.KeyID},
	}, nil)
	if err != nil {
		return "", err
	}
	return crypto.Sign(map[string]any{
		"iss": k.UserID,
		"sub": k.UserID,
		"aud": []string{audience},
		"jti": rand.Text(),
		// now is the server's. ZITADEL accepts assertions that are up to one hour old, but
		// none from two seconds in the future, so a time slightly in the past is safe.
		"iat": now.Add(-10 * time.Second).Unix(),
		"exp": now.Add(10 * time.Minute).Unix(),
	}, signer)
}

// keyGrant asks for tokens with a service user's key.
type keyGrant struct {
	path  string
	clock *clock

	mu   sync.Mutex
	user string
}

// key reads the file for each token, so that a replaced key is used without a
// restart.
func (g *keyGrant) key() (*userKey, error) {
	content, _, err := bounded.ReadFile(g.path, maxSecretFile)
	var k *userKey
	if err == nil {
		k, err = parseKeyFile(content)
	}
	if err != nil {
		return nil, localStop(fmt.Sprintf("key_file %s: %s", g.path, err),
			"name the JSON file that ZITADEL gave when the key of the service user was made", err)
	}
	g.mu.Lock()
	g.user = k.UserID
	g.mu.Unlock()
	return k, nil
}

func (g *keyGrant) form(_ context.Context, issuer string) (url.Values, *url.Userinfo, error) {
	k, err := g.key()
	if err != nil {
		return nil, nil, err
	}
	signed, err := assertion(k, issuer, g.clock.serverNow())
	if err != nil {
		return nil, nil, localStop("key_file "+g.path+": the key cannot sign", "make a new key for the service user", nil)
	}
	return url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {signed},
	}, nil, nil
}

func (g *keyGrant) userID() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.user
}

func (g *keyGrant) option() string { return "key_file " + config.ForPeople(g.path) }
