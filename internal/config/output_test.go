package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outputBase is the smallest right configuration of an output, changed as
// [base] is.
func outputBase(pairs ...string) map[string]string {
	m := base(append([]string{"url", "-", "token", "-"}, pairs...)...)
	if !slices.Contains(pairs, "forward") {
		m["forward"] = "127.0.0.1:24224"
	}
	return m
}

var plugin = ParseOptions{NeedForward: true}

func TestOutputDefaults(t *testing.T) {
	s, warnings, err := Output.ParseMap(outputBase(), plugin)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := OutputSettings{
		Forward:  Forward{Network: "tcp", Address: "127.0.0.1:24224", Host: "127.0.0.1"},
		LineKeys: []string{"log", "message"}, Kinds: []string{"log", "run_started", "run_succeeded", "run_failed", "malformed"},
		Format:     FormatSettings{Format: "raw", OCSFVersion: OCSF18, Tier: "noise"},
		AckTimeout: 10 * time.Second, ChunkSize: 2_000_000,
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
	const shown = "forward=tcp://127.0.0.1:24224 insecure=off line_keys=log,message " +
		"kinds=log,run_started,run_succeeded,run_failed,malformed raw=off ack_timeout=10s chunk_size=2000000 format=raw tier=noise ocsf_version=1.8.0 keep_original=off pseudonyms=off max_chunk_size=0 max_chunk_records=0"
	if s.String() != shown {
		t.Error(s)
	}
}

func TestForwardIsRequiredByThePluginOnly(t *testing.T) {
	if s, warnings, err := Output.ParseMap(nil, ParseOptions{}); err != nil || len(warnings) > 0 || s.Forward != (Forward{}) {
		t.Error(s, warnings, err)
	}
	_, _, err := Output.ParseMap(nil, plugin)
	if want := "1 problem in the configuration:\n  forward: is missing; for example tls://siem.example.com:24224"; err == nil || err.Error() != want {
		t.Error(err)
	}
}

func TestForward(t *testing.T) {
	for _, c := range []struct {
		value string
		want  Forward
		shown string
	}{
		{"localhost:24224", Forward{"tcp", "localhost:24224", false, "localhost"}, "tcp://localhost:24224"},
		{"tcp://127.0.0.1:1/", Forward{"tcp", "127.0.0.1:1", false, "127.0.0.1"}, "tcp://127.0.0.1:1"},
		{"TLS://Siem.Example.com:24224", Forward{"tcp", "siem.example.com:24224", true, "siem.example.com"}, "tls://siem.example.com:24224"},
		{"tls://[2001:db8::1]:24224", Forward{"tcp", "[2001:db8::1]:24224", true, "2001:db8::1"}, "tls://[2001:db8::1]:24224"},
		{"[::1]:24224", Forward{"tcp", "[::1]:24224", false, "::1"}, "tcp://[::1]:24224"},
		{"unix:/run/f.sock", Forward{"unix", "/run/f.sock", false, ""}, "unix:/run/f.sock"},
		{"unix:///run/f.sock", Forward{"unix", "/run/f.sock", false, ""}, "unix:/run/f.sock"},
	} {
		s, warnings, err := Output.ParseMap(outputBase("forward", c.value), plugin)
		if err != nil || len(warnings) > 0 || s.Forward != c.want || s.Forward.String() != c.shown {
			t.Errorf("%s: %+v %v %v", c.value, s.Forward, warnings, err)
		}
		again, err := parseForward(s.Forward.String())
		if err != nil || again != s.Forward {
			t.Errorf("%s: its own text is read as %+v, %v", c.value, again, err)
		}
	}
}

func TestOutputBadValues(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		want  string // the whole line of the only problem
	}{
		{[]string{"forward", "127.0.0.1"}, `forward: "127.0.0.1" has no port; did you mean tcp://127.0.0.1:24224? (24224 is the usual one)`},
		{[]string{"forward", "tls://h.example:"}, `forward: "tls://h.example:" has no port; did you mean tls://h.example:24224? (24224 is the usual one)`},
		{[]string{"forward", "::1"}, `forward: "::1" has no port; did you mean tcp://[::1]:24224? (24224 is the usual one)`},
		{[]string{"forward", "2001:db8:0:0:0:0:0:1:24224"}, `forward: "2001:db8:0:0:0:0:0:1:24224" has an IPv6 address without brackets; did you mean [2001:db8:0:0:0:0:0:1]:24224?`},
		{[]string{"forward", "https://h.example:24224"}, `forward: "https://h.example:24224" has the scheme https, which is not one of tcp, tls, unix; did you mean tls://h.example:24224?`},
		{[]string{"forward", "forward://h.example"}, `forward: "forward://h.example" has the scheme forward, which is not one of tcp, tls, unix and has no port; did you mean tcp://h.example:24224? (24224 is the usual one)`},
		{[]string{"forward", "tls://u:hunter2@h.example:1/x?y"}, `forward: "tls://h.example:1" (shortened) has user info before the host and has a path, query or fragment after the host; did you mean tls://h.example:1?`},
		{[]string{"forward", "h.example:99999"}, `forward: "h.example:99999" has no valid host and port; for example tls://siem.example.com:24224`},
		{[]string{"forward", "/run/f.sock"}, `forward: "/run/f.sock" is a path; did you mean unix:/run/f.sock?`},
		{[]string{"forward", "unix://run/f.sock"}, `forward: "unix://run/f.sock" has a host before the path; did you mean unix:/run/f.sock?`},
		{[]string{"forward", "unix:"}, `forward: "unix:" does not name a socket; for example unix:/run/fluent-bit/forward.sock`},
		{[]string{"forward", "abcdefghijklmnopqrstuvwxyz"}, `forward: a value of 26 bytes is not an address; for example tls://siem.example.com:24224`},
		{[]string{"forward", "h.example:24224"}, `forward: "tcp://h.example:24224" would send all records unencrypted to a host other than loopback; did you mean tls://h.example:24224? Otherwise set insecure on`},
		{[]string{"shared_key", "a\tb"}, `shared_key: a value of 3 bytes contains control characters; write only the shared key, on one line`},
		{[]string{"shared_key", "a b", "shared_key_file", "./k"}, `shared_key: is given together with shared_key_file; keep one of them`},
		{[]string{"ca_file", "./ca.pem"}, `ca_file: has no effect without TLS: forward is tcp://127.0.0.1:24224; did you mean forward tls://127.0.0.1:24224?`},
		{[]string{"forward", "unix:/f", "ca_file", "./ca.pem"}, `ca_file: has no effect without TLS: forward is unix:/f; leave it out`},
		{[]string{"forward", "tls://h.example:1", "cert_file", "./c.pem"}, `cert_file: is given without cert_key_file; add cert_key_file, the path of the file that holds its private key`},
		{[]string{"forward", "tls://h.example:1", "cert_key_file", "./c.pem"}, `cert_key_file: is given without cert_file; add cert_file, the path of the file that holds the certificate`},
		{[]string{"kinds", "log,run_start"}, `kinds: "run_start" is not one of log, run_started, run_succeeded, run_failed, access, request, gateway, activity, malformed, other, all; did you mean run_started?`},
		{[]string{"instance", "a/b"}, `instance: "a/b" contains a "/", which separates the parts of an event id; did you mean "a-b"?`},
		{[]string{"tag", "a b"}, `tag: "a b" contains white space; for example parsed.zitadel`},
		{[]string{"tag", "parsed.*"}, `tag: "parsed.*" contains a "*", but a tag has no wildcards; for example parsed.zitadel`},
		{[]string{"ack_timeout", "500ms"}, `ack_timeout: "500ms" is less than 1s (Fluent Bit waits during this time, even when it is stopping); the minimum is 1s, the default 10s`},
		{[]string{"chunk_size", "1G"}, `chunk_size: "1G" is more than 64M (one message must hold any record, and fit into the buffer of the receiver); the maximum is 64M, the default 2M`},
		{[]string{"key_name", "log"}, `key_name: is not an option of zitadel-siem; did you mean line_keys?`},
		{[]string{"Port", "24224"}, `Port: is not an option of zitadel-siem; did you mean forward?`},
		{[]string{"token", "hunter2"}, `token: is not an option of zitadel-siem; did you mean shared_key?`},
	} {
		opts := plugin
		opts.NoFiles = true
		_, _, err := Output.ParseMap(outputBase(c.pairs...), opts)
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 || e.Problems[0].String() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.pairs, err, c.want)
		}
	}
}

