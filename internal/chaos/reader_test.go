package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

// reader is one reader of the server, with all that stands between the two and
// between it and its far end.
type reader struct {
	name    string
	dir     string
	command func(r *reader) *exec.Cmd
	begun   func(r *reader, p *process) error // nil: nothing to do after a start
	halt    func() error                      // nil: SIGTERM
	sends   bool                              // to its far end, itself: no Fluent Bit stands between

	up      *link   // to the server
	down    *link   // to the far end; nil: a file
	far     *farEnd // behind down
	records records // the file
	tally   *tally

	stateDisk, storageDisk *disk  // nil: none can be filled
	clock                  *clock // nil: the machine's

	mu      sync.Mutex
	process *process
	// What crashes may bring a second time: events that were given away and not
	// committed, and records that were in Fluent Bit's storage.
	mayReadAgain, maySendAgain int
	kills, stops, stuckStops   int
	midKills                   int // kills with something under way
	fullDisks, clockJumps      int
	fellWhileFull              int
	stateCuts                  int // each refused
}

func (r *reader) sender() string {
	if r.sends {
		return "us"
	}
	return "Fluent Bit"
}

// records are what a reader's output wrote.
type records interface {
	// read gives t what has come since.
	read(t *tally) error
}

func (r *reader) state() string   { return filepath.Join(r.dir, "state", "state") }
func (r *reader) storage() string { return filepath.Join(r.dir, "storage") }
func (r *reader) log() string     { return filepath.Join(r.dir, "log") }

func (r *reader) start() error {
	p, err := startProcess(r.name, r.command(r), r.log())
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.process = p
	r.mu.Unlock()
	if r.begun != nil {
		return r.begun(r, p)
	}
	return nil
}

func (r *reader) running() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

// kill is kill -9.
func (r *reader) kill() error {
	if !r.running().kill() {
		return fmt.Errorf("%s had ended by itself: %v", r.name, r.running().err)
	}
	r.kills++
	before := r.mayReadAgain + r.maySendAgain
	err := r.account()
	if r.mayReadAgain+r.maySendAgain > before {
		r.midKills++
	}
	return err
}

// awaitStep waits until its state is replaced, for at most d.
func (r *reader) awaitStep(ctx context.Context, d time.Duration) {
	before, _ := os.Stat(r.state()) // none yet is a state as well
	for end := time.Now().Add(d); time.Now().Before(end); {
		if now, err := os.Stat(r.state()); err == nil && (before == nil || !os.SameFile(before, now)) {
			return
		}
		if pause(ctx, time.Millisecond) != nil {
			return
		}
	}
}

// stop is SIGTERM.
func (r *reader) stop() error {
	if r.running().ended() {
		return fmt.Errorf("%s had ended by itself: %v", r.name, r.running().err)
	}
	halt := r.running().stop
	if r.halt != nil {
		halt = r.halt
	}
	if err := halt(); err != nil {
		return err
	}
	r.stops++
	return r.account()
}

// account adds to what may come again what the process that has just ended left
// behind half done.
func (r *reader) account() error {
	read, err := uncommitted(r.state())
	if err != nil {
		return err
	}
	stored, err := storedRecords(r.storage())
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mayReadAgain += read
	r.maySendAgain += stored
	return nil
}

// uncommitted is how many events the sink may have whose state does not count
// yet: those up to the first prepared state after the committed one. A later
// one is given to the sink only once the one before it counts.
func uncommitted(state string) (int, error) {
	now, err := cursor.Read(state)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	prepared, err := filepath.Glob(state + ".pending-*")
	if err != nil {
		return 0, err
	}
	first := now.Events
	for _, path := range prepared {
		s, err := cursor.Read(path)
		if err != nil {
			continue // half written: nothing was given away on it
		}
		if s.Events > now.Events && (first == now.Events || s.Events < first) {
			first = s.Events
		}
	}
	return int(first - now.Events), nil
}

// storedRecords counts the records in the chunks that Fluent Bit has not
// delivered, or has and did not come to remove.
func storedRecords(storage string) (n int, err error) {
	err = filepath.WalkDir(storage, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || filepath.Ext(path) != ".flb" {
			return err
		}
		b, err := os.ReadFile(path)
		n += bytes.Count(b, []byte("\xa7read_at")) // a msgpack key that each record has once
		return err
	})
	return n, err
}

// logged counts how often its log has part.
func (r *reader) logged(part string) int {
	b, err := os.ReadFile(r.log())
	if err != nil {
		return 0
	}
	return bytes.Count(b, []byte(part))
}

// sawFullDisk counts what a full disk makes the plugin and Fluent Bit say.
func (r *reader) sawFullDisk() int {
	return r.logged("state cannot be written") + r.logged("[error] [input chunk]")
}

// caughtUp takes what has arrived since, and reports whether it is everything.
func (r *reader) caughtUp(truth map[string]committed) (bool, error) {
	if r.records != nil {
		if err := r.records.read(r.tally); err != nil {
			return false, err
		}
	}
	if r.tally.distinct() < len(truth) {
		return false, nil
	}
	lost, _ := r.tally.compare(truth)
	return len(lost) == 0, nil
}
