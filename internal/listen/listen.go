// Package listen makes pushes of what ZITADEL's actions send: the endpoint of
// package webhook, its spool, and the way from there to a reader.
//
// An entry leaves the spool when what it became is acknowledged. Until then it
// comes again with every start, and the reader drops the events that it knows.
package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/redact"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/parser"
)

const (
	// retryAfter is the pause where an old instance of a reload still has the
	// address or the spool.
	retryAfter = 500 * time.Millisecond
	// remindAfter is how often that is told.
	remindAfter = time.Minute
	// queueAhead are pushes that wait for the reader in memory, and aheadBytes
	// what their entries have together, unless it is one: decoded, a byte of a
	// body of many small parts takes forty.
	queueAhead = 64
	aheadBytes = 1 << 20
	// lookAgain is how soon it is seen that the reader took some, where bytes are the bound.
	lookAgain = 5 * time.Millisecond
)

// Listener receives webhooks for one reader.
type Listener struct {
	settings config.ListenSettings
	instance string
	log      *slog.Logger
	endpoint *webhook.Endpoint
	spool    atomic.Pointer[spool.Spool] // nil until it is open
	bound    atomic.Pointer[string]      // the address, once there is one
	pushes   chan events.Push

	leftOut atomic.Uint64 // entries that cannot be read

	// Of feed alone: Run is not called twice at a time.
	fed   uint64 // the last entry that was pushed
	sizes []int  // of the entries that were pushed last

	acked  atomic.Pointer[acknowledged]
	retire chan struct{}

	// For tests that make them fail.
	decode func([]byte) (webhook.Message, error)
	listen func(network, address string) (net.Listener, error)
}

// acknowledged is how far the entries of one spool are.
type acknowledged struct{ number atomic.Uint64 }

// Open checks the options and reads the files that they name. The address and
// the spool are taken by Run: at a reload the instance before may still have them.
func Open(s config.Settings, log *slog.Logger) (*Listener, error) {
	l := &Listener{settings: s.Listen, instance: s.Instance, log: log,
		pushes: make(chan events.Push, queueAhead), retire: make(chan struct{}, 1), decode: webhook.Decode, listen: net.Listen}
	l.acked.Store(new(acknowledged))
	var err error
	l.endpoint, err = webhook.New(s, l, log)
	return l, err
}

var errNotOpen = errors.New("the spool is not open yet")

// Append is for the endpoint.
func (l *Listener) Append(ctx context.Context, entries ...[]byte) error {
	s := l.spool.Load()
	if s == nil {
		return errNotOpen
	}
	return s.Append(ctx, entries...)
}

// Pushes are for one reader at a time.
func (l *Listener) Pushes() <-chan events.Push { return l.pushes }

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

// Repeated counts requests that came before.
func (l *Listener) Repeated() uint64 { return l.endpoint.Stats.Repeated.Load() }

// Unknown counts accepted requests of no known form.
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

// Run listens and pushes until ctx ends, and then releases address and spool.
// It returns what keeps it from listening, if that is not an instance before.
// It may be called again: it goes on behind what was pushed, acknowledged or not.
func (l *Listener) Run(ctx context.Context) (err error) {
	queue, err := again(ctx, l, "the spool", spool.ErrLocked, func() (*spool.Spool, error) {
		return spool.Open(l.settings.SpoolPath, spool.Options{MaxBytes: int64(l.settings.SpoolSize), Log: l.log})
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	l.spool.Store(queue)
	if behind := queue.Rewind(l.fed); behind < l.fed {
		// Its directory was changed for another one, whose numbers say other things.
		l.fed = behind
		l.acked.Store(new(acknowledged))
	}
	listener, err := again(ctx, l, "the address", syscall.EADDRINUSE, func() (net.Listener, error) {
		listener, err := l.listen("tcp", l.settings.Address)
		if err != nil {
			return nil, fmt.Errorf("listen %q: %w", l.settings.Address, err)
		}
		return listener, nil
	})
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	l.bound.Store(&address)
	defer l.bound.Store(nil)
	l.log.Info("webhooks are received", "listen", address, "spool_path", l.settings.SpoolPath, "waiting", queue.Usage().Entries)

	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error {
		return l.contain(func() error { return l.endpoint.Serve(ctx, listener) })
	})
	tasks.Go(func() error {
		return l.contain(func() error { return l.feed(ctx, queue) })
	})
	tasks.Go(func() error {
		return l.contain(func() error { return l.retireDone(ctx, queue) })
	})
	return tasks.Wait()
}

// contain turns a panic into an error. What it says may be a stranger's words.
func (l *Listener) contain(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			l.log.Error("webhooks: panic\n" + string(debug.Stack()))
			err = fmt.Errorf("panic of type %T (a fault in this program, please report it)", v)
		}
	}()
	return f()
}

