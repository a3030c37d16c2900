package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// postgresServer is a PostgreSQL of its own, that a test can stop and start.
type postgresServer struct {
	bin, dir string
	port     string
	owner    *syscall.Credential
	killed   bool
}

// startPostgres skips the test if no PostgreSQL is installed.
func startPostgres(t testing.TB) *postgresServer {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if path, err := exec.LookPath("pg_ctl"); err == nil && len(found) == 0 {
		found = append(found, path)
	}
	if len(found) == 0 {
		t.Skip("no PostgreSQL: pg_ctl is neither in PATH nor in /usr/lib/postgresql (on Debian: apt-get install postgresql)")
	}
	slices.Sort(found)
	dir, err := os.MkdirTemp("", "zitadel-siem-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &postgresServer{bin: filepath.Dir(found[len(found)-1]), dir: dir, port: testkit.FreePort(t)}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("no PostgreSQL: it does not run as root, and there is no user postgres")
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, "initdb", "-D", s.data(), "-U", "siem", "-A", "trust", "--no-sync")
	s.start(t)
	t.Cleanup(func() { s.end(t) })
	return s
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) run(t testing.TB, name string, args ...string) {
	t.Helper()
	s.runPath(t, filepath.Join(s.bin, name), args...)
}

// runPath runs a program as the owner of the data.
func (s *postgresServer) runPath(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, log)
	}
}

func (s *postgresServer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	return cmd
}

func (s *postgresServer) start(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data(), "-l", filepath.Join(s.dir, "log"), "-w", "-o",
		fmt.Sprintf("-p %s -k %s -c listen_addresses=127.0.0.1", s.port, s.dir), "start"}
	if s.killed { // its children may still be there
		testkit.Until(t, "PostgreSQL starts again", func() bool { return s.command(filepath.Join(s.bin, "pg_ctl"), args...).Run() == nil })
		s.killed = false
		return
	}
	s.run(t, "pg_ctl", args...)
}

func (s *postgresServer) stop(t testing.TB) {
	t.Helper()
	s.run(t, "pg_ctl", "-D", s.data(), "-m", "fast", "-w", "stop")
}

// end is a stop without care for the data.
func (s *postgresServer) end(t testing.TB) {
	t.Helper()
	if !s.killed {
		s.run(t, "pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop")
	}
}

func (s *postgresServer) url() string {
	return fmt.Sprintf("postgres://siem@127.0.0.1:%s/postgres", s.port)
}

func openURL(t testing.TB, url string) (*postgres.Store, error) {
	return postgres.Open(t.Context(), url)
}
