// Package input is the heart of the Fluent Bit input plugin, in plain Go: it
// stands between a reader that waits for the network and a host that calls
// once a second and must never wait.
//
// What it promises: the cursor moves after the host has taken the records, and
// for no other reason. A chunk that the host refuses is offered again, one that
// it took is not. Memory for what is under way is bounded, and reading waits.
// A panic on our side ends neither the host nor the reading.
//
// What it cannot promise: where the host tells nothing (an input thread, a host
// without flb_input_log_append) the cursor only stays behind by a delay, see
// [Pipe.Delay].
package input

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/listen"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

const (
	// maxChunk is where a chunk is closed. Fluent Bit makes one append one
	// piece of a chunk, and its own chunks aim at 2 MB.
	maxChunk = 2_000_000
	// maxGroup is how many bytes of several batches share one cursor step when
	// the host is slow: a backlog then costs few fsyncs. It is one chunk, so that
	// between taking and committing there is time for nothing else.
	maxGroup = maxChunk
	// maxPrepared bounds the prepared cursor files of what waits for the host. It
	// is as many as one call of the host can take when each group is half full.
	// With a delay, those that wait for their time come on top.
	maxPrepared = 32
	// groupCost is what a group weighs beyond its records, so that any number
	// of tiny ones is bounded too.
	groupCost = 1024
)

// Puller reads batches and gives each to emit, which may block. Run returns nil
// when everything that was asked for is read.
type Puller interface {
	Run(ctx context.Context, emit events.Emit) error
}

// Cursor makes a state durable in two steps; see [cursor.File].
type Cursor interface {
	// Prepare writes the state beside the one that counts. It may be slow.
	Prepare(cursor.State) (Pending, error)
}

// Pending is a prepared state. Commit makes it count, and drops those prepared
// before it. It is called by the host's thread and must be quick.
type Pending interface {
	Commit() error
}

// doneAfter tells who gave the group that its state is stored.
type doneAfter struct {
	Pending
	done func()
}

func (d doneAfter) Commit() error {
	if err := d.Pending.Commit(); err != nil {
		return err
	}
	d.done()
	return nil
}

// instead returns later, which makes up for earlier, and for whom it told.
func instead(earlier, later Pending) Pending {
	if told, ok := earlier.(doneAfter); ok {
		if _, ok := later.(doneAfter); !ok {
			return doneAfter{later, told.done}
		}
	}
	return later
}

// Options of a [Pipe]. The functions are required.
type Options struct {
	// NewPuller makes a reader that goes on after the given state. It is called
	// again after every error and panic.
	NewPuller func(cursor.State) (Puller, error)
	// Redact removes what must never leave; Encode appends one Fluent Bit event.
	Redact func(*record.Record)
	Encode func([]byte, *record.Record) []byte
	// EncodeOther is Encode for what came by push and is of another kind.
	EncodeOther func([]byte, events.Other) []byte

	Instance   string // label, for the figures
	Tag        string // the host's own tag, the base of TagBy
	TagBy      string // "none", "aggregate_type" or "event_type"
	BufferSize int    // bytes under way, at most; one batch may exceed it
	Log        *slog.Logger

	// Webhooks, where there are any, are counted in the figures.
	Webhooks *listen.Listener
	// ReaderStats are those of every reader that NewPuller makes.
	ReaderStats *events.Stats
	// Heartbeat is how often a record with the figures comes in between; 0 is
	// never. Beat appends it, in the form of Encode.
	Heartbeat time.Duration
	Beat      func([]byte, Figures) []byte
	// Refusal is told when the host takes nothing for long.
	Refusal string
	// EndOnError makes an error end Run, instead of a new attempt after a while.
	EndOnError bool
}

// Stats counts since the start of the process.
type Stats struct {
	Read     atomic.Uint64 // records that came from the reader
	Taken    atomic.Uint64 // records that the host took
	Refused  atomic.Uint64 // chunks that the host refused, each time
	Restarts atomic.Uint64 // readers that ended with an error or a panic
	Panics   atomic.Uint64
	Damaged  atomic.Uint64 // records that came out without their payload, or not at all

	newest    atomic.Int64 // creation date of the youngest record taken, Unix µs; 0: none
	lastTaken atomic.Int64 // when the host last took a chunk, Unix µs; 0: never
}

// Pipe connects one reader to one host. [Pipe.Run] fills it on a goroutine of
// ours, and the host's thread empties it with [Pipe.Drain], or with [Pipe.Next]
// and [Pipe.Done] where the host cannot say what it took.
type Pipe struct {
	o      Options
	cursor Cursor // set by Run
	Stats  Stats

	scratch []byte // emit's: one encoded record

	mu       sync.Mutex // never held during I/O
	incoming []*group   // encoded, their state not on disk yet
	ready    []*group   // prepared
	bytes    int        // of both
	waiting  time.Time  // since when the host takes none of them; zero: there are none
	last     cursor.State
	beat     []byte // a heartbeat that the host has not taken
	readAll  bool   // nothing more comes from the reader
	prepared bool   // nothing more becomes ready
	closed   bool
	changed  chan struct{} // closed and replaced when something above changes

	host handover
}

