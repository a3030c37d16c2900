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

// Law 5: a store that went back is an error, never a silent repetition. The loss of its last
// moments, as in a fail-over to a replica that was behind, needs no hand.
func TestLaw5RestoredBackup(t *testing.T) {
	both(t, func(t *testing.T, s server) {
		t.Parallel()
		g := clustertest.NewGroup(minLease, minLease/50)
		instances := clustertest.Names(2)
		a := g.Start(t, s.open(t), cluster.Options{}, instances)
		defer a.Stop()
		further := func() {
			t.Helper()
			at := g.Events(instances[0])
			clustertest.Eventually(t, 20*minLease, "commits", func() bool { return g.Events(instances[0]) > at+50 })
		}
		// back restores the backup while the member sees nothing of the store and holds nothing.
		back := func(aged bool) {
			t.Helper()
			s.backup(t)
			further()
			a.Gate.Set(clustertest.Cut, 0)
			a.Read(nil)
			clustertest.Eventually(t, 2*minLease, "nothing is held", func() bool { return len(a.Status().Held) == 0 })
			s.restore(t)
			if aged {
				s.age(t)
			}
			g.Rewind()
			a.Read(instances)
			a.Gate.Set(clustertest.Open, 0)
		}
		further()
		back(false)
		further()
		clustertest.Eventually(t, 2*minLease, "no error after the loss of seconds", func() bool { return a.Status().Err == nil })
		for _, err := range g.Errs() {
			t.Errorf("after the loss of seconds: %v", err)
		}
		back(true)
		clustertest.Eventually(t, 10*minLease, "the member says that the store went back", func() bool {
			err := a.Status().Err
			return err != nil && strings.Contains(err.Error(), "the store went back")
		})
		time.Sleep(minLease)
		if held := a.Status().Held; len(held) > 0 {
			t.Errorf("%q are held", held)
		}
		b := g.Start(t, s.open(t), cluster.Options{AcceptOld: true}, instances)
		defer b.Stop()
		further()
		clustertest.Eventually(t, 10*minLease, "the other member goes on", func() bool { return a.Status().Err == nil && len(a.Status().Held) == 1 })
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
