package webhook

import (
	"context"
	"sync"
	"time"
)

// maxReplays bounds the memory of accepted requests, to some 10 MB. It is 200 requests a second
// for both sides of the default tolerance; ZITADEL sends ten events a second.
const maxReplays = 1 << 17

// replays remembers what was accepted for as long as its time would be accepted again.
type replays struct {
	max int

	mu      sync.Mutex
	seconds map[int64]map[id]*outcome // by the time that was signed
	n       int
	swept   int64 // the oldest second at the last sweep
	floor   int64 // what is not newer than this may have been forgotten
}

// outcome is how the first of several same requests went.
type outcome struct {
	done chan struct{}
	ok   bool
}

// accepted stands for every outcome that is known and good.
var accepted = func() *outcome {
	o := &outcome{done: make(chan struct{}), ok: true}
	close(o.done)
	return o
}()

func newReplays(limit int) *replays {
	return &replays{max: limit, seconds: make(map[int64]map[id]*outcome)}
}

// begin asks whether a request is the first one of its kind, which the caller then has to [replays.end].
// Otherwise o is what became of the first one. known is false where nobody knows any more.
func (r *replays) begin(t int64, key id, now time.Time, tolerance time.Duration) (o *outcome, first, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest := now.Add(-tolerance).Unix(); oldest != r.swept {
		r.swept = oldest
		for second := range r.seconds { // at most 601 with the default tolerance
			if second < oldest {
				r.forget(second)
			}
		}
	}
	if o := r.seconds[t][key]; o != nil {
		return o, false, true
	}
	if t <= r.floor {
		return nil, false, false
	}
	if r.n >= r.max {
		least := t
		for second := range r.seconds {
			least = min(least, second)
		}
		r.forget(least)
		if t <= r.floor {
			return nil, false, false
		}
	}
	if r.seconds[t] == nil {
		r.seconds[t] = make(map[id]*outcome)
	}
	o = &outcome{done: make(chan struct{})}
	r.seconds[t][key] = o
	r.n++
	return o, true, true
}

// forget drops a second, and with it the right to anything from up to then: what was accepted
// must not be accepted again, also when the clock is set back.
func (r *replays) forget(second int64) {
	r.n -= len(r.seconds[second])
	delete(r.seconds, second)
	r.floor = max(r.floor, second)
}

// end says how the first request went. A request that failed may come again.
func (r *replays) end(t int64, key id, o *outcome, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.ok = ok
	close(o.done)
	if r.seconds[t][key] != o {
		return // forgotten
	}
	if ok {
		r.seconds[t][key] = accepted
		return
	}
	delete(r.seconds[t], key)
	r.n--
	if len(r.seconds[t]) == 0 {
		delete(r.seconds, t)
	}
}

// wait returns the outcome of another request.
func (o *outcome) wait(ctx context.Context) bool {
	select {
	case <-o.done:
		return o.ok
	case <-ctx.Done():
		return false
	}
}
