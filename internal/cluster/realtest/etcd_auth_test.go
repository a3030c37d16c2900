package realtest

import (
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// secured is an etcd with a certificate of the authority, that wants one of its clients.
func secured(t testing.TB, a *testkit.Authority) func(*embed.Config) {
	cert, key := a.Issue(t, "127.0.0.1")
	return func(c *embed.Config) {
		u := c.ListenClientUrls[0]
		u.Scheme = "https"
		c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{u}, []url.URL{u}
		c.ClientTLSInfo = transport.TLSInfo{CertFile: cert, KeyFile: key, TrustedCAFile: a.File(), ClientCertAuth: true}
	}
}

// logins makes the user and the role of docs/cluster.md, and wants logins from now on.
func (c *etcdCluster) logins(t testing.TB, config *tls.Config, password string) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.configs[0].ListenClientUrls[0].String()}, TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(client.RoleAdd(ctx, "zitadel-siem"))
	must(client.RoleGrantPermission(ctx, "zitadel-siem", "/test/", clientv3.GetPrefixRangeEnd("/test/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(client.UserAdd(ctx, "siem", password))
	must(client.UserGrantRole(ctx, "siem", "zitadel-siem"))
	must(client.UserAdd(ctx, "root", password))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.AuthEnable(ctx))
}

// secureEtcd is a cluster with TLS both ways and logins, whose tokens end after a second, used or not.
type secureEtcd struct {
	*etcdCluster
	params string // of its URL
}

func startSecureEtcd(t testing.TB) *secureEtcd {
	t.Helper()
	a := testkit.NewAuthority(t)
	public, private := a.Issue(t, "tokens")
	c := &secureEtcd{etcdCluster: startEtcd(t, secured(t, a), func(c *embed.Config) {
		c.BcryptCost = 4 // the least: each login costs the time of this machine
		c.AuthToken = "jwt,sign-method=ES256,ttl=1s,pub-key=" + public + ",priv-key=" + private
	})}
	cert, key := a.Issue(t, "client")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c.logins(t, &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{pair}}, "right")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("right"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.params = "?password_file=" + password + "&ca_file=" + a.File() + "&cert_file=" + cert + "&key_file=" + key
	return c
}

func (c *secureEtcd) url() string {
	return strings.Replace(c.etcdCluster.url(), "://", "://siem@", 1) + c.params
}

func (c *secureEtcd) open(t testing.TB) cluster.Store {
	store, err := etcd.Open(t.Context(), c.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func (c *secureEtcd) through(testing.TB, *sidecar) string { return c.url() }

// record records nothing: a watch needs a login, too.
func (c *secureEtcd) record(testing.TB) func() history { return func() history { return history{} } }

// Members go on when the tokens of etcd's logins end, with TLS both ways and no other right than that
// to the prefix.
func TestEtcdWithTLSAndTokensThatEnd(t *testing.T) {
	f := newPair(t, startSecureEtcd(t), minLease)
	clustertest.Store(t, startSecureEtcd(t).open(t), minLease)
	f.sidecars[0].process.Kill()
	f.sidecars[0].start(t)
	f.awaitShares(2, time.Minute)
	f.wantAll()
	for _, m := range f.sidecars {
		if text := m.process.Err.String(); strings.Contains(text, "etcdserver: ") { // what etcd refuses
			t.Errorf("%s:\n%s", m.name, text)
		}
	}
}
