package cluster_test

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// An idle source commits once a minute. A fail-over that loses a moment can lose one of these.
func TestFailOverThatLosesOneCommitOfAnIdleSourceGoesOn(t *testing.T) {
	bubble(t, cluster.Options{}, func(t *testing.T, m *cluster.Member, store *clustertest.Memory, _ func() *cluster.Member) {
		h, _ := hold(t, m)
		if err := commit(h, cursor.State{Instance: "one", Events: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(65 * time.Second)
		replica := store.Copy()
		if err := commit(h, cursor.State{Instance: "one", Events: 2}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		store.Restore(replica)
		h.Close()
		time.Sleep(5 * time.Second)
		h, s := hold(t, m)
		if s.Events != 1 {
			t.Errorf("state %+v", s)
		}
		h.Close()
	})
}
