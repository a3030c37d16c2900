package plugintest

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Text collects the output of a process. It can be read while the process runs.
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

// Until calls ok again and again until it is true.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for: %s", what)
		}
	}
}
