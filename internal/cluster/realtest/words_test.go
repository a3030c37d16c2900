package realtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// secret is the password of every URL below.
const secret = "s3cr3t-of-all"

// wantWords compares an error with what it is to say, and its fix.
func wantWords(t *testing.T, name string, err error, says, fix string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	if text := err.Error(); !strings.Contains(text, says) || strings.ContainsAny(text, "\n\t") || strings.Contains(text, secret) {
		t.Errorf("%s: error %q, want %q in one line, without the password", name, text, says)
	}
	if got := statestore.Fix(err); !strings.Contains(got, fix) || (got == "") != (fix == "") {
		t.Errorf("%s: %v: fix %q, want %q", name, err, got, fix)
	}
}

// What is wrong with PostgreSQL, or the way to it, is said together with the fix.
func TestPostgresErrorsNameTheFix(t *testing.T) {
	s := startPostgres(t)
	s.sql(t, fmt.Sprintf("CREATE ROLE poor LOGIN PASSWORD '%s'", secret))
	s.sql(t, "CREATE DATABASE poor OWNER poor")
	s.replace(t, "pg_hba.conf", "local all siem trust\nhost poor,nowhere all 127.0.0.1/32 scram-sha-256\nhost postgres siem 127.0.0.1/32 trust\n")
	s.sql(t, "SELECT pg_reload_conf()")
	here, other := "127.0.0.1:"+s.port, testkit.NewAuthority(t)
	free := "127.0.0.1:" + testkit.FreePort(t)
	at := func(hosts, database string) string { return "postgres://poor:" + secret + "@" + hosts + "/" + database }
	try := func(name, url, says, fix string) {
		t.Helper()
		store, err := openURL(t, url)
		if err == nil {
			store.Close()
		}
		wantWords(t, name, err, says, fix)
	}
	try("wrong password", strings.Replace(at(here, "poor"), secret, secret+"x", 1), "password authentication failed", "correct the user in state, or its password")
	try("unknown database", at(here, "nowhere"), "does not exist", "create the database")
	try("not admitted", at(here, "postgres"), "no pg_hba.conf entry", "pg_hba.conf")
	try("no TLS", at(here, "poor")+"?sslmode=verify-full", "server refused TLS connection", "ssl = on")
	try("nobody listens", at(free, "poor"), free, "nobody listens there")
	try("nobody listens on two", at(free+",127.0.0.1:1", "poor"), "PostgreSQL at "+free+", 127.0.0.1:1: ", "nobody listens there")
	try("parameter", at(here, "poor")+"?wrong=1", "wrong", "correct the parameters")

	store, err := openURL(t, at(here, "poor"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s.sqlIn(t, "poor", "DROP TABLE zitadel_siem_store")
	_, err = store.Look(t.Context())
	wantWords(t, "the tables were dropped", err, "zitadel_siem_store", "restore the tables")

	s.sql(t, "ALTER ROLE poor CONNECTION LIMIT 0")
	try("no connection left", at(here, "poor"), "too many connections", "raise max_connections")
	s.sql(t, "ALTER ROLE poor CONNECTION LIMIT -1")
	s.sql(t, "ALTER DATABASE poor SET default_transaction_read_only = on")
	try("read-only", at(here, "poor"), "read-only transaction", "name the primary")
	try("read-only, of two", at(free+","+here, "poor"), "read only connection", "promote the standby")

	cert, key := other.Issue(t, "127.0.0.1")
	s.sql(t, "ALTER SYSTEM SET ssl_cert_file = '"+s.own(t, cert)+"'")
	s.sql(t, "ALTER SYSTEM SET ssl_key_file = '"+s.own(t, key)+"'")
	s.sql(t, "ALTER SYSTEM SET ssl = on")
	s.sql(t, "SELECT pg_reload_conf()")
	testkit.Until(t, "PostgreSQL has TLS", func() bool {
		conn, err := pgx.Connect(t.Context(), s.url()+"?sslmode=require")
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	try("another authority", at(here, "poor")+"?sslmode=verify-full&sslrootcert="+testkit.NewAuthority(t).File(), "unknown authority", "sslrootcert")
}

// replace writes a file of the configuration.
func (s *postgresServer) replace(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.data(), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// own copies a file to one that the server may read.
func (s *postgresServer) own(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(s.dir, filepath.Base(path))
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.owner != nil {
		if err := os.Chown(to, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// The client of etcd says "context deadline exceeded" to all of this.
func TestEtcdErrorsNameTheFix(t *testing.T) {
	a := testkit.NewAuthority(t)
	cert, key := a.Issue(t, "127.0.0.1")
	plain, both := startEtcd(t), startEtcd(t, secured(t, a))
	server := startEtcd(t, func(c *embed.Config) {
		u := c.ListenClientUrls[0]
		u.Scheme = "https"
		c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{u}, []url.URL{u}
		c.ClientTLSInfo = transport.TLSInfo{CertFile: cert, KeyFile: key}
	})
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	free := "127.0.0.1:" + testkit.FreePort(t)
	lonely := startEtcd(t)
	lonely.leaveOne()
	for name, c := range map[string]struct{ url, says, fix string }{
		"nobody listens":              {"etcd://" + free + ",127.0.0.1:1", "etcd at " + free + ", 127.0.0.1:1: no connection: dial tcp ", "start etcd"},
		"nobody answers":              {"etcd://" + mute.Addr().String(), "nobody answers", "no firewall"},
		"TLS where is none":           {plain.url() + "?ca_file=" + a.File(), "handshake", "tls=off"},
		"no TLS where is some":        {server.url(), "server preface", "ca_file"},
		"another authority":           {server.url() + "?ca_file=" + testkit.NewAuthority(t).File(), "unknown authority", "ca_file"},
		"it wants a certificate":      {both.url() + "?ca_file=" + a.File(), ": no connection: ", "cert_file"},
		"most members of it are away": {lonely.url(), "no answer in time", "have a leader"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			store, err := etcd.Open(ctx, c.url)
			if err == nil {
				store.Close()
			}
			wantWords(t, name, err, c.says, c.fix)
		})
	}
}

// A store that was used, and went away, is no other.
func TestEtcdThatWentAwayIsNamed(t *testing.T) {
	c := startEtcd(t)
	store := c.open(t)
	lease, err := store.Grant(t.Context(), minLease, cluster.Note{})
	if err != nil {
		t.Fatal(err)
	}
	c.stop(t)
	for name, request := range map[string]func(context.Context) error{
		"commit": func(ctx context.Context) error { return store.Commit(ctx, lease, "one", 1, 1, nil) },
		"look":   func(ctx context.Context) error { _, err := store.Look(ctx); return err },
		"renew":  func(ctx context.Context) error { return store.Renew(ctx, lease, cluster.Note{}) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := request(ctx)
		cancel()
		t.Log(err)
		wantWords(t, name, err, "etcd at "+c.configs[0].ListenClientUrls[0].Host, "start etcd")
	}
}
