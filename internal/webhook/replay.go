package webhook

import (
	"context"
	"sync"
	"time"
)

// maxReplays limits the memory of accepted requests to some 10 MB. It is enough for
// 200 requests a second within the tolerance; ZITADEL sends ten events a second.
const maxReplays = 1 << 17

// replays remembers what was accepted, for as long as its time would be accepted again.
type replays struct {
	max int

	mu      sync.Mutex
	seconds map[int64]map[id]*outcome // by the signed time
	n       int
	swept   int64 // the oldest second at the last sweep
	floor   int64 // requests that are not later may have been forgotten
}

// outcome is the result of the first of several equal requests.
type outcome struct {
	done chan struct{}
	ok   bool
}

// accepted is the outcome of every request that ended with success.
var accepted = func() *outcome {
	o := &outcome{done: make(chan struct{}), ok: true}
	close(o.done)
	return o
}()

func newReplays(limit int) *replays {
	return &replays{max: limit, seconds: make(map[int64]map[id]*outcome)}
}

// begin reports whether a request is the first of several equal ones; the caller
// then has to call [replays.end]. Otherwise o is the outcome of the first one. known
// is false if this was forgotten.
func (r *replays) begin(t int64, key id, now time.Time, tolerance time.Duration) (o *outcome, first, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest := now.Add(-tolerance).Unix(); oldest != r.swept {
		r.swept = oldest
		for second := range r.seconds { // at most 601 with a tolerance of 300 s
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

// forget drops a second. Requests from up to this second are refused from then on,
// because they may have been accepted before. This also holds if the clock is set
// back.
func (r *replays) forget(second int64) {
	r.n -= len(r.seconds[second])
	delete(r.seconds, second)
	r.floor = max(r.floor, second)
}

// end sets the outcome of the first request. A request that failed may come again.
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

// wait waits for the outcome of the first request.
func (o *outcome) wait(ctx context.Context) bool {
	select {
	case <-o.done:
		return o.ok
	case <-ctx.Done():
		return false
	}
}
