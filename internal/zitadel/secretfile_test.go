package zitadel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

func TestTokenFileIsReadAgainWhenItChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := newFake(t)
		path := filepath.Join(t.TempDir(), "token")
		writeFile(t, path, "  file-token-1\r\n")
		c := f.client(t, transport, func(cfg *config.Settings) { cfg.Token, cfg.TokenFile = "", path })
		clock := fakeTime(c)
		last := func() string {
			t.Helper()
			if err := list(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			sent, _ := f.noted()
			return strings.TrimPrefix(sent[len(sent)-1], "Bearer ")
		}
		if got := last(); got != "file-token-1" {
			t.Errorf("sent %q: the file is trimmed", got)
		}
		// As kubelet and good tools do it: a new file under the old name.
		writeFile(t, path+".new", "file-token-2")
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if got := last(); got != "file-token-1" {
			t.Errorf("sent %q: the file is looked at once a second at most", got)
		}
		clock.add(lookEvery)
		if got := last(); got != "file-token-2" {
			t.Errorf("sent %q after the change", got)
		}

		for _, broken := range []func(){
			func() { os.Remove(path) },
			func() { writeFile(t, path, " \n") },
			func() { writeFile(t, path, "a token\nand another") },
			func() { os.Remove(path); os.Mkdir(path, 0o700) },
		} {
			broken()
			clock.add(lookEvery)
			e := wantError(t, list(t.Context(), c), Stop)
			wantIn(t, e.Error(), "token_file "+path, "it is read again without a restart")
		}
		os.Remove(path)
		writeFile(t, path, "file-token-3") // and it heals, at once
		if got := last(); got != "file-token-3" {
			t.Errorf("sent %q after the file came back", got)
		}
	})
}

func TestTokenFileIsReadAtOnceAfterARefusal(t *testing.T) {
	f := newFake(t)
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, "file-token-1")
	refuseAllBut(f, func() string { return "file-token-2" })
	c := f.client(t, TransportREST, func(cfg *config.Settings) { cfg.Token, cfg.TokenFile = "", path })
	fakeTime(c)
	wantIn(t, wantError(t, list(t.Context(), c), Stop).Fix, "renew it in token_file "+path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// Written in place, same length, same second: no look at the file shows it.
	writeFile(t, path, "file-token-2")
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := list(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestClientSecretFileIsReadForEachToken(t *testing.T) {
	f := newFake(t)
	var got []string
	f.onToken(func(w http.ResponseWriter, r *http.Request) {
		_, secret, _ := r.BasicAuth()
		if got = append(got, secret); len(got) == 1 {
			writeJSON(w, 401, `{"error":"invalid_client"}`)
			return
		}
		writeToken(w, "token", 3600)
	})
	set, path := withSecret(t)
	c := f.client(t, TransportREST, set)
	e := wantError(t, list(t.Context(), c), Stop)
	wantIn(t, e.Fix, "client_secret_file "+path)
	writeFile(t, path, "rotated")
	if err := list(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1] != "rotated" {
		t.Errorf("secrets sent: %q", got)
	}
	os.Remove(path)
	c = f.client(t, TransportREST, set)
	wantIn(t, wantError(t, list(t.Context(), c), Stop).Error(), "client_secret_file "+path, "no such file")
}

func TestKeyFileErrorsNameTheFileAndNeverItsContent(t *testing.T) {
	good, err := os.ReadFile(keyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ content, says string }{
		{"", "not the JSON of a key"},
		{"MARKER", "not the JSON of a key"},
		{`{"type":"serviceaccount","keyId":"k","userId":"u","key":"MARKER`, "not the JSON of a key"},
		{`{"type":"serviceaccount","keyId":5,"key":"MARKER"}`, "not the JSON of a key"},
		{`{"type":"serviceaccount","keyId":"k","key":"MARKER"}`, "lacks"},
		{`{"type":"application","keyId":"k","clientId":"c","key":"MARKER"}`, "of an application"},
		{`{"type":"serviceaccount","keyId":"k","userId":"u","key":"MARKER"}`, "not PEM"},
		{`{"type":"serviceaccount","keyId":"k","userId":"u","key":"-----BEGIN RSA PRIVATE KEY-----\nTUFSS0VS\n-----END RSA PRIVATE KEY-----\n"}`, "damaged"},
		{strings.Replace(string(good), "MII", "MIX", 1), "damaged"},
		{`{"type":"MARKER","keyId":"k","userId":"u","key":"x"}`, "not the JSON of a key"},
		{ellipticKeyFile(t), "not an RSA key"},
	} {
		path := filepath.Join(t.TempDir(), "key.json")
		writeFile(t, path, test.content)
		_, err := New(t.Context(), config.Settings{URL: mustURL(t, "https://auth.example.com"), KeyFile: path}, Options{})
		e := wantError(t, err, Stop)
		wantIn(t, e.Error(), "key_file "+path, test.says, "ZITADEL gave when the key")
		for cause := error(e); cause != nil; {
			if strings.Contains(cause.Error(), "MARKER") || strings.Contains(cause.Error(), "TUFSS0VS") {
				t.Errorf("content in %q", cause)
			}
			u, ok := cause.(interface{ Unwrap() error })
			if !ok {
				break
			}
			cause = u.Unwrap()
		}
	}
}

// ellipticKeyFile is the content of a key file that is right in all but the
// kind of its key.
func ellipticKeyFile(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(map[string]string{"type": "serviceaccount", "keyId": "k", "userId": "u",
		"key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
