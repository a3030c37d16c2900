package realtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A backup is a copy of the files of a server that is stopped.

func (s *postgresServer) backup(t testing.TB) {
	t.Helper()
	s.stop(t)
	s.runPath(t, "/bin/cp", "-a", s.data(), filepath.Join(s.dir, "backup"))
	s.start(t)
}

func (s *postgresServer) restore(t testing.TB) {
	t.Helper()
	s.stop(t)
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(s.dir, "backup"), s.data()); err != nil {
		t.Fatal(err)
	}
	s.start(t)
}

// age makes everything in the store older by an hour.
func (s *postgresServer) age(t testing.TB) {
	t.Helper()
	s.sql(t, `UPDATE zitadel_siem_store SET alive = alive - interval '1 hour'`)
	s.sql(t, `UPDATE zitadel_siem_source SET committed = committed - interval '1 hour'`)
}

func (s *postgresServer) put(t testing.TB, instance, state string) {
	t.Helper()
	s.sql(t, `UPDATE zitadel_siem_source SET state = $2, number = number + 1, committed = now() WHERE instance = $1`, instance, []byte(state))
}

func (s *postgresServer) sql(t testing.TB, text string, args ...any) {
	t.Helper()
	s.sqlIn(t, "postgres", text, args...)
}

func (s *postgresServer) sqlIn(t testing.TB, database, text string, args ...any) {
	t.Helper()
	// The socket: what the server wants of others does not matter.
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres:///%s?user=siem&host=%s&port=%s", database, s.dir, s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func (c *etcdCluster) backup(t testing.TB) {
	t.Helper()
	c.stop(t)
	for _, config := range c.configs {
		if err := os.CopyFS(config.Dir+"-backup", os.DirFS(config.Dir)); err != nil {
			t.Fatal(err)
		}
	}
	c.start(t)
}

func (c *etcdCluster) restore(t testing.TB) {
	t.Helper()
	c.stop(t)
	for _, config := range c.configs {
		if err := os.RemoveAll(config.Dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(config.Dir+"-backup", config.Dir); err != nil {
			t.Fatal(err)
		}
	}
	c.start(t)
}

func (c *etcdCluster) age(t testing.TB) {
	t.Helper()
	c.set(t, "/test/alive", strconv.FormatInt(time.Now().Add(-time.Hour).UnixMicro(), 10))
}

func (c *etcdCluster) put(t testing.TB, instance, state string) {
	t.Helper()
	c.set(t, "/test/states/"+instance, state)
}

func (c *etcdCluster) set(t testing.TB, key, value string) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{c.configs[0].ListenClientUrls[0].String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}
