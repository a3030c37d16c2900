package webhook

import (
	"testing"
	"time"
)

func TestReplays_OnceWithinTheTolerance(t *testing.T) {
	r := newReplays(10)
	now := time.Unix(1000, 0)
	const tolerance = 300 * time.Second
	key := id{1}
	o, first, known := r.begin(1000, key, now, tolerance)
	if !first || !known {
		t.Fatal("the first one is not the first")
	}
	again, first, known := r.begin(1000, key, now, tolerance)
	if first || !known || again != o {
		t.Fatal("the second one is the first while that is under way")
	}
	r.end(1000, key, o, false)
	if again.wait(t.Context()) {
		t.Error("a failure is a success for the second one")
	}
	if o, first, _ = r.begin(1000, key, now, tolerance); !first {
		t.Fatal("after a failure it may not come again")
	}
	r.end(1000, key, o, true)
	for _, later := range []time.Duration{0, 299 * time.Second, 300 * time.Second} {
		if o, first, known := r.begin(1000, key, now.Add(later), tolerance); first || !known || !o.wait(t.Context()) {
			t.Errorf("after %v it is new", later)
		}
	}
	if _, first, _ := r.begin(1001, key, now, tolerance); !first {
		t.Error("another time is the same")
	}
	if _, first, _ := r.begin(1000, id{2}, now, tolerance); !first {
		t.Error("another body is the same")
	}
	if r.n != 3 {
		t.Errorf("%d", r.n)
	}
	// Beyond the tolerance it is forgotten, and stays so when the clock is set back.
	_, _, _ = r.begin(1400, id{3}, now.Add(400*time.Second), tolerance)
	if _, first, known := r.begin(1000, key, now, tolerance); first || known {
		t.Error("it comes again after the clock was set back")
	}
	if r.n != 1 {
		t.Errorf("%d", r.n)
	}
}

// When the memory is full, what is forgotten is not accepted again: the window gets shorter.
func TestReplays_Bounded(t *testing.T) {
	const limit = 100
	r := newReplays(limit)
	now := time.Unix(10_000, 0)
	accepted := map[int64]bool{}
	for i := range 5000 {
		at := now.Unix() - 50 + int64(i/50)
		o, first, known := r.begin(at, id{byte(i), byte(i >> 8)}, now, time.Hour)
		if r.n > limit || len(r.seconds) > limit {
			t.Fatalf("%d in memory", r.n)
		}
		if known && first {
			r.end(at, id{byte(i), byte(i >> 8)}, o, true)
			accepted[at] = true
		}
	}
	if len(accepted) < 90 {
		t.Errorf("%d seconds", len(accepted))
	}
	for i := range 5000 {
		at := now.Unix() - 50 + int64(i/50)
		if _, first, _ := r.begin(at, id{byte(i), byte(i >> 8)}, now, time.Hour); first {
			t.Fatalf("%d is accepted twice", i)
		}
	}
	// All in one second.
	r = newReplays(limit)
	for i := range 1000 {
		r.begin(5, id{byte(i), byte(i >> 8)}, time.Unix(5, 0), time.Hour)
	}
	if r.n > limit {
		t.Errorf("%d in memory", r.n)
	}
}
