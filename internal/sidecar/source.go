// Package sidecar reads any number of ZITADELs in one process and hands their
// events to a sink that says what it has: another Fluent Bit, by the forward
// protocol with acknowledgements, or whatever implements [Sink].
//
// The reading is that of the Fluent Bit input, with the same promise: the
// cursor of a source moves after the sink has its records, and for no other
// reason. Sources know nothing of each other: one that is in trouble does not
// hold up the rest.
package sidecar

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/input"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
)

const (
	// stopTime is how long an end waits for the acknowledgement that is under
	// way: without it those records would come twice.
	stopTime = 5 * time.Second
	// sendMost is the longest pause between two attempts to hand over.
	sendMost = 30 * time.Second
	// remindAfter is how often the same trouble of a sink is told.
	remindAfter = 10 * time.Minute
	// wakeUp: a state that could not be renamed into place is tried again by
	// the next look at the pipe.
	wakeUp = time.Second
)

// Sink takes records. Send gets n of them, encoded one after the other, and
// returns nil only when they need not be sent again. It must not keep the bytes.
type Sink interface {
	Send(ctx context.Context, tag string, records []byte, n int) error
	Close() error
}

// Options of a [Source].
type Options struct {
	Log *slog.Logger
	Now func() time.Time // this machine's clock; nil is time.Now
	// TokenName is what the user calls the option token; empty: token.
	TokenName string
	// JSON makes lines of JSON of the records, instead of msgpack.
	JSON bool
	// EndOnError makes Run return what needs somebody to mend it, and what the
	// sink returns. Without it, Run goes on trying and says so.
	EndOnError bool
	// FinalSink says that an error of the sink does not pass by itself: it ends
	// every source that runs beside this one.
	FinalSink bool
}

// SettingsError is of settings that name what is not there or not fit.
type SettingsError struct{ error }

func (e *SettingsError) Unwrap() error { return e.error }

// Source is one ZITADEL on its way to a sink.
type Source struct {
	settings config.PullSettings
	opts     Options
	sink     Sink
	client   *zitadel.Client
	state    *cursor.File // nil without state_path
	resumed  cursor.State
	reader   *events.Stats
	listener *listen.Listener // nil without listen
	pipe     *input.Pipe
	tell     teller
}

