package sidecar

import (
	"hash/fnv"
	"time"
)

const (
	// startEvery is how long the start waits for each source that is to begin: 300 of them
	// begin in a second. Each opens a connection and sends two or three requests.
	startEvery = 3 * time.Millisecond
	// startWithin is when the last one begins, however many there are.
	startWithin = 30 * time.Second
)

// Spread lets f, which is one of n sources of this process, poll at a moment of its own, so
// that they do not ask all at once. The moment follows from the name of the instance, and is
// the same after a restart. If several begin together, it also delays the first poll. Call it
// before Run.
func (f *Feed) Spread(n, together int) {
	if n < 2 {
		return
	}
	f.Phase = phaseOf(f.Settings.Instance)
	if together > 1 {
		f.StartAfter = time.Duration(f.Phase * float64(min(startWithin, time.Duration(together)*startEvery)))
	}
}

// phaseOf spreads instances evenly over [0, 1).
func phaseOf(instance string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(instance)) // never fails
	x := h.Sum64()
	// The last letters of names change only the low bits much.
	x ^= x >> 32
	x *= 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio, as in Fibonacci hashing
	return float64(x>>11) / (1 << 53)
}
