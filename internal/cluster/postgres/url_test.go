package postgres

import (
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func clean(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGHOST", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGUSER"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
}

func TestTLSIsVerifiedUnlessToldOrLocal(t *testing.T) {
	clean(t)
	for text, want := range map[string]string{
		"postgres://u@db.example/siem":                  "verified",
		"postgres://u@db1.example,db2.example/siem":     "verified",
		"postgres://u@localhost,db2.example/siem":       "verified",
		"postgres://u@db.example/siem?sslmode=require":  "unverified",
		"postgres://u@db.example/siem?sslmode=disable":  "none",
		"postgres://u@localhost/siem":                   "none",
		"postgres://u@127.0.0.1:5433/siem":              "none",
		"postgres://u@[::1]:5433/siem":                  "none",
		"postgres:///siem?host=/var/run/postgresql":     "none",
		"postgres://localhost.example/siem":             "verified",
		"postgres://u@localhost/siem?sslmode=verify-ca": "unverified", // by pgx in a callback
	} {
		c, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := "none"
		if tls := c.ConnConfig.TLSConfig; tls != nil {
			if got = "verified"; tls.InsecureSkipVerify {
				got = "unverified"
			}
		}
		if got != want {
			t.Errorf("%s: TLS %s, want %s", text, got, want)
		}
		for _, other := range c.ConnConfig.Fallbacks {
			if want == "verified" && (other.TLSConfig == nil || other.TLSConfig.InsecureSkipVerify) {
				t.Errorf("%s falls back to no verification", text)
			}
		}
	}
}

// A service names its hosts in a file, so that the URL does not show where they are.
func TestTLSIsVerifiedForAService(t *testing.T) {
	clean(t)
	file := filepath.Join(t.TempDir(), "pg_service.conf")
	if err := os.WriteFile(file, []byte("[siem]\nhost=db.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", file)
	c, err := Parse("postgres:///siem?service=siem")
	if err != nil {
		t.Fatal(err)
	}
	if tls := c.ConnConfig.TLSConfig; c.ConnConfig.Host != "db.example" || tls == nil || tls.InsecureSkipVerify {
		t.Errorf("host %s, TLS %v", c.ConnConfig.Host, tls)
	}
}

func TestPasswordIsInNoError(t *testing.T) {
	clean(t)
	const secret = "s3cr3t%2Fx"
	for _, text := range []string{
		"postgres://u:" + secret + "@db.example:port/siem",
		"postgres://u:" + secret + "@db.example/siem?sslmode=wrong",
		"postgres://u:" + secret + "@db.example/siem?pool_max_conns=many",
		"postgres://u:" + secret + "@db.example/siem?sslrootcert=/nowhere",
		"postgres://u:" + secret + "%zz@db.example/siem",
		"postgres://u@db.example/siem&password=" + secret,
		"postgres://u@db.example/siem;password=" + secret,
		"postgres://u@db.example/siem?password=" + secret + ";",
		"postgres://u@db.example/siem?password=" + secret + "%zz",
		"postgres://u:" + secret + "@db.example/siem?password_file=/nowhere",
		"mysql://u:" + secret + "@db.example/siem",
	} {
		_, err := Parse(text)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v", text, err)
		}
	}
	// Nobody listens: the error of a connection.
	_, err := Open(t.Context(), "postgres://u:"+secret+"@127.0.0.1:1/siem")
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "PostgreSQL at 127.0.0.1") {
		t.Errorf("error %v", err)
	}
}

func TestPasswordFromAFile(t *testing.T) {
	clean(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("p@ss w/rd:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("postgres://u@db.example/siem?password_file=" + file)
	if err != nil || c.ConnConfig.Password != "p@ss w/rd:" || c.ConnConfig.User != "u" {
		t.Errorf("%v, %v", c, err)
	}
	pgpass := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(pgpass, []byte("db.example:5432:*:u:from-pgpass\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", pgpass)
	if c, err = Parse("postgres://u@db.example/siem"); err != nil || c.ConnConfig.Password != "from-pgpass" {
		t.Errorf("PGPASSFILE: %v", err)
	}
}

func TestHostsThatAreNotVerifiedAreFound(t *testing.T) {
	clean(t)
	for text, want := range map[string]string{
		"postgres://u@db.example/siem":                                    "",
		"postgres://u@db.example/siem?sslmode=require":                    "db.example:5432",
		"postgres://u@db.example/siem?sslmode=prefer":                     "db.example:5432",
		"postgres://u@db.example/siem?sslmode=verify-ca":                  "",
		"postgres://u@a.example,127.0.0.1,b.example/siem?sslmode=disable": "a.example:5432 b.example:5432",
		"postgres://u@127.0.0.1/siem?sslmode=disable":                     "",
		"postgres:///siem?host=/var/run/postgresql":                       "",
	} {
		if got := strings.Join(Unverified(text), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// A request has a third of a lease, 5 s: it must reach the second host while the machine of the first
// one is gone.
func TestSeveralHostsAreTriedWithinOneRequest(t *testing.T) {
	clean(t)
	for text, want := range map[string]time.Duration{
		"postgres://u@db.example/siem":                    5 * time.Second,
		"postgres://u@a.example,b.example/siem":           2 * time.Second,
		"postgres://u@a.example/siem?connect_timeout=7":   7 * time.Second,
		"postgres://u@a.example,b/siem?connect_timeout=7": 7 * time.Second,
	} {
		c, err := Parse(text)
		if err != nil || c.ConnConfig.ConnectTimeout != want {
			t.Errorf("%s: %v, %v", text, c.ConnConfig.ConnectTimeout, err)
		}
	}
}

// An error of several hosts is one line of a log, and keeps what errors.Is finds, also if the password is in it.
func TestErrorOfSeveralHostsIsOneLine(t *testing.T) {
	clean(t)
	_, err := Open(t.Context(), "postgres://u:refused@127.0.0.1:1,127.0.0.1:2/siem")
	if err == nil || !strings.HasPrefix(err.Error(), "PostgreSQL at 127.0.0.1:1, 127.0.0.1:2: ") || strings.ContainsAny(err.Error(), "\n\t") ||
		strings.Contains(err.Error(), "refused") || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
}

// A load balancer without a server takes connections, and resets them. Each has a port of its own.
func TestErrorOfABrokenConnectionStaysTheSame(t *testing.T) {
	clean(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	texts := map[string]bool{}
	for range 5 {
		_, err := Open(t.Context(), "postgres://u@"+l.Addr().String()+"/siem")
		if err == nil || !strings.Contains(err.Error(), "reset by peer") {
			t.Fatal(err)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("%d texts: %q", len(texts), slices.Collect(maps.Keys(texts)))
	}
}
