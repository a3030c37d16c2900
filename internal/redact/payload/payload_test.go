package payload_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
)

type m = map[string]any
type l = []any

const (
	bcrypt = "$2a$10$KoIoa8fdmE3Re8XDrgXOT.xr7Vw4DIneSGWtvNPmgA4b8Jy1j0.ZS"
	jwt    = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
	// made up, cut in length
	pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
)

func payloadOf(tb testing.TB, eventType string, fields m) string {
	tb.Helper()
	out, _ := redactedJSON(tb, eventType, fields)
	_, out, _ = strings.Cut(out, `"payload":`)
	return strings.TrimSuffix(out, `,"instance":"","source":""}`)
}

func TestPayload_ByKey(t *testing.T) {
	for i, c := range []struct {
		in   m
		want string
	}{
		{m{"Client-Secret": "x", "CLIENT_SECRET": "x", "clientsecret": "x"}, `{"CLIENT_SECRET":"*","Client-Secret":"*","clientsecret":"*"}`},
		{m{"pwd": "x", "dbPwd": "x", "pw": "x", "api-keys": l{"x"}, "publicKey": "x", "resetCodes": "x"}, `{"api-keys":["*"],"dbPwd":"*","publicKey":"x","pw":"x","pwd":"*","resetCodes":"*"}`},
		{m{"newPassword": "x", "smtp_password": "x", "sessionToken": "x", "webhookSecret": "x"}, `{"newPassword":"*","sessionToken":"*","smtp_password":"*","webhookSecret":"*"}`},
		// A number may be a code; a number under a name that only ends so is a length.
		{m{"code": 123456, "pin": 1234, "maxPassword": 8, "code_returned": true, "secret": false}, `{"code":"*","code_returned":true,"maxPassword":8,"pin":"*","secret":false}`},
		{m{"codeID": "a", "keyID": "b", "tokenId": "c", "sessionID": "d", "postalCode": "8000", "statusCode": 404, "tokenEndpoint": "https://x.example/token"},
			`{"codeID":"a","keyID":"b","postalCode":"8000","sessionID":"d","statusCode":404,"tokenEndpoint":"https://x.example/token","tokenId":"c"}`},
		{m{"passwordChangeRequired": true, "accessTokenLifetime": 7200000000000, "accessTokenType": 1, "expiry": 3600, "includeDigits": true, "length": 8},
			`{"accessTokenLifetime":7200000000000,"accessTokenType":1,"expiry":3600,"includeDigits":true,"length":8,"passwordChangeRequired":true}`},
		{m{"userName": "token", "email": "secret@example.com", "phone": "+41791234001", "displayName": "Basic Code: Bearer of Cookies"},
			`{"displayName":"Basic Code: Bearer of Cookies","email":"secret@example.com","phone":"+41791234001","userName":"token"}`},
		// Empty says that there was none.
		{m{"password": "", "token": nil, "codes": l{}, "secret": m{}}, `{"codes":[],"password":"","secret":{},"token":null}`},
		// The shape of lists and maps stays.
		{m{"codes": l{"a", "b", m{"c": l{"d", 1, true, nil}}}}, `{"codes":["*","*",{"c":["*","*",true,null]}]}`},
		{m{"anything": m{"CryptoType": 0, "Algorithm": "aes", "KeyID": "k", "Crypted": "x"}, "list": l{m{"Crypted": "x", "KeyID": "k"}}}, `{"anything":"*","list":["*"]}`},
		{m{"config": m{"Crypted": "alone"}}, `{"config":{"Crypted":"*"}}`},
		{m{"header": m{"Cookie": l{"a=b"}, "authorization": "x", "X-Custom-Auth": l{"x"}, "User-Agent": l{"Mozilla/5.0"}, "x-forwarded-for": l{"203.0.113.1"}, "grpcgateway-cookie": l{"x"}}},
			`{"header":{"Cookie":["*"],"User-Agent":["Mozilla/5.0"],"X-Custom-Auth":["*"],"authorization":"*","grpcgateway-cookie":["*"],"x-forwarded-for":["203.0.113.1"]}}`},
		{m{"header": m{"referer": l{"https://x.example/cb?code=abc&x=1"}}}, `{"header":{"referer":["https://x.example/cb?code=*&x=1"]}}`},
		{m{"list": l{m{"key": "clientSecret", "value": "x"}, m{"name": "Cookie", "values": l{"x"}}, m{"key": "colour", "value": "red"}}},
			`{"list":[{"key":"clientSecret","value":"*"},{"name":"Cookie","values":["*"]},{"key":"colour","value":"red"}]}`},
		{m{"jwk": m{"kty": "RSA", "n": "public", "e": "AQAB", "d": "x", "p": "x"}, "d": "stays"}, `{"d":"stays","jwk":{"d":"*","e":"AQAB","kty":"RSA","n":"public","p":"*"}}`},
		{m{"state": "x", "redirect_uri": "https://x.example"}, `{"redirect_uri":"https://x.example","state":"*"}`},
		{m{"state": "active"}, `{"state":"active"}`},
		{m{bcrypt: 1, "a": 2}, `{"*":"*","a":2}`},
		{m{"credentials": m{"clientId": "id", "clientSecret": "x"}, "credential": "x"}, `{"credential":"*","credentials":{"clientId":"id","clientSecret":"*"}}`},
	} {
		want := strings.ReplaceAll(strings.ReplaceAll(c.want, `*`, redact.Redacted), `"["`, `"["`)
		if got := payloadOf(t, "future.type", c.in); got != want {
			t.Errorf("%d: got  %s\nwant %s", i, got, want)
		}
	}
}

