package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryIsAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { clustertest.Store(t, clustertest.NewMemory(), 2*time.Second) })
}

func TestMembersShareAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := clustertest.NewMemory()
		clustertest.Members(t, cluster.DefaultTTL, 0, func() cluster.Store { return store })
	})
}
