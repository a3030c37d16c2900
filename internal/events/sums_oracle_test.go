package events

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// The arithmetic modulo 2^61-1, against math/big, at its edges too.
func TestSums_ArithmeticIsModuloAPrime(t *testing.T) {
	p := big.NewInt(prime)
	if !p.ProbablyPrime(20) {
		t.Fatal("not a prime")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func() uint64 {
		if edges := []uint64{0, 1, 2, prime - 1, prime - 2, 1 << 60, 1<<32 - 1}; rng.IntN(2) == 0 {
			return edges[rng.IntN(len(edges))]
		}
		return rng.Uint64N(prime)
	}
	for range 20_000 {
		a, b := draw(), draw()
		x, y := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)
		if want := new(big.Int).Mod(new(big.Int).Mul(x, y), p).Uint64(); times(a, b) != want {
			t.Fatalf("%d * %d = %d, want %d", a, b, times(a, b), want)
		}
		if want := new(big.Int).Mod(new(big.Int).Add(x, y), p).Uint64(); plus(a, b) != want {
			t.Fatalf("%d + %d = %d, want %d", a, b, plus(a, b), want)
		}
		if a > 0 && inverse(a) != new(big.Int).ModInverse(x, p).Uint64() {
			t.Fatalf("1/%d = %d", a, inverse(a))
		}
		full := rng.Uint64()
		if want := new(big.Int).Mod(new(big.Int).SetUint64(full), p).Uint64(); reduce(full) != want {
			t.Fatalf("%d: %d, want %d", full, reduce(full), want)
		}
	}
}

// Late and vanished dates mixed, up to eight of them, the hash 0 among them: up to four are named
// with the right sign, more are refused, and no other date is ever named.
func TestSums_LateAndVanishedDatesAreNamedOrRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var known, shown sums
		hash := func(i int) uint64 {
			if i == 0 {
				return 0
			}
			return dateHash(epoch.Add(time.Duration(i) * time.Microsecond))
		}
		for range rng.IntN(100) {
			x := hash(rng.IntN(1000))
			known.add(x)
			shown.add(x)
		}
		more := map[uint64]bool{}
		n := rng.IntN(9)
		for len(more) < n {
			x, late := hash(rng.IntN(1000)), rng.IntN(3) > 0
			if _, ok := more[x]; ok {
				continue
			}
			more[x] = late
			for range 1 + rng.IntN(20) {
				if late {
					shown.add(x)
				} else {
					known.add(x)
				}
			}
		}
		d, ok := changed(shown, known)
		if ok != (n <= lateDates) {
			t.Fatalf("%d dates differ: named %v", n, ok)
		}
		for i := range 1000 {
			if x := hash(i); ok && d.more(x) != more[x] {
				t.Fatalf("date %d of %d that differ: %v", i, n, d.more(x))
			}
		}
	}
}
