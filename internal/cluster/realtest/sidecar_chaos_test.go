package realtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// What the chaos test reads from the environment.
const (
	envSeconds = "CLUSTER_CHAOS_SECONDS" // how long the harm lasts; each kind comes once in any case
	envSeed    = "CLUSTER_CHAOS_SEED"    // repeats the decisions of a run, but not its timing
)

func numberFromEnv(t testing.TB, name string, def uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}

// Three sidecars, whose clocks are an hour apart, share 30 sources; they are upgraded one after the
// other, and then everything around them fails. No event is lost; at most one step is repeated for each
// hold that was lost; no source is without a holder for longer than two leases; nobody but the holder
// commits.
func TestLaw2SidecarsThroughChaos(t *testing.T) {
	seconds, seed := numberFromEnv(t, envSeconds, 20), numberFromEnv(t, envSeed, rand.Uint64N(1<<32))
	t.Logf("the same decisions again: %s=%d %s=%d", envSeed, seed, envSeconds, seconds)
	both(t, func(t *testing.T, s server) {
		t.Parallel()
		f := newFleet(t, s, fleetOptions{lease: minLease, sources: newSources(t, seed), settings: settings, clocks: []time.Duration{0, time.Hour, -time.Hour}})
		f.awaitShares(3, time.Minute)
		for _, m := range f.sidecars {
			m.process.Stop()
			m.start(t)
			f.awaitShares(3, time.Minute)
		}
		upgraded := verdict{t: t, f: f, ledger: newLedger(f.o.sources), history: f.history()}
		upgraded.wantFewRepeated()
		c := &chaos{f: f, random: rand.New(rand.NewPCG(seed, 0)), kinds: append(s.faults(), sidecarFaults...)}
		c.run(time.Duration(seconds) * time.Second)
		f.finish(c.faults)
	})
}
