package input

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
)

const (
	// After an error that only a person can mend (a wrong token, a missing
	// role) the reader starts again by itself, so that mending is enough.
	restartFirst = time.Minute
	restartMost  = 5 * time.Minute
)

// Run reads from state on, until ctx ends. An error or a panic of the reader is
// logged, and a new reader goes on after the last batch that was queued. Run is
// called once.
func (p *Pipe) Run(ctx context.Context, c Cursor, state cursor.State) {
	p.cursor = c
	p.mu.Lock()
	p.last = state
	p.mu.Unlock()
	var tasks sync.WaitGroup
	tasks.Go(func() { p.repeat(ctx, "writing the state", p.prepare) })
	tasks.Go(func() { p.repeat(ctx, "reading", p.read) })
	tasks.Wait()
}

// repeat runs f again and again until ctx ends or f returns nil.
func (p *Pipe) repeat(ctx context.Context, what string, f func(context.Context) error) {
	wait := restartFirst
	for {
		before := p.Stats.Read.Load()
		err := p.contain(ctx, f)
		if err == nil || ctx.Err() != nil || errors.Is(err, errClosed) {
			return
		}
		if p.Stats.Read.Load() != before {
			wait = restartFirst // it had worked in between
		}
		p.Stats.Restarts.Add(1)
		p.o.Log.Error(what+" stopped: "+err.Error(), "again_in", wait)
		if sleep(ctx, wait) != nil {
			return
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
