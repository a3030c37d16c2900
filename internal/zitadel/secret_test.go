package zitadel

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	adminpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

// texts are all that an error can be made to say.
func texts(err error) []string {
	var all []string
	for err != nil {
		all = append(all, err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
		err = errors.Unwrap(err)
	}
	return all
}

// A server, or whoever stands before it, repeats what it was sent.
func TestNoSecretComesBackInErrorsOrLogs(t *testing.T) {
	const token, secret = "MARKER-token_1.2~3", "MARKER/secret+=&<"
	dir := t.TempDir()
	tokenFile, secretFile := filepath.Join(dir, "token"), filepath.Join(dir, "secret")
	writeFile(t, tokenFile, token+"\n")
	writeFile(t, secretFile, secret+"\n")
	logins := map[string]func(*config.Settings){
		"token":      func(cfg *config.Settings) { cfg.Token = token },
		"token_file": func(cfg *config.Settings) { cfg.Token, cfg.TokenFile = "", tokenFile },
		"client":     func(cfg *config.Settings) { cfg.Token, cfg.ClientID, cfg.ClientSecretFile = "", "id", secretFile },
		"key_file":   withKey(t),
	}
	// echo repeats the credentials of r in every way that comes to mind.
	echo := func(r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		all := []string{r.Header.Get("Authorization"), string(body)}
		_, password, _ := r.BasicAuth()
		plain, _ := url.QueryUnescape(password)
		form, _ := url.ParseQuery(string(body))
		for _, s := range []string{strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), password, plain, form.Get("assertion")} {
			all = append(all, s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), base64.StdEncoding.EncodeToString([]byte(s)))
		}
		return strings.Join(all, " | ")
	}
	found := func(text string) bool {
		for _, part := range []string{"MARKER", base64.StdEncoding.EncodeToString([]byte(token))[:16], base64.StdEncoding.EncodeToString([]byte(secret))[:16], "eyJ"} {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"page": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, "<p>you sent "+echo(r))
		},
		"JSON": func(w http.ResponseWriter, r *http.Request) {
			writeStatus(w, status.New(codes.Unauthenticated, "refused: "+echo(r)))
		},
		"OAuth": func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, 400, fmt.Sprintf(`{"error":"invalid_grant","error_description":%q}`, echo(r)))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://user:MARKER@elsewhere.example.com/?t="+url.QueryEscape(echo(r)))
			w.WriteHeader(302)
		},
		"200": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, echo(r)) },
	}
	onBoth(t, func(t *testing.T, transport string) {
		for login, set := range logins {
			for name, answer := range answers {
				for _, atToken := range []bool{false, true} {
					f := newFake(t)
					f.onToken(func(w http.ResponseWriter, _ *http.Request) { writeToken(w, token, 3600) })
					f.onHTTP(func(w http.ResponseWriter, r *http.Request) bool {
						if atToken != (r.URL.Path == "/oauth/v2/token") || strings.HasPrefix(r.URL.Path, "/.well-known") {
							return false
						}
						answer(w, r)
						return true
					})
					if transport == TransportGRPC {
						f.onList(func(ctx context.Context, _ *adminpb.ListEventsRequest) (*adminpb.ListEventsResponse, error) {
							return nil, status.Error(codes.Unauthenticated, "refused "+token+" and Bearer MARKER2")
						})
					}
					var logged logBuffer
					c := f.logging(t, transport, logged.logger(), set)
					err := list(t.Context(), c)
					if err == nil && !atToken {
						t.Errorf("%s, %s: no error", login, name)
					}
					for _, text := range append(texts(err), logged.String()) {
						if found(text) {
							t.Errorf("%s, %s, at the token endpoint %v: a secret in %q", login, name, atToken, text)
						}
					}
				}
			}
		}
	})
}

