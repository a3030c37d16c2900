package parser_test

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// secretSign stands in every text that must never leave, over and over, and in no other
// text of the generators: one of it in an output is a leak, however the
// secret was cut. otherSign stands in what the official script logs besides the
// fields that leave.
const (
	secretSign = "¤"
	otherSign  = "¶"
)

// pieces are the grammar's own words and what ends a string in some layer.
var pieces = []string{
	`, timestamp/2026-01-01 00:00:00.000000001 +0000 UTC`, `, timestamp/`, `, appID/1`, `, appID/`, `, remoteAddr/6.6.6.6:1`, `, remoteAddr/`,
	`, request/{"method":"POST","url":"/password","host":"evil","form":{},"postForm":{},"remoteAddr":"6.6.6.6:1","headers":{"User-Agent":["evil"]}}`,
	`, request/{"method":"POST","remoteAddr":"6.6.6.6:1","headers":{"User-Agent":["evil"]},"x":"`, `, request/{"method":"`, `, request/{"method":"x"}`, `, request/{}`, `, request/`,
	`, username/`, `, username/admin`, `successful login: username/admin`, `authentication failed: error/`, `error/none`,
	`{"method":"`, `"remoteAddr":"6.6.6.6:1"`, `"}`, `"}}`, `"]}}`, `":{"`, `","`, `":"`, `"form":{"a":"`, `"headers":{"User-Agent":["evil"]}`,
	`"`, `\`, `\\`, `\"`, `\\"`, `\\\"`, `'`, "\n", "\r\n", "\t", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\ufeff", "\U000e0001", "\ufffd", `\u`, `\u0022`, `\x22`, `\n`,
	`","logLevel":"info"`, `","logLevel":"info","instanceId":"666"}`, `","logLevel":"error","instanceId":"666"}"`, `"}"`, ` record="`, ` record="{\"logDate\":\"`, `msg="log record emitted"`,
	"\ntime=\"2026-01-01T00:00:00Z\" level=info msg=\"log record emitted\" record=\"{}\"", `{"logDate":"2026-01-01T00:00:00Z","took":0,"message":"`,
	`{"post_auth_log":1,"outcome":"success","user_name":"admin"}`, `","stream":"stdout"`, `{"log":"`, `action run succeeded`, `<eval>`, `&`, `=`, ` `, `/`, `%s`, `ü`, `李`, `😀`,
}

// Times with as many digits as somebody may type.
func init() {
	for n := range 36 {
		digits := strings.Repeat("0", n)
		pieces = append(pieces, ", timestamp/2026-01-01 00:00:00."+digits+" +0000 UTC, appID/1", `{"logDate":"2026-01-01T00:00:00.`+digits+`Z","took":0,"message":"`)
	}
}

// hostileText is text that an attacker would choose, without the signs.
func hostileText(longest int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		part := rapid.OneOf(rapid.SampledFrom(pieces), rapid.SampledFrom(pieces), rapid.StringN(0, 12, 40), rapid.StringMatching(`[a-z0-9.@-]{1,12}`))
		s := strings.Join(rapid.SliceOfN(part, 0, longest).Draw(t, "parts"), "")
		return clean(s)
	})
}

// clean takes out of s what no text of goja's has, and the signs. The redaction of
// secrets by their shape is internal/redact's, and not what is tested here.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.NewReplacer(secretSign, "", otherSign, "").Replace(s)
}

// secretText is a password, a cookie or the like.
func secretText(t *rapid.T, label string) string {
	s := strings.Repeat(secretSign, rapid.IntRange(1, 12).Draw(t, label+" length"))
	return s + rapid.SampledFrom(append(pieces, "")).Draw(t, label) + s
}

