package events

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// drawLate draws a log whose events become visible up to 59 minutes after their date, in
// aggregates that go on and in others in which nothing follows.
func drawLate(seed uint64) scenario {
	r := rand.New(rand.NewPCG(seed, 15))
	pick := func(most time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(most/time.Millisecond))) * time.Millisecond
	}
	s := scenario{pageSize: []int{7, 100, 1000}[r.IntN(3)], life: 80 * time.Minute, rest: 5 * time.Hour}
	for i := range 1 + r.IntN(16) {
		tx := modelTx{
			at:     pick(90*time.Minute) - 20*time.Minute,
			placed: r.IntN(2) == 0,
			size:   []int{1, 1, 1, 2, 7, 12}[r.IntN(6)],
			first:  r.IntN(6),
			spread: r.IntN(4),
		}
		if r.IntN(2) == 0 {
			tx.late = pick(59 * time.Minute)
		}
		if r.IntN(2) == 0 {
			tx.first, tx.spread = 1000*(i+1), 1 // nothing follows in these
			tx.apart = true
		}
		if r.IntN(4) == 0 {
			tx.at = s.near(r, tx.at) // several late ones in one span
		}
		if r.IntN(4) == 0 {
			tx.push = pick(10*time.Minute) + time.Millisecond
		}
		s.txs = append(s.txs, tx)
	}
	for range r.IntN(4) {
		c := crash{emits: r.IntN(40), unacknowledged: r.IntN(3), pause: pick(90 * time.Minute)}
		s.rest += c.pause // in a quiet log, the reader's bound of ZITADEL's clock stands still meanwhile
		s.crashes = append(s.crashes, c)
	}
	return s
}

// near returns a date close to that of an earlier transaction.
func (s *scenario) near(r *rand.Rand, at time.Duration) time.Duration {
	if len(s.txs) == 0 {
		return at
	}
	return s.txs[r.IntN(len(s.txs))].at + time.Duration(r.IntN(3000))*time.Millisecond
}

// Law 2 beyond the overlap, without a gap that shows what is missing: the sweep finds it.
func TestLaw2ModelSweepFindsWhatIsUpToAnHourLate(t *testing.T) {
	logs := 10_000
	if testkit.Race || testing.Short() {
		logs = 300
	}
	var next, events, repeats, repeating atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1)
				if seed > int64(logs) || t.Failed() {
					return
				}
				s := drawLate(uint64(seed))
				s.repeats = new(atomic.Int64)
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.settings.PollInterval = []time.Duration{17 * time.Minute, 47 * time.Minute, 31 * time.Minute}[seed%3]
					if err := s.run(w); err != nil {
						t.Error(fmt.Errorf("log %d: %w", seed, err))
					}
					events.Add(int64(w.store.Len()))
					if n := s.repeats.Load(); n > 0 {
						repeats.Add(n)
						repeating.Add(1)
					}
				})
			}
		})
	}
	workers.Wait()
	// Half of the transactions are late, and often several in one span. Even so, what is late can
	// nearly always be told from what came out before: in 24 of 25 logs of all, with all restarts.
	t.Logf("%d logs with %d events; in %d of them, %d events came out again", logs, events.Load(), repeating.Load(), repeats.Load())
	if repeating.Load() > int64(logs)/25 {
		t.Error("in more than one log of 25, events came out again")
	}
}