// Open opens the state and then the client; no network is used yet. The sink is
// the source's from then on, also when Open fails.
func Open(ctx context.Context, settings config.PullSettings, sink Sink, o Options) (_ *Source, err error) {
	s := &Source{settings: settings, opts: o, sink: sink, tell: teller{log: o.Log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if settings.StatePath != "" {
		// First: a second reader is refused before ZITADEL is asked.
		if s.state, s.resumed, err = cursor.Open(settings.StatePath, settings.Instance); err != nil {
			return nil, err
		}
	}
	if s.client, err = zitadel.New(ctx, settings.Settings, zitadel.Options{Log: o.Log, TokenName: o.TokenName}); err != nil {
		return nil, err
	}
	if settings.Listen.Address != "" {
		if s.listener, err = listen.Open(settings.Settings, o.Log); err != nil {
			return nil, &SettingsError{err}
		}
	}
	po := input.OptionsOf(settings.Settings, s.client, s.listener, o.Log, o.Now)
	po.Tag = settings.Out.Tag
	po.Refusal = "records are not taken"
	po.EndOnError = o.EndOnError
	if o.JSON {
		po.Encode, po.EncodeOther, po.Beat = jsonLine, jsonOther, jsonBeat
	}
	s.reader = po.ReaderStats
	s.pipe = input.NewPipe(po)
	return s, nil
}

func jsonLine(b []byte, r *record.Record) []byte { return append(record.AppendJSON(b, r), '\n') }

func jsonOther(b []byte, o events.Other) []byte { return append(o.AppendJSON(b), '\n') }

func jsonBeat(b []byte, f input.Figures) []byte {
	return append(input.AppendHeartbeatJSON(b, f), '\n')
}

// Run reads and hands over until ctx ends, which is no error, or until `end` is
// reached. At the end of ctx it waits a little for what the sink is taking.
// Run is called once.
func (s *Source) Run(ctx context.Context) error {
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	var cursor input.Cursor = noCursor{}
	if s.state != nil {
		cursor = input.FileCursor{File: s.state}
	}
	var readError error
	var read sync.WaitGroup
	read.Go(func() { readError = s.pipe.Run(reading, cursor, s.resumed) })

	// Sending outlives ctx by a moment.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, stopSending) })()
	// Webhooks outlast the pipe: what it acknowledges last is to leave the spool.
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	var listener sync.WaitGroup
	if s.listener != nil {
		listener.Go(func() { s.listener.Keep(listening) })
	}

	err := s.handOver(reading, sending)
	stopReading()
	read.Wait()
	err = cmp.Or(err, readError, s.pipe.Close(sending))
	stopListening()
	listener.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		s.opts.Log.Warn("stopped before what was being sent was acknowledged: it comes again after the next start", "waited", stopTime)
		return nil
	}
	return err
}

// handOver gives the sink what is ready, until the context of reading ends and
// the group that was begun is through, or until everything is.
func (s *Source) handOver(reading, sending context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = sendMost
	for {
		waking, cancel := context.WithTimeout(reading, wakeUp)
		err := s.pipe.Await(waking)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case reading.Err() != nil && !s.pipe.Begun():
			return nil
		}
		var failed error
		s.pipe.Drain(func(tag string, records []byte, n int) bool {
			if tag == "" {
				tag = s.settings.Out.Tag
			}
			failed = s.sink.Send(sending, tag, records, n)
			return failed == nil
		})
		switch {
		case failed == nil:
			pause.Reset()
			s.tell.well()
			continue
		case s.opts.FinalSink:
			return finalError{failed}
		case s.opts.EndOnError, sending.Err() != nil:
			return failed
		}
		in := pause.NextBackOff()
		s.tell.trouble(failed, in)
		pausing := reading // whose end calls for a last attempt at most
		if reading.Err() != nil {
			pausing = sending
		}
		sleep(pausing, in)
	}
}

// Close releases state, client and sink.
func (s *Source) Close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(append(errs, s.sink.Close())...)
}

// Settings are those that it was opened with.
func (s *Source) Settings() config.PullSettings { return s.settings }

// Listener receives its webhooks; nil without listen.
func (s *Source) Listener() *listen.Listener { return s.listener }

// Reader are the reader's counters.
func (s *Source) Reader() *events.Stats { return s.reader }

// Handed are the counters of the way to the sink.
func (s *Source) Handed() *input.Stats { return &s.pipe.Stats }

// Figures are its figures as of now.
func (s *Source) Figures() input.Figures { return s.pipe.Figures(time.Now()) }

// finalError is of a sink that is of no use any more.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// teller tells the same trouble once in a while.
type teller struct {
	log   *slog.Logger
	text  string
	since time.Time
	again time.Time
}

func (t *teller) trouble(err error, in time.Duration) {
	now := time.Now()
	if text := err.Error(); text != t.text {
		if t.text == "" {
			t.since = now
		}
		t.text = text
	} else if now.Before(t.again) {
		return
	}
	t.again = now.Add(remindAfter)
	t.log.Warn("records are not taken, nothing is lost: "+t.text, "again_in", in.Round(100*time.Millisecond))
}

func (t *teller) well() {
	if t.text != "" {
		t.log.Info("records are taken again", "after", time.Since(t.since).Round(time.Second))
		t.text = ""
	}
}

// noCursor is the cursor of a source that remembers nothing.
type noCursor struct{}

func (noCursor) Prepare(cursor.State) (input.Pending, error) { return noCursor{}, nil }

func (noCursor) Commit() error { return nil }

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