// NewPipe returns an idle pipe.
func NewPipe(o Options) *Pipe {
	if o.ReaderStats == nil {
		o.ReaderStats = new(events.Stats)
	}
	return &Pipe{o: o, changed: make(chan struct{})}
}

// signal wakes who waits for a change. p.mu is held.
func (p *Pipe) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// waitFor returns with p.mu held once ok does, or without it and with the
// context's error. ok is called with p.mu held.
func (p *Pipe) waitFor(ctx context.Context, ok func() bool) error {
	p.mu.Lock()
	for !ok() {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
	return nil
}

var errClosed = errors.New("the input is stopped")

// emit takes a batch from the reader: it waits for room, then redacts, encodes
// and queues it. Once it returns nil, a new reader starts after this batch.
func (p *Pipe) emit(ctx context.Context, b events.Batch) error {
	if err := p.waitFor(ctx, func() bool { return p.closed || p.bytes < p.o.BufferSize }); err != nil {
		return err
	}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return errClosed
	}

	g := p.encode(b)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.Stats.Read.Add(uint64(g.events))
	p.last = b.State
	if p.bytes == 0 {
		p.waiting = time.Now()
	}
	if n := len(p.incoming); n > 0 && p.incoming[n-1].fits(g) {
		p.bytes += p.incoming[n-1].merge(g)
	} else {
		p.bytes += g.bytes
		p.incoming = append(p.incoming, g)
	}
	p.signal()
	return nil
}

// prepare makes the state of each group durable before the host may have the
// group, until ctx ends or nothing more comes.
func (p *Pipe) prepare(ctx context.Context) error {
	for {
		err := p.waitFor(ctx, func() bool {
			return len(p.incoming) > 0 && len(p.ready) < maxPrepared || len(p.incoming) == 0 && p.readAll
		})
		if err != nil {
			return err
		}
		if len(p.incoming) == 0 {
			p.mu.Unlock()
			return nil
		}
		g := p.incoming[0]
		g.sealed = true
		p.mu.Unlock()

		pending, err := p.prepareState(ctx, g.state)
		if err != nil {
			return err
		}
		g.pending = pending
		if g.done != nil {
			g.pending = doneAfter{pending, g.done}
		}

		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		p.incoming[0] = nil
		p.incoming = p.incoming[1:]
		p.ready = append(p.ready, g)
		p.signal()
		p.mu.Unlock()
	}
}

const (
	prepareFirst = time.Second
	prepareMost  = 30 * time.Second
)

// prepareState outlasts a full disk: nothing is handed over meanwhile.
func (p *Pipe) prepareState(ctx context.Context, s cursor.State) (Pending, error) {
	said := ""
	for wait := prepareFirst; ; wait = min(2*wait, prepareMost) {
		pending, err := p.cursor.Prepare(s)
		if err == nil {
			if said != "" {
				p.o.Log.Info("state can be written again")
			}
			return pending, nil
		}
		if p.o.EndOnError {
			return nil, err
		}
		if text := err.Error(); text != said {
			said = text
			p.o.Log.Error("state cannot be written, reading waits", "error", err)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the handing over: what the host has not taken is dropped, and read
// again by the next start, since its state was not committed. It waits for a
// [Pipe.Drain] that is under way, until ctx ends.
func (p *Pipe) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.incoming, p.ready, p.bytes, p.beat, p.waiting = nil, nil, 0, nil, time.Time{}
	p.signal()
	p.mu.Unlock()
	for !p.host.mu.TryLock() {
		if err := sleep(ctx, time.Millisecond); err != nil {
			return errors.New("the host is still taking a chunk")
		}
	}
	p.host.mu.Unlock()
	return nil
}

// Await returns once [Pipe.Drain] has something to offer, or with [io.EOF] once
// the host has taken all and nothing more comes, or with the context's error.
func (p *Pipe) Await(ctx context.Context) error {
	if err := p.waitFor(ctx, func() bool { return len(p.ready) > 0 || p.beat != nil || p.prepared || p.closed }); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if len(p.ready) > 0 || p.beat != nil && !p.prepared {
		return nil
	}
	return io.EOF
}

// UnderWay is how many bytes were read and not yet taken.
func (p *Pipe) UnderWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// WaitingSince is when what is under way began to wait for the host, or when
// the host last took some of it; zero where nothing is under way.
func (p *Pipe) WaitingSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}
