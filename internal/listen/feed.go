package listen

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"

	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
)

// reader is who takes the pushes for some time.
type reader struct {
	pushes chan events.Push
	ahead  *semaphore.Weighted // bytes of entries in pushes
	gone   context.Context     // ends when it detaches
	fed    uint64              // the last entry that was pushed to it; of feed alone
	ended  bool                // pushes is closed; of feed alone
}

// end tells r that nothing more comes.
func (r *reader) end() {
	if !r.ended {
		r.ended = true
		close(r.pushes)
	}
}

// Attach returns what is pushed to a new reader: first the entries of the spool that no reader
// has acknowledged, then what comes. They are closed after [Listener.Drain], once the reader has all.
// Detach a reader before the next one attaches. What it took and did not acknowledge goes to the
// next one; what it acknowledges afterwards still counts.
func (l *Listener) Attach() (pushes <-chan events.Push, detach func()) {
	gone, detach := context.WithCancel(context.Background())
	r := &reader{pushes: make(chan events.Push, queueAhead), ahead: semaphore.NewWeighted(aheadBytes), gone: gone}
	l.reader.Store(r)
	select {
	case l.attached <- struct{}{}:
	default:
	}
	return r.pushes, detach
}

// checkNumbers forgets the numbers of another spool: if the directory was replaced, it counts from
// one again. Run calls it before feed.
func (l *Listener) checkNumbers(queue *spool.Spool) {
	known, r := l.acked.Load().number.Load(), l.reader.Load()
	if r != nil {
		known = max(known, r.fed)
	}
	if queue.Rewind(known) >= known {
		return
	}
	l.acked.Store(new(acknowledged))
	if r != nil {
		r.fed = 0
	}
}

// feed pushes what is in the spool to the reader that is attached, until ctx ends. Once accepted
// ends, nothing more comes into the spool. Without a queue nothing can be pushed.
func (l *Listener) feed(ctx, accepted context.Context, queue *spool.Spool) error {
	for ctx.Err() == nil {
		switch r := l.reader.Load(); {
		case r == nil, r.ended:
		case queue == nil:
			r.end()
		default:
			l.feedReader(ctx, accepted, queue, r)
		}
		select {
		case <-l.attached:
		case <-ctx.Done():
		}
	}
	return nil
}

// feedReader pushes to r, in order, until it detaches, ctx ends or r has all.
func (l *Listener) feedReader(ctx, accepted context.Context, queue *spool.Spool, r *reader) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(r.gone, stop)()
	waiting, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	defer context.AfterFunc(accepted, stopWaiting)()
	acked := l.acked.Load()
	queue.Rewind(max(r.fed, acked.number.Load()))
	for {
		entry, err := queue.Next(waiting)
		switch {
		case ctx.Err() != nil, errors.Is(err, spool.ErrClosed):
			return
		case err != nil && errors.Is(err, waiting.Err()):
			r.end()
			return
		case err != nil && accepted.Err() != nil: // `end` and --once would wait for a disk
			l.notHandedOver(err)
			r.end()
			return
		case err != nil:
			l.log.Error("the spool cannot be read, trying again: " + err.Error())
			if retry.Sleep(ctx, 10*retryAfter) != nil {
				return
			}
			continue
		}
		size := int64(min(len(entry.Data), aheadBytes))
		if r.ahead.Acquire(ctx, size) != nil {
			return
		}
		push := l.push(entry)
		push.Size = len(entry.Data)
		push.Taken = func() { r.ahead.Release(size) }
		push.Done = func() { l.acknowledge(acked, entry.Number) }
		select {
		case r.pushes <- push:
			r.fed = entry.Number
		case <-ctx.Done():
			push.Taken()
			return
		}
	}
}