func TestPayload_UnknownMetadataIsFreeText(t *testing.T) {
	got := payloadOf(t, "project.metadata.set", m{"key": "env", "value": "x", "metadata": m{"a": "x"}})
	if got != `{"key":"env","metadata":{"a":"[REDACTED]"},"value":"[REDACTED]"}` {
		t.Error(got)
	}
}

// shapes are strings with a secret: "*" in want stands for what is cut.
var shapes = []struct{ in, want string }{
	{bcrypt, "*"},
	{"$2a$", "*"}, {"$2b$10$abc", "*"}, {"$2y$12$abcdefgh", "*"},
	{"$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g", "*"},
	{"$pbkdf2-sha256$i=12$c2FsdA$aGFzaA", "*"}, {"$scrypt$ln=16,r=8,p=1$c2FsdA$aGFzaA", "*"},
	{"$1$salt$qJH7.N4xYta3aEG/dfqo/0", "*"}, {"$6$rounds=5000$salt$hashhashhash", "*"}, {"$P$BIRXVj/ZG0YRiBH8gnRy0x72BuxuK0/", "*"},
	{"{SSHA}nVcYBBbHbHl5sYKmHm4vwJZw9zSHRb5p", "*"}, {"{PBKDF2-SHA256}12$c2FsdA$aGFzaGhhc2g", "*"},
	{"hash " + bcrypt + " of user", "hash * of user"},
	{jwt, "*"}, {"id token " + jwt + " refused", "id token * refused"}, {jwt[:60], "*"}, {jwt[:20], "*"},
	{"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn", "*"},
	{pem, "*"}, {"key:\n" + pem + "\nend", "key:\n*\nend"}, {`a\n` + pem, `a\n*`}, {"-----BEGIN PRIVATE KEY-----\nMIIE", "*"},
	{base64.StdEncoding.EncodeToString([]byte(pem)), "*"},
	{"Bearer mF_9.B5f-4.1JqM", "Bearer *"}, {"authorization=Bearer", "authorization=*"}, {"Basic dXNlcjpwYXNz", "Basic *"},
	{"Authorization: Bearer abc def", "Authorization: *"}, {"Cookie: a=b; c=d", "Cookie: *"}, {"GET /\r\nSet-Cookie: a=b\r\nHost: x", "GET /\r\nSet-Cookie: *\r\nHost: x"},
	{"zitadel.useragent=MTc5NTMz|abc; x=1", "zitadel.useragent=*; x=1"}, {"zitadel.login.csrf=MTc5", "zitadel.login.csrf=*"},
	{"__Host-zitadel.useragent=MTc5", "__Host-zitadel.useragent=*"}, {"gorilla.csrf.Token=7niEGAvP3%2B&x=1", "gorilla.csrf.Token=*&x=1"},
	{"http://localhost:19999/cb?code=eyJhbGci&state=abc&x=1#f", "http://localhost:19999/cb?code=*&state=*&x=1#f"},
	{"https://a.example/login?next=https%3A%2F%2Fb.example%3Fcode%3DeyJhbGci%26x%3D1", "https://a.example/login?next=https%3A%2F%2Fb.example%3Fcode%3D*%26x%3D1"},
	{"https://user:Passw0rd!x@host.example/path", "https://user:*@host.example/path"},
	{"postgres://zitadel:a@b@db:5432/z?sslmode=disable", "postgres://zitadel:*@db:5432/z?sslmode=disable"},
	{"https://hooks.example/x?token=abc&colour=red", "https://hooks.example/x?token=*&colour=red"},
	{"username=a&password=N3wPassw0rd!,)x&b=c", "username=a&password=*&b=c"}, {`password="a b" next`, `password="*" next`},
	{"map[password:[Passw0rd!x] loginName:[dos]]", "map[password:[*] loginName:[dos]]"},
	{"AKIAIOSFODNN7EXAMPLE", "*"}, {"use AKIAIOSFODNN7EXAMPLE.", "use *."},
	{"ghp_0123456789abcdefghijABCDEFGHIJ012345", "*"}, {"xoxb-123456789012-abcdefABCDEF", "*"}, {"sk_live_0123456789abcdefghij", "*"},
	{"AIzaSyA0123456789abcdefghijklmnopqrstuv", "*"}, {"glpat-0123456789abcdefghij", "*"},
	// JSON in a string goes as a whole.
	{`{"user":"a","password":"b"}`, "*"}, {` [{"client_secret" : "b"}]`, "*"}, {`{"code":{"Crypted":"x"}}`, "*"}, {`{"form":{"password":["b"]}}`, "*"},
	{`{"a":"` + jwt + `"}`, "*"}, {`{"pin":1234}`, "*"}, {`{\"token\":\"abc\"}`, "*"},
	{base64.StdEncoding.EncodeToString([]byte(`{"access_token":"abc"}`)), "*"},
	{base64.RawURLEncoding.EncodeToString([]byte(`{"name":"ü?","refreshToken":"abc>"}`)), "*"},
	// Quoted names outside of JSON.
	{`request {"password":"b","user":"a"} failed`, `request {"password":"*","user":"a"} failed`},
	{`msg="{\"form\":{\"password\":[\"Passw0rd!x\"],\"name\":\"a\"}}"`, `msg="{\"form\":{\"password\":[*],\"name\":\"a\"}}"`},
}

