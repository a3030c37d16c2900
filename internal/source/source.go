// Package source reads one ZITADEL: it opens the state, the client and the
// endpoint for webhooks, and runs the reader that fills a pipe. The Fluent Bit
// input and the sidecar use it, and differ in who empties the pipe.
package source

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

// Options of a [Source].
type Options struct {
	Log *slog.Logger
	Now func() time.Time // this machine's clock; nil is time.Now
	// Format is the one of the settings; nil: Open makes it.
	Format *format.Format
	// Encode makes the records that the pipe hands over; nil: Fluent Bit events in Format.
	Encode record.Encoder
	// Lines says that Encode writes lines, to which max_chunk_size does not apply.
	Lines bool
	// Detect evaluates rules on the records, and adds alerts to them; nil: none.
	Detect *Detection
	// Tag is the base of the tags of the setting tag_by, of alerts, and of limited chunks.
	Tag string
	// Conns are the connections to ZITADELs of a process with many sources; nil: the source has
	// its own.
	Conns *zitadel.Conns
	// Held is the state, if this process holds the source in a store, and State its content.
	// Then Settings.StatePath is empty. The source closes it. Nil: the state is the file at StatePath.
	Held  cursor.Held
	State cursor.State
	// Listener, if not nil, receives the webhooks. Its owner runs it, also before and after the
	// source. Nil: the source has its own, if the settings ask for one.
	Listener *listen.Listener
	// Relay emits only what comes by webhook, because another process holds the source and reads
	// it. Such a source has no state and no client, knows no names, evaluates no rules, and has no
	// heartbeat: all that is the other's.
	Relay bool
	// TokenName is what the user calls the option token; empty: token.
	TokenName string
	// Refusal is logged if nobody takes the records for a long time.
	Refusal string
	// EndOnError makes Run return an error that a person has to fix. Otherwise
	// Run logs it and tries again.
	EndOnError bool
	// WaitForState lets Open return while another reader has the state. Call
	// [Source.AwaitState] before Run then.
	WaitForState bool
}

// SettingsError is about settings that name what does not exist or does not fit.
type SettingsError struct{ Err error }

func (e *SettingsError) Error() string { return e.Err.Error() }
func (e *SettingsError) Unwrap() error { return e.Err }

// Source is one ZITADEL, read into a pipe.
type Source struct {
	Settings config.Settings
	Pipe     *pipe.Pipe
	Reader   events.Stats     // of every reader that the source makes
	Listener *listen.Listener // nil without the setting webhook_listen; see Options
	// Phase and StartAfter keep many sources of one process apart; see [events.Options], and how
	// long reading waits before it begins. Set them before Run.
	Phase      float64
	StartAfter time.Duration
	// Drains makes Run emit at its end what the endpoint has accepted. Set it before Run.
	Drains bool

	opts   Options
	client client             // nil for a relay
	state  cursor.Held        // nil without a state, and while another reader has its file
	pushes <-chan events.Push // nil without Listener
	detach func()             // ends pushes; nil without Listener
	names  *format.Names      // nil without enrich, and while another reader has the state
	last   cursor.State       // after the last batch that the pipe took
	// detector is nil without Options.Detect.
	detector *detector
	// learned is closed once nothing waits for what learn reads.
	learned     chan struct{}
	learnedOnce sync.Once
	// begun is closed once begunAt is set, the watermark at which reading began.
	begun     chan struct{}
	begunAt   time.Time
	begunOnce sync.Once
	// These are the constants of these names, except in tests.
	learnProgress, recountPatience time.Duration
}

// client is a [zitadel.Client], except in tests.
type client interface {
	events.Client
	Close() error
}

// Open opens the state, the client and the files of webhooks. It uses no
// network yet.
func Open(ctx context.Context, settings config.Settings, o Options) (_ *Source, err error) {
	if o.Relay {
		settings.Enrich.On, settings.Heartbeat, o.Detect = false, 0, nil
	}
	s := &Source{Settings: settings, opts: o, learned: make(chan struct{}), begun: make(chan struct{}), learnProgress: learnProgress, recountPatience: recountPatience}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if o.Detect != nil {
		s.detector = newDetector(o.Detect, o.Log)
	}
	// First: a second reader is refused before anything else.
	if err := s.openState(); o.WaitForState && errors.Is(err, cursor.ErrLocked) {
		o.Log.Warn("another reader has the state, reading starts once it is gone", "state_path", settings.StatePath)
	} else if err != nil {
		return nil, err
	}
	if s.opts.Format == nil {
		if s.opts.Format, err = format.Open(settings.Format); err != nil {
			return nil, &SettingsError{err}
		}
	}
	if s.detector != nil {
		s.opts.Format.Watch(s.detector.watch)
	}
	if o.Encode == nil {
		o.Encode = s.opts.Format.Msgpack()
	}
	if !o.Relay {
		c, err := zitadel.New(ctx, settings, zitadel.Options{Log: o.Log, TokenName: o.TokenName, Conns: o.Conns})
		if err != nil {
			return nil, err
		}
		s.client = c
	}
	s.Listener = o.Listener
	if s.Listener == nil && settings.Listen.Address != "" {
		if s.Listener, err = listen.Open(settings, o.Log); err != nil {
			return nil, &SettingsError{err}
		}
		s.joinCalls()
	}
	s.Pipe = pipe.New(s.watched(pipe.Options{
		Log:        o.Log,
		Encode:     encoder(settings, o.Encode),
		Tag:        tagger(o.Tag, settings.TagBy),
		Limit:      o.limit(settings),
		BaseTag:    o.Tag,
		BufferSize: settings.BufferSize,
		Refusal:    o.Refusal,
		EndOnError: o.EndOnError,
		Instance:   settings.Instance,
		Heartbeat:  settings.Heartbeat,
		Metrics:    s.addMetrics,
	}))
	return s, nil
}

