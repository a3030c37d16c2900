package source

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/bounded"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/durable"
	"github.com/zitadel-siem/zitadel-siem/internal/enrich"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

const (
	// learnPatience is how long reading waits for learn. Afterwards the two go on side by
	// side: the order in which names are learned does not matter.
	learnPatience = 30 * time.Second
	learnProgress = 10 * time.Second
	learnFirst    = time.Minute
	learnMost     = 5 * time.Minute
)

// learner reads the events of the past that teach names, without emitting them.
type learner struct {
	s        *Source
	todo     []string // event types
	done     []string
	notified time.Time
}

// newLearner finds out what there is to learn. It is called before the first event is
// read: fresh says that there was no state.
func (s *Source) newLearner(fresh bool) *learner {
	l := &learner{s: s}
	var all []string
	for _, list := range enrich.Types() {
		all = append(all, list...)
	}
	switch {
	case !s.Settings.Enrich.Learn:
		return l
	case fresh && s.Settings.Start.Beginning && !s.Settings.FiltersEvents():
		l.done = all // reading itself passes all of them
		if err := l.mark(); err != nil {
			s.opts.Log.Warn("the next start learns names of the past again: " + err.Error())
		}
		return l
	case !fresh && s.names.Stats().Entries > 0:
		l.done = readMark(s.markPath())
	}
	l.todo = slices.DeleteFunc(all, func(t string) bool { return slices.Contains(l.done, t) })
	return l
}

// startLearning makes the encoders remember, and starts to learn the past beside reading.
func (s *Source) startLearning(ctx context.Context, running *sync.WaitGroup) {
	if s.names == nil {
		s.endWait()
		return
	}
	s.opts.Format.Remember(s.names)
	l := s.newLearner(s.last.Version == 0)
	running.Go(func() { l.run(ctx) })
}

// run learns until everything is learned or ctx ends. Errors are logged, and it tries again.
func (l *learner) run(ctx context.Context) {
	defer l.s.endWait()
	backoff := retry.New(learnFirst, learnMost)
	for len(l.todo) > 0 {
		err := fault.Contain(func() error { return l.learn(ctx) })
		if err == nil || ctx.Err() != nil {
			return
		}
		l.s.endWait()
		wait := backoff.Next()
		l.s.opts.Log.Warn("learning names of the past stopped: "+err.Error(), "again_in", wait.Round(time.Second))
		if retry.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// learn reads the types that ZITADEL knows, in lists that fit one request each.
func (l *learner) learn(ctx context.Context) error {
	known, err := l.s.client.EventTypes(ctx)
	if err != nil {
		return err
	}
	// A type that this ZITADEL does not know would make the request one for all events.
	l.todo = slices.DeleteFunc(l.todo, func(t string) bool { return !slices.Contains(known, t) })
	l.s.names.ToLearn.Store(uint64(len(l.todo)))
	if len(l.todo) == 0 {
		return nil
	}
	began := time.Now()
	l.notified = began
	l.s.opts.Log.Info("names of the past are learned", "event_types", len(l.todo))
	for len(l.todo) > 0 {
		list := l.todo[:min(len(l.todo), enrich.MaxFilter)]
		if err := l.read(ctx, list); err != nil {
			return err
		}
		l.done = append(l.done, list...)
		l.todo = l.todo[len(list):]
		l.s.names.ToLearn.Store(uint64(len(l.todo)))
		if err := l.mark(); err != nil {
			return err
		}
	}
	l.s.opts.Log.Info("names of the past are known", "events", l.s.names.Learned.Load(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// read reads all events of some types, once, up to now. What comes later is the reader's.
func (l *learner) read(ctx context.Context, types []string) error {
	o := events.Options{Log: slog.New(warnings{l.s.opts.Log.Handler()}), Now: l.s.opts.Now}
	reader, err := events.NewReader(l.s.client, l.settings(types), cursor.State{}, o)
	if err != nil {
		return err
	}
	return reader.Run(ctx, func(ctx context.Context, b events.Batch) error {
		for _, r := range b.Records {
			if e, ok := r.(*record.Event); ok {
				if l.s.Settings.Redact {
					payload.Record(e)
				}
				l.s.names.Learn(e)
				l.s.names.Learned.Add(1)
			}
		}
		if time.Since(l.notified) >= learnProgress {
			l.notified = time.Now()
			l.s.opts.Log.Info("names of the past are learned", "event_types_left", len(l.todo), "events", l.s.names.Learned.Load(), "up_to", b.Newest)
		}
		return l.s.names.Sync()
	})
}

// settings are those of one short reader: every event of the types up to now.
func (l *learner) settings(types []string) config.Settings {
	x := l.s.Settings
	x.EventTypes, x.ExcludeEventTypes, x.AggregateTypes, x.AggregateIDs, x.ResourceOwners, x.EditorUserIDs = types, nil, nil, nil, nil, nil
	x.ExcludeOwn = false
	now := time.Now
	if l.s.opts.Now != nil {
		now = l.s.opts.Now
	}
	// Without settle and overlap it ends after one pass.
	x.Start, x.End, x.Settle, x.Overlap = config.Start{Beginning: true}, now(), 0, 0
	return x
}

// warnings leaves out what a reader tells of its own progress.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// awaitLearning waits until learn has read everything, has failed, or takes too long.
func (s *Source) awaitLearning(ctx context.Context) {
	patience := time.NewTimer(learnPatience)
	defer patience.Stop()
	select {
	case <-s.learned:
	case <-ctx.Done():
	case <-patience.C:
		s.opts.Log.Info("names of the past are still being learned; reading starts, and some records come without names")
		s.endWait()
	}
}

// endWait lets reading start.
func (s *Source) endWait() { s.learnedOnce.Do(func() { close(s.learned) }) }

// The mark lists the event types whose past was learned, so that a restart does not read
// it again.
const markSuffix = namesSuffix + ".learned"

// maxMark is far more than all event types.
const maxMark = 1 << 20

func (s *Source) markPath() string {
	if s.Settings.StatePath == "" {
		return ""
	}
	return s.Settings.StatePath + markSuffix
}

// readMark returns the types of the mark. A mark that is missing or cannot be read back
// costs reading the past again.
func readMark(path string) (types []string) {
	b, _, err := bounded.ReadFile(path, maxMark)
	if err != nil || json.Unmarshal(b, &types) != nil {
		return nil
	}
	return types
}

// mark writes the mark, after the names.
func (l *learner) mark() error {
	path := l.s.markPath()
	if path == "" {
		return nil
	}
	if err := l.s.names.Sync(); err != nil {
		return err
	}
	b, err := json.Marshal(l.done)
	if err != nil {
		return err
	}
	draft, err := durable.Create(path + ".new")
	if err == nil {
		err = draft.Write(b)
	}
	if err == nil {
		err = draft.Replace(path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path + ".new")
		return fmt.Errorf("%s cannot be written: %w; make room or repair the directory", path, bounded.WithoutPath(err))
	}
	return nil
}
