package realtest

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

func stores(b *testing.B, bench func(b *testing.B, s server)) {
	b.Run("postgres", func(b *testing.B) { bench(b, startPostgres(b)) })
	b.Run("etcd", func(b *testing.B) { bench(b, startEtcd(b)) })
}

// BenchmarkCommit commits states of 10 KB that cannot be compressed.
func BenchmarkCommit(b *testing.B) {
	stores(b, func(b *testing.B, s server) {
		for _, readers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%d", readers), func(b *testing.B) {
				store := s.open(b)
				lease, err := store.Grant(b.Context(), time.Hour, cluster.Note{})
				if err != nil {
					b.Fatal(err)
				}
				defer store.Revoke(b.Context(), lease)
				instances := clustertest.Names(readers)
				if err := store.Register(b.Context(), instances); err != nil {
					b.Fatal(err)
				}
				state := make([]byte, 10_000)
				_, _ = rand.Read(state)
				var left atomic.Int64
				left.Store(int64(b.N))
				var all sync.WaitGroup
				b.ResetTimer()
				for _, instance := range instances {
					all.Go(func() {
						taken, err := store.Take(b.Context(), lease, instance)
						for number := taken.Number + 1; err == nil && left.Add(-1) >= 0; number++ {
							err = store.Commit(b.Context(), lease, instance, taken.Fence, number, state)
						}
						if err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	})
}

// BenchmarkFailover is the time from the last request of a member to the moment at which another
// holds its source, with the default lease.
func BenchmarkFailover(b *testing.B) {
	stores(b, func(b *testing.B, s server) {
		g := clustertest.NewGroup(cluster.DefaultTTL, 100*time.Millisecond)
		instances := clustertest.Names(10)
		x := g.Start(b, s.open(b), cluster.Options{}, instances)
		defer x.Stop()
		clustertest.Eventually(b, time.Minute, "all held", func() bool { return len(x.Status().Held) == 10 })
		y := g.Start(b, s.open(b), cluster.Options{}, instances)
		defer y.Stop()
		clustertest.Eventually(b, time.Minute, "half held", func() bool { return len(y.Status().Held) == 5 })
		var took time.Duration
		for b.Loop() {
			x.Gate.Freeze()
			took += clustertest.Eventually(b, time.Minute, "the other holds all", func() bool { return len(y.Status().Held) == 10 })
			x.Gate.Thaw()
			clustertest.Eventually(b, time.Minute, "half held again", func() bool { return len(x.Status().Held) == 5 && len(y.Status().Held) == 5 })
		}
		b.ReportMetric(took.Seconds()/float64(b.N), "s/failover")
	})
}

// BenchmarkStart is the time until three members hold 1,000 sources in equal shares.
func BenchmarkStart(b *testing.B) {
	stores(b, func(b *testing.B, s server) {
		instances := clustertest.Names(1000)
		var held, equal time.Duration
		for b.Loop() {
			g := clustertest.NewGroup(cluster.DefaultTTL, time.Minute)
			var all []*clustertest.Runner
			start := time.Now()
			for range 3 {
				all = append(all, g.Start(b, s.open(b), cluster.Options{}, instances))
			}
			sum := func() (n, most int) {
				for _, r := range all {
					k := len(r.Status().Held)
					n, most = n+k, max(most, k)
				}
				return n, most
			}
			clustertest.Eventually(b, 5*time.Minute, "all held", func() bool { n, _ := sum(); return n == 1000 })
			held += time.Since(start)
			clustertest.Eventually(b, 5*time.Minute, "equal shares", func() bool { n, most := sum(); return n == 1000 && most <= 334 })
			equal += time.Since(start)
			for _, r := range all {
				r.Stop()
			}
		}
		b.ReportMetric(held.Seconds()/float64(b.N), "s/held")
		b.ReportMetric(equal.Seconds()/float64(b.N), "s/equal")
	})
}
