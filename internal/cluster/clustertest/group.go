package clustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// Group is several members with a reader for every source, and the ledger of what they
// committed. A reader counts State.Events up by one with each commit.
type Group struct {
	TTL   time.Duration
	Every time.Duration // a reader commits so often

	mu     sync.Mutex
	last   map[string]uint64 // instance -> the highest committed
	moves  map[string]int    // instance -> holds
	faults []string
	errs   []error // of Hold
}

// Runner is one member of a group.
type Runner struct {
	*cluster.Member
	Gate *Gate

	group *Group
	ctx   context.Context
	stop  context.CancelFunc
	all   sync.WaitGroup

	mu      sync.Mutex
	readers map[string]context.CancelFunc
}

// NewGroup returns a group without members.
func NewGroup(ttl, every time.Duration) *Group {
	return &Group{TTL: ttl, Every: every, last: map[string]uint64{}, moves: map[string]int{}}
}

// Start starts a member with readers for instances. Stop it.
func (g *Group) Start(t testing.TB, store cluster.Store, o cluster.Options, instances []string) *Runner {
	t.Helper()
	gate := NewGate(store)
	o.Store, o.TTL = gate, g.TTL
	m, err := cluster.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Member: m, Gate: gate, group: g, readers: map[string]context.CancelFunc{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.all.Go(func() { _ = m.Run(r.ctx) })
	r.Read(instances)
	return r
}

// Stop ends the member as SIGTERM does.
func (r *Runner) Stop() {
	r.stop()
	r.all.Wait()
}

// Read sets the sources.
func (r *Runner) Read(instances []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for instance, stop := range r.readers {
		if !slices.Contains(instances, instance) {
			stop()
			delete(r.readers, instance)
		}
	}
	r.Sources(instances)
	for _, instance := range instances {
		if r.readers[instance] == nil {
			ctx, stop := context.WithCancel(r.ctx)
			r.readers[instance] = stop
			r.all.Go(func() { r.group.read(ctx, r.Member, instance) })
		}
	}
}

// read is what a source of the sidecar does.
func (g *Group) read(ctx context.Context, m *cluster.Member, instance string) {
	for ctx.Err() == nil {
		held, state, err := m.Hold(ctx, instance)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, cluster.ErrStopped) {
				g.mu.Lock()
				g.errs = append(g.errs, err)
				g.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-time.After(g.TTL / 10):
			}
			continue
		}
		g.taken(instance, state.Events)
		g.commits(ctx, held, instance, state)
		_ = held.Close()
	}
}

func (g *Group) commits(ctx context.Context, held cursor.Held, instance string, state cursor.State) {
	state.Instance = instance
	for {
		select {
		case <-held.Done():
			return
		case <-ctx.Done():
			return
		case <-time.After(g.Every):
		}
		state.Events++
		state.Updated = time.Now()
		p, err := held.Prepare(state)
		for err == nil {
			if err = p.Commit(); err == nil {
				g.committed(instance, state.Events)
				break
			}
			if errors.Is(err, cursor.ErrLost) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(g.Every):
				err = nil
			}
		}
	}
}

// taken checks that the state did not go back. It may be one ahead: a commit whose answer
// got lost.
func (g *Group) taken(instance string, events uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moves[instance]++
	if last := g.last[instance]; events < last {
		g.faults = append(g.faults, fmt.Sprintf("%s was taken with %d events, %d were committed", instance, events, last))
	}
}

func (g *Group) committed(instance string, events uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := g.last[instance]; events <= last {
		g.faults = append(g.faults, fmt.Sprintf("%s: %d events were committed after %d", instance, events, last))
	}
	g.last[instance] = events
}

// Rewind forgets what was committed, for a test in which the store loses some of it.
func (g *Group) Rewind() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.last)
}

// Faults are the violations of the law that a state never goes back.
func (g *Group) Faults() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.faults)
}

// Errs are the errors of Hold since the last call.
func (g *Group) Errs() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	errs := g.errs
	g.errs = nil
	return errs
}

// Moves is the number of holds.
func (g *Group) Moves() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.moves {
		n += m
	}
	return n
}

// Events is the highest number that was committed.
func (g *Group) Events(instance string) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last[instance]
}

// Names gives n instances.
func Names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("tenant-%04d.example", i)
	}
	return out
}