func TestCredentialsOfOthersAreScrubbedByShape(t *testing.T) {
	s := newScrubber()
	s.hide("abracada")
	s.hide("abracada-bra")
	for text, want := range map[string]string{
		"nothing here":                          "nothing here",
		"got abracada-bra":                      "got [REDACTED]",
		"header Bearer abc.def-ghi":             "header Bearer [REDACTED]",
		"header: bearer abc":                    "header: bearer [REDACTED]",
		"Basic dXNlcjpwYXNz":                    "Basic [REDACTED]",
		"x eyJhbGciOiJSUzI1NiJ9.eyJpc3M.c2ln y": "x [REDACTED] y",
		"proxy http://me:pw@proxy:3128":         "proxy http://[REDACTED]@proxy:3128",
		`{"access_token":"abc","x":1}`:          `{"access_token":[REDACTED]","x":1}`,
		"client_secret=abc&x=1":                 "client_secret=[REDACTED]&x=1",
		"two\r\nlines\x1b[31m\x00 and \u202e":   "two lines [31m and",
	} {
		if got := s.line(text, 100); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := s.line(strings.Repeat("ä", 300), 200); got != strings.Repeat("ä", 200)+"…" {
		t.Errorf("cut to %q", got)
	}
	// A secret that the cut would split is gone before the cut.
	if got := s.line(strings.Repeat("x ", 98)+"abracada-bra", 200); strings.Contains(got, "abra") {
		t.Errorf("cut to %q", got)
	}
}

func TestSecretInUseIsNotForgottenForOlderOnes(t *testing.T) {
	s := newScrubber()
	s.hide("kept-secret")
	for i := range 100 {
		s.hide(fmt.Sprintf("assertion-%d", i))
		s.hide("kept-secret")
	}
	if len(s.secrets) > maxSecrets || s.without("it is kept-secret") != "it is "+redacted {
		t.Errorf("%d secrets; %q", len(s.secrets), s.without("it is kept-secret"))
	}
}

func FuzzScrubbedLineHasNoSecret(f *testing.F) {
	f.Add("a S3CR3T-S b", 10)
	f.Add("S3CS3CR3T-SR3T-S \xff\x00", 3)
	f.Add("Bearer S3CR3T-S", 200)
	s := newScrubber()
	s.hide("S3CR3T-S")
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = limit & 0x3ff
		line := s.line(text, limit)
		if strings.Contains(line, "S3CR3T-S") && !strings.Contains(strings.ReplaceAll(text, "S3CR3T-S", ""), "S3C") {
			t.Errorf("%q became %q", text, line)
		}
		if n := len([]rune(line)); n > limit+1 {
			t.Errorf("%d runes, limit %d", n, limit)
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("%q has unprintable %q", line, r)
			}
		}
	})
}

// Whatever bytes come as an answer, the result is a page or an error.
func FuzzDecode(f *testing.F) {
	f.Add(readTestdata(f, "events-rest-page001-first100.json")[:3000])
	for _, seed := range []string{``, `{}`, `{"events":[{}]}`, `{"events":[{"payload":{"a":1e400}}]}`, `[]`, `{"code":5}`, "\ufeff{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		resp := new(adminpb.ListEventsResponse)
		if fail := decode(answer, false, resp); fail != nil && classify(fail) == nil {
			t.Error("no verdict")
		}
	})
}

func TestPartOfASecretIsASecretAndAShortOneIsNone(t *testing.T) {
	s := newScrubber()
	s.hide("x") // or x509 would be [REDACTED]509
	const token = "tok-viewer-S3CRETTOKEN3-0123456789abcdef"
	s.hide(token)
	if text := "x509: unknown tok-viewer-"; s.line(text, 100) != text {
		t.Errorf("%q", s.line(text, 100))
	}
	for from := range token {
		for to := from + minRun; to <= len(token); to++ {
			for _, around := range []string{"%s", "a %s b", "t%s3", "%[1]s %[1]s"} {
				text := fmt.Sprintf(around, token[from:to])
				line := s.line(text, 500)
				for at := 0; at+minRun <= len(line); at++ {
					if strings.Contains(token, line[at:at+minRun]) {
						t.Fatalf("%q became %q", text, line)
					}
				}
				if !strings.Contains(line, redacted) {
					t.Fatalf("%q became %q", text, line)
				}
			}
		}
	}
}

func TestLineHasNoSecretAndCannotBeForged(t *testing.T) {
	got := Line("name\nok    token \x1b[31m\u202e s3cr3t-token-1234", 30, "s3cr3t-token-1234")
	if got != "name ok token [31m [REDACTED]" {
		t.Errorf("%q", got)
	}
}
