package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// short is how long the harm lasts without CHAOS_MINUTES. Each kind comes at
// least once, however long that takes.
const short = 5 * time.Second

// settleTime is how long the readers may take to have everything once all is
// healed: the longest wait between two tries of a reader, and some.
const settleTime = 2 * time.Minute

// Laws 1, 2, 3 and 6 when everything around fails, again and again.
func TestChaosLosesNothing(t *testing.T) {
	lasts := short
	if s := os.Getenv("CHAOS_MINUTES"); s != "" {
		minutes, err := strconv.ParseFloat(s, 64)
		if err != nil || minutes <= 0 {
			t.Fatalf("CHAOS_MINUTES=%q: want a number of minutes", s)
		}
		lasts = time.Duration(minutes * float64(time.Minute))
	}
	seed := rand.Uint64N(1 << 32)
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED=%q: want a number", s)
		}
	}
	t.Logf("seed %d; the same decisions again: CHAOS_SEED=%d CHAOS_MINUTES=%.3g make chaos", seed, seed, lasts.Minutes())

	w := newWorld(t, t.TempDir(), seed)
	w.lasts = lasts
	t.Cleanup(w.keep) // after a failure
	t.Cleanup(children.kill)
	for _, step := range []func() error{w.writeRecorded, w.startServer, w.addReaders} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if err := w.harm(); err != nil {
		t.Error(err)
		return
	}
	w.harmed = time.Since(began)
	w.verdict()
}

// addReaders starts every reader there can be.
func (w *world) addReaders() error {
	plugin := testkit.Plugin(w.t, "in_zitadel")
	add := w.addCHost
	if bin := testkit.FindFluentBit(); bin != "" {
		add = func(plugin string) error { return w.addFluentBits(bin, plugin) }
	}
	if err := errors.Join(add(plugin), w.addSidecar(), w.addPull()); err != nil {
		return err
	}
	for _, r := range w.readers {
		if err := r.start(); err != nil {
			return err
		}
	}
	return nil
}

// addFluentBits adds one that writes a file, on disks that can be filled, and
// one that sends to a far end, which can be stuck.
func (w *world) addFluentBits(bin, plugin string) error {
	file, err := w.addReader("Fluent Bit with out_file")
	if err != nil {
		return err
	}
	if err := w.addDisks(file); err != nil {
		w.t.Logf("NO DISK WAS FULL in this run, since none can be mounted: %v", err)
	}
	if err := w.fluentBit(file, bin, plugin, w.toFile(file)); err != nil {
		return err
	}
	far, err := w.addReader("Fluent Bit with out_forward")
	if err != nil {
		return err
	}
	output, err := w.toFarEnd(far)
	if err != nil {
		return err
	}
	return w.fluentBit(far, bin, plugin, output)
}

func (w *world) addCHost(plugin string) error {
	w.t.Log("NO FLUENT BIT in this run: none on PATH, and FLUENT_BIT is not set. The plugin runs in a small host of our own instead")
	r, err := w.addReader("C host")
	if err != nil {
		return err
	}
	if err := w.addDisks(r); err != nil {
		w.t.Logf("NO DISK WAS FULL in this run, since none can be mounted: %v", err)
	}
	r.storageDisk = nil // it has none
	w.cHost(r, plugin)
	return nil
}

// harm lets every actor work until the time is over.
func (w *world) harm() error {
	ctx, stop := context.WithCancelCause(w.t.Context())
	defer stop(nil)
	defer time.AfterFunc(w.lasts, func() { stop(errOver) }).Stop()
	var actors sync.WaitGroup
	act := func(number int, f func(*actor) error) {
		actors.Go(func() {
			if err := f(w.actor(uint64(number))); err != nil {
				stop(err)
			}
		})
	}
	act(0, func(a *actor) error { return a.harmServer(ctx) })
	act(1, func(a *actor) error { return a.harmNetwork(ctx) })
	for i, r := range w.readers {
		act(2+i, func(a *actor) error { return a.harmReader(ctx, r) })
	}
	actors.Wait()
	if err := context.Cause(ctx); err != errOver {
		return err
	}
	return nil
}
