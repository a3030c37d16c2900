// Package sidecar reads any number of ZITADELs in one process, and hands their
// records to sinks.
//
// The promise is that of the Fluent Bit input: the cursor of a source moves after
// the sink has its records, and for no other reason. Sources are independent: an
// error of one does not hold up the others.
package sidecar

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// wakeUp is the interval in which a failed commit of the state is tried again while nothing comes.
const wakeUp = time.Second

// Feed is one source and its sink.
type Feed struct {
	*source.Source
	sink       sink.Sink
	tag        string // of records that have none
	to         string // the receiver; empty: standard output
	endOnError bool
	retry      *sink.Retry
	log        *slog.Logger
}

// Open opens a source; see [source.Open]. The feed closes the sink, also if Open
// fails.
func Open(ctx context.Context, settings config.PullSettings, to sink.Sink, o source.Options) (*Feed, error) {
	o.Tag, o.Refusal = settings.Out.Tag, "records are not taken"
	o.Lines = settings.Out.Forward == (config.Forward{})
	s, err := source.Open(ctx, settings.Settings, o)
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	s.Drains = o.Listener == nil
	return &Feed{Source: s, sink: to, tag: o.Tag, to: settings.Out.Forward.String(), endOnError: o.EndOnError, log: o.Log, retry: sink.NewRetry(o.Log)}, nil
}

// Run reads and hands over until ctx ends, which is no error, or until the
// setting `end` is reached. At the end of ctx it hands over the webhooks that an endpoint of its
// own has accepted, unless the source is replaced, and waits a little for the message under way. Run
// is called once.
func (f *Feed) Run(ctx context.Context) error {
	sending, stop := sink.Outlive(ctx)
	defer stop()
	if f.Listener == nil {
		return f.run(ctx, ctx, sending)
	}
	emitting, stopDraining := sink.OutliveToDrain(ctx)
	defer stopDraining()
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	defer context.AfterFunc(ctx, func() {
		if isReplaced(ctx) {
			stopDraining()
		}
		stopReading()
	})()
	return f.run(reading, emitting, sending)
}

// drain hands over what is in the spool of a listener that drains. No message begins after the end
// of emitting. It is called instead of Run.
func (f *Feed) drain(emitting, sending context.Context) error {
	f.Drains = true
	ended, end := context.WithCancel(emitting)
	end()
	return f.run(ended, emitting, sending)
}

func (f *Feed) run(reading, emitting, sending context.Context) error {
	err := f.Source.Run(reading, emitting, sending, func(emitting context.Context) error { return f.handOver(reading, emitting, sending) })
	if reading.Err() != nil && errors.Is(err, context.Canceled) {
		f.log.Warn("stopped before the message under way was acknowledged: its records come again after the next start")
		return nil
	}
	return err
}

// handOver gives the sink what is ready, until emitting ends and the step that was
// begun is complete, or until everything is read and taken.
func (f *Feed) handOver(reading, emitting, sending context.Context) error {
	for hurried := false; ; {
		err := f.await(emitting)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case emitting.Err() != nil && !f.Pipe.Begun():
			return nil
		}
		var failed error
		f.Pipe.Drain(func(tag string, records []byte, n int) bool {
			if tag == "" {
				tag = f.tag
			}
			failed = f.sink.Send(sending, tag, records, n)
			return failed == nil
		})
		switch {
		case failed == nil:
			f.retry.Worked()
			continue
		case f.endOnError, sink.IsFinal(failed), sending.Err() != nil:
			return failed
		}
		pausing := reading // when it ends, an attempt follows at once
		switch {
		case emitting.Err() != nil:
			pausing = sending
		case reading.Err() != nil:
			pausing = emitting
			if !hurried {
				hurried = true
				f.retry.Hurry()
			}
		}
		_ = f.retry.Failed(pausing, failed)
	}
}

// await is [pipe.Pipe.Await], for a second at most while a commit is owed. Otherwise thousands of
// idle sources need not wake up.
func (f *Feed) await(ctx context.Context) error {
	if f.Pipe.Owes() {
		waking, cancel := context.WithTimeout(ctx, wakeUp)
		defer cancel()
		ctx = waking
	}
	return f.Pipe.Await(ctx)
}

// Close releases the source and the sink.
func (f *Feed) Close() error { return errors.Join(f.Source.Close(), f.sink.Close()) }
