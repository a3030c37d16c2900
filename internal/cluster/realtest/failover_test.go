package realtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/postgres"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// postgresPair is a primary and an asynchronous standby. URLs of it have the primary first.
type postgresPair struct {
	*postgresServer // the primary
	standby         *postgresServer
	ways            [2]*network // to the primary, and to the standby
}

func startPair(t testing.TB) *postgresPair {
	t.Helper()
	p := &postgresPair{postgresServer: startPostgres(t), ways: [2]*network{newNetwork(t), newNetwork(t)}}
	second := *p.postgresServer
	second.dir, second.port = filepath.Join(p.dir, "standby"), testkit.FreePort(t)
	p.runPath(t, "/bin/mkdir", second.dir)
	p.run(t, "pg_basebackup", "-h", "127.0.0.1", "-p", p.port, "-U", "siem", "-D", second.data(), "-R", "--no-sync", "-c", "fast")
	p.standby = &second
	second.start(t)
	t.Cleanup(func() { second.end(t) })
	return p
}

// kill is kill -9 of the server, as when its machine dies: what is not in the standby yet never gets there.
func (s *postgresServer) kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.killed = true
}

func (s *postgresServer) promote(t testing.TB) {
	t.Helper()
	s.run(t, "pg_ctl", "-D", s.data(), "-w", "promote")
}

func (p *postgresPair) through(t testing.TB, m *sidecar) string {
	return fmt.Sprintf("postgres://siem@%s,%s/postgres?application_name=%s", p.ways[0].to(t, "127.0.0.1:"+p.port), p.ways[1].to(t, "127.0.0.1:"+p.standby.port), m.name)
}

func (p *postgresPair) url() string {
	return fmt.Sprintf("postgres://siem@127.0.0.1:%s,127.0.0.1:%s/postgres", p.port, p.standby.port)
}

func (p *postgresPair) open(t testing.TB) cluster.Store {
	store, err := openURL(t, p.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// record records nothing: a part of a history would be lost.
func (p *postgresPair) record(testing.TB) func() history { return func() history { return history{} } }

// wantAll waits until every event has come out.
func (f *fleet) wantAll() {
	f.t.Helper()
	for _, s := range f.o.sources {
		s.stop()
	}
	v := verdict{t: f.t, f: f, ledger: newLedger(f.o.sources)}
	clustertest.Eventually(f.t, time.Minute, "every event has come out", func() bool {
		v.takeAll()
		return len(v.ledger.lost()) == 0
	})
	if ids := v.ledger.foreign(); len(ids) > 0 {
		f.t.Errorf("came, and nobody committed them: %s", some(ids))
	}
	events, repeated := v.ledger.repeated()
	f.t.Logf("%d events, %d repeated, of %d steps", len(v.ledger.seen), events, sum(repeated))
}

// newPair are two sidecars that share four sources.
func newPair(t testing.TB, s server, lease time.Duration) *fleet {
	var sources []*source
	for i, instance := range clustertest.Names(4) {
		sources = append(sources, newSource(t, instance, uint64(i)))
	}
	f := newFleet(t, s, fleetOptions{lease: lease, sources: sources, settings: settings, clocks: make([]time.Duration, 2)})
	f.awaitShares(2, time.Minute)
	return f
}

// awaitCommits waits until each source has a commit in the server that is younger than now.
func (f *fleet) awaitCommits(s *postgresServer, limit time.Duration) time.Duration {
	f.t.Helper()
	now := time.Now().UnixMicro()
	return clustertest.Eventually(f.t, limit, "a commit of each source", func() bool { return s.commits(f.t, now) == len(f.o.sources) })
}

// commits counts the sources with a commit after a moment, in microseconds since 1970.
func (s *postgresServer) commits(t testing.TB, after int64) int {
	t.Helper()
	return s.count(t, fmt.Sprintf("SELECT count(*) FROM zitadel_siem_source WHERE extract(epoch FROM committed) * 1000000 > %d", after))
}

// A standby that is promoted goes on with the states, also for members that get no answer from the
// machine of the primary. What the standby lacks comes twice; nothing is lost.
func TestLaw2FailoverOfPostgres(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *postgresPair){
		"the primary is killed":       func(t *testing.T, p *postgresPair) { p.kill(t) },
		"the primary does not answer": func(_ *testing.T, p *postgresPair) { p.ways[0].set(silent) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t)
			const lease = 6 * time.Second
			f := newPair(t, p, lease)
			harm(t, p)
			p.standby.promote(t)
			took := f.awaitCommits(p.standby, 2*lease+scheduling)
			t.Logf("each source is read %s after the promotion, with a lease of %s", took.Round(10*time.Millisecond), lease)
			f.store = p.standby.open(t)
			f.awaitShares(2, 2*lease)
			f.wantAll()
		})
	}
}

