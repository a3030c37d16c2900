package certs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestClient_VerifiesAlways(t *testing.T) {
	ca := testkit.NewAuthority(t)
	system, err := Client("")
	if err != nil || system.RootCAs != nil || system.InsecureSkipVerify {
		t.Errorf("without ca_file: %+v, %v", system, err)
	}
	own, err := Client(ca.File())
	if err != nil || own.RootCAs == nil || own.InsecureSkipVerify {
		t.Errorf("with ca_file: %+v, %v", own, err)
	}
}

func TestClient_SaysWhatIsWrongWithFiles(t *testing.T) {
	ca := testkit.NewAuthority(t)
	cert, _ := ca.Issue(t, "a")
	_, key := ca.Issue(t, "b")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/nonexistent": "no such file", empty: "holds no certificate", filepath.Dir(empty): "is a directory"} {
		if _, err := Client(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ca_file "+path) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	config, err := Client("")
	if err != nil {
		t.Fatal(err)
	}
	if err := Present(config, cert, key); err == nil || !strings.Contains(err.Error(), "one pair") {
		t.Errorf("got %v", err)
	}
}