// ordinary are strings without a secret; they must stay to the byte.
var ordinary = []string{
	"", "a", "Søren Kierkegård", "400712317102197798", "2026-11-22T09:30:01.482598929Z", "203.0.113.219", "2001:db8::1",
	"Mozilla/5.0 (X11; Linux x86_64) lab-login-driver/1.0", "user32@example.com", "https://kc.example.com/realms/x",
	"http://localhost:18080/ui/console/auth/callback", "https://x.example/verify?userID={{.UserID}}&code={{.Code}}",
	"https://x.example/verify?code=%7B%7B.Code%7D%7D", "dc=x,ou=token,cn=a", "en-US,en;q=0.8", "Hallo {{.DisplayName}},",
	"SHA256:caaNXnAkKyl2C+tCHje9Td0welhkpIwCXRpum0doRq8", "costs $5 or $6 $ 7$", "${HOME}/$user$name", "Bearer of bad news",
	"invalid bearer token", "Bearer authentication is required", "Basic information", "basic auth", "password check failed", "the code: see below",
	"Errors.User.Password.Invalid", "{}", "[]", "[REDACTED]", "token=[REDACTED]", `{"name":"a","list":[1,2]}`, `{"password":"","code":null,"hasSecret":true}`,
	"a == b", "x=1", "token", "password", "key=value", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
	"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", base64.StdEncoding.EncodeToString([]byte("-----BEGIN RSA PUBLIC KEY-----\nMIIB")),
	base64.StdEncoding.EncodeToString([]byte(`{"name":"Jürgen","email":"a@b.example"}`)), "urn:zitadel:iam:org:project:id:zitadel:aud",
	"https://sp.example.com/saml", "#5469d4", "V2_400713410641136678", "at_400713410641202214", "12:30:45 key:value", "ldap://127.0.0.1:1",
}

