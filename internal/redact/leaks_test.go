package redact_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
)

// secret stands for a secret in the tests of this file.
const secret = "hunter2"

// opaqueToken is long and random like a real one.
const opaqueToken = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"

// base64 of the first bytes of private keys in DER, and zeros behind them.
func der(start ...byte) string {
	return base64.StdEncoding.EncodeToString(append(start, make([]byte, 60)...))
}

// "*" in want stands for what is cut.
func TestUnknownType_SecretsInTextGo(t *testing.T) {
	for in, want := range map[string]string{
		"password = hunter2":                             "password = *",
		"password= hunter2 ok":                           "password= * ok",
		`password := "hunter2 x"`:                        `password := "*"`,
		"password == hunter2":                            "password == *",
		"password: hunter2":                              "password: *",
		"password:hunter2":                               "password:*",
		`password: "hunter2"`:                            `password: "*"`,
		"user a password : hunter2 from b":               "user a password : * from b",
		"map[name:a password:hunter2]":                   "map[name:a password:*]",
		"got [{Name:a Password:hunter2} {Password:x}]":   "got [{Name:a Password:*} {Password:*}]",
		"&{Token:hunter2 Code:123456}":                   "&{Token:* Code:*}",
		"newPassword1: hunter2":                          "newPassword1: *",
		"token: " + opaqueToken:                          "token: *",
		"<password>hunter2</password>":                   "<password>*</password>",
		`<a><ns:Password type="x">a b</ns:Password></a>`: `<a><ns:Password type="x">*</ns:Password></a>`,
		"<password>hunter2":                              "<password>*",
		"https://x.example/?u=https%253A%252F%252Fy%253Fcode%253Dhunter2%2526x%253D1":         "https://x.example/?u=https%253A%252F%252Fy%253Fcode%253D*%2526x%253D1",
		"https://x.example/?session_state=hunter2&x=1":                                        "https://x.example/?session_state=*&x=1",
		"https://x.example/?u=y%3Fsession_state%3Dhunter2%26x%3D1":                            "https://x.example/?u=y%3Fsession_state%3D*%26x%3D1",
		"https://x.example/sso?SAMLRequest=fZJNT8M":                                           "https://x.example/sso?SAMLRequest=*",
		"Token " + opaqueToken:                                                                "Token *",
		"ApiKey " + opaqueToken:                                                               "ApiKey *",
		"DPoP " + opaqueToken + " refused":                                                    "DPoP * refused",
		"pbkdf2_sha256$260000$c2FsdA$aGFzaGhhc2g=":                                            "*",
		"hash sha256$salt$e3b0c44298fc1c14":                                                   "hash *",
		"$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn":                                       "*",
		"$S$DkIkdKLIvRK0iVHm99X7B/M8QC17E1Tp":                                                 "*",
		der(0x30, 0x82, 4, 0xbd, 2, 1, 0, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48):                 "*", // PKCS #8: MIIEv
		der(0x30, 0x82, 2, 0x76, 2, 1, 0, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48):                 "*", // MIICd
		der(0x30, 0x82, 4, 0xa4, 2, 1, 0, 2, 0x82, 1, 1, 0):                                   "*", // PKCS #1
		der(0x30, 0x77, 2, 1, 1, 4, 0x20, 1, 2, 3):                                            "*", // SEC 1
		der(0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13, 6, 7):                                      "*", // elliptic, PKCS #8
		der(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20):           "*", // Ed25519
		der(0x30, 0x82, 5, 0, 0x30, 0x40, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 5, 0xd): "*", // encrypted
	} {
		want = strings.ReplaceAll(want, "*", redact.Redacted)
		p := &structpb.Struct{Fields: map[string]*structpb.Value{"description": structpb.NewStringValue(in)}}
		redact.Payload("future.type", p)
		if got := p.Fields["description"].GetStringValue(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if n := redact.Payload("future.type", p); n != 0 {
			t.Errorf("%q: the second time made %q", want, p.Fields["description"].GetStringValue())
		}
		if got := redact.String("failed: " + in); strings.Contains(got, secret) || strings.Contains(got, opaqueToken) {
			t.Errorf("String leaves %q", got)
		}
	}
}

// Sentences about passwords, and what looks like the shapes above.
func TestUnknownType_SentencesStay(t *testing.T) {
	for _, s := range []string{
		"password: changed by admin", "Password: required", "password: must be longer", "password = unchanged", "a == b", "state = active",
		"code = Unavailable desc = x", "oauth2: cannot fetch token: 401 Unauthorized", "token: expired", "secret: see docs", "the code: 7",
		"passwordPolicyId=123", "passwordAge: 30", "Errors.User.Password.Invalid: no", "urn:ietf:params:oauth:token-type:access_token",
		"scope token:read secret:write", "use <password> here", "<code>a</code>", "<b>password</b>", "<token/>x",
		"token V2_400713410641136678-at_400713410641202214", "Token expired-yesterday-evening", "token 400712317102197798", "$S$", "a$b$c",
		"2026-11-22T09:30:01Z", "pass: all tests", "https://x.example/?returnUrl=a%253Db", "MIIDfake", "Secretary: Bob",
		der(0x30, 0x82, 4, 0, 0x30, 0x82, 3, 0, 0xa0, 3, 2, 1, 2),             // a certificate
		der(0x30, 0x82, 1, 0x22, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 1), // a public key
		der(0x30, 0x82, 1, 0x0a, 2, 0x82, 1, 1, 0, 0xc0),                      // a public key, PKCS #1
	} {
		p := &structpb.Struct{Fields: map[string]*structpb.Value{"description": structpb.NewStringValue(s)}}
		if redact.Payload("future.type", p) != 0 {
			t.Errorf("%q became %q", s, p.Fields["description"].GetStringValue())
		}
	}
}

func TestUnknownType_SecretKeys(t *testing.T) {
	for _, key := range []string{
		"passwordValue", "passwordEncoded", "password1", "password_2", "password_new", "newPasswordRepeat", "password_confirmation", "passwdOld",
		"secretValue", "secretBytes", "Secret-Data", "tokenValue", "tokenString", "access_token_value", "apiKeyValue",
		"pass", "creds", "credentials", "csrf", "loginCsrf", "xsrf", "sessionKey", "privKey", "magicLink", "samlRequest", "encrypted", "seed", "mnemonic",
	} {
		if got := payloadOf(t, "future.type", m{key: secret, "list": l{m{key: l{secret}}}, "on": true}); strings.Contains(got, secret) {
			t.Errorf("%s: %s", key, got)
		}
		if got := payloadOf(t, "future.type", m{key: true}); !strings.Contains(got, "true") {
			t.Errorf("%s: a flag is gone: %s", key, got)
		}
	}
	for _, key := range []string{
		"passwordId", "passwordRequired", "password_policy", "passwordChanged", "passwordChangeRequired", "passwordType", "passwordAge",
		"passwordLength", "secretLifetime", "secret_expiry", "passwordCount", "passwordDate", "passwordSet", "passwordVerified",
		"secretAlgorithm", "secretGenerator", "secretIDs", "passwordlessType", "passwordless", "secretary", "tokenType", "bypass", "seedling",
		"author", "authMethod", "encryptedAt",
	} {
		if got := payloadOf(t, "future.type", m{key: "keep"}); !strings.Contains(got, `"keep"`) {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestUnknownType_NumbersAndAuth(t *testing.T) {
	for _, c := range []struct {
		in   m
		want string
	}{
		{m{"newPassword": 1, "user_password": 2, "clientSecret": 3, "pin": 4, "smsCode": 5}, `{"clientSecret":"*","newPassword":"*","pin":"*","smsCode":"*","user_password":"*"}`},
		{m{"accessTokenLifetime": 1, "maxPassword": 2, "minSecrets": 3, "maxToken": 4, "passwordLength": 5, "secretCount": 6, "passwordValue": true},
			`{"accessTokenLifetime":1,"maxPassword":2,"maxToken":4,"minSecrets":3,"passwordLength":5,"passwordValue":true,"secretCount":6}`},
		{m{"auth": "user:hunter2"}, `{"auth":"*"}`}, {m{"auth": opaqueToken}, `{"auth":"*"}`}, {m{"auth": "basic"}, `{"auth":"basic"}`},
		{m{"headers": l{m{"name": "X-Auth", "value": "S"}, m{"name": "User-Agent", "value": "curl"}}}, `{"headers":[{"name":"X-Auth","value":"*"},{"name":"User-Agent","value":"curl"}]}`},
		{m{"headers": l{m{"Key": "X-Auth", "Values": l{"S"}}, m{"X-Auth": "S", "Host": "h"}}}, `{"headers":[{"Key":"X-Auth","Values":["*"]},{"Host":"h","X-Auth":"*"}]}`},
		{m{"header": l{"X-Auth-Token: S", "Accept: text/html"}}, `{"header":["X-Auth-Token: *","Accept: text/html"]}`},
		{m{"a": l{m{"KEY": "password", "value": "S"}, m{"id": "password", "Value": 7}, m{"Field": "client_secret", "value": "S"}, m{"k": "password", "v": "S"}, m{"TYPE": "token", "VALUE": "S"}, m{"type": "email", "value": "e"}}},
			`{"a":[{"KEY":"password","value":"*"},{"Value":"*","id":"password"},{"Field":"client_secret","value":"*"},{"k":"password","v":"*"},{"TYPE":"token","VALUE":"*"},{"type":"email","value":"e"}]}`},
	} {
		want := strings.ReplaceAll(c.want, "*", redact.Redacted)
		if got := payloadOf(t, "future.type", c.in); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// An investigator sees where data was sent, and nothing that opens the door,
// for every path of the catalogue that is such an address.
func TestCatalogue_AddressesKeepSchemeAndHost(t *testing.T) {
	types := catalogue(t)
	for in, want := range map[string]string{
		"https://user:marker@hooks.example:8443/marker?token=marker#marker": "https://hooks.example:8443/*",
		"https://hooks.example/marker":                                      "https://hooks.example/*",
		"HTTP://[2001:db8::1]:80?marker":                                    "HTTP://[2001:db8::1]:80/*",
		"https://hooks.example":                                             "https://hooks.example",
		"https://hooks.example/":                                            "https://hooks.example/",
		"https://marker@hooks.example":                                      "https://hooks.example/*",
		"https://hooks.example\\marker":                                     "https://hooks.example/*",
		"https://marker marker/x":                                           "*",
		"https://" + "ghp_0123456789abcdefghijABCDEFGHIJ.example/":          "*",
		"https:///marker":                                                   "*", "postgres://marker/x": "*", "marker": "*",
	} {
		want = strings.ReplaceAll(want, "*", redact.Redacted)
		seen := 0
		for _, typ := range types {
			for _, key := range typ.Keys {
				last := key.Name[strings.LastIndexByte(key.Name, '.')+1:]
				if key.Sensitive != "secret" || last != "endpoint" && last != "callURL" && last != "callUrl" {
					continue
				}
				seen++
				fields := m{}
				put(fields, key.Name, in)
				for range 2 {
					out := payloadOf(t, typ.Type, fields)
					if !strings.Contains(out, `:"`+strings.ReplaceAll(want, `\`, `\\`)+`"`) || strings.Contains(out, "marker") {
						t.Errorf("%s %s of %q: %s, want %s", typ.Type, key.Name, in, out, want)
					}
					fields = m{}
					put(fields, key.Name, want)
				}
			}
		}
		if seen < 8 {
			t.Fatalf("%d addresses in the catalogue", seen)
		}
		if out := payloadOf(t, "future.type", m{"callback_url": in}); strings.Contains(out, "marker") {
			t.Errorf("unknown type: %s", out)
		}
	}
}