// An old primary that comes back as a server of its own takes writes, too, and is the first host of
// the URL. Members, also those that start, stay with the standby that was promoted.
func TestOldPrimaryOfPostgresIsNotUsed(t *testing.T) {
	p := startPair(t)
	f := newPair(t, p, minLease)
	p.kill(t)
	p.standby.promote(t)
	f.awaitCommits(p.standby, 10*minLease)
	p.postgresServer.start(t)
	back := time.Now().UnixMicro()
	f.store = p.standby.open(t)
	p.standby.sql(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('m0', 'm1')")
	f.awaitCommits(p.standby, 10*minLease)
	for _, m := range f.sidecars {
		m.process.Stop()
		m.start(t)
	}
	f.awaitShares(2, 20*minLease)
	f.awaitCommits(p.standby, 10*minLease)
	if n := p.postgresServer.commits(t, back); n > 0 {
		t.Errorf("the old primary took commits of %d sources", n)
	}
	f.wantAll()
}

// The machine of the first host is gone when a member with a short lease starts.
func TestPostgresIsOpenedWithItsSecondHost(t *testing.T) {
	s := startPostgres(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), minLease/3)
	defer cancel()
	store, err := postgres.Open(ctx, fmt.Sprintf("postgres://siem@%s,127.0.0.1:%s/postgres", mute.Addr(), s.port))
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}

// Connections that wait for a primary whose machine is gone are given up within a lease, also if they
// are all that there are.
func TestStandbyOfPostgresTakesCommitsWhileAllConnectionsWait(t *testing.T) {
	p := startPair(t)
	m := &sidecar{name: "m"}
	store, err := openURL(t, p.through(t, m))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	lease, err := store.Grant(t.Context(), time.Hour, cluster.Note{})
	if err != nil {
		t.Fatal(err)
	}
	instances := clustertest.Names(16) // twice as many as there are connections
	if err := store.Register(t.Context(), instances); err != nil {
		t.Fatal(err)
	}
	var silence atomic.Int64 // since when nothing arrives
	var commits errgroup.Group
	for _, instance := range instances {
		taken, err := store.Take(t.Context(), lease, instance)
		if err != nil {
			t.Fatal(err)
		}
		commits.Go(func() error {
			for number := uint64(1); ; number++ {
				sent := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), minLease)
				err := store.Commit(ctx, lease, instance, taken.Fence, number, nil)
				cancel()
				since := silence.Load()
				if since == 0 || sent.Before(time.UnixMicro(since)) {
					continue
				}
				if took := time.Since(time.UnixMicro(since)); took > cluster.DefaultTTL {
					return fmt.Errorf("no commit of %s for %s: %v", instance, took, err)
				} else if err == nil {
					return nil
				}
			}
		})
	}
	clustertest.Eventually(t, time.Minute, "all commit", func() bool { return p.postgresServer.commits(t, 0) == len(instances) })
	p.ways[0].set(silent)
	p.standby.promote(t)
	silence.Store(time.Now().UnixMicro())
	if err := commits.Wait(); err != nil {
		t.Error(err)
	}
}