// aName is a name of a user: plain, hostile, or long.
func aName(t *rapid.T, label string) string {
	switch rapid.IntRange(0, 9).Draw(t, label+" kind") {
	case 0, 1:
		return "alice"
	case 2, 3:
		n := rapid.IntRange(0, 2100).Draw(t, label+" length")
		return strings.Repeat(rapid.SampledFrom([]string{"x", "ü", "李", "😀", `"`, `\`, "<", "\x01", "\x7f"}).Draw(t, label), n)
	case 4:
		return forgedTail(t, rapid.IntRange(1940, 2010).Draw(t, label+" end"))
	default:
		return hostileText(12).Draw(t, label)
	}
}

// forgedTail is a name that is followed by a whole forged rest, which ends
// at byte end of the message of a successful login: there ZITADEL may cut the true rest off.
func forgedTail(t *rapid.T, end int) string {
	rest := `, timestamp/2026-01-01 00:00:00 +0000 UTC, appID/1, remoteAddr/6.6.6.6:1, request/{"method":"POST","url":"/password","proto":"HTTP/1.1","contentLength":1,"host":"evil","form":{},"postForm":{},"remoteAddr":"6.6.6.6:1","headers":{"User-Agent":["evil` + hostilePadding(t) + `"]}}`
	fill := end - len("successful login: username/") - len(rest)
	return "admin" + strings.Repeat(" ", max(0, fill-len("admin"))) + rest
}

func hostilePadding(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", `\"`, `\\`, `\u0022`, "ü"}).Draw(t, "padding")
}

// anAttempt is a login with hostile values wherever a client, or an identity
// provider, has a say.
func anAttempt(t *rapid.T) *attempt {
	a := &attempt{
		failed:  rapid.Bool().Draw(t, "failed"),
		user:    aName(t, "user"),
		changed: time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "changed"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC(),
		app:     rapid.SampledFrom([]string{"400712808473365542", "1", ""}).Draw(t, "app"),
		peer:    rapid.SampledFrom([]string{"127.0.0.1:41676", "10.0.0.9:1", "[::1]:65535", "[fe80::1%eth0]:443"}).Draw(t, "peer"),
		method:  "POST", host: rapid.SampledFrom([]string{"localhost:18080", "z", "evil\"host"}).Draw(t, "host"),
		url:    rapid.SampledFrom([]string{"/password", "/login", "/", `/a"b`}).Draw(t, "url"),
		length: rapid.IntRange(0, 100_000).Draw(t, "content length"),
	}
	if a.failed {
		a.err = rapid.SampledFrom([]string{
			"ID=COMMAND-3M0fs Message=Errors.User.Password.Invalid Parent=(passwap: password does not match hash: )", "ID=EVENT-SDe2f Message=Errors.User.UsernameOrPassword.Invalid", "x",
		}).Draw(t, "error")
		if rapid.IntRange(0, 3).Draw(t, "hostile error") == 0 {
			a.err = hostileText(6).Draw(t, "error text")
		}
	}
	a.form = aForm(t, a, "form")
	a.post = aForm(t, a, "postForm")
	a.headers = someHeaders(t)
	return a
}

func aForm(t *rapid.T, a *attempt, label string) []header {
	form := []header{
		{"loginName", []string{a.user}}, {"password", []string{secretText(t, label+" password")}},
		{"gorilla.csrf.Token", []string{secretText(t, label+" token")}}, {"authRequestID", []string{"400712895614159910"}},
	}
	for range rapid.IntRange(0, 2).Draw(t, label+" more") {
		key := rapid.OneOf(rapid.SampledFrom([]string{"remoteAddr", "headers", "form", "postForm", "method", "User-Agent", "code"}), rapid.SampledFrom(pieces)).Draw(t, label+" key")
		form = append(form, header{key, []string{secretText(t, label+" value")}})
	}
	return rapid.Permutation(form).Draw(t, label)
}

func someHeaders(t *rapid.T) []header {
	h := []header{{"Accept", []string{"*/*"}}, {"Accept-Encoding", []string{"gzip, deflate"}}}
	add := func(key string, values ...string) {
		if rapid.Bool().Draw(t, key) {
			h = append(h, header{key, values})
		}
	}
	cookie := "zitadel.useragent=" + secretText(t, "cookie")
	add("Cookie", cookie, "zitadel.login.csrf="+secretText(t, "cookie 2"))
	add("Authorization", "Bearer "+secretText(t, "authorization"))
	add("Proxy-Authorization", "Basic "+secretText(t, "proxy authorization"))
	add("X-Other", otherSign+rapid.SampledFrom(pieces).Draw(t, "other header"))
	add("Remoteaddr", otherSign)
	agent := "Mozilla/5.0 (X11; Linux x86_64) driver/1.0"
	if rapid.Bool().Draw(t, "hostile agent") {
		agent = strings.Map(headerRune, hostileText(8).Draw(t, "agent"))
	}
	add("User-Agent", agent)
	forwarded := []string{"203.0.113.7, 10.0.0.1"}
	if rapid.Bool().Draw(t, "hostile forwarded") {
		forwarded = []string{strings.Map(headerRune, hostileText(4).Draw(t, "forwarded")), "10.0.0.1"}
	}
	add("X-Forwarded-For", forwarded...)
	return rapid.Permutation(h).Draw(t, "headers")
}

// headerRune takes out what net/http refuses in the value of a header.
func headerRune(r rune) rune {
	if r != '\t' && r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// short is s with long runs of one rune told by their length, for messages of tests.
func short(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		n := 1
		for strings.HasPrefix(s[n*size:], s[:size]) {
			n++
		}
		if n > 8 {
			fmt.Fprintf(&b, "%c{%d times}", r, n)
		} else {
			b.WriteString(s[:n*size])
		}
		s = s[n*size:]
	}
	return b.String()
}

// sized pads the user name so that the message is size bytes long, where it
// is shorter; a long header would be in no fixed place.
func sized(a *attempt, size int, rune0 string) {
	missing := size - len(a.message())
	for missing > 0 {
		add := min(missing, utf8.RuneLen([]rune(rune0)[0]))
		if add < len(rune0) {
			rune0 = "x"
		}
		a.user = rune0 + a.user
		missing = size - len(a.message())
	}
}
