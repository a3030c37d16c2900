package demo

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// ledger has every event that the fake server wrote, by event.id, with its creation
// date, in that order.
type ledger struct {
	mu      sync.Mutex
	ids     []string
	created []time.Time
	arrived map[string]int // how often
	next    int            // ids[:next] have all arrived
}

func newLedger() *ledger { return &ledger{arrived: map[string]int{}} }

func (l *ledger) add(id string, created time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids, l.created = append(l.ids, id), append(l.created, created)
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
	known := make(map[string]bool, len(l.ids))
	for _, id := range l.ids {
		known[id] = true
		switch n := l.arrived[id]; {
		case n == 0:
			missing++
		default:
			delivered++
			repeated += uint64(n - 1)
		}
	}
	for id := range l.arrived {
		if !known[id] {
			foreign++
		}
	}
	return delivered, missing, repeated, foreign
}

// tally takes the records at the end of the pipeline.
type tally struct {
	ledger *ledger // nil for a real instance
	screen *screen
	began  time.Time

	mu       sync.Mutex
	arrived  uint64
	repeated uint64
	seen     map[string]bool // of a real instance
	newest   time.Time
}

func newTally(l *ledger, console *terminal.Console) *tally {
	return &tally{ledger: l, screen: newScreen(console), began: time.Now(), seen: map[string]bool{}}
}

// take counts one line and shows some.
func (t *tally) take(line []byte) {
	id := gjson.GetBytes(line, "event.id").String()
	created, _ := time.Parse(time.RFC3339Nano, gjson.GetBytes(line, "event.time").String())
	t.mu.Lock()
	t.arrived++
	if created.After(t.newest) {
		t.newest = created
	}
	if t.ledger == nil {
		if t.seen[id] {
			t.repeated++
		}
		t.seen[id] = true
	}
	t.mu.Unlock()
	if t.ledger != nil {
		t.ledger.mu.Lock()
		t.ledger.arrived[id]++
		t.ledger.mu.Unlock()
	}
	t.screen.show(line)
}

func (t *tally) progress(failures uint64) terminal.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := terminal.Progress{Events: t.arrived, Lag: -1, Errors: failures}
	if t.ledger == nil {
		return p
	}
	p.Lag = 0
	if oldest, ok := t.ledger.oldestMissing(); ok {
		p.Lag = time.Since(oldest)
	}
	p.Note = fmt.Sprintf("(%s were written)", terminal.Thousands(t.ledger.written()))
	return p
}

// awaitAll returns when everything that was written has arrived, or after d.
func (t *tally) awaitAll(d time.Duration) {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, missing := t.ledger.oldestMissing(); !missing {
			return
		}
	}
}

func (t *tally) summary() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := time.Since(t.began)
	if t.ledger == nil {
		return fmt.Sprintf("%s events in %s, %s repeated", terminal.Thousands(t.arrived), terminal.Roughly(took), terminal.Thousands(t.repeated))
	}
	delivered, missing, repeated, foreign := t.ledger.balance()
	s := fmt.Sprintf("in %s: %s events and action records, %s delivered, %s lost, %s repeated", terminal.Roughly(took),
		terminal.Thousands(t.ledger.written()), terminal.Thousands(delivered), terminal.Thousands(missing), terminal.Thousands(repeated))
	if foreign > 0 {
		s += fmt.Sprintf(", %s that nobody wrote", terminal.Thousands(foreign))
	}
	return s
}

// verdict is an error unless each event of the fake server arrived once.
func (t *tally) verdict() error {
	if t.ledger == nil {
		return nil
	}
	if _, missing, repeated, foreign := t.ledger.balance(); missing+repeated+foreign > 0 {
		return errors.New("the pipeline did not deliver each event once")
	}
	return nil
}
