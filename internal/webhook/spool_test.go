package webhook_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

var _ webhook.Spool = (*spool.Spool)(nil)

// Through the real spool: what got 200 comes out, also after a restart; a full spool is 503, and there
// is room again when something is done.
func TestSpool_EndToEnd(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Open(dir, spool.Options{MaxBytes: spool.MinBytes})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *webhook.Options) { o.Spool = s })
	big := strings.Replace(event, `"event_type"`, `"event_payload":{"a":"`+strings.Repeat("x", 20_000)+`"},"event_type"`, 1)
	var mu sync.Mutex
	accepted := map[uint64]bool{}
	var all sync.WaitGroup
	for i := range 100 {
		r := w.signed("t", strings.Replace(big, `"sequence":4`, fmt.Sprint(`"sequence":`, i+1), 1))
		all.Go(func() {
			switch status := w.do(r); status {
			case 200:
				mu.Lock()
				accepted[uint64(i+1)] = true
				mu.Unlock()
			case 503:
			default:
				t.Errorf("status %d", status)
			}
		})
	}
	all.Wait()
	if n := len(accepted); n < 30 || n == 100 {
		t.Fatalf("%d accepted", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = spool.Open(dir, spool.Options{MaxBytes: spool.MinBytes}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range len(accepted) {
		e, err := s.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		m, err := webhook.Decode(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		n := m.(*webhook.Event).Event.GetSequence()
		if !accepted[n] {
			t.Errorf("event %d was not accepted, or comes twice", n)
		}
		delete(accepted, n)
		if err := s.Done(e.Number); err != nil {
			t.Fatal(err)
		}
	}
	if e, ok, err := s.TryNext(); ok || err != nil {
		t.Error(e, err)
	}
	w = newWorld(t, func(o *webhook.Options) { o.Spool = s })
	w.want(t, "room again", w.signed("t", big), 200, 0)
}
