package zitadel

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
)

func TestIPv6AddressIsAHost(t *testing.T) {
	for _, secure := range []bool{false, true} {
		listener, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 here: ", err)
		}
		f := unstartedFake(t)
		f.Listener.Close()
		f.Listener = listener
		ca := filepath.Join(t.TempDir(), "ca.pem")
		set := func(*config.Settings) {}
		if secure { // the certificate has the address without brackets
			f.StartTLS()
			writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
			set = func(cfg *config.Settings) { cfg.CAFile = ca }
		} else {
			f.Start()
		}
		onBoth(t, func(t *testing.T, transport string) {
			if err := list(t.Context(), f.client(t, transport, set)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The names that gRPC is given: IPv6 in brackets, with a port;
// the default port is not part of what the server is called.
func TestTargetHasAPortAndBrackets(t *testing.T) {
	for text, want := range map[string]string{
		"https://auth.example.com":     "auth.example.com:443",
		"http://auth.example.com":      "auth.example.com:80",
		"http://auth.example.com:8080": "auth.example.com:8080",
		"https://[2001:db8::1]":        "[2001:db8::1]:443",
		"http://[::1]:8080":            "[::1]:8080",
	} {
		target, creds, err := targetOf(mustURL(t, text), new(tls.Config))
		if err != nil {
			t.Fatal(err)
		}
		secure := strings.HasPrefix(text, "https:")
		if target != "passthrough:///"+want || (creds.Info().SecurityProtocol == "tls") != secure {
			t.Errorf("%s: %s, credentials %q; want %s", text, target, creds.Info().SecurityProtocol, want)
		}
	}
}

func TestTLSIsVerifiedUnlessCAFileKnowsTheServer(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		f := unstartedFake(t)
		f.StartTLS()
		e := wantError(t, list(t.Context(), f.client(t, transport)), Stop)
		wantIn(t, e.Error(), "set ca_file to", f.URL)

		ca := filepath.Join(t.TempDir(), "ca.pem")
		writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
		trusting := func(cfg *config.Settings) { cfg.CAFile = ca }
		if err := list(t.Context(), f.client(t, transport, trusting)); err != nil {
			t.Errorf("with ca_file: %v", err)
		}
		// The token endpoint of the same server is behind the same authority.
		keyed := func(cfg *config.Settings) { cfg.CAFile, cfg.Token, cfg.KeyFile = ca, "", keyFile(t) }
		if err := list(t.Context(), f.client(t, transport, keyed)); err != nil {
			t.Errorf("with ca_file and key_file: %v", err)
		}
		// Trusted, but asked for by a name that is not in the certificate.
		misnamed := func(cfg *config.Settings) {
			trusting(cfg)
			cfg.URL = mustURL(t, strings.Replace(f.URL, "127.0.0.1", "localhost", 1))
		}
		e = wantError(t, list(t.Context(), f.client(t, transport, misnamed)), Stop)
		wantIn(t, e.Fix, "a name that the server's certificate holds")
	})
}

func TestWrongSchemeStopsWithTheRightOne(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		plain := newFake(t)
		e := wantError(t, list(t.Context(), plain.client(t, transport, func(cfg *config.Settings) {
			cfg.URL = mustURL(t, strings.Replace(plain.URL, "http:", "https:", 1))
		})), Stop)
		wantIn(t, e.Fix, "use http:// in url")

		secure := unstartedFake(t)
		secure.StartTLS()
		// Over gRPC a TLS server just hangs up, as one that restarts does.
		class := map[string]Class{TransportGRPC: Retry, TransportREST: Stop}[transport]
		e = wantError(t, list(t.Context(), secure.client(t, transport, func(cfg *config.Settings) {
			cfg.URL = mustURL(t, strings.Replace(secure.URL, "https:", "http:", 1))
		})), class)
		wantIn(t, e.Fix, "use https:// in url")
	})
}

func TestServerWithoutHTTP2IsAskedOverREST(t *testing.T) {
	for _, secure := range []bool{false, true} {
		f := unstartedFake(t)
		f.Config.Protocols, f.EnableHTTP2 = nil, false
		ca := filepath.Join(t.TempDir(), "ca.pem")
		set := func(*config.Settings) {}
		if secure {
			f.StartTLS()
			writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
			set = func(cfg *config.Settings) { cfg.CAFile = ca }
		} else {
			f.Start()
		}
		e := wantError(t, list(t.Context(), f.client(t, TransportGRPC, set)), Stop)
		wantIn(t, e.Fix, "set transport rest")
		if err := list(t.Context(), f.client(t, TransportREST, set)); err != nil {
			t.Error(err)
		}
	}
}
