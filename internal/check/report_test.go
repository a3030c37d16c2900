package check

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

func TestReportCannotBeForgedByAServer(t *testing.T) {
	const token = "tok-viewer-S3CRETTOKEN3-0123"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cr3t-of-a-client\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r := &report{w: &out}
	r.hide(config.Settings{Token: token, ClientSecretFile: secret})
	settings := config.Settings{URL: &url.URL{Scheme: "https", Host: "localhost"}}
	leaf := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "a\nok    token      accepted \x1b[2K\u202e" + strings.Repeat("x", 5000)},
		Issuer:   pkix.Name{CommonName: "b\r\nFAIL"},
		NotAfter: time.Now().Add(time.Hour),
	}
	checkCertificate(r, settings, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, time.Now())
	r.say(fails, "tls", "x", "use\nok    token "+token[4:]+" s3cr3t-of-a-client")
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4 {
		t.Errorf("%d lines:\n%q", len(lines), lines)
	}
	for _, line := range lines {
		if strings.ContainsFunc(line, func(c rune) bool { return !unicode.IsPrint(c) }) || len([]rune(line)) > maxLine+30 ||
			strings.Contains(line, "S3CRET") || strings.Contains(line, "s3cr3t") {
			t.Errorf("%q", line)
		}
	}
}
