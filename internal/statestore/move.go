package statestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Describe says how far a state is.
func Describe(s cursor.State) string {
	upTo := "the beginning"
	if !s.Watermark.IsZero() {
		upTo = s.Watermark.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s events so far, read up to %s, written %s ago", terminal.Thousands(s.Events), upTo, terminal.Roughly(time.Since(s.Updated)))
}

// ImportFile takes the state in a file into the store, and returns it. It holds the lock of
// the file meanwhile, and leaves the file as it is.
func ImportFile(ctx context.Context, store cluster.Store, path string) (cursor.State, error) {
	found, err := cursor.Read(path) // for the instance, which Open wants
	if errors.Is(err, fs.ErrNotExist) {
		return found, fmt.Errorf("%w; name a file of state_path, or those of a state_dir as DIR/*/*.state", err)
	}
	if err != nil {
		return found, err
	}
	file, state, err := cursor.Open(path, found.Instance)
	if errors.Is(err, cursor.ErrLocked) {
		return found, fmt.Errorf("state_path %q: a reader uses it now: stop that reader, and do not start it with this file again", path)
	}
	if err != nil {
		return found, err
	}
	ctx, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	return state, errors.Join(cluster.Import(ctx, store, state), file.Close())
}

// Exported is what became of one source.
type Exported struct {
	Instance, Path string
	State          cursor.State // zero: the store has none, and no file was written
	Err            error
}

// Export writes the state of each source that the store knows into dir, as the setting
// state_dir has them, and tells each of it, one after the other. No member may be there.
func Export(ctx context.Context, store cluster.Store, dir string, tell func(Exported)) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a directory: mkdir -p -m 700 %s", dir, config.ShellWord(dir))
	}
	within, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	h, err := Look(within, store)
	if err != nil {
		return err
	}
	if n := len(h.Members); n > 0 {
		return fmt.Errorf("members that read from the store: %d, such as %q: stop them first, and do not start them with the store again", n, h.Members[0].Name)
	}
	return Read(ctx, store, cluster.Options{Name: "state export", AcceptOld: true}, h.Nobody, func(instance string, s cursor.State, err error) {
		e := Exported{Instance: instance, Path: config.StateIn(dir, instance), State: s, Err: err}
		if err == nil && s.Instance != "" {
			e.Err = write(dir, e.Path, s)
		}
		tell(e)
	})
}

// write makes a state file where none is.
func write(dir, path string, s cursor.State) error {
	place := config.Settings{StateDir: dir, StatePath: path}
	if err := place.MakeStateDir(); err != nil {
		return err
	}
	file, there, err := cursor.Open(path, s.Instance)
	if err != nil {
		return err
	}
	if there.Instance != "" {
		return errors.Join(fmt.Errorf("%s is there already, with %s: nothing was written; move it away if the state in the store is to count", path, Describe(there)), file.Close())
	}
	pending, err := file.Prepare(s)
	if err == nil {
		err = pending.Commit()
	}
	return errors.Join(err, file.Close())
}

// onlooker is a store in which a command leaves no trace of a member: the next member has to see
// for how long no member has used the store, which may be an old backup.
type onlooker struct{ cluster.Store }

// Alive implements [cluster.Store].
func (onlooker) Alive(context.Context, cluster.View) error { return nil }

// Accept implements [cluster.Store].
func (onlooker) Accept(context.Context) error { return nil }

// Refuse implements [cluster.Store].
func (onlooker) Refuse(context.Context, string) error { return nil }

// readers is how many sources are read at once.
const readers = 16

// Read takes sources that the store knows and nobody holds, one moment each, and calls use
// with the state of each, or with the reason for which a member would not read it. It calls
// use once at a time. To other members it is one of them, so let there be none.
func Read(ctx context.Context, store cluster.Store, o cluster.Options, instances []string, use func(instance string, s cursor.State, err error)) error {
	o.Store = onlooker{store}
	member, err := cluster.New(o)
	if err != nil {
		return err
	}
	member.Sources(instances)
	running, stop := context.WithCancel(ctx)
	var life sync.WaitGroup
	life.Go(func() { _ = member.Run(running) }) // its only error is a second Run
	defer life.Wait()
	defer stop()
	var all errgroup.Group
	all.SetLimit(readers)
	var one sync.Mutex
	for _, instance := range instances {
		all.Go(func() error {
			held, state, err := hold(ctx, member, instance)
			if err == nil {
				defer held.Close() // if it fails, the end of the lease frees the source
			}
			one.Lock()
			defer one.Unlock()
			use(instance, state, err)
			return nil
		})
	}
	_ = all.Wait() // use has the errors
	return ctx.Err()
}

// hold waits for a source no longer than [Within].
func hold(ctx context.Context, member *cluster.Member, instance string) (cursor.Held, cursor.State, error) {
	within, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	held, state, err := member.Hold(within, instance)
	if err == nil || within.Err() == nil || ctx.Err() != nil {
		return held, state, err
	}
	if away := member.Status().Err; away != nil {
		return nil, state, away
	}
	return nil, state, fmt.Errorf("source %q was not free within %s: stop the members first", instance, Within)
}
