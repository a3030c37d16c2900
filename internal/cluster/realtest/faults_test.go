package realtest

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// fault is what was wrong with one sidecar, or with the store, from one moment to another.
type fault struct {
	kind     *faultKind
	sidecar  *sidecar // nil: the store
	from, to time.Time

	ends time.Time // planned
	heal func()
	over bool
}

// faultKind is a way to harm a sidecar or the store. harm returns how long it is to last, in
// leases.
type faultKind struct {
	name string
	harm func(c *chaos, m *sidecar) (leases float64, heal func())
	// takesHolds says that a sidecar can lose what it holds, and repeat a step for each.
	takesHolds bool
	kills      bool // and does not come back to them
	store      bool // harms the store
}

// sidecarFaults are those that both stores have.
var sidecarFaults = []*faultKind{
	{name: "kill -9", takesHolds: true, kills: true, harm: func(c *chaos, m *sidecar) (float64, func()) {
		m.process.Kill()
		return 1.5 * c.random.Float64(), func() { m.start(c.f.t) }
	}},
	{name: "SIGSTOP for two leases", takesHolds: true, harm: func(c *chaos, m *sidecar) (float64, func()) {
		m.process.Signal(syscall.SIGSTOP)
		return 2, func() { m.process.Signal(syscall.SIGCONT) }
	}},
	{name: "SIGTERM", harm: func(c *chaos, m *sidecar) (float64, func()) {
		m.process.Signal(syscall.SIGTERM)
		return c.random.Float64(), func() {
			if err := m.process.Wait(); err != nil {
				c.f.t.Errorf("%s ended with %v after SIGTERM", m.name, err)
			}
			m.start(c.f.t)
		}
	}},
	{name: "cut from the store", takesHolds: true, harm: func(c *chaos, m *sidecar) (float64, func()) { return c.partition(m.store, cut) }},
	{name: "silence of the store", takesHolds: true, harm: func(c *chaos, m *sidecar) (float64, func()) { return c.partition(m.store, silent) }},
	{name: "slow store", harm: func(c *chaos, m *sidecar) (float64, func()) { return c.partition(m.store, slow) }},
	{name: "cut from ZITADEL", harm: func(c *chaos, m *sidecar) (float64, func()) { return c.partition(m.zitadel, cut) }},
	{name: "silence of ZITADEL", harm: func(c *chaos, m *sidecar) (float64, func()) { return c.partition(m.zitadel, silent) }},
}

func (c *chaos) partition(n *network, w way) (float64, func()) {
	n.set(w)
	return 0.5 + 2.5*c.random.Float64(), func() { n.set(open) }
}

func (s *postgresServer) faults() []*faultKind {
	restart := func(mode string) *faultKind {
		return &faultKind{name: "restart of PostgreSQL, " + mode, takesHolds: true, store: true, harm: func(c *chaos, _ *sidecar) (float64, func()) {
			s.run(c.f.t, "pg_ctl", "-D", s.data(), "-m", mode, "-w", "stop")
			return 0.5 * c.random.Float64(), func() { s.start(c.f.t) }
		}}
	}
	return []*faultKind{restart("fast"), restart("immediate")}
}

func (c *etcdCluster) faults() []*faultKind {
	restart := func(name string, choose func(*chaos) int) *faultKind {
		return &faultKind{name: name, takesHolds: true, store: true, harm: func(ch *chaos, _ *sidecar) (float64, func()) {
			member, closed := c.members[choose(ch)], make(chan struct{})
			member.Server.HardStop() // without handing the leadership over
			go func() {
				member.Close() // waits seconds for streams
				close(closed)
			}()
			return 3, func() {
				<-closed
				c.startAgain(ch.f.t, member)
			}
		}}
	}
	return []*faultKind{
		restart("restart of a member of etcd", func(ch *chaos) int { return ch.random.IntN(len(c.members)) }),
		restart("restart of etcd's leader", func(*chaos) int {
			return max(0, slices.IndexFunc(c.members, func(m *embed.Etcd) bool { return m.Server.MemberID() == m.Server.Leader() }))
		}),
	}
}

func (c *etcdCluster) startAgain(t testing.TB, old *embed.Etcd) {
	t.Helper()
	i := slices.Index(c.members, old)
	member, err := embed.StartEtcd(c.configs[i])
	if err != nil {
		t.Fatal(err)
	}
	c.members[i] = member
	select {
	case <-member.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("the member of etcd is not ready")
	}
}

// chaos harms a fleet and its store.
type chaos struct {
	f      *fleet
	random *rand.Rand
	deck   []*faultKind // to be drawn next
	kinds  []*faultKind
	faults []*fault
}

// mostHarmed sidecars are harmed at once: one can always read, so that every source can have a holder.
const mostHarmed = 2

// run harms until the time is over and each kind was there, and repairs everything.
func (c *chaos) run(lasts time.Duration) {
	c.deck = c.shuffled()
	for began, all := time.Now(), len(c.deck); time.Since(began) < lasts || len(c.faults) < all; {
		c.healDue(false)
		if k, m := c.draw(); k != nil {
			c.harm(k, m)
		}
		time.Sleep(time.Duration(c.random.Int64N(int64(c.f.o.lease / 4))))
	}
	c.healDue(true)
}

func (c *chaos) shuffled() []*faultKind {
	kinds := slices.Clone(c.kinds)
	c.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}

// draw takes the first kind of the deck that can come now. A sidecar is left alone for a lease after
// the end of a fault, and the store for three.
func (c *chaos) draw() (*faultKind, *sidecar) {
	harmed := map[*sidecar]bool{} // nil: the store
	for _, f := range c.faults {
		rest := c.f.o.lease
		if f.kind.store {
			rest *= 3
		}
		if !f.over || time.Since(f.to) < rest {
			harmed[f.sidecar] = true
		}
	}
	store := harmed[nil]
	delete(harmed, nil)
	i := slices.IndexFunc(c.deck, func(k *faultKind) bool {
		return k.store && !store || !k.store && len(harmed) < mostHarmed
	})
	if i < 0 {
		return nil, nil
	}
	k := c.deck[i]
	if c.deck = slices.Delete(c.deck, i, i+1); len(c.deck) == 0 {
		c.deck = c.shuffled()
	}
	if k.store {
		return k, nil
	}
	for {
		if m := c.f.sidecars[c.random.IntN(len(c.f.sidecars))]; !harmed[m] {
			return k, m
		}
	}
}

func (c *chaos) harm(k *faultKind, m *sidecar) {
	f := &fault{kind: k, sidecar: m, from: time.Now()}
	leases, heal := k.harm(c, m)
	f.ends, f.heal = time.Now().Add(time.Duration(leases*float64(c.f.o.lease))), heal
	c.faults = append(c.faults, f)
	name := "the store"
	if m != nil {
		name = m.name
	}
	c.f.t.Logf("%s %s: %s for %s", f.from.Format("15:04:05.000"), name, k.name, f.ends.Sub(f.from).Round(time.Millisecond))
}

// healDue ends the faults whose time is over, or all.
func (c *chaos) healDue(all bool) {
	for _, f := range c.faults {
		if !f.over && (all || time.Now().After(f.ends)) {
			f.heal()
			f.over, f.to = true, time.Now()
		}
	}
}