func TestPayload_ByShape(t *testing.T) {
	for _, c := range shapes {
		want := strings.ReplaceAll(c.want, "*", redact.Redacted)
		p, err := structpb.NewStruct(m{"description": c.in, "list": l{m{"x": c.in}}})
		if err != nil {
			t.Fatal(err)
		}
		if removed := payload.Redact("org.added", p); removed != 2 {
			t.Errorf("%q: %d removed, want 2", c.in, removed)
		}
		if got := p.Fields["description"].GetStringValue(); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", c.in, got, want)
		}
		if removed := payload.Redact("org.added", p); removed != 0 {
			t.Errorf("%q: not done at the first time", c.in)
		}
	}
}

func TestPayload_OrdinaryTextStays(t *testing.T) {
	for _, s := range ordinary {
		p := &structpb.Struct{Fields: map[string]*structpb.Value{"description": structpb.NewStringValue(s)}}
		if removed := payload.Redact("org.added", p); removed != 0 {
			t.Errorf("%q became %q", s, p.Fields["description"].GetStringValue())
		}
	}
}

func TestPayload_NilAndOdd(t *testing.T) {
	if n := payload.Redact("org.added", nil); n != 0 {
		t.Error(n)
	}
	p := &structpb.Struct{Fields: map[string]*structpb.Value{
		"a": nil, "b": {}, "password": structpb.NewListValue(nil), "code": structpb.NewStructValue(nil), "header": nil, "value": nil, "state": {},
	}}
	if n := payload.Redact("", p); n != 0 {
		t.Error(n)
	}
	if n := payload.Redact("", &structpb.Struct{}); n != 0 {
		t.Error(n)
	}
}

// A payload nested without end is cut, and a secret below is gone with it.
func TestPayload_DepthIsBounded(t *testing.T) {
	v := structpb.NewStringValue(bcrypt)
	for range 100_000 {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	p := &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}}
	if n := payload.Redact("", p); n != 1 {
		t.Errorf("%d removed, want 1", n)
	}
	if out := fmt.Sprint(p); strings.Contains(out, bcrypt) || !strings.Contains(out, record.TooDeep) {
		t.Errorf("not cut: %.300s", out)
	}
}

func TestRecord_EditorNameByShape(t *testing.T) {
	r := record.Event{Editor: record.Editor{Name: "Bearer " + jwt}, Key: record.Key{AggregateID: "code=" + bcrypt}}
	if n := payload.Record(&r); n != 1 || r.Editor.Name != "Bearer [REDACTED]" {
		t.Errorf("%d, %q", n, r.Editor.Name)
	}
	if r.AggregateID != "code="+bcrypt {
		t.Error("the identity of the record changed")
	}
}

func TestString_CutsSecretsOutOfMessages(t *testing.T) {
	for _, c := range shapes {
		in, _, _ := strings.Cut(c.in, "\x00")
		if got := redact.String("failed: " + in); strings.Contains(got, "Passw0rd") || got == "failed: "+in && !strings.HasPrefix(c.in, "LS0t") && !strings.HasPrefix(c.in, "ey") {
			t.Errorf("%q stays: %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"rpc error: code = Unauthenticated desc = invalid token (AUTH-7fs1e)": "rpc error: code = Unauthenticated desc = invalid token (AUTH-7fs1e)",
		"dial tcp 127.0.0.1:443: connect: connection refused":                 "dial tcp 127.0.0.1:443: connect: connection refused",
		"login with password: hunter2, user a":                                "login with password: * user a",
		`Post "https://u:p@host/x?token=abc": EOF`:                            `Post "https://u:*@host/x?token=*": EOF`,
		"oauth2: \"invalid_client\" \"client_secret=abc\"":                    "oauth2: \"invalid_client\" \"client_secret=*\"",
		`{"error":"x","access_token":"abc"}`:                                  `{"error":"x","access_token":"*"}`,
		"token_file /run/secrets/token: permission denied":                    "token_file /run/secrets/token: permission denied",
		"endpoint=https://zitadel.example:443 code=7":                         "endpoint=https://zitadel.example:443 code=*",
	} {
		want = strings.ReplaceAll(want, "*", redact.Redacted)
		if got := redact.String(in); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	for _, s := range ordinary {
		if got := redact.String(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}
