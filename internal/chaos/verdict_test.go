package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// verdict heals everything, waits until all has come, and compares.
func (w *world) verdict() {
	truth, took, err := w.awaitEverything()
	if err == nil {
		err = w.stopReaders(truth)
	}
	if err != nil {
		w.t.Error(err)
	}
	if truth == nil {
		return // there is nothing to compare with
	}
	for _, r := range w.readers {
		w.judge(r, truth)
	}
	w.wantNoToken()
	w.wantChaos()
	w.summary(len(truth), took)
}

// stopReaders stops each and looks at what it left.
func (w *world) stopReaders(truth map[string]committed) error {
	errs := make([]error, len(w.readers))
	var all sync.WaitGroup
	for i, r := range w.readers {
		all.Go(func() {
			err := r.stop()
			if err == nil {
				err = w.wantDamageRefused(r, w.actor(uint64(100+i)).rand)
			}
			if err == nil {
				_, err = r.caughtUp(truth) // what it still gave away, or did again
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// awaitEverything heals the world, lets the writer end, and waits until every
// reader has everything, which took so long.
func (w *world) awaitEverything() (truth map[string]committed, took time.Duration, err error) {
	for _, r := range w.readers {
		r.up.heal()
		if r.far != nil {
			r.down.heal()
			r.far.heal()
		}
	}
	if err := w.command(func(o *serverOrder) { *o = serverOrder{Quiet: true} }); err != nil {
		return nil, 0, err
	}
	select {
	case <-w.quiet:
	case <-time.After(settleTime):
		return nil, 0, errors.New("the server did not become quiet")
	}
	if truth, err = readTruth(w.logPath()); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	err = w.awaitAll(truth)
	took = time.Since(began).Round(100 * time.Millisecond)
	if err != nil || !w.long() {
		return truth, took, err
	}

	// Keys leave the state after two overlaps. What comes then has a small
	// state, which can be cut at every byte.
	if err := pause(w.t.Context(), 2*overlap+time.Second); err != nil {
		return truth, took, err
	}
	if err := w.command(func(o *serverOrder) { *o = serverOrder{Last: true} }); err != nil {
		return truth, took, err
	}
	before := len(truth)
	if !await(w.t.Context(), settleTime, func() bool {
		truth, err = readTruth(w.logPath())
		return err != nil || len(truth) > before
	}) {
		err = errors.New("the server did not write its last transaction")
	}
	if err == nil {
		err = w.awaitAll(truth)
	}
	return truth, took, err
}

// awaitAll waits until every reader has everything.
func (w *world) awaitAll(truth map[string]committed) error {
	end := time.Now().Add(settleTime)
	var errs []error
	for _, r := range w.readers {
		var failed error
		all := await(w.t.Context(), time.Until(end), func() bool {
			done, err := r.caughtUp(truth)
			failed = err
			return done || err != nil
		})
		errs = append(errs, failed)
		if r.running().ended() {
			errs = append(errs, fmt.Errorf("%s: ended by itself: %v", r.name, r.running().err))
		}
		if !all {
			errs = append(errs, fmt.Errorf("%s: not everything has come within %v", r.name, settleTime))
		}
	}
	return errors.Join(errs...)
}

// judge compares what came to a reader's far end with the truth.
func (w *world) judge(r *reader, truth map[string]committed) {
	t := w.t
	lost, foreign := r.tally.compare(truth)
	if len(lost) > 0 {
		slices.SortFunc(lost, func(a, b string) int { return truth[a].created.Compare(truth[b].created) })
		var b strings.Builder
		for _, id := range lost[:min(len(lost), 20)] {
			at := truth[id]
			fmt.Fprintf(&b, "\n%s created %s, committed %v later", id, at.created.Format(time.RFC3339Nano), at.committed.Sub(at.created))
		}
		t.Errorf("%s: %d events are LOST:%s", r.name, len(lost), b.String())
	}
	if len(foreign) > 0 {
		t.Errorf("%s: %d ids came that nobody wrote, such as %s", r.name, len(foreign), foreign[0])
	}
	if r.far != nil {
		uncertain, err := r.far.doubts()
		if err != nil {
			t.Errorf("%s: at the far end: %v", r.name, err)
		}
		r.maySendAgain = uncertain // which says more than what was stored
		if r.sends {               // also what a stop did not wait for
			r.mayReadAgain += uncertain
		}
	}
	if r.tally.readAgain > r.mayReadAgain {
		t.Errorf("%s: %d events were read and sent a second time, and the crashes explain %d", r.name, r.tally.readAgain, r.mayReadAgain)
	}
	if r.tally.sentAgain > r.maySendAgain {
		t.Errorf("%s: %d records were sent again, and what was under way in crashes explains %d", r.name, r.tally.sentAgain, r.maySendAgain)
	}
	t.Logf("%s: %d kill -9 (%d with something under way), %d SIGTERM (%d with a stuck output), %d full disks (%d ended it), %d clock jumps, state cut at %d places; %d events, %d lost, repeated: %d read again (the crashes explain %d), %d sent again by %s (%d)",
		r.name, r.kills, r.midKills, r.stops, r.stuckStops, r.fullDisks, r.fellWhileFull, r.clockJumps, r.stateCuts,
		r.tally.distinct(), len(lost), r.tally.readAgain, r.mayReadAgain, r.tally.sentAgain, r.sender(), r.maySendAgain)
}

// wantNoToken looks for the token in everything that was logged.
func (w *world) wantNoToken() {
	logs, err := filepath.Glob(filepath.Join(w.dir, "*", "log"))
	if err != nil || len(logs) != len(w.readers) {
		w.t.Errorf("logs of %d readers: %v", len(logs), err)
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil || bytes.Contains(b, []byte(w.token)) {
			w.t.Errorf("%s: the token is in it, or it cannot be read: %v", path, err)
		}
	}
}

// wantChaos fails a run in which nothing happened: it would prove nothing.
func (w *world) wantChaos() {
	happened := map[string]int{
		"kill -9 of the server": w.serverKills, "server fault": w.serverFaults, "jump of the server's clock": w.serverJumps,
		"reset": w.resets, "cut": w.cuts, "stall": w.stalls,
	}
	for _, r := range w.readers {
		happened["kill -9 of "+r.name] = r.kills
		happened["SIGTERM of "+r.name] = r.stops
		if r.far != nil {
			happened["SIGTERM with a stuck output of "+r.name] = r.stuckStops
		}
		if r.stateDisk != nil {
			happened["full disk of "+r.name] = r.fullDisks
		}
		if r.clock != nil {
			happened["clock jump of "+r.name] = r.clockJumps
		}
	}
	for what, n := range happened {
		if n == 0 {
			w.t.Errorf("no %s: the run shows nothing of it", what)
		}
	}
}

// summary is one line for README.
func (w *world) summary(events int, took time.Duration) {
	kills := make([]string, 0, len(w.readers))
	killed := w.serverKills
	var stops, stuck, full, jumps, lost, again, ours, host int
	for _, r := range w.readers {
		kills = append(kills, fmt.Sprintf("%d %s", r.kills, r.name))
		killed += r.kills
		stops += r.stops
		stuck += r.stuckStops
		full += r.fullDisks
		jumps += r.clockJumps
		lost += events - r.tally.distinct()
		again += r.tally.readAgain
		if r.sends {
			ours += r.tally.sentAgain
		} else {
			host += r.tally.sentAgain
		}
	}
	w.t.Logf("seed %d, %v: %d kill -9 (%s, %d the server), %d SIGTERMs (%d with a stuck output), %d full disks, %d clock jumps, "+
		"%d network faults, %d server faults, %d far-end faults; %d events to each of %d readers: %d lost; repeated by us: %d read again, %d sent again; "+
		"by Fluent Bit: %d; all there %v after the end",
		w.seed, w.harmed.Round(time.Second), killed, strings.Join(kills, ", "), w.serverKills, stops, stuck, full, jumps+w.serverJumps,
		w.resets+w.cuts+w.stalls, w.serverFaults, w.farFaults, events, len(w.readers), lost, again, ours, host, took)
}

// keep leaves everything of a failed run for a look.
func (w *world) keep() {
	if !w.t.Failed() && os.Getenv("CHAOS_KEEP") == "" {
		return
	}
	dir, err := os.MkdirTemp("", "chaos-")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(w.dir))
	}
	w.t.Logf("everything of this run is in %s (%v)", dir, err)
}
