package realtest

import (
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
)

func TestPostgresIsAStore(t *testing.T) {
	server := startPostgres(t)
	s, err := postgres.Open(t.Context(), server.url())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	clustertest.Store(t, s, time.Second)
}

func TestPostgresMembersShareAStore(t *testing.T) {
	server := startPostgres(t)
	clustertest.Members(t, cluster.MinTTL, func() cluster.Store {
		s, err := postgres.Open(t.Context(), server.url())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	})
}
