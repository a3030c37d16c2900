package main

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// connectProxy is an HTTP proxy that knows one host, which no DNS has.
type connectProxy struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // host:port of each CONNECT
}

// newConnectProxy leads every host to address. It asks for the password of the user siem.
func newConnectProxy(t *testing.T, address, password string) *connectProxy {
	t.Helper()
	p := new(connectProxy)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("siem:"+password))
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.Host)
		p.mu.Unlock()
		if r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		server, err := net.Dial("tcp", address)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer server.Close()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(server, client)
			server.Close()
		}()
		_, _ = io.Copy(client, server)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *connectProxy) url(password string) string {
	return strings.Replace(p.URL, "http://", "http://siem:"+password+"@", 1)
}

func (p *connectProxy) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// A machine whose only way out is a proxy often has no DNS for the names outside. So the
// proxy is given the name, and the certificate must still be that of the name.
func TestPull_ReadsThroughAProxyThatAloneKnowsTheHost(t *testing.T) {
	server := startRecorded(t, zitadeltest.Options{TLS: true, Hosts: []string{"login.example.com"}})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"grpc", "rest"} {
		t.Run(transport, func(t *testing.T) {
			proxy := newConnectProxy(t, strings.TrimPrefix(server.URL(), "https://"), "right-password")
			env := environment(server, "ZITADEL_URL=https://login.example.com", "ZITADEL_CA_FILE="+ca, "ZITADEL_TRANSPORT="+transport)
			r := finish(t, program(t, append(env, "HTTPS_PROXY="+proxy.url("right-password")), "pull", "--once"))
			if r.status != 0 {
				t.Fatal(r)
			}
			wantEachOnce(t, r.stdout)
			asked := proxy.said()
			if len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return a != "CONNECT login.example.com:443" }) {
				t.Errorf("the proxy was asked for %q", asked)
			}

			r = finish(t, program(t, append(env, "HTTPS_PROXY="+proxy.url("wrong-password")), "pull", "--once"))
			if r.status == 0 || !strings.Contains(r.stderr, "HTTPS_PROXY") {
				t.Errorf("a proxy that refuses: %v", r)
			}
			for _, secret := range []string{"wrong-password", base64.StdEncoding.EncodeToString([]byte("siem:wrong-password"))} {
				if strings.Contains(r.stderr, secret) {
					t.Errorf("the password of the proxy is in\n%s", r.stderr)
				}
			}
		})
	}
}