// limit is that of the settings, unless lines are written, which Fluent Bit does not get.
func (o Options) limit(settings config.Settings) chunks.Limit {
	if o.Lines {
		return chunks.Limit{}
	}
	return chunks.Limit(settings.MaxChunk)
}

// encoder is next behind the redaction, unless the settings switch that off.
func encoder(settings config.Settings, next record.Encoder) record.Encoder {
	if !settings.Redact {
		return next
	}
	return func(b []byte, r record.Record) []byte {
		if e, ok := r.(*record.Event); ok { // other records are redacted where they are made
			payload.Record(e)
		}
		return next(b, r)
	}
}

func (s *Source) openState() error {
	if s.opts.Held != nil {
		s.state, s.last = s.opts.Held, s.opts.State
		if s.detector != nil {
			s.detector.share(s.last.Watermark)
		}
	}
	if s.Settings.StatePath == "" {
		return s.openNames()
	}
	file, state, err := cursor.Open(s.Settings.StatePath, s.Settings.Instance)
	if err != nil {
		return err
	}
	if err := s.openNames(); err != nil {
		return errors.Join(err, file.Close())
	}
	if s.detector != nil {
		if err := s.detector.open(s.Settings.StatePath, state.Watermark); err != nil {
			return errors.Join(&SettingsError{err}, file.Close())
		}
	}
	s.state, s.last = file, state
	return nil
}

const (
	lockRetry = 500 * time.Millisecond
	// lockPatience is the time after which another reader is reported: the old
	// reader of a reload is gone within two seconds.
	lockPatience = 30 * time.Second
	lockRemind   = 5 * time.Minute
)

// AwaitState waits for a state that another reader still has, and returns it.
func (s *Source) AwaitState(ctx context.Context) (cursor.State, error) {
	began := time.Now()
	failures := outage.Log{Remind: lockRemind}
	for s.state == nil && s.Settings.StatePath != "" {
		if err := retry.Sleep(ctx, lockRetry); err != nil {
			return cursor.State{}, err
		}
		err := s.openState()
		switch locked := errors.Is(err, cursor.ErrLocked); {
		case err == nil:
			s.opts.Log.Info("the other reader is gone, reading starts", "waited", time.Since(began).Round(time.Millisecond))
		case locked && time.Since(began) < lockPatience:
		default:
			if failures.Failed(err) {
				s.opts.Log.Error("reading cannot start, trying again: " + err.Error())
			}
			if !locked {
				_ = retry.Sleep(ctx, lockPatience) // the next Sleep returns the error of ctx
			}
		}
	}
	return s.last, nil
}

// state is a [pipe.State].
type state struct {
	source *Source
	cursor.State
}

// Prepare writes the names first: what a committed event taught is never forgotten.
func (s state) Prepare() (pipe.Pending, error) {
	if err := s.source.syncNames(); err != nil {
		return nil, err
	}
	if s.source.detector != nil {
		if err := s.source.detector.sync(); err != nil {
			return nil, err
		}
	}
	if s.source.state == nil {
		return forgotten{}, nil
	}
	pending, err := s.source.state.Prepare(s.State)
	if err != nil || s.source.detector == nil {
		return pending, err
	}
	return settling{pending, s.source.detector, s.Watermark}, nil
}

// forgotten is the state of a source that remembers nothing, and the prepared one.
type forgotten struct{}

func (f forgotten) Prepare() (pipe.Pending, error) { return f, nil }
func (forgotten) Commit() error                    { return nil }

// Relays reports whether another process holds the source; see [Options].
func (s *Source) Relays() bool { return s.opts.Relay }

// Close releases client and state.
func (s *Source) Close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.names != nil {
		errs = append(errs, s.names.Close())
	}
	if s.detector != nil {
		errs = append(errs, s.detector.close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}
