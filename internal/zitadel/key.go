package zitadel

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/zitadel-go/v3/pkg/client"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
)

// parseKeyFile reads the JSON file that ZITADEL creates for a key of a service user.
// Its errors contain neither the content nor the text of the parser's error: any
// part of it may be the key.
func parseKeyFile(content []byte) (*client.KeyFile, error) {
	k, err := client.ConfigFromKeyFileData(content)
	if err != nil {
		return nil, errors.New("is not the JSON of a key")
	}
	if k.Type == client.ApplicationKey {
		return nil, errors.New("is the key of an application, not of a service user")
	}
	if k.KeyID == "" || k.UserID == "" || len(k.Key) == 0 {
		return nil, errors.New("lacks keyId, userId or key")
	}
	private, _, err := crypto.BytesToPrivateKey(k.Key)
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
func assertion(k *client.KeyFile, audience string, now time.Time) (string, error) {
	return oidc.GenerateJWTProfileToken(oidc.NewJWTProfileAssertion(k.UserID, k.KeyID, []string{audience}, k.Key,
		oidc.JWTProfileCustomClaim("jti", rand.Text()),
		// Instead of this machine's time. ZITADEL accepts assertions that are up to
		// one hour old, but none from two seconds in the future, so a time slightly
		// in the past is safe.
		func(claims *oidc.JWTProfileAssertionClaims) {
			claims.IssuedAt = oidc.FromTime(now.Add(-10 * time.Second))
			claims.Expiration = oidc.FromTime(now.Add(10 * time.Minute))
		}))
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
func (g *keyGrant) key() (*client.KeyFile, error) {
	content, _, err := bounded.ReadFile(g.path, maxSecretFile)
	var k *client.KeyFile
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

func (g *keyGrant) option() string { return "key_file " + g.path }