// Keep runs again and again until ctx ends, and tells what keeps it from
// listening: pulling goes on meanwhile.
func (l *Listener) Keep(ctx context.Context) {
	for {
		err := l.contain(func() error { return l.Run(ctx) })
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, ctx.Err()) {
				l.log.Error("webhooks: " + err.Error())
			}
			return
		}
		l.log.Error(fmt.Sprintf("webhooks are not received, trying again in %s: %v", remindAfter, err))
		select {
		case <-time.After(remindAfter):
		case <-ctx.Done():
			return
		}
	}
}

// again tries until it works, ctx ends, or the error is another one than busy.
func again[T any](ctx context.Context, l *Listener, what string, busy error, try func() (T, error)) (T, error) {
	var told time.Time
	for {
		v, err := try()
		if err == nil || !errors.Is(err, busy) {
			return v, err
		}
		if now := time.Now(); now.Sub(told) >= remindAfter {
			told = now
			l.log.Warn("webhooks cannot be received yet, somebody else has "+what+", trying again: "+err.Error(), "mend", "another listen or spool_path, or stop the other one")
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
}

// feed pushes what is in the spool, in order, until ctx ends.
func (l *Listener) feed(ctx context.Context, queue *spool.Spool) error {
	acked := l.acked.Load()
	for {
		entry, err := queue.Next(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, spool.ErrClosed):
			return nil
		case err != nil:
			l.log.Error("the spool cannot be read, trying again: " + err.Error())
			select {
			case <-time.After(10 * retryAfter):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if !l.room(ctx, len(entry.Data)) {
			return nil
		}
		push := l.push(entry)
		push.Size = len(entry.Data)
		push.Done = func() { l.acknowledge(acked, entry.Number) }
		select {
		case l.pushes <- push:
			l.fed = entry.Number
			l.sizes = append(l.sizes, push.Size)
		case <-ctx.Done():
			return nil
		}
	}
}

// room waits until size more bytes may be decoded ahead, which the reader does
// not tell. It is false when ctx ends.
func (l *Listener) room(ctx context.Context, size int) bool {
	for {
		l.sizes = slices.Delete(l.sizes, 0, max(0, len(l.sizes)-len(l.pushes)))
		ahead := 0
		for _, n := range l.sizes {
			ahead += n
		}
		if ahead == 0 || ahead+size <= aheadBytes {
			return true
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return false
		}
	}
}

// push is what an entry becomes; nothing where it cannot be read.
func (l *Listener) push(entry spool.Entry) (p events.Push) {
	err := l.contain(func() (err error) {
		p, err = l.read(entry.Data)
		return err
	})
	if err != nil {
		l.leftOut.Add(1)
		l.log.Error("an entry of the spool cannot be read and is left out; an event comes by pulling", "entry", entry.Number, "error", err)
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
		redact.Record(&r)
		p.Other = execution{r}
	case *webhook.Login:
		m.Record.Instance = l.instance
		p.Other = login{m.Record}
	}
	return p, nil
}

// acknowledge is called where nothing may wait.
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

// retireDone takes what is acknowledged out of the spool.
func (l *Listener) retireDone(ctx context.Context, queue *spool.Spool) error {
	acked := l.acked.Load()
	var told sync.Once
	for {
		select {
		case <-l.retire:
		case <-ctx.Done():
			return queue.Done(acked.number.Load())
		}
		if err := queue.Done(acked.number.Load()); err != nil {
			told.Do(func() { l.log.Error("the spool: what is acknowledged comes again after a restart: " + err.Error()) })
		}
	}
}

// execution is a record that the log does not have.
type execution struct{ record.Record }

func (e execution) Type() string                  { return e.Record.Type }
func (e execution) AppendMsgpack(b []byte) []byte { return record.AppendMsgpack(b, &e.Record) }
func (e execution) AppendJSON(b []byte) []byte    { return record.AppendJSON(b, &e.Record) }

// login is the record of a script's message.
type login struct{ parser.Record }

func (r login) Type() string                  { return r.EventType() }
func (r login) AppendMsgpack(b []byte) []byte { return parser.AppendMsgpack(b, &r.Record, 0, nil) }
func (r login) AppendJSON(b []byte) []byte    { return parser.AppendJSON(b, &r.Record) }
