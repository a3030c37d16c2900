package page

import (
	"testing"
	"time"
)

// A source that is opened again counts from zero.
func TestHistory_CounterThatBeginsAgainDidNotShrink(t *testing.T) {
	var h History
	began := time.Now()
	for i, total := range []uint64{100, 300, 0, 50} {
		h.Add(began.Add(time.Duration(i)*Interval), total)
	}
	if n := h.Grew(time.Minute); n != 250 {
		t.Errorf("it grew by %d, want 250", n)
	}
}
