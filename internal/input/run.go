package input

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

const (
	// After an error that only a person can mend (a wrong token, a missing
	// role) the reader starts again by itself, so that mending is enough.
	restartFirst = time.Minute
	restartMost  = 5 * time.Minute
)

// Run reads from state on, until ctx ends. An error or a panic of the reader is
// logged, and a new reader goes on after the last batch that was queued; with
// EndOnError Run returns it. Run is called once.
func (p *Pipe) Run(ctx context.Context, c Cursor, state cursor.State) error {
	p.cursor = c
	p.mu.Lock()
	p.last = state
	p.mu.Unlock()
	tasks, ctx := errgroup.WithContext(ctx)
	var readError error // ends Run once what was read before it is prepared
	tasks.Go(func() error {
		readError = p.repeat(ctx, "reading", p.read)
		p.mark(&p.readAll)
		return nil
	})
	tasks.Go(func() error {
		defer p.mark(&p.prepared)
		return p.repeat(ctx, "writing the state", p.prepare)
	})
	if p.o.Heartbeat > 0 {
		tasks.Go(func() error { return p.repeat(ctx, "the heartbeat", p.beatAt) })
	}
	return cmp.Or(tasks.Wait(), readError)
}

// mark sets one of p's conditions.
func (p *Pipe) mark(condition *bool) {
	p.mu.Lock()
	*condition = true
	p.signal()
	p.mu.Unlock()
}

// repeat runs f again and again until ctx ends or f returns nil. It returns
// an error only where errors are to end everything.
func (p *Pipe) repeat(ctx context.Context, what string, f func(context.Context) error) error {
	wait := restartFirst
	for {
		before := p.Stats.Read.Load()
		err := p.contain(ctx, f)
		if err == nil || ctx.Err() != nil || errors.Is(err, errClosed) {
			return nil
		}
		if p.o.EndOnError {
			return err
		}
		if p.Stats.Read.Load() != before {
			wait = restartFirst // it had worked in between
		}
		p.Stats.Restarts.Add(1)
		p.o.Log.Error(what+" stopped: "+err.Error(), "again_in", wait)
		if sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, restartMost)
	}
}

func (p *Pipe) read(ctx context.Context) error {
	p.mu.Lock()
	state := p.last
	p.mu.Unlock()
	puller, err := p.o.NewPuller(state)
	if err != nil {
		return err
	}
	return puller.Run(ctx, p.emit)
}

// contain turns a panic into an error, with the stack in the log.
func (p *Pipe) contain(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.Stats.Panics.Add(1)
			err = fmt.Errorf("%w (a fault in this program, please report it)", panicError(v))
			p.o.Log.Error(err.Error() + "\n" + string(debug.Stack()))
		}
	}()
	return f(ctx)
}
