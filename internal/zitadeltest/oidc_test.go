package zitadeltest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"testing"
	"time"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
)

// fetchToken posts a form to the token endpoint.
func fetchToken(t *testing.T, srv *Server, form url.Values) (status int, token string, lifetime int, refused string) {
	t.Helper()
	resp, body := post(t, srv, "/oauth/v2/token", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Error       string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return resp.StatusCode, answer.AccessToken, answer.ExpiresIn, answer.Error
}

// assertion signs the JWT of a key file, as ZITADEL's libraries do.
func assertion(t *testing.T, keyFile []byte, audience string, issued time.Time) string {
	t.Helper()
	var file struct{ Type, KeyID, Key, UserID string }
	if err := json.Unmarshal(keyFile, &file); err != nil || file.Type != "serviceaccount" {
		t.Fatalf("%v in %s", err, keyFile)
	}
	block, _ := pem.Decode([]byte(file.Key))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	jwt := part(map[string]string{"alg": "RS256", "kid": file.KeyID}) + "." + part(map[string]any{
		"iss": file.UserID, "sub": file.UserID, "aud": []string{audience},
		"iat": issued.Unix(), "exp": issued.Add(time.Hour).Unix(),
	})
	sum := sha256.Sum256([]byte(jwt))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return jwt + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestEveryTokenWritesTwoEvents(t *testing.T) {
	srv := start(t, NewStore(), Options{TokenLifetime: time.Hour})
	userID, keyFile, err := srv.AddServiceKey(Viewer)
	if err != nil {
		t.Fatal(err)
	}
	jwt := url.Values{"grant_type": {grantJWT}, "scope": {"openid"}, "assertion": {assertion(t, keyFile, srv.URL(), time.Now())}}
	status, token, lifetime, _ := fetchToken(t, srv, jwt)
	if status != 200 || lifetime != 3600 {
		t.Fatalf("status %d, lifetime %d", status, lifetime)
	}
	d := srv.Direct()
	d.Token = token
	events := list(t, d, &adminpb.ListEventsRequest{Asc: true})
	if len(events) != 2 ||
		events[0].GetType().GetType() != "oidc_session.added" ||
		events[1].GetType().GetType() != "oidc_session.access_token.added" ||
		events[0].GetPayload().GetFields()["userID"].GetStringValue() != userID {
		t.Errorf("events %v", events)
	}

	_, id, secret := srv.AddClient(NoRole)
	client := url.Values{"grant_type": {grantClient}, "client_id": {id}, "client_secret": {secret}}
	if status, _, _, refused := fetchToken(t, srv, client); status != 200 {
		t.Errorf("client credentials: %d %s", status, refused)
	}
	if srv.Tokens() != 2 || srv.Store().Len() != 4 {
		t.Errorf("%d tokens, %d events", srv.Tokens(), srv.Store().Len())
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	srv := start(t, NewStore(), Options{})
	_, keyFile, err := srv.AddServiceKey(Viewer)
	if err != nil {
		t.Fatal(err)
	}
	removed, removedFile, err := srv.AddServiceKey(Viewer)
	if err != nil {
		t.Fatal(err)
	}
	srv.RemoveUser(removed)
	_, id, _ := srv.AddClient(Viewer)
	jwt := func(file []byte, audience string, issued time.Time) url.Values {
		return url.Values{"grant_type": {grantJWT}, "assertion": {assertion(t, file, audience, issued)}}
	}
	for name, c := range map[string]struct {
		form   url.Values
		status int
		want   string
	}{
		"removed key":   {jwt(removedFile, srv.URL(), time.Now()), 400, "invalid_grant"},
		"audience":      {jwt(keyFile, "https://elsewhere.example.com", time.Now()), 400, "invalid_grant"},
		"expired":       {jwt(keyFile, srv.URL(), time.Now().Add(-2*time.Hour)), 400, "invalid_grant"},
		"clock ahead":   {jwt(keyFile, srv.URL(), time.Now().Add(time.Hour)), 400, "invalid_grant"},
		"no JWT":        {url.Values{"grant_type": {grantJWT}, "assertion": {"x"}}, 400, "invalid_grant"},
		"secret":        {url.Values{"grant_type": {grantClient}, "client_id": {id}, "client_secret": {"x"}}, 401, "invalid_client"},
		"unknown grant": {url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type"},
	} {
		if status, _, _, refused := fetchToken(t, srv, c.form); status != c.status || refused != c.want {
			t.Errorf("%s: %d %s, want %d %s", name, status, refused, c.status, c.want)
		}
	}
	if srv.Tokens() != 0 || srv.Store().Len() != 0 {
		t.Errorf("%d tokens, %d events", srv.Tokens(), srv.Store().Len())
	}
}

func TestIssuedTokensExpire(t *testing.T) {
	now := time.Unix(1.7e9, 0)
	srv := start(t, NewStore(), Options{TokenLifetime: time.Minute, Now: func() time.Time { return now }})
	_, id, secret := srv.AddClient(Viewer)
	_, token, _, _ := fetchToken(t, srv, url.Values{"grant_type": {grantClient}, "client_id": {id}, "client_secret": {secret}})
	d := srv.Direct()
	d.Token = token
	list(t, d, &adminpb.ListEventsRequest{})
	now = now.Add(time.Minute)
	if _, err := d.ListEvents(t.Context(), &adminpb.ListEventsRequest{}); err == nil {
		t.Error("an expired token was accepted")
	}
}
