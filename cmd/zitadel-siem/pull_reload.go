package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/sidecar"
)

// lookEvery is how often the files of the sources are looked at. They are polled and not
// watched by inotify: a mounted ConfigMap, an editor that renames, NFS and a directory that
// is made later then need no code of their own. A look at 10,000 files takes 30 ms
// (BenchmarkReadSources); lookShare keeps looking below 0.5 % of a core.
const (
	lookEvery = 2 * time.Second
	lookShare = 200
)

// reloader reads the sources again on SIGHUP and once the files have changed.
type reloader struct {
	path, dir     string // --config and sources_dir
	seen          string // the stamp of the files as they were read last
	metricsListen string // of the file, as it is served
	state         config.SharedState
	set           *sidecar.Set
	log           *slog.Logger
}

// start begins to watch. stop waits for the end of it.
func (r *reloader) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan os.Signal, 1)
	if len(reloadSignals) > 0 { // none would mean all
		signal.Notify(asked, reloadSignals...)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.watch(ctx, asked)
	}()
	return func() {
		signal.Stop(asked)
		cancel()
		<-done
	}
}

// watch takes a change once the files look the same twice: somebody may still be writing.
func (r *reloader) watch(ctx context.Context, asked <-chan os.Signal) {
	next := time.NewTimer(lookEvery)
	defer next.Stop()
	last := r.seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		case <-next.C:
			began := time.Now()
			now := config.StampSources(r.path, r.dir)
			next.Reset(max(lookEvery, lookShare*time.Since(began)))
			settled := now == last
			last = now
			if !settled || now == r.seen {
				continue
			}
			r.seen = now // of a file that cannot be read, reload knows no stamp
		}
		r.reload()
		last = r.seen
	}
}

// reload takes the files as they are now. If something is wrong with them, everything goes
// on as before.
func (r *reloader) reload() {
	file, err := config.ReadSources(r.path, os.LookupEnv, config.ParseOptions{})
	r.set.Reloads.Note(err)
	if file.Stamp != "" { // also if something is wrong: the correction may be in a new directory
		r.dir, r.seen = file.Dir, file.Stamp
	}
	if err != nil {
		r.log.Error("the sources go on as before, because they could not be read again: " + err.Error())
		return
	}
	for _, w := range file.Warnings {
		r.log.Warn(w)
	}
	if file.MetricsListen != r.metricsListen {
		r.log.Warn("metrics_listen is taken at the next restart; the address before is served until then", "metrics_listen", file.MetricsListen)
	}
	if file.State != r.state {
		r.log.Warn("state and state_lease are taken at the next restart; the store before is used until then")
	}
	did := r.set.Apply(file.List)
	r.log.Info("the sources were read again", "added", did.Added, "changed", did.Changed, "removed", did.Removed, "same", did.Same)
}
