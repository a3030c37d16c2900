package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

// modelTTL is the lease in the model.
const modelTTL = 15 * time.Second

// deed is what happens to one member, and the time until the next deed.
type deed struct {
	member int
	what   string
	lag    time.Duration
	then   time.Duration
}

type scenario struct {
	members, sources int
	offsets          []time.Duration // of the members' clocks
	rates            []float64       // how fast they run
	deeds            []deed
}

func drawScenario(t *rapid.T) scenario {
	s := scenario{members: rapid.IntRange(1, 4).Draw(t, "members"), sources: rapid.IntRange(1, 7).Draw(t, "sources")}
	for range s.members {
		s.offsets = append(s.offsets, time.Duration(rapid.IntRange(-3600, 3600).Draw(t, "clock"))*time.Second)
		s.rates = append(s.rates, rapid.SampledFrom([]float64{0.96, 1, 1, 1.04}).Draw(t, "rate"))
	}
	for range rapid.IntRange(1, 12).Draw(t, "deeds") {
		s.deeds = append(s.deeds, deed{
			member: rapid.IntRange(0, s.members-1).Draw(t, "member"),
			what:   rapid.SampledFrom([]string{"freeze", "thaw", "cut", "deaf", "slow", "mend", "mend", "restart", "kill", "fewer", "all"}).Draw(t, "deed"),
			lag:    time.Duration(rapid.IntRange(1, 7_000).Draw(t, "lag")) * time.Millisecond,
			then:   time.Duration(rapid.IntRange(0, 20_000).Draw(t, "then")) * time.Millisecond,
		})
	}
	return s
}

// node is one member of the model with its clock.
type node struct {
	*clustertest.Runner
	clock *clock
	ill   time.Time // since when it is not healthy; zero: it is
	slow  bool      // and nothing else
	well  time.Time // since when it is healthy
	knows int       // of the sources, the first ones
}

// clock runs at its own rate from its own time, and stands still while its process does.
type clock struct {
	mu     sync.Mutex
	base   time.Time
	offset time.Duration
	rate   float64
	frozen time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.frozen.IsZero() {
		now = c.frozen
	}
	return c.base.Add(c.offset + time.Duration(float64(now.Sub(c.base))*c.rate))
}

func (c *clock) freeze(stands bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !stands {
		c.frozen = time.Time{}
	} else if c.frozen.IsZero() {
		c.frozen = time.Now()
	}
}

// model runs a scenario in a bubble of synctest.
type model struct {
	t         *testing.T
	s         scenario
	store     *clustertest.Memory
	group     *clustertest.Group
	instances []string
	nodes     []*node
	dead      []*node
	heldAt    map[string]time.Time // when a healthy member last held it
	holders   map[string]string    // by the store
	faults    []string
}

func (m *model) start(i int) *node {
	n := &node{clock: &clock{base: time.Now(), offset: m.s.offsets[i], rate: m.s.rates[i]}, well: time.Now(), knows: m.s.sources}
	o := cluster.Options{Name: fmt.Sprintf("m%d", i)}
	cluster.SetNow(&o, n.clock.now)
	n.Runner = m.group.Start(m.t, m.store, o, m.instances)
	return n
}

func (m *model) do(d deed) {
	n := m.nodes[d.member]
	sick := func() {
		if n.slow = d.what == "slow" && n.clock.frozen.IsZero(); n.ill.IsZero() {
			n.ill = time.Now()
		}
	}
	switch d.what {
	case "freeze":
		n.clock.freeze(true)
		n.Gate.Freeze()
		sick()
	case "cut":
		n.Gate.Set(clustertest.Cut, 0)
		sick()
	case "deaf":
		n.Gate.Set(clustertest.Deaf, 0)
		sick()
	case "slow":
		n.Gate.Set(clustertest.Open, d.lag)
		sick()
	case "thaw", "mend":
		m.heal(n)
	case "restart":
		m.heal(n)
		n.Stop()
		m.nodes[d.member] = m.start(d.member)
	case "kill":
		n.clock.freeze(true)
		n.Gate.Freeze()
		m.dead = append(m.dead, n)
		m.nodes[d.member] = m.start(d.member)
	case "fewer", "all":
		n.knows = m.s.sources
		if d.what == "fewer" {
			n.knows = m.s.sources / 2
		}
		n.Read(m.instances[:n.knows])
		n.well = time.Now()
	}
}

