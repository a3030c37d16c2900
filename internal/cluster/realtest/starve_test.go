package realtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

// lockSources holds the locks of all sources until the function that it returns is called.
func (s *postgresServer) lockSources(t testing.TB) (unlock func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT FROM zitadel_siem_source FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	return func() { _ = conn.Close(context.Background()) }
}

// Commits that wait in PostgreSQL, here for a lock, do not hold up what the lease depends on.
func TestPostgresRenewsWhileCommitsHaveAllConnections(t *testing.T) {
	s := startPostgres(t)
	store := s.open(t)
	ctx := t.Context()
	lease, err := store.Grant(ctx, time.Hour, cluster.Note{})
	if err != nil {
		t.Fatal(err)
	}
	instances := clustertest.Names(8) // as many as there are connections
	if err := store.Register(ctx, instances); err != nil {
		t.Fatal(err)
	}
	var taken []cluster.Taken
	for _, instance := range instances {
		one, err := store.Take(ctx, lease, instance)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, one)
	}
	unlock := s.lockSources(t)
	var commits errgroup.Group
	for i, instance := range instances {
		commits.Go(func() error { return store.Commit(ctx, lease, instance, taken[i].Fence, 1, []byte("s")) })
	}
	clustertest.Eventually(t, 10*time.Second, "all commits wait for the lock", func() bool { return s.waiting(t) == len(instances) })
	short, cancel := context.WithTimeout(ctx, minLease)
	defer cancel()
	if err := store.Renew(short, lease, cluster.Note{}); err != nil {
		t.Errorf("renewal: %v", err)
	}
	if _, err := store.Look(short); err != nil {
		t.Errorf("look: %v", err)
	}
	unlock()
	if err := commits.Wait(); err != nil {
		t.Error(err)
	}
}

// waiting counts the requests that wait for a lock.
func (s *postgresServer) waiting(t testing.TB) int {
	t.Helper()
	return s.count(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
}

// count asks for one number.
func (s *postgresServer) count(t testing.TB, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
