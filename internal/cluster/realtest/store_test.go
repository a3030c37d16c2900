package realtest

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/etcd"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
)

// server is one of the stores: a real one.
type server interface {
	stop(t testing.TB)
	start(t testing.TB)
	open(t testing.TB) cluster.Store
	backup(t testing.TB)
	restore(t testing.TB)
	age(t testing.TB)
	put(t testing.TB, instance, state string)

	record(t testing.TB) (read func() history)
	through(t testing.TB, m *sidecar) (url string)
	faults() []*faultKind
	transactions(t testing.TB) float64 // since the start
}

// both runs a test against each of the stores, each new and empty.
func both(t *testing.T, test func(t *testing.T, s server)) {
	t.Run("postgres", func(t *testing.T) { test(t, startPostgres(t)) })
	t.Run("etcd", func(t *testing.T) { test(t, startEtcd(t)) })
}

// MinLease is the shortest lease that both stores keep exactly.
const minLease = 2 * time.Second

// busy is what a step that has no limit by law may take longer on a busy machine.
const busy = 10 * time.Second

func (s *postgresServer) open(t testing.TB) cluster.Store {
	store, err := postgres.Open(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func (c *etcdCluster) open(t testing.TB) cluster.Store {
	store, err := etcd.Open(t.Context(), c.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestBothAreStores(t *testing.T) {
	both(t, func(t *testing.T, s server) { clustertest.Store(t, s.open(t), minLease) })
}

func TestMembersShareBoth(t *testing.T) {
	both(t, func(t *testing.T, s server) {
		clustertest.Members(t, minLease, busy, func() cluster.Store { return s.open(t) })
	})
}
