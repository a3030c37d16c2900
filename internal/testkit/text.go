// Package testkit holds what the tests of several packages need. Only tests import it:
// no program and no plugin that is shipped contains it.
package testkit

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Text collects what is written. It can be read meanwhile.
type Text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *Text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *Text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// patience bounds every wait. It is far more than any takes on a busy machine.
const patience = 2 * time.Minute

// Until waits for a condition that another goroutine, a process or a file brings about.
// Looking takes at most a fifth of the time, so that it does not slow down what it waits for.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for began := time.Now(); !ok(); began = time.Now() {
		if began.After(end) {
			t.Fatalf("waited %v for: %s", patience, what)
		}
		time.Sleep(max(5*time.Millisecond, 4*time.Since(began)))
	}
}
