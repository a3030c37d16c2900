package realtest

import (
	"slices"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
)

// ownClock gives the server a clock that a test can set: functions that come before those of
// pg_catalog in the search_path.
func (s *postgresServer) ownClock(t testing.TB) cluster.Store {
	t.Helper()
	s.sql(t, `CREATE SCHEMA own`)
	s.setClock(t, "0")
	s.sql(t, `CREATE FUNCTION own.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.pg_postmaster_start_time() - interval '1 hour' $$`)
	store, err := postgres.Open(t.Context(), s.url()+"?search_path=own,pg_catalog")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func (s *postgresServer) setClock(t testing.TB, ahead string) {
	t.Helper()
	s.sql(t, `CREATE OR REPLACE FUNCTION own.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.clock_timestamp() + interval '`+ahead+`' $$`)
}

// A dead member's sources are free one lease later, whatever is done to the server's clock.
func TestPostgresEndsLeasesAlsoIfItsClockIsSetBack(t *testing.T) {
	for name, back := range map[string]string{"by less than since its start": "-10 minutes", "to before its start": "-1 day"} {
		t.Run(name, func(t *testing.T) {
			s := startPostgres(t)
			store := s.ownClock(t)
			lease, err := store.Grant(t.Context(), minLease, cluster.Note{})
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Register(t.Context(), []string{"one"}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Take(t.Context(), lease, "one"); err != nil {
				t.Fatal(err)
			}
			s.setClock(t, back)
			clustertest.Eventually(t, 3*minLease, "the source is free", func() bool {
				v, err := store.Look(t.Context())
				return err == nil && slices.Contains(v.Free, "one")
			})
		})
	}
}
