package realtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// token is that of every test server.
const token = "token-of-the-test-servers"

// sidecar is one of the processes that share the sources.
type sidecar struct {
	name           string
	store, zitadel *network
	receiver       *forwardtest.Server
	process        *testkit.Process

	program, config string
	env             []string
}

// fleet are the sidecars, and everything around them.
type fleet struct {
	t        testing.TB
	o        fleetOptions
	sidecars []*sidecar
	history  func() history
	store    cluster.Store
}

type fleetOptions struct {
	lease    time.Duration
	sources  []*source
	clocks   []time.Duration // one for each sidecar: by how much its clock is wrong
	settings string          // of all sources, as in YAML
	forget   bool            // what came out
}

// newFleet starts a sidecar for each of the clocks.
func newFleet(t testing.TB, s server, o fleetOptions) *fleet {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, o: o, history: s.record(t), store: s.open(t)}
	for i, clock := range o.clocks {
		m := &sidecar{name: fmt.Sprintf("m%d", i), program: bin, store: newNetwork(t), zitadel: newNetwork(t),
			receiver: forwardtest.Start(t, forwardtest.Options{Forget: o.forget})}
		m.config = f.configure(m, s.through(t, m))
		m.env = append(os.Environ(), "TOKEN="+token, envClock+"="+clock.String(), envHost+"="+m.name)
		m.start(t)
		f.sidecars = append(f.sidecars, m)
	}
	return f
}

// configure writes the file of --config.
func (f *fleet) configure(m *sidecar, store string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "state: %q\nstate_lease: %s\ndefaults: {token: \"${TOKEN}\", forward: %q, %s}\nsources:\n",
		store, f.o.lease, "tcp://"+m.receiver.Forward().Address, f.o.settings)
	urls := map[*zitadeltest.Server]string{}
	for _, source := range f.o.sources {
		if urls[source.server] == "" {
			urls[source.server] = "http://" + m.zitadel.to(f.t, strings.TrimPrefix(source.server.URL(), "http://"))
		}
		fmt.Fprintf(&b, "  - {instance: %s, url: %q}\n", source.instance, urls[source.server])
	}
	path := filepath.Join(f.t.TempDir(), "sources.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// through is the URL of the store for a sidecar, whose name PostgreSQL gets with each request.
func (s *postgresServer) through(t testing.TB, m *sidecar) string {
	return fmt.Sprintf("postgres://siem@%s/postgres?application_name=%s", m.store.to(t, "127.0.0.1:"+s.port), m.name)
}

func (c *etcdCluster) through(t testing.TB, m *sidecar) string {
	var hosts []string
	for _, config := range c.configs {
		hosts = append(hosts, m.store.to(t, config.ListenClientUrls[0].Host))
	}
	return "etcd://" + strings.Join(hosts, ",") + "/test"
}

// start starts the process. It dies with this one.
func (m *sidecar) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(m.program, "pull", "--config", m.config)
	cmd.Env = m.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.process = testkit.Start(t, cmd, nil)
}

// held is what each sidecar holds, by its name.
func (f *fleet) held() map[string][]string {
	now, err := statestore.Look(f.t.Context(), f.store)
	if err != nil {
		return nil // the store is away
	}
	held := map[string][]string{}
	for _, m := range now.Members {
		held[hostIn(m.Name)] = append(held[hostIn(m.Name)], m.Held...)
	}
	return held
}

// hostIn is the host in the name of a member.
func hostIn(member string) string {
	return member[:max(0, strings.LastIndex(member, "-"))]
}

// awaitShares waits until so many sidecars hold their shares, and nobody else holds anything.
func (f *fleet) awaitShares(sidecars int, limit time.Duration) time.Duration {
	f.t.Helper()
	share := (len(f.o.sources) + sidecars - 1) / sidecars
	return clustertest.Eventually(f.t, limit, "equal shares", func() bool {
		holders, all := 0, 0
		for _, list := range f.held() {
			if len(list) > share {
				return false
			}
			if len(list) > 0 {
				holders++
			}
			all += len(list)
		}
		return holders == sidecars && all == len(f.o.sources)
	})
}

// finish ends the writers, waits until everything has come out, ends the sidecars, and judges.
func (f *fleet) finish(faults []*fault) {
	f.t.Helper()
	took := f.awaitShares(len(f.sidecars), time.Minute)
	for _, s := range f.o.sources {
		s.stop()
	}
	v := verdict{t: f.t, f: f, faults: faults, ledger: newLedger(f.o.sources)}
	began := time.Now()
	for v.takeAll(); len(v.ledger.lost()) > 0 && time.Since(began) < time.Minute; v.takeAll() {
		time.Sleep(20 * time.Millisecond)
	}
	f.t.Logf("equal shares, and everything has come out, %s after the end", (took + time.Since(began)).Round(10*time.Millisecond))
	v.history, v.at = f.history(), time.Now() // before the end, which frees all sources
	for _, m := range f.sidecars {
		m.process.Stop()
	}
	v.judge()
}
