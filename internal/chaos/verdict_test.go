package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// verdict heals everything, waits until all has come, and compares.
func (w *world) verdict() {
	t := w.t
	for _, r := range w.readers {
		r.up.heal()
		if r.far != nil {
			r.down.heal()
			r.far.heal()
		}
	}
	if err := w.command(func(o *serverOrder) { *o = serverOrder{Quiet: true} }); err != nil {
		t.Error(err)
		return
	}
	select {
	case <-w.quiet:
	case <-time.After(settleTime):
		t.Error("the server did not become quiet")
		return
	}
	truth, err := readTruth(w.logPath())
	if err != nil {
		t.Error(err)
		return
	}
	began := time.Now()
	for _, r := range w.readers {
		all := await(t.Context(), settleTime-time.Since(began), func() bool {
			done, e := r.caughtUp(truth)
			err = errors.Join(err, e)
			return done || e != nil
		})
		if r.running().ended() {
			t.Errorf("%s: ended by itself: %v", r.name, r.running().err)
		}
		if !all {
			t.Errorf("%s: not everything has come within %v", r.name, settleTime)
		}
	}
	took := time.Since(began).Round(time.Millisecond)
	for _, r := range w.readers {
		err = errors.Join(err, r.stop())
	}
	for i, r := range w.readers {
		step := 97 // a state has some 30,000 bytes, and each cut costs half a millisecond
		if i == 0 && w.lasts >= time.Minute {
			step = 1
		}
		err = errors.Join(err, w.wantDamageRefused(r, step))
		_, e := r.caughtUp(truth) // what it still gave away, or did again
		err = errors.Join(err, e)
	}
	if err != nil {
		t.Error(err)
		return
	}
	for _, r := range w.readers {
		w.judge(r, truth)
	}
	w.wantNoToken()
	w.wantChaos()
	w.summary(len(truth), took)
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
		r.maySendAgain += uncertain
		if r.sends { // also what a stop did not wait for
			r.mayReadAgain += uncertain
		}
	}
	if r.tally.readAgain > r.mayReadAgain {
		t.Errorf("%s: %d events were read and sent a second time, and the crashes explain %d", r.name, r.tally.readAgain, r.mayReadAgain)
	}
	if r.tally.sentAgain > r.maySendAgain {
		t.Errorf("%s: %d records were sent again, and what was under way in crashes explains %d", r.name, r.tally.sentAgain, r.maySendAgain)
	}
	t.Logf("%s: %d kill -9, %d SIGTERM (%d with a stuck output), %d full disks (%d ended it), %d clock jumps, state cut at %d places; %d events, %d lost, repeated: %d read again (the crashes explain %d), %d sent again by %s (%d)",
		r.name, r.kills, r.stops, r.stuckStops, r.fullDisks, r.fellWhileFull, r.clockJumps, r.stateCuts,
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
	var kills []string
	var stops, full, jumps, lost, again, sent int
	for _, r := range w.readers {
		kills = append(kills, fmt.Sprintf("%d of %s", r.kills, r.name))
		stops += r.stops
		full += r.fullDisks
		jumps += r.clockJumps
		again += r.tally.readAgain
		sent += r.tally.sentAgain
		lost += events - r.tally.distinct()
	}
	w.t.Logf("seed %d: kill -9: %s, %d of the server; %d SIGTERMs, %d full disks, %d clock jumps, %d network faults, %d server faults, %d far-end faults; "+
		"%d events, %d lost, %d repeated by us, %d by retries of what was sent; all there %v after the end",
		w.seed, strings.Join(kills, ", "), w.serverKills, stops, full, jumps+w.serverJumps, w.resets+w.cuts+w.stalls, w.serverFaults, w.farFaults,
		events, lost, again, sent, took)
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
