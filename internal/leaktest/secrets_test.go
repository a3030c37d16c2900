package leaktest

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// finding is a test that must fail, and its message.
type finding struct {
	testing.TB
	said []string
}

func (*finding) Helper() {}

func (f *finding) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

// A search that finds nothing proves something only if it can find something.
func TestSearchFindsEverySpellingAndTellsNone(t *testing.T) {
	const secret = `S3CR3T "of/a+test"`
	secrets := Secrets{"token": secret}
	texts := []string{
		secret, `{"a":"S3CR3T \"of/a+test\""}`, url.QueryEscape(secret), url.PathEscape(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
		base64.URLEncoding.EncodeToString([]byte(secret + "?>")),
	}
	for before := range 4 {
		for behind := range 4 {
			text := strings.Repeat("x", before) + secret + strings.Repeat("?", behind)
			texts = append(texts, base64.StdEncoding.EncodeToString([]byte(text)))
		}
	}
	for _, text := range texts {
		f := &finding{TB: t}
		secrets.WantNone(f, "the text", []byte("a "+text+" b"))
		if len(f.said) == 0 {
			t.Errorf("not found in %q", text)
		}
		for _, said := range f.said {
			if strings.Contains(said, secret) {
				t.Errorf("it tells the secret: %s", said)
			}
		}
	}
	secrets.WantNone(t, "a harmless text", []byte("S3CR3T of a test"))
}

func TestSearchFindsFilesThatOthersCanRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "open")
	if err := os.WriteFile(path, []byte("a S3CR3T-1234 b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	f := &finding{TB: t}
	n := Secrets{"key": "S3CR3T-1234"}.WantNoneBelow(f, dir, func(string) bool { return true })
	if n != 1 || len(f.said) != 2 {
		t.Errorf("%d files, %q", n, f.said)
	}
}