func (m *model) heal(n *node) {
	n.clock.freeze(false) // first: a process that wakes up sees the time that went by
	n.Gate.Set(clustertest.Open, 0)
	n.Gate.Thaw()
	if !n.ill.IsZero() {
		n.ill, n.well = time.Time{}, time.Now()
	}
}

// watch looks at the invariants for d.
func (m *model) watch(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(modelTTL / 60) {
		synctest.Wait()
		m.check()
	}
}

func (m *model) check() {
	now := time.Now()
	holders, _ := m.store.Holders(m.t.Context())
	for instance, lease := range holders {
		if m.holders[instance] != lease { // each holder that goes has two leases of time
			m.heldAt[instance] = now
		}
	}
	m.holders = holders
	for k, instance := range m.instances {
		certain, candidate := 0, false
		for _, n := range m.nodes {
			st := n.Status()
			stands := !n.clock.frozen.IsZero()
			if slices.Contains(st.Held, instance) && st.Certain && !stands {
				certain++
			}
			if slices.Contains(st.Held, instance) && st.Certain && (n.ill.IsZero() || n.slow) {
				m.heldAt[instance] = now
			}
			if n.ill.IsZero() {
				candidate = candidate || k < n.knows && now.Sub(n.well) > 2*modelTTL
			}
		}
		if certain > 1 {
			m.fault("%s is held by %d members", instance, certain)
		}
		if free := now.Sub(m.heldAt[instance]); candidate && free > 2*modelTTL {
			m.fault("%s was not held by a healthy member for %s", instance, free)
			m.heldAt[instance] = now
		}
	}
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// run returns what broke the law.
func (m *model) run() []string {
	m.instances = clustertest.Names(m.s.sources)
	m.store = clustertest.NewMemory()
	m.group = clustertest.NewGroup(modelTTL, modelTTL/20)
	m.heldAt = map[string]time.Time{}
	for _, instance := range m.instances {
		m.heldAt[instance] = time.Now()
	}
	for i := range m.s.members {
		m.nodes = append(m.nodes, m.start(i))
	}
	for _, d := range m.s.deeds {
		m.do(d)
		m.watch(d.then)
	}
	// All is well again: each source is held, and the shares are equal.
	for i, n := range m.nodes {
		m.heal(n)
		m.do(deed{member: i, what: "all"})
	}
	m.watch(5 * modelTTL)
	limit := (m.s.sources + m.s.members - 1) / m.s.members
	held := 0
	for _, n := range m.nodes {
		st := n.Status()
		held += len(st.Held)
		if len(st.Held) > limit || st.Err != nil || !st.Certain {
			m.fault("at the end %s holds %d of %d sources, certain %v: %v", st.Name, len(st.Held), m.s.sources, st.Certain, st.Err)
		}
	}
	if held != m.s.sources {
		m.fault("at the end %d of %d sources are held", held, m.s.sources)
	}
	for _, n := range slices.Concat(m.dead, m.nodes) {
		m.heal(n)
		n.Stop()
	}
	for _, err := range m.group.Errs() {
		m.fault("hold: %v", err)
	}
	return append(m.faults, m.group.Faults()...)
}

// Whatever happens to members, their clocks and their ways to the store: one member holds a
// source, its state never goes back, and no source stays without a holder.
func TestModelOfTheLease(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = (&model{t: t, s: s}).run() })
		if len(faults) > 0 {
			r.Fatalf("%+v\n%q", s, faults)
		}
	})
}
