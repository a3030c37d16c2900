package pipe

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

var errLost = fmt.Errorf("source \"i\": %w: the lease is over", cursor.ErrLost)

// What the host has beyond it, the next holder of the source gives it as well.
func TestLostSource_NoStepIsBegunAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 40, batch: 1, padding: 1_900_000}
		commits := 0
		m := &memory{commitBy: func() error {
			if commits++; commits > 2 {
				return errLost
			}
			return nil
		}}
		r := start(t, l.from, m, func(o *Options) { o.BufferSize = 1 << 30 })
		defer r.stop()
		h := &host{}
		r.drain(h, 3)
		if len(h.taken) != 3 || m.events() != 2 || commits != 3 {
			t.Errorf("the host has %d events, %d are committed in %d attempts; want 3, 2 and 3", len(h.taken), m.events(), commits)
		}
		wantNoTrouble(t, r)
	})
}

func TestLostSource_StateThatCannotBePreparedStopsTheHandingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := eventLog{total: 4, batch: 1, padding: 1_900_000}
		r := start(t, l.from, &memory{prepareBy: func(n uint64) error {
			if n > 2 {
				return errLost
			}
			return nil
		}}, func(o *Options) { o.EndOnError = true })
		defer r.stop()
		h := &host{}
		r.drain(h, 3)
		if len(h.taken) > 2 {
			t.Errorf("the host has %d events, but only 2 can be committed", len(h.taken))
		}
		wantNoTrouble(t, r)
	})
}

// A store that is away is one message for all sources; each shows it as its own trouble.
func TestCommitThatFailsAsForOtherSourcesIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, fails := eventLog{total: 10, batch: 10}, true
		r := start(t, l.from, &memory{commitBy: func() error {
			if fails {
				return fmt.Errorf("connection refused (%w)", cursor.ErrTold)
			}
			return nil
		}})
		defer r.stop()
		h := &host{}
		r.drain(h, 3)
		if text, _ := r.StateTrouble(); !strings.Contains(text, "connection refused") {
			t.Errorf("trouble: %q", text)
		}
		fails = false
		r.drain(h, 3)
		if log := r.log.String(); strings.Contains(log, "[error]") || strings.Contains(log, "saved again") {
			t.Error(log)
		}
		if text, _ := r.StateTrouble(); text != "" || r.Owes() {
			t.Errorf("trouble: %q", text)
		}
	})
}

// wantNoTrouble checks that the loss is told once, and is no error.
func wantNoTrouble(t *testing.T, r *rig) {
	t.Helper()
	if err := r.Await(t.Context()); err == nil || err.Error() != "EOF" {
		t.Errorf("the host waits for more: %v", err)
	}
	if text, _ := r.StateTrouble(); text != "" {
		t.Errorf("trouble: %s", text)
	}
	if log := r.log.String(); strings.Contains(log, "[error]") || strings.Count(log, "comes again from the process that holds the source") != 1 {
		t.Error(log)
	}
}
