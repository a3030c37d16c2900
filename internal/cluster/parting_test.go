package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// The store takes requests and answers none, and the lease is long: what was asked before the end of
// the process must not hold it up either.
func TestProcessEndsWithinSecondsWhateverTheLease(t *testing.T) {
	for _, ttl := range []time.Duration{cluster.MinTTL, cluster.DefaultTTL, 10 * time.Minute} {
		t.Run(ttl.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := clustertest.NewGate(clustertest.NewMemory())
				m, err := cluster.New(cluster.Options{Store: gate, TTL: ttl})
				if err != nil {
					t.Fatal(err)
				}
				m.Sources([]string{"one"})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- m.Run(ctx) }()
				h, _ := hold(t, m)
				gate.Set(clustertest.Open, 2*ttl)
				closed := make(chan error, 1)
				go func() {
					if err := commit(h, cursor.State{Instance: "one"}); err == nil {
						t.Error("a commit without an answer")
					}
					closed <- h.Close()
				}()
				time.Sleep(100 * time.Millisecond)
				began := time.Now()
				cancel()
				if err := <-closed; err != nil {
					t.Error(err)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("the end took %s", took)
				}
				time.Sleep(3 * ttl) // what is under way to the store
			})
		})
	}
}
