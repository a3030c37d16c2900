package demo

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// ledger compares what the fake server wrote with what arrives, by event.id. For a
// real instance, only the arrivals are known.
type ledger struct {
	view    view
	mu      sync.Mutex
	ids     []string // written, in the order of creation
	created []time.Time
	next    int            // ids[:next] have all arrived
	arrived map[string]int // how often
	records uint64         // arrived in total
}

func newLedger(v view) *ledger { return &ledger{view: v, arrived: map[string]int{}} }

func (l *ledger) add(id string, created time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids, l.created = append(l.ids, l.view.key(id)), append(l.created, created)
}

// take counts one record at the end of the pipeline.
func (l *ledger) take(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records++
	l.arrived[l.view.id(line)]++
}

func (l *ledger) written() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.ids))
}

// oldestMissing is the creation date of the oldest event that has not arrived.
func (l *ledger) oldestMissing() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.next < len(l.ids) && l.arrived[l.ids[l.next]] > 0 {
		l.next++
	}
	if l.next == len(l.ids) {
		return time.Time{}, false
	}
	return l.created[l.next], true
}

// balance compares what was written with what arrived.
func (l *ledger) balance() (delivered, missing, repeated, foreign uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.ids {
		if l.arrived[id] > 0 {
			delivered++
		} else {
			missing++
		}
	}
	for _, n := range l.arrived {
		repeated += uint64(n - 1)
	}
	return delivered, missing, repeated, uint64(len(l.arrived)) - delivered
}

func (l *ledger) progress(failures uint64) terminal.Progress {
	oldest, missing := l.oldestMissing()
	l.mu.Lock()
	defer l.mu.Unlock()
	p := terminal.Progress{Events: l.records, Lag: -1, Errors: failures}
	if len(l.ids) == 0 {
		return p
	}
	p.Lag = 0
	if missing {
		p.Lag = time.Since(oldest)
	}
	p.Note = fmt.Sprintf("(%s were written)", terminal.Thousands(uint64(len(l.ids))))
	return p
}

// awaitAll returns when everything that was written has arrived, or after d.
func (l *ledger) awaitAll(d time.Duration) {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, missing := l.oldestMissing(); !missing {
			return
		}
	}
}

// summary is the last line of a run. The error says that an event of the fake server
// did not arrive exactly once.
func (l *ledger) summary(took time.Duration) (string, error) {
	n := terminal.Thousands
	delivered, missing, repeated, foreign := l.balance()
	written := l.written()
	if written == 0 {
		return fmt.Sprintf("%s events in %s, %s repeated", n(l.records), terminal.Roughly(took), n(repeated)), nil
	}
	s := fmt.Sprintf("in %s: %s events and action records, %s delivered, %s lost, %s repeated",
		terminal.Roughly(took), n(written), n(delivered), n(missing), n(repeated))
	if foreign > 0 {
		s += fmt.Sprintf(", %s that nobody wrote", n(foreign))
	}
	if missing+repeated+foreign > 0 {
		return s, errors.New("the pipeline did not deliver each event exactly once")
	}
	return s, nil
}
