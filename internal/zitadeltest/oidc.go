package zitadeltest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/protobuf/types/known/structpb"
)

// serviceUser is a machine user that may fetch tokens.
type serviceUser struct {
	id     string
	role   Role
	key    *rsa.PublicKey // JWT profile
	secret string         // client credentials
}

// orgID owns the events that the token endpoint writes.
const orgID = "300000000000000001"

// newID has the form of ZITADEL's ids.
func newID() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e17))
	if err != nil { // never: crypto/rand does not fail
		panic(err)
	}
	return fmt.Sprintf("4%017d", n)
}

// AddServiceKey makes a service user with a key and returns the key file as
// ZITADEL's console gives it.
func (s *Server) AddServiceKey(role Role) (userID string, keyFile []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", nil, fmt.Errorf("zitadeltest: key: %w", err)
	}
	user := serviceUser{id: newID(), role: role, key: &key.PublicKey}
	s.mu.Lock()
	s.users[user.id] = user
	s.mu.Unlock()
	keyFile, err = json.Marshal(map[string]string{
		"type":   "serviceaccount",
		"keyId":  newID(),
		"userId": user.id,
		"key": string(pem.EncodeToMemory(&pem.Block{
			Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key),
		})),
	})
	return user.id, keyFile, err
}

// AddClient makes a service user with client credentials.
func (s *Server) AddClient(role Role) (userID, clientID, secret string) {
	user := serviceUser{id: newID(), role: role, secret: rand.Text()}
	clientID = "machine-" + user.id
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[clientID] = user
	return user.id, clientID, user.secret
}

// RemoveUser makes the token endpoint refuse a service user, given by user id or
// client id. Its tokens stay valid.
func (s *Server) RemoveUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

func (s *Server) user(id string) (serviceUser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[id]
	return u, ok
}

func (s *Server) tokenRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("POST /oauth/v2/token", s.token)
}

func (s *Server) issuer(r *http.Request) string { return s.scheme() + "://" + r.Host }

func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	f := s.Faults()
	if f.Starting || f.DatabaseDown {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	if !s.accepts(r.Host) {
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
		return
	}
	issuer := s.issuer(r)
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                      issuer,
		"authorization_endpoint":                      issuer + "/oauth/v2/authorize",
		"token_endpoint":                              issuer + "/oauth/v2/token",
		"introspection_endpoint":                      issuer + "/oauth/v2/introspect",
		"userinfo_endpoint":                           issuer + "/oidc/v1/userinfo",
		"jwks_uri":                                    issuer + "/oauth/v2/keys",
		"grant_types_supported":                       []string{"authorization_code", grantClient, grantJWT},
		"response_types_supported":                    []string{"code"},
		"subject_types_supported":                     []string{"public"},
		"id_token_signing_alg_values_supported":       []string{"RS256"},
		"token_endpoint_auth_methods_supported":       []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		"request_object_signing_alg_values_supported": []string{"RS256"},
	})
}

const (
	grantJWT    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantClient = "client_credentials"
)

// refusal is an OAuth error answer.
type refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	f := s.Faults()
	if f.Starting || f.DatabaseDown {
		writeJSON(w, http.StatusInternalServerError, refusal{"server_error", "Errors.Internal"})
		return
	}
	if err := pause(r.Context(), f.Latency); err != nil {
		return
	}
	var (
		user   serviceUser
		client string
		reason string // as in ZITADEL's event
		err    error
	)
	switch grant := r.PostFormValue("grant_type"); grant {
	case grantJWT:
		reason = "jwt_profile"
		if user, err = s.checkAssertion(r.PostFormValue("assertion"), s.issuer(r)); err != nil {
			writeJSON(w, http.StatusBadRequest, refusal{"invalid_grant", err.Error()})
			return
		}
		client = user.id
	case grantClient:
		reason = "client_credentials"
		id, secret, basic := r.BasicAuth()
		if !basic {
			id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
		}
		var ok bool
		if user, ok = s.user(id); !ok || user.secret == "" || user.secret != secret {
			writeJSON(w, http.StatusUnauthorized, refusal{"invalid_client", "client not found or secret invalid"})
			return
		}
		client = id
	default:
		writeJSON(w, http.StatusBadRequest, refusal{"unsupported_grant_type", grant + " not supported"})
		return
	}
	scopes := strings.Fields(r.PostFormValue("scope"))
	value := s.issue(user, client, reason, scopes)
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": value,
		"token_type":   "Bearer",
		"expires_in":   int(s.opts.TokenLifetime.Seconds()),
	})
}

// issue makes a token and writes the two events that ZITADEL writes for it, in one
// transaction and without an editor.
func (s *Server) issue(user serviceUser, client string, reason string, scopes []string) string {
	now, value, id := s.now(), rand.Text(), newID()
	s.AddToken(value, user.role, now.Add(s.opts.TokenLifetime))
	s.issued.Add(1)

	scope := make([]any, len(scopes))
	for i, v := range scopes {
		scope[i] = v
	}
	base := Event{AggregateType: "oidc_session", AggregateID: "V2_" + id, ResourceOwner: orgID, CreatedAt: now}
	added, issued := base, base
	added.Type = "oidc_session.added"
	added.Payload = mustStruct(map[string]any{
		"audience": nil, "authMethods": []any{4}, "authTime": now.UTC().Format(time.RFC3339Nano),
		"clientID": client, "scope": scope, "sessionID": "",
		"userID": user.id, "userResourceOwner": orgID,
	})
	issued.Type = "oidc_session.access_token.added"
	issued.Payload = mustStruct(map[string]any{
		"id": "at_" + newID(), "lifetime": float64(s.opts.TokenLifetime),
		"reason": reason, "scope": scope,
	})
	s.store.Append(added, issued)
	return value
}

func mustStruct(m map[string]any) *structpb.Struct {
	v, err := structpb.NewStruct(m)
	if err != nil { // the maps above hold JSON values only
		panic("zitadeltest: " + err.Error())
	}
	return v
}

// checkAssertion verifies a JWT of the JWT profile (RFC 7523).
func (s *Server) checkAssertion(assertion, issuer string) (serviceUser, error) {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	var claims jwt.Claims
	if err == nil {
		err = token.UnsafeClaimsWithoutVerification(&claims) // only to find the key
	}
	if err != nil {
		return serviceUser{}, fmt.Errorf("assertion: %w", err)
	}
	user, ok := s.user(claims.Issuer)
	if !ok || user.key == nil {
		return serviceUser{}, errors.New("Errors.User.NotFound")
	}
	if err := token.Claims(user.key, &claims); err != nil {
		return serviceUser{}, fmt.Errorf("signature verification failed: %w", err)
	}
	want := jwt.Expected{Subject: claims.Issuer, AnyAudience: jwt.Audience{issuer}, Time: s.now()}
	return user, claims.ValidateWithLeeway(want, time.Second)
}
