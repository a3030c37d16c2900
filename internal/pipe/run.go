package pipe

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

// After an error that only a person can fix (a wrong token, a missing role)
// reading starts again by itself, so that the fix alone is enough.
const (
	restartFirst = time.Minute
	restartMost  = 5 * time.Minute
)

// Run reads until ctx ends, or until read returns nil and the states of all its
// batches are prepared. An error or a panic of read is logged, and read is called
// again after a while; with EndOnError, Run returns it. Run is called once.
func (p *Pipe) Run(ctx context.Context, read Read) error { return p.RunThen(ctx, ctx, read, nil) }

// RunThen is Run with a second source: once read has returned nil, or reading has ended, it
// calls last until that returns nil or ctx ends. What read emitted stays in the pipe meanwhile.
// Nil: there is none. RunThen is called instead of Run.
func (p *Pipe) RunThen(reading, ctx context.Context, read, last Read) error {
	tasks, ctx := errgroup.WithContext(ctx)
	if last == nil {
		reading = ctx
	} else {
		var stopReading context.CancelFunc
		reading, stopReading = context.WithCancel(reading)
		defer stopReading()
		defer context.AfterFunc(ctx, stopReading)()
	}
	// A batch that waits for room is not dropped because reading ends.
	emit := func(_ context.Context, b Batch) error { return p.emit(ctx, b) }
	p.startPreparing = func() {
		tasks.Go(func() error {
			done := false
			defer func() {
				if !done {
					p.stopPreparing()
				}
			}()
			return p.repeat(ctx, "writing the state", func(ctx context.Context) error {
				err := p.prepare(ctx)
				done = err == nil
				return err
			})
		})
	}
	if p.o.Heartbeat > 0 {
		tasks.Go(func() error { return p.repeat(ctx, "the heartbeat", p.beatAtIntervals) })
	}
	if p.o.Beside != nil {
		tasks.Go(func() error { return p.repeat(ctx, "the watch", p.watchAtIntervals) })
	}
	// Here, and not in a task: thousands of sources have one goroutine less each. Its error ends Run
	// once what was read before it is prepared.
	readError := p.repeat(reading, "reading", func(reading context.Context) error { return read(reading, emit) })
	if last != nil && readError == nil && ctx.Err() == nil {
		readError = p.repeat(ctx, "emitting what was accepted", func(ctx context.Context) error { return last(ctx, emit) })
	}
	p.mu.Lock()
	p.readAll = true
	p.prepared = !p.preparing
	p.signal()
	p.mu.Unlock()
	return cmp.Or(tasks.Wait(), readError)
}

// stopPreparing notes that nothing is prepared any more: the context has ended, the pipe is closed,
// or a state cannot be written and Run ends with that error.
func (p *Pipe) stopPreparing() {
	p.mu.Lock()
	p.preparing, p.prepared = false, true
	p.signal()
	p.mu.Unlock()
}

// repeat calls f again and again until ctx ends or f returns nil. It returns an
// error only with EndOnError.
func (p *Pipe) repeat(ctx context.Context, what string, f func(context.Context) error) error {
	backoff := retry.New(restartFirst, restartMost)
	for {
		before := p.Stats.Read.Load()
		err := fault.Contain(func() error { return f(ctx) })
		if panicked, ok := errors.AsType[*fault.Error](err); ok {
			p.Stats.Panics.Add(1)
			p.o.Log.Error(panicked.Error() + "\n" + panicked.Stack)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, errClosed) {
			return nil
		}
		if p.o.EndOnError {
			return err
		}
		if p.Stats.Read.Load() != before {
			backoff.Reset() // it worked in between
		}
		p.Stats.Restarts.Add(1)
		wait := backoff.Next()
		p.o.Log.Error(what+" stopped: "+err.Error(), "again_in", wait.Round(time.Second))
		p.stopped.Failed(errors.New(what + " stopped: " + err.Error()))
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
		p.stopped.Worked()
	}
}
