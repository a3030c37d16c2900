// Package listen turns what ZITADEL's actions send into pushes for a reader. It
// runs the endpoint of package webhook and its spool.
//
// An entry leaves the spool when its record is acknowledged. Until then it is
// pushed again at every start, and to every reader that attaches. A reader drops the
// events that it knows.
//
// At the end of a process, [Listener.Drain] comes first: nothing more is accepted, and the
// readers learn when they have all that was. What they leave stays in the spool.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/fault"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/redact/payload"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

const (
	// retryAfter is the pause while an old instance of a reload still has the
	// address or the spool, and remindAfter is how often that is logged.
	retryAfter  = 500 * time.Millisecond
	remindAfter = time.Minute
	// queueAhead is how many pushes wait for the reader in memory, and aheadBytes
	// is the limit of their bytes, except for a single larger one: decoded, one
	// byte of a body of many small parts takes forty.
	queueAhead = 64
	aheadBytes = 1 << 20
)

// Listener receives webhooks for one reader at a time.
type Listener struct {
	settings config.ListenSettings
	instance string
	log      *slog.Logger
	endpoint *webhook.Endpoint
	spool    atomic.Pointer[spool.Spool] // nil until it is open
	bound    atomic.Pointer[string]      // the address, once there is one
	reader   atomic.Pointer[reader]      // the last one that attached; nil before
	attached chan struct{}               // there is another reader

	leftOut atomic.Uint64 // entries that cannot be read

	acked  atomic.Pointer[acknowledged]
	retire chan struct{}

	accepting     context.Context // ends with Drain
	stopAccepting context.CancelFunc

	// For tests that make them fail.
	decode func([]byte) (webhook.Message, error)
	listen func(network, address string) (net.Listener, error)
}

// acknowledged is how far the entries of one spool are.
type acknowledged struct{ number atomic.Uint64 }

// Open checks the options and reads the files that they name. Run takes the
// address and the spool: at a reload the old instance may still have them.
func Open(s config.Settings, log *slog.Logger) (*Listener, error) {
	l := &Listener{settings: s.Listen, instance: s.Instance, log: log,
		attached: make(chan struct{}, 1), retire: make(chan struct{}, 1), decode: webhook.Decode, listen: net.Listen}
	l.acked.Store(new(acknowledged))
	l.accepting, l.stopAccepting = context.WithCancel(context.Background())
	var err error
	l.endpoint, err = webhook.New(s, l, log)
	return l, err
}

var errNotOpen = errors.New("the spool is not open yet")

// OnCall has f called with each API call that is received, at once. Call it before Run.
func (l *Listener) OnCall(f func(*webhook.Execution)) { l.endpoint.OnCall = f }

// OnLost makes f see the time of each verified request that may have been a call and was
// refused. It is set before Run.
func (l *Listener) OnLost(f func(signed time.Time)) { l.endpoint.OnLost = f }

// Append puts entries into the spool. It is for the endpoint.
func (l *Listener) Append(ctx context.Context, entries ...[]byte) error {
	s := l.spool.Load()
	if s == nil {
		return errNotOpen
	}
	return s.Append(ctx, entries...)
}

// Drain ends the accepting of webhooks: requests under way are answered, and the address is given
// up. Run and Keep go on until their contexts end, and close the pushes of a reader once it has
// all that is in the spool. Drain does not wait, and may be called again.
func (l *Listener) Drain() { l.stopAccepting() }

// Addr is where it listens; empty before it does.
func (l *Listener) Addr() string {
	if a := l.bound.Load(); a != nil {
		return *a
	}
	return ""
}

// Accepted counts requests that are in the spool.
func (l *Listener) Accepted() uint64 { return l.endpoint.Stats.Accepted.Load() }

// Refused counts requests that were refused.
func (l *Listener) Refused() (n uint64) {
	for _, r := range webhook.Reasons() {
		n += l.endpoint.Stats.Refused(r)
	}
	return n
}

// Repeated counts requests that were accepted before.
func (l *Listener) Repeated() uint64 { return l.endpoint.Stats.Repeated.Load() }

