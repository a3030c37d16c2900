package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// bouncer starts a PgBouncer before the server, and returns its address. It skips the test if none
// is installed.
func (s *postgresServer) bouncer(t testing.TB, mode string) string {
	t.Helper()
	program := "/usr/sbin/pgbouncer" // of Debian; not in the PATH of users
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		program = path
	} else if _, err := os.Stat(program); err != nil {
		t.Skip("no PgBouncer: pgbouncer is neither in PATH nor in /usr/sbin (on Debian: apt-get install pgbouncer)")
	}
	port := testkit.FreePort(t)
	file := func(name, text string) string {
		path := filepath.Join(s.dir, "pgbouncer-"+mode+name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := file(".ini", fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = trust\nauth_file = %s\npool_mode = %s\ndefault_pool_size = 60\n",
		s.port, port, file(".users", "\"siem\" \"\"\n"), mode))
	cmd := exec.Command(program, config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: syscall.SIGKILL} // it refuses to run as root
	p := testkit.Start(t, cmd, nil)
	p.Until("PgBouncer is ready", func() bool { return strings.Contains(p.Err.String(), "process up") })
	return "127.0.0.1:" + port
}

// pooled is a server behind a pooler.
type pooled struct {
	*postgresServer
	address string
}

func (p pooled) through(testing.TB, *sidecar) string { return p.address }

func (p pooled) open(t testing.TB) cluster.Store {
	store, err := openURL(t, p.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// record records nothing: who commits cannot be told behind a pooler.
func (p pooled) record(testing.TB) func() history { return func() history { return history{} } }

// In transaction pooling each transaction may have another connection to the server, which has not
// prepared what the one before has.
func TestPostgresBehindPgBouncer(t *testing.T) {
	for mode, params := range map[string]string{"transaction": "?default_query_exec_mode=cache_describe", "session": ""} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startPostgres(t)
			address := s.bouncer(t, mode)
			s.sql(t, "CREATE DATABASE members")
			open := func(database string) cluster.Store {
				store, err := openURL(t, "postgres://siem@"+address+"/"+database+params)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(store.Close)
				return store
			}
			t.Run("store", func(t *testing.T) { clustertest.Store(t, open("postgres"), minLease) })
			t.Run("members", func(t *testing.T) {
				clustertest.Members(t, minLease, busy, func() cluster.Store { return open("members") })
			})
			t.Run("sidecars", func(t *testing.T) {
				s.sql(t, "CREATE DATABASE sidecars")
				f := newPair(t, pooled{s, "postgres://siem@" + address + "/sidecars" + params}, minLease)
				f.sidecars[0].process.Kill()
				f.awaitShares(1, time.Minute)
				f.sidecars[0].start(t)
				f.awaitShares(2, time.Minute)
				f.wantAll()
			})
		})
	}
}

// Without the parameter, the error names it.
func TestPgBouncerIsNamedIfStatementsArePrepared(t *testing.T) {
	s := startPostgres(t)
	url := "postgres://siem@" + s.bouncer(t, "transaction") + "/postgres"
	for range 2 { // the second one finds what the first one has prepared
		store, err := openURL(t, url)
		if err == nil {
			t.Cleanup(store.Close)
		} else if fix := statestore.Fix(err); strings.Contains(fix, "default_query_exec_mode=cache_describe") {
			return
		} else {
			t.Fatalf("%v; %s", err, fix)
		}
	}
	t.Skip("this PgBouncer keeps what was prepared, as those from 1.24 on")
}
