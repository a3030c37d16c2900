package realtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// A store that was away needs no restart of the members, and loses nothing.
func TestStoreStopsAndStarts(t *testing.T) {
	both(t, func(t *testing.T, s server) {
		instances := clustertest.Names(6)
		g := clustertest.NewGroup(minLease, minLease/20)
		a := g.Start(t, s.open(t), cluster.Options{Name: "a"}, instances)
		defer a.Stop()
		b := g.Start(t, s.open(t), cluster.Options{Name: "b"}, instances)
		defer b.Stop()
		all := func() bool { return len(a.Status().Held) == 3 && len(b.Status().Held) == 3 }
		clustertest.Eventually(t, 10*minLease, "both hold three", all)
		s.stop(t)
		clustertest.Eventually(t, 2*minLease, "reading stops", func() bool {
			return !a.Status().Certain && !b.Status().Certain && a.Status().Err != nil
		})
		s.start(t)
		took := clustertest.Eventually(t, 10*minLease, "both hold three again", func() bool {
			return all() && a.Status().Certain && b.Status().Certain && a.Status().Err == nil
		})
		t.Logf("all held %s after the start of the store, with a lease of %s", took.Round(10*time.Millisecond), minLease)
		before := g.Events(instances[0])
		clustertest.Eventually(t, 2*minLease, "commits", func() bool { return g.Events(instances[0]) > before })
		if faults := slices.Concat(g.Faults()); len(faults) > 0 {
			t.Errorf("%q", faults)
		}
		for _, err := range g.Errs() {
			t.Error(err)
		}
	})
}

// Law 5: a store that went back is an error, never a silent repetition.
func TestLaw5RestoredBackup(t *testing.T) {
	both(t, func(t *testing.T, s server) {
		g := clustertest.NewGroup(minLease, minLease/50)
		a := g.Start(t, s.open(t), cluster.Options{}, clustertest.Names(2))
		defer a.Stop()
		name := clustertest.Names(1)[0]
		clustertest.Eventually(t, 2*minLease, "commits", func() bool { return g.Events(name) > 3 })
		s.backup(t)
		at := g.Events(name)
		clustertest.Eventually(t, 10*minLease, "more commits", func() bool { return g.Events(name) > at+100 })
		a.Read(nil)
		clustertest.Eventually(t, 2*minLease, "nothing is held", func() bool { return len(a.Status().Held) == 0 })
		s.restore(t)
		a.Read(clustertest.Names(2))
		clustertest.Eventually(t, 10*minLease, "the member says that the store went back", func() bool {
			for _, err := range g.Errs() {
				if strings.Contains(err.Error(), "the store went back") {
					return true
				}
			}
			return false
		})
		time.Sleep(minLease)
		if held := a.Status().Held; len(held) > 0 {
			t.Errorf("%q are held", held)
		}
		if faults := g.Faults(); len(faults) > 0 {
			t.Errorf("%q", faults)
		}
	})
}

// Law 5: what cannot be used is an error that says what to do.
func TestLaw5DamagedAndForeignStates(t *testing.T) {
	both(t, func(t *testing.T, s server) {
		other, err := cursor.Encode(cursor.State{Instance: "other"})
		if err != nil {
			t.Fatal(err)
		}
		head := ""
		if _, ok := s.(*etcdCluster); ok {
			head = "00000000000000000001 00000000000000000001 " + "1800000000000000\n"
		}
		store := s.open(t)
		states := map[string]string{"damaged": head + `{"version":1,"inst`, "foreign": head + string(other), "none": "x"}
		for instance, state := range states {
			if err := cluster.Import(t.Context(), store, cursor.State{Instance: instance}); err != nil {
				t.Fatal(err)
			}
			s.put(t, instance, state)
		}
		g := clustertest.NewGroup(minLease, minLease/20)
		a := g.Start(t, store, cluster.Options{}, []string{"damaged", "foreign", "none", "sound"})
		defer a.Stop()
		found := map[string]bool{}
		clustertest.Eventually(t, 10*minLease, "three errors that say what to do", func() bool {
			for _, err := range g.Errs() {
				for instance := range states {
					if strings.Contains(err.Error(), `"`+instance+`"`) && strings.Contains(err.Error(), "restore it from a backup") {
						found[instance] = true
					}
				}
			}
			return len(found) == 3
		})
		clustertest.Eventually(t, 2*minLease, "the sound source is read", func() bool { return g.Events("sound") > 0 })
	})
}

// A user who may not create tables is told so; one who finds them needs no such right.
func TestPostgresNamesTheMissingRight(t *testing.T) {
	s := startPostgres(t)
	sql := func(text string) { s.sql(t, text) }
	sql("CREATE ROLE poor LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	url := strings.Replace(s.url(), "siem@", "poor:secret-of-poor@", 1)
	_, err := openURL(t, url)
	if err == nil || !strings.Contains(err.Error(), "grant CREATE on the schema") || strings.Contains(err.Error(), "secret-of-poor") {
		t.Errorf("error %v", err)
	}
	sql("GRANT CREATE ON SCHEMA public TO poor")
	for range 2 {
		store, err := openURL(t, url)
		if err != nil {
			t.Fatal(err)
		}
		store.Close()
		sql("REVOKE CREATE ON SCHEMA public FROM poor")
	}
	sql("UPDATE zitadel_siem_store SET layout = 99")
	if _, err := openURL(t, url); err == nil || !strings.Contains(err.Error(), "use the newer program") {
		t.Errorf("error %v", err)
	}
}
