package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff_DoublesUpToItsLimit(t *testing.T) {
	const first, most = 500 * time.Millisecond, time.Minute
	for range 100 {
		b := New(first, most)
		for want := first; want < 4*most; want *= 2 {
			d, limit := b.Next(), min(want, most)
			if d < limit/2 || d > limit {
				t.Fatalf("a wait of %s, want %s to %s", d, limit/2, limit)
			}
		}
		b.Reset()
		if d := b.Next(); d > first {
			t.Fatalf("after Reset a wait of %s, want at most %s", d, first)
		}
	}
}

func TestWait_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := New(time.Hour, time.Hour).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("waited %s, want 1s", waited)
		}
		if err := New(time.Second, time.Second).Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
