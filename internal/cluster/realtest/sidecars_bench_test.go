package realtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// BenchmarkSidecarFailover is the time from kill -9 of a sidecar to the first event that another one
// emits of each of its sources, with the default lease. Each source has about two transactions per second.
func BenchmarkSidecarFailover(b *testing.B) {
	stores(b, func(b *testing.B, s server) {
		f := newFleet(b, s, fleetOptions{lease: cluster.DefaultTTL, sources: newSources(b, 1), settings: settings, clocks: make([]time.Duration, 3)})
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			f.awaitShares(3, 2*time.Minute)
			victim := f.sidecars[i%3]
			lost := f.held()[victim.name]
			victim.process.Kill()
			killed := time.Now()
			first := map[string]time.Time{}
			clustertest.Eventually(b, time.Minute, "events of all sources", func() bool {
				first = f.firstAfter(killed)
				return !slices.ContainsFunc(lost, func(instance string) bool { return first[instance].IsZero() })
			})
			for _, instance := range lost {
				took = append(took, first[instance].Sub(killed))
			}
			victim.start(b)
		}
		slices.Sort(took)
		b.ReportMetric(took[0].Seconds(), "s/fastest")
		b.ReportMetric(took[len(took)/2].Seconds(), "s/median")
		b.ReportMetric(took[len(took)-1].Seconds(), "s/slowest")
	})
}

// firstAfter is when the first message of each source came after a moment.
func (f *fleet) firstAfter(moment time.Time) map[string]time.Time {
	l := newLedger(nil)
	for _, m := range f.sidecars {
		messages := m.receiver.Messages()
		for len(messages) > 0 && messages[0].At.Before(moment) {
			messages = messages[1:]
		}
		l.take(m.name, messages)
	}
	first := map[string]time.Time{}
	for _, a := range l.arrivals {
		if was := first[a.instance]; was.IsZero() || a.at.Before(was) {
			first[a.instance] = a.at
		}
	}
	return first
}

// BenchmarkSidecarsWithThousandSources: three sidecars share 1,000 sources of one server. When it is
// busy it writes a transaction about every 5 s, which each of the sources reads: 200 steps per second.
func BenchmarkSidecarsWithThousandSources(b *testing.B) {
	stores(b, func(b *testing.B, s server) {
		server := zitadeltest.Serve(b, zitadeltest.NewStore(), zitadeltest.Options{})
		server.AddToken(token, zitadeltest.Viewer, time.Time{})
		var sources []*source
		for _, instance := range clustertest.Names(1000) {
			sources = append(sources, &source{instance: instance, server: server})
		}
		report := func(d time.Duration, unit string) { b.ReportMetric(d.Seconds(), unit) }
		for b.Loop() {
			began := time.Now()
			f := newFleet(b, s, fleetOptions{lease: cluster.DefaultTTL, sources: sources, settings: "start: now", clocks: make([]time.Duration, 3), forget: true})
			clustertest.Eventually(b, 5*time.Minute, "all held", func() bool {
				return len(slices.Concat(slices.Collect(maps.Values(f.held()))...)) == len(sources)
			})
			report(time.Since(began), "s/held")
			f.awaitShares(3, 5*time.Minute)
			report(time.Since(began), "s/equal")
			time.Sleep(30 * time.Second) // all have read up to now
			f.load(b, s, "quiet")
			ctx, stop := context.WithCancel(b.Context())
			go zitadeltest.NewWriter(server.Store(), 1, nil).Run(ctx, 0.5)
			time.Sleep(15 * time.Second) // the overlap is full of events
			f.load(b, s, "busy")
			stop()
			f.sidecars[0].process.Stop()
			report(f.awaitShares(2, 5*time.Minute), "s/equal-after-SIGTERM")
			f.sidecars[0].start(b)
			report(f.awaitShares(3, 5*time.Minute), "s/equal-after-start")
			f.sidecars[0].process.Kill()
			report(f.awaitShares(2, 5*time.Minute), "s/equal-after-kill")
		}
	})
}

// load reports what the store and the sidecars do in 30 seconds.
func (f *fleet) load(b *testing.B, s server, name string) {
	const watched = 30 * time.Second
	processor := func() (ticks float64) {
		for _, m := range f.sidecars {
			ticks += m.ticks()
		}
		return ticks
	}
	counted, used := s.transactions(b), processor()
	time.Sleep(watched)
	b.ReportMetric((s.transactions(b)-counted)/watched.Seconds(), name+"-transactions/s")
	b.ReportMetric((processor()-used)/100/watched.Seconds()/float64(len(f.sidecars)), name+"-cores/sidecar")
	var most float64
	for _, m := range f.sidecars {
		most = max(most, m.resident())
	}
	b.ReportMetric(most, name+"-MiB/sidecar")
}

// ticks is the processor time, in hundredths of a second.
func (m *sidecar) ticks() float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.process.Pid()))
	var user, system float64
	_, behind, _ := bytes.Cut(b, []byte(") "))
	if fields := bytes.Fields(behind); len(fields) > 12 {
		_, _ = fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system)
	}
	return user + system
}

// resident is the memory in RAM, in MiB.
func (m *sidecar) resident() float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", m.process.Pid()))
	var total, pages float64
	_, _ = fmt.Sscan(string(b), &total, &pages)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// transactions are those that PostgreSQL has committed, reads too.
func (s *postgresServer) transactions(t testing.TB) (n float64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// transactions are the writes that etcd has applied. Reads are in no log.
func (c *etcdCluster) transactions(testing.TB) float64 {
	return float64(c.members[0].Server.AppliedIndex())
}
