package events

import (
	"fmt"
	"testing"
)

// A bulk import pins every aggregate until its keys are old. Forgetting must
// not be tried again for each of them: this would take minutes.
func TestManyPinnedAggregatesCostNoMoreThanFew(t *testing.T) {
	m := newMemory()
	rotations, old := 0, m.old
	for i := range 8 * maxAggregates {
		a := m.aggregate("user", fmt.Sprint(i))
		m.remember(a, 1, epoch)
		if len(m.old) != len(old) {
			rotations++
		}
		old = m.old
	}
	if rotations > 64 {
		t.Errorf("the memory was copied %d times", rotations)
	}
	if len(m.seen) != 8*maxAggregates {
		t.Errorf("%d keys remembered of %d", len(m.seen), 8*maxAggregates)
	}
}