// Unknown counts accepted webhook requests of an unknown form.
func (l *Listener) Unknown() uint64 { return l.endpoint.Stats.Unknown.Load() }

// LeftOut counts entries of the spool that cannot be read.
func (l *Listener) LeftOut() uint64 { return l.leftOut.Load() }

// Spooled is how many entries are not acknowledged.
func (l *Listener) Spooled() uint64 {
	if s := l.spool.Load(); s != nil {
		return s.Usage().Entries
	}
	return 0
}

// RefusedBy returns the refused requests by the names of the reasons.
func (l *Listener) RefusedBy() map[string]uint64 {
	by := map[string]uint64{}
	for _, r := range webhook.Reasons() {
		if n := l.endpoint.Stats.Refused(r); n > 0 {
			by[r.String()] = n
		}
	}
	return by
}

// Usage is what is in the spool; zero before it is open.
func (l *Listener) Usage() spool.Usage {
	if s := l.spool.Load(); s != nil {
		return s.Usage()
	}
	return spool.Usage{MaxBytes: int64(l.settings.SpoolSize)}
}

// Run listens and pushes until ctx ends, and then releases address and spool. It
// waits for an old instance that still has them, and returns any other error. It
// may be called again, and then goes on behind what was pushed to the reader,
// acknowledged or not.
func (l *Listener) Run(ctx context.Context) (err error) {
	starting, started := l.untilDrain(ctx)
	defer started()
	queue, err := acquire(starting, l, "the spool", spool.ErrLocked, func() (*spool.Spool, error) {
		return spool.Open(l.settings.SpoolPath, spool.Options{MaxBytes: int64(l.settings.SpoolSize), Log: l.log})
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	l.spool.Store(queue)
	l.checkNumbers(queue)
	listener, err := l.bind(starting, queue)
	if err != nil && (l.accepting.Err() == nil || ctx.Err() != nil) {
		return err
	}

	tasks, running := errgroup.WithContext(ctx)
	// Not of running: a server that fails is no reason to tell the reader that nothing more comes.
	accepted, complete := context.WithCancel(context.Background())
	defer complete()
	tasks.Go(func() error {
		if err := l.serve(running, listener); err != nil {
			return err
		}
		if l.accepting.Err() != nil {
			complete()
		}
		return nil
	})
	tasks.Go(func() error {
		return l.contain(func() error { return l.feed(running, accepted, queue) })
	})
	tasks.Go(func() error {
		return l.contain(func() error { return l.retireDone(running, queue) })
	})
	err = tasks.Wait()
	if n := queue.Usage().Entries; n > 0 && ctx.Err() != nil {
		l.log.Warn("webhooks that were accepted and not handed over stay in the spool, and come out after the next start with this spool_path", "waiting", n, "spool_path", l.settings.SpoolPath)
	}
	return err
}

// untilDrain is ctx until Drain is called.
func (l *Listener) untilDrain(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	if l.accepting.Err() != nil {
		stop() // AfterFunc would do it some time later
	}
	release := context.AfterFunc(l.accepting, stop)
	return ctx, func() { release(); stop() }
}

// bind takes the address.
func (l *Listener) bind(ctx context.Context, queue *spool.Spool) (net.Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listener, err := acquire(ctx, l, "the address", syscall.EADDRINUSE, func() (net.Listener, error) {
		listener, err := l.listen("tcp", l.settings.Address)
		if err != nil {
			return nil, fmt.Errorf("webhook_listen %q: %w", l.settings.Address, err)
		}
		return listener, nil
	})
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	l.bound.Store(&address)
	l.log.Info("webhooks are received", "webhook_listen", address, "spool_path", l.settings.SpoolPath, "waiting", queue.Usage().Entries)
	return listener, nil
}

// serve accepts webhooks until ctx ends or Drain is called. Without a listener there are none.
func (l *Listener) serve(ctx context.Context, listener net.Listener) error {
	if listener == nil {
		return nil
	}
	defer l.bound.Store(nil)
	accepting, stop := l.untilDrain(ctx)
	defer stop()
	return l.contain(func() error { return l.endpoint.Serve(accepting, listener) })
}

// contain turns a panic into an error, with the stack in the log.
func (l *Listener) contain(f func() error) error {
	err := fault.Contain(f)
	if panicked, ok := errors.AsType[*fault.Error](err); ok {
		l.log.Error("webhooks: panic\n" + panicked.Stack)
	}
	return err
}

// Keep calls Run again and again until ctx ends, and logs what keeps it from
// listening. Pulling goes on meanwhile.
func (l *Listener) Keep(ctx context.Context) {
	accepting, stop := l.untilDrain(ctx)
	defer stop()
	for {
		last := l.accepting.Err() != nil
		err := l.contain(func() error { return l.Run(ctx) })
		switch {
		case ctx.Err() != nil:
			if err != nil && !errors.Is(err, ctx.Err()) {
				l.log.Error("webhooks: " + err.Error())
			}
			return
		case last, l.accepting.Err() != nil && errors.Is(err, context.Canceled):
			if !errors.Is(err, context.Canceled) { // another process has the spool, which was logged
				l.notHandedOver(err)
			}
			_ = l.feed(ctx, l.accepting, nil)
			return
		}
		l.log.Error(fmt.Sprintf("webhooks are not received, trying again in %s: %v", remindAfter, err))
		if _ = retry.Sleep(accepting, remindAfter); ctx.Err() != nil { // Drain ends it too: one more attempt
			return
		}
	}
}

// notHandedOver logs why the end does not wait for what is in the spool.
func (l *Listener) notHandedOver(err error) {
	l.log.Error(fmt.Sprintf("webhooks that are in the spool cannot be handed over, and stay there: %v", err), "spool_path", l.settings.SpoolPath)
}

// acquire tries until it works, ctx ends, or the error is another one than busy.
func acquire[T any](ctx context.Context, l *Listener, what string, busy error, try func() (T, error)) (T, error) {
	failures := outage.Log{Remind: remindAfter}
	for {
		v, err := try()
		if err == nil || !errors.Is(err, busy) {
			return v, err
		}
		if failures.Failed(err) {
			l.log.Warn("webhooks cannot be received yet, another process or instance has "+what+", trying again: "+err.Error(), "fix", "another webhook_listen or spool_path, or stop the other one")
		}
		if ended := retry.Sleep(ctx, retryAfter); ended != nil {
			return v, fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// push decodes an entry. The push is empty if the entry cannot be read.
func (l *Listener) push(entry spool.Entry) (p events.Push) {
	err := l.contain(func() (err error) {
		p, err = l.read(entry.Data)
		return err
	})
	if err != nil {
		l.leftOut.Add(1)
		l.log.Error("an entry of the spool cannot be read and is left out: an event comes by pulling, an API call or a login is lost", "entry", entry.Number, "error", err)
		return events.Push{}
	}
	return p
}

func (l *Listener) read(entry []byte) (p events.Push, err error) {
	message, err := l.decode(entry)
	if err != nil {
		return p, err
	}
	switch m := message.(type) {
	case *webhook.Event:
		p.Event = m.Event
	case *webhook.Execution:
		r := m.Record(l.instance)
		payload.Record(&r)
		p.Record = &r
	case *webhook.Login:
		m.Record.Instance = l.instance
		p.Record = &m.Record
	}
	return p, nil
}

// acknowledge is called on the host's thread, and so must not wait.
func (l *Listener) acknowledge(acked *acknowledged, number uint64) {
	for {
		old := acked.number.Load()
		if number <= old {
			return
		}
		if acked.number.CompareAndSwap(old, number) {
			break
		}
	}
	select {
	case l.retire <- struct{}{}:
	default:
	}
}

// retireDone removes acknowledged entries from the spool.
func (l *Listener) retireDone(ctx context.Context, queue *spool.Spool) error {
	acked := l.acked.Load()
	var logged sync.Once
	for {
		select {
		case <-l.retire:
		case <-ctx.Done():
			return queue.Done(acked.number.Load())
		}
		if err := queue.Done(acked.number.Load()); err != nil {
			logged.Do(func() {
				l.log.Error("the spool cannot note which entries are done, they come again after a restart: " + err.Error())
			})
		}
	}
}
