package source

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// Run reads until reading ends or handOver returns. handOver empties the pipe, or
// waits for its context if somebody else does. What it leaves in the pipe is dropped, and
// read again by the next start: before that, Run waits until ending ends for a
// [pipe.Pipe.Drain] that is under way.
//
// A source that drains stops accepting webhooks when reading ends, and emits what it has
// accepted, until emitting ends: the record of an API call comes from nowhere else, and the disk of
// the spool may go with the process. It does neither if emitting ends before reading. Other sources
// do not use emitting. Run is called once.
func (s *Source) Run(reading, emitting, ending context.Context, handOver func(emitting context.Context) error) error {
	drains := s.Drains && s.Listener != nil
	if !drains {
		emitting = reading
	}
	emitting, stopEmitting := context.WithCancel(emitting)
	defer stopEmitting()
	var last pipe.Read
	if drains {
		last = s.pushedAgain(s.readLast)
		var stopReading context.CancelFunc
		reading, stopReading = context.WithCancel(reading)
		defer stopReading()
		defer context.AfterFunc(emitting, stopReading)()
	} else {
		reading = emitting
	}
	var readError error
	var read sync.WaitGroup
	s.startLearning(reading, &read)
	began := time.Now()
	if s.Listener != nil {
		s.pushes, s.detach = s.Listener.Attach()
		defer func() { s.detach() }()
	}
	read.Go(func() {
		readError = fault.Contain(func() error {
			return s.Pipe.RunThen(reading, emitting, s.pushedAgain(func(ctx context.Context, emit pipe.Emit) error {
				if err := retry.Sleep(ctx, time.Until(began.Add(s.StartAfter))); err != nil {
					return err
				}
				return s.read(ctx, emit)
			}), last)
		})
	})
	// Webhooks outlive the pipe: the entries that it acknowledges last have to
	// leave the spool.
	listening, stopListening := context.WithCancel(context.WithoutCancel(reading))
	defer stopListening()
	var listener sync.WaitGroup
	if s.Listener != nil && s.Listener != s.opts.Listener {
		defer context.AfterFunc(reading, func() {
			if emitting.Err() == nil {
				s.Listener.Drain()
			}
		})()
		listener.Go(func() { s.Listener.Keep(listening) })
	}

	err := handOver(emitting)
	stopEmitting()
	read.Wait()
	err = cmp.Or(err, readError, s.Pipe.Close(ending))
	stopListening()
	listener.Wait()
	// Otherwise fewer lines than events look like a loss.
	if n := s.opts.Format.LeftOut.Load(); n > 0 {
		s.opts.Log.Info("records were left out by the option `tier` (tier: noise writes them all)", "records", n)
	}
	return err
}

// pushedAgain calls read. After a panic, what was pushed and is not acknowledged is pushed again:
// read may have taken it without emitting it, and the next acknowledgement would take it out of
// the spool.
func (s *Source) pushedAgain(read pipe.Read) pipe.Read {
	return func(ctx context.Context, emit pipe.Emit) error {
		err := fault.Contain(func() error { return read(ctx, emit) })
		if _, panicked := errors.AsType[*fault.Error](err); panicked && s.detach != nil {
			s.detach()
			s.pushes, s.detach = s.Listener.Attach()
		}
		return err
	}
}

// read implements [pipe.Read].
func (s *Source) read(ctx context.Context, emit pipe.Emit) error {
	if s.opts.Relay {
		return s.relay(ctx, emit)
	}
	s.awaitLearning(ctx)
	reader, err := events.NewReader(s.client, s.Settings, s.last, s.readerOptions())
	if err != nil {
		return err
	}
	if s.last.Version != 0 {
		s.setBegun(s.last.Watermark)
	}
	return reader.Run(ctx, s.emitter(emit))
}

// readLast implements [pipe.Read] for the end: it emits what was pushed and what read has not
// taken. Before the first state there is no reader that could note what it has emitted, and before
// the counts are known it must not: the next holder would take the alerts of the events for given.
// The events then come again from the log, with the same ids.
func (s *Source) readLast(ctx context.Context, emit pipe.Emit) error {
	s.Listener.Drain() // also at the date of the setting `end`
	if s.opts.Relay || s.last.Version == 0 || s.isUncounted() {
		return s.relay(ctx, emit)
	}
	reader, err := events.NewReader(s.client, s.Settings, s.last, s.readerOptions())
	if err != nil {
		return err
	}
	return reader.TakePushes(ctx, s.emitter(emit))
}

func (s *Source) relay(ctx context.Context, emit pipe.Emit) error {
	return events.Relay(ctx, s.Settings, s.readerOptions(), func(ctx context.Context, b events.Batch) error {
		return emit(ctx, pipe.Batch{Records: b.Records, State: forgotten{}, Done: b.Done})
	})
}

func (s *Source) readerOptions() events.Options {
	return events.Options{Log: s.opts.Log, Now: s.opts.Now, Stats: &s.Reader, Phase: s.Phase, Ready: s.recount, Pushes: s.pushes}
}

// emitter gives batches of the log to emit, and remembers the state behind the last one.
func (s *Source) emitter(emit pipe.Emit) events.Emit {
	return func(ctx context.Context, b events.Batch) error {
		err := emit(ctx, pipe.Batch{Records: b.Records, Newest: b.Newest, State: state{s, b.State}, Done: b.Done})
		if err == nil {
			s.last = b.State
			s.setBegun(b.State.Watermark) // a first start stores where it begins before it reads
		}
		return err
	}
}

func (s *Source) setBegun(watermark time.Time) {
	s.begunOnce.Do(func() {
		s.begunAt = watermark
		close(s.begun)
	})
}
