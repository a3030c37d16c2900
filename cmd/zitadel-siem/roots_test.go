package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The image has no file but the program's own. TLS, and ca_file, which adds to the
// system's roots, need some there.
func TestRoots_AreThereOnASystemWithoutAny(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("roots that the system's own verifier has cannot be taken away")
	}
	if os.Getenv("WITHOUT_ROOTS") != "" {
		pool, err := x509.SystemCertPool()
		if err != nil || pool.Equal(x509.NewCertPool()) {
			t.Fatalf("no roots: %v", err)
		}
		return
	}
	missing := filepath.Join(t.TempDir(), "missing")
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "WITHOUT_ROOTS=1", "SSL_CERT_FILE="+missing, "SSL_CERT_DIR="+missing)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
