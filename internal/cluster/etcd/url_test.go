package etcd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
)

func TestURL(t *testing.T) {
	for text, want := range map[string]struct {
		endpoints []string
		prefix    string
	}{
		"etcd://a.example:2379,b.example:2379/siem": {[]string{"https://a.example:2379", "https://b.example:2379"}, "/siem/"},
		"etcd://a.example":                          {[]string{"https://a.example:2379"}, "/zitadel-siem/"},
		"etcd://127.0.0.1:1,[::1]:2/a/b/":           {[]string{"http://127.0.0.1:1", "http://[::1]:2"}, "/a/b/"},
		"etcd://127.0.0.1:1,a.example/":             {[]string{"https://127.0.0.1:1", "https://a.example:2379"}, "/zitadel-siem/"},
		"etcd://a.example?tls=off":                  {[]string{"http://a.example:2379"}, "/zitadel-siem/"},
	} {
		c, prefix, err := Parse(text)
		if err != nil || !slices.Equal(c.Endpoints, want.endpoints) || prefix != want.prefix {
			t.Errorf("%s: %q, %q, %v", text, c.Endpoints, prefix, err)
			continue
		}
		if tls := strings.HasPrefix(c.Endpoints[0], "https"); tls != (c.TLS != nil) || tls && c.TLS.InsecureSkipVerify {
			t.Errorf("%s: TLS %v", text, c.TLS)
		}
	}
}

func TestHostsWithoutTLSAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"etcd://a.example":                      "",
		"etcd://a.example,127.0.0.1?tls=off":    "a.example:2379",
		"etcd://127.0.0.1,localhost?tls=off":    "",
		"etcd://127.0.0.1":                      "",
		"etcd://[2001:db8::1]:23,[::1]?tls=off": "[2001:db8::1]:23",
	} {
		if got := strings.Join(Unverified(text), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestPasswordIsInNoError(t *testing.T) {
	t.Setenv("ETCD_PASSWORD", "")
	const secret = "s3cr3t"
	for _, text := range []string{
		"etcd://u:" + secret + "%zz@a.example/",
		"etcd://u:" + secret + "@/",
		"etcd://u:pa/" + secret + "@a.example:2379",
		"etcd://u:" + secret + "@a.example?tls=maybe",
		"etcd://u:" + secret + "@a.example?tls=off&ca_file=x",
		"etcd://u:" + secret + "@a.example?ca_file=/nowhere",
		"etcd://u:" + secret + "@a.example?cert_file=/nowhere",
		"etcd://u:" + secret + "@a.example?password_file=/nowhere",
		"etcd://u:" + secret + "@a.example?unknown=1",
		"etcd://u@a.example?password_file=/" + secret + "%zz",
		"http://u:" + secret + "@a.example",
		"etcd://u@a.example",
		"etcd://a.example?password_file=x",
	} {
		if _, _, err := Parse(text); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestPasswordFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("p@ss\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, _, err := Parse("etcd://u@a.example?password_file=" + file); err != nil || c.Username != "u" || c.Password != "p@ss" {
		t.Errorf("%q, %v", c.Username, err)
	}
	t.Setenv("ETCD_PASSWORD", "from-env")
	if c, _, err := Parse("etcd://u@a.example"); err != nil || c.Password != "from-env" {
		t.Errorf("ETCD_PASSWORD: %v", err)
	}
}

// etcd refuses a request above its limit without saying what to do.
func TestStateTooLargeNamesTheFix(t *testing.T) {
	s := &Store{prefix: "/x/"}
	err := s.Commit(t.Context(), "1", "one", 1, 1, make([]byte, 2<<20))
	if err == nil || !strings.Contains(err.Error(), "choose a shorter overlap") {
		t.Errorf("error %v", err)
	}
	var _ cluster.Store = s
}