func TestOutputWarnings(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{[]string{"forward", "h.example:1", "insecure", "on"}, `insecure: sends all records unencrypted to h.example:1; use tls:// if others share the network`},
		{[]string{"forward", "tls://h.example:1", "insecure", "on"}, `insecure: has no effect for tls://h.example:1; remove it; TLS is always verified, use ca_file for a private certificate authority`},
		{[]string{"chunk_size", "8M"}, `chunk_size: is more than in_forward accepts by default; it closes the connection when a message is larger; raise buffer_max_size of the receiving in_forward, or use the default 2M`},
		{[]string{"raw", "on", "kinds", "log"}, `raw: has no effect, because kinds has neither malformed nor other; add one of them to kinds`},
	} {
		_, warnings, err := Output.ParseMap(outputBase(c.pairs...), plugin)
		if err != nil || !slices.Equal(warnings, []string{c.want}) {
			t.Errorf("%q:\n got %q %v\nwant %q", c.pairs, warnings, err, c.want)
		}
	}
}

func TestKindsAreExpandedInOneOrder(t *testing.T) {
	for value, want := range map[string][]string{
		"all": kinds, "all,log": kinds, "Other, LOG": {"log", "other"}, "run_failed": {"run_failed"},
	} {
		s, _, err := Output.ParseMap(outputBase("kinds", value), plugin)
		if err != nil || !slices.Equal(s.Kinds, want) {
			t.Errorf("%s: %q %v", value, s.Kinds, err)
		}
	}
}

func TestSharedKeyOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("two words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, warnings, err := Output.ParseMap(outputBase("shared_key_file", path), plugin)
	if err != nil || len(warnings) > 0 || s.SharedKey.Reveal() != "two words" || strings.Contains(fmt.Sprintf("%+v %#v", s, s), "two words") {
		t.Error(s, warnings, err)
	}
	opts := plugin
	opts.NoFiles = true
	if s, _, err := Output.ParseMap(outputBase("shared_key_file", path), opts); err != nil || s.SharedKey != "" {
		t.Error("a file is read, or", err)
	}
	if err := os.WriteFile(path, []byte(marker+"\n"+marker), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = Output.ParseMap(outputBase("shared_key_file", path), plugin)
	if err == nil || !strings.Contains(err.Error(), "contains more than one line") || strings.Contains(err.Error(), marker) {
		t.Error(err)
	}
	_, _, err = Output.ParseMap(outputBase("shared_key_file", marker), plugin)
	if err == nil || !strings.Contains(err.Error(), "this looks like the secret itself; the option needs the path of a file that holds it, or use shared_key") || strings.Contains(err.Error(), marker) {
		t.Error(err)
	}
}

func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	pair := func(name string) (cert, key string) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
			if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return cert, key
	}
	cert, key := pair("a")
	_, foreign := pair("b")
	locked := filepath.Join(dir, "locked.key")
	if err := os.WriteFile(locked, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, want string }{
		{cert, key, ""},
		{cert, foreign, "cert_key_file: does not belong to the certificate in cert_file"},
		{cert, cert, "does not contain a PEM private key"},
		{key, key, "does not contain a PEM certificate"},
		{cert, locked, "contains a private key with a passphrase"},
	} {
		_, warnings, err := Output.ParseMap(outputBase("forward", "tls://h.example:1", "cert_file", c.cert, "cert_key_file", c.key), plugin)
		if c.want == "" && (err != nil || len(warnings) > 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v %v", filepath.Base(c.cert), filepath.Base(c.key), err, warnings)
		}
	}
}

func TestOutputEnvironment(t *testing.T) {
	env := map[string]string{"ZITADEL_FORWARD": "a:1", "ZITADEL_LINE_KEYS": "log", "ZITADEL_URL": "x"}
	got := Output.FromEnv(func(k string) string { return env[k] })
	if d := cmp.Diff(map[string]string{"forward": "a:1", "line_keys": "log"}, got); d != "" {
		t.Error(d)
	}
}

// Law 6: the shared key stays out of every error and warning.
func TestNoSharedKeyInAnyErrorOrWarning(t *testing.T) {
	for _, o := range Output.Options {
		for _, v := range []string{marker, "x" + marker, "${" + marker, marker + "/" + marker, marker + "\t", "tcp://u:" + marker + "@h:1", "unix:" + marker} {
			values := outputBase("shared_key", marker, o.Name, v)
			_, warnings, err := Output.ParseMap(values, plugin)
			if out := fmt.Sprint(warnings, err); strings.Contains(strings.ToUpper(out), strings.ToUpper(marker)) {
				t.Errorf("%s=%s: %s", o.Name, v, out)
			}
		}
	}
}

func FuzzForward(f *testing.F) {
	for _, seed := range []string{"h:1", "tls://[::1]:24224", "unix:///x", "tcp://u:p@h:1/x", "::1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := parseForward(value)
		if err != nil {
			return
		}
		if again, err := parseForward(got.String()); err != nil || again != got {
			t.Fatalf("%q gives %+v, whose text gives %+v, %v", value, got, again, err)
		}
	})
}
