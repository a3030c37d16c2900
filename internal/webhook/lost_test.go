package webhook_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// A call that is refused unread must not pass for one that was not made: its time is told if,
// and only if, its sender is verified.
func TestLost_AVerifiedRequestThatIsRefusedIsTold(t *testing.T) {
	huge := strings.Repeat(" ", webhook.MaxBody) + event
	for _, c := range []struct {
		what, body string
		keys       []string
		change     func(*world)
		status     int
		why        webhook.Reason
		lost       bool
	}{
		{what: "too large", body: huge, status: 413, why: webhook.TooLarge, lost: true},
		{what: "too large, of somebody else", body: huge, keys: []string{"of-somebody-else"}, status: 413, why: webhook.TooLarge},
		{what: "no memory", body: strings.Repeat(" ", 100_000) + event, change: func(w *world) { w.SetBudget(1000) }, status: 503, why: webhook.Overloaded, lost: true},
		{what: "no memory, of somebody else", body: strings.Repeat(" ", 100_000) + event, keys: []string{"of-somebody-else"}, change: func(w *world) { w.SetBudget(1000) }, status: 503, why: webhook.Overloaded},
		{what: "more than is ever read", body: strings.Repeat(" ", 18<<20), status: 413, why: webhook.TooLarge},
		{what: "a token that does not verify", body: "a.b.c", status: 401, why: webhook.BadToken, lost: true},
		{what: "a full spool: the call itself was told", body: event, change: func(w *world) { w.spool.fail(errors.New("full")) }, status: 503, why: webhook.NotSpooled},
		{what: "small, of somebody else", body: event, keys: []string{"of-somebody-else"}, status: 401, why: webhook.BadSignature},
		{what: "accepted", body: event, status: 200},
	} {
		for _, announced := range []bool{true, false} {
			w := newWorld(t, nil)
			if c.change != nil {
				c.change(w)
			}
			var lost []time.Time
			w.OnLost = func(signed time.Time) { lost = append(lost, signed) }
			r := w.signed("t", c.body, c.keys...)
			if !announced {
				r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(c.body))
			}
			w.want(t, c.what, r, c.status, c.why)
			if told := len(lost) == 1 && lost[0].Equal(w.now); told != c.lost || len(lost) > 1 {
				t.Errorf("%s, announced %v: lost at %v", c.what, announced, lost)
			}
			if n := w.BudgetUsed(); n != 0 {
				t.Errorf("%s: %d bytes were not given back", c.what, n)
			}
		}
	}
}
