// Package pipe stands between a source, which waits for the network, and a host
// that takes records: Fluent Bit, which calls once a second and must never wait,
// or the loop that feeds a sink.
//
// What it promises: the state of the source is committed after the host has
// taken the records, and for no other reason. A chunk that the host refuses is
// offered again; one that it took is not. Memory for what is under way is
// bounded, and reading waits. A panic in our code ends neither the host nor the
// reading.
//
// What it cannot promise: a host that does not say whether it took the records
// (an input thread, a Fluent Bit without flb_input_log_append). Then commits are
// only delayed, see [Pipe.Delay].
package pipe

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/chunks"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/metric"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/retry"
)

const (
	// maxChunk is the size at which a chunk is closed. Fluent Bit makes one append
	// one piece of a chunk, and its own chunks aim at 2 MB.
	maxChunk = 2_000_000
	// maxStep is how many bytes of several batches share one step when the host is
	// slow: a backlog then costs few fsyncs. It is one chunk, so that a crash
	// between taking and committing repeats no more than that.
	maxStep = maxChunk
	// maxPrepared bounds the prepared state files of the steps that wait for the
	// host. It is as many as one call of the host can take if each step is half
	// full. With a delay, those that wait for their time come on top.
	maxPrepared = 32
	// stepCost is what a step weighs beyond its records, so that the number of
	// tiny ones is bounded too.
	stepCost = 1024
)

// Batch is what a source gives at once.
type Batch struct {
	Records []record.Record // may be empty: only the state has moved on
	Newest  time.Time       // newest creation date in Records, for lag_seconds; may be zero
	// State is the one after this batch and every earlier one.
	State State
	// Done, if not nil, is called once State or a later one is committed. It must
	// be quick.
	Done func()
}

// State is a source's place in what it reads. The pipe only stores it, in two
// steps; see package cursor.
type State interface {
	// Prepare writes the state beside the one that counts. It may be slow. After
	// an error it may be called again.
	Prepare() (Pending, error)
}

// Pending is a prepared state. Commit makes it count, and drops those prepared
// before it. It is called on the host's thread and must be quick.
type Pending interface {
	Commit() error
}

// Emit takes a batch over. It may block; reading waits then.
type Emit func(context.Context, Batch) error

// Read is a source: it emits batches until everything is read, which is no
// error, or until ctx ends. It is called again after an error and after a panic,
// and then goes on behind the last batch for which emit returned nil.
type Read func(ctx context.Context, emit Emit) error

// Options of a [Pipe].
type Options struct {
	Log *slog.Logger
	// Encode may panic: the record then comes out without its payload, or is
	// left out, and both are logged and counted.
	Encode record.Encoder
	// Derived returns records that r gave rise to while it was encoded, such as alerts. They
	// go into the step of r. May be nil.
	Derived func(r record.Record) []record.Record
	// Tag returns the tag of a record, or nothing for the host's own. Nil: always
	// nothing.
	Tag func(record.Record) string
	// Limit bounds the chunks that the host makes of what it takes. Each then gets a tag of its
	// own, which begins with the record's, or with BaseTag if it has none. The records must be
	// Fluent Bit events.
	Limit      chunks.Limit
	BaseTag    string
	BufferSize int // limit of the bytes under way; one batch may exceed it
	// Refusal is logged if the host takes nothing for a long time.
	Refusal string
	// EndOnError makes an error end Run, instead of a new attempt after a while.
	EndOnError bool

	Instance  string        // label, for the heartbeat
	Heartbeat time.Duration // interval of records with the metrics; 0: none
	// Beside returns records that belong to no batch, such as the alert that nothing
	// comes. Run calls it every BesideEvery. May be nil.
	Beside      func(now time.Time) []record.Record
	BesideEvery time.Duration
	// BesideTaken gets each record of Beside, and each that derives from a heartbeat, once
	// the host has it. It is called on the host's thread and must be quick. May be nil.
	BesideTaken func(record.Record)
	// Metrics adds those of the source. May be nil.
	Metrics func(*metric.Snapshot)
}

// Stats counts since the start of the process.
type Stats struct {
	Read     atomic.Uint64 // records that came from the source
	Taken    atomic.Uint64 // records that the host took
	Refused  atomic.Uint64 // refusals of the host; a chunk may be refused many times
	Restarts atomic.Uint64 // readings that ended with an error or a panic
	Panics   atomic.Uint64
	Damaged  atomic.Uint64 // records that came out without their payload, or not at all
	// BesideDropped counts records of Options.Beside, and of what derives from heartbeats,
	// that were dropped because the host took nothing for long.
	BesideDropped atomic.Uint64

	newest    atomic.Int64 // of what was taken, Unix µs; 0: none
	lastTaken atomic.Int64 // when the host last took a chunk, Unix µs; 0: never
}

// Pipe connects one source to one host. [Pipe.Run] fills it on goroutines of
// ours. The host's thread empties it with [Pipe.Drain], or with [Pipe.Next] and
// [Pipe.Done] if the host cannot say what it took.
type Pipe struct {
	o     Options
	Stats Stats

	scratch []byte // emit's: one encoded record
	tags    *chunks.Tags

	mu       sync.Mutex // never held during I/O
	incoming []*step    // encoded, their state not on disk yet
	ready    []*step    // prepared
	bytes    int        // of both
	waiting  time.Time  // since when the host takes none of them; zero: there are none
	beat     *chunk     // a heartbeat that the host has not taken
	beside   []*chunk   // other records that belong to no step, such as alerts of heartbeats
	readAll  bool       // nothing more comes from the source
	prepared bool       // nothing more becomes ready
	// preparing says that a task of Run prepares what is incoming. It exists only while something
	// is: an idle source does without it.
	preparing      bool
	startPreparing func()
	closed         bool
	lost           bool          // another process may have the source: no state can be committed
	changed        chan struct{} // closed and replaced when something above changes

	host handover

	unprepared outage.Log // states that cannot be written
	stopped    outage.Log // a task of Run, between an error and the next attempt
}

// New returns an idle pipe.
func New(o Options) *Pipe {
	if o.Tag == nil {
		o.Tag = func(record.Record) string { return "" }
	}
	return &Pipe{o: o, tags: chunks.NewTags(o.Limit), changed: make(chan struct{})}
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

// emit waits for room, then encodes the batch and queues it.
func (p *Pipe) emit(ctx context.Context, b Batch) error {
	if err := p.waitFor(ctx, func() bool { return p.closed || p.bytes < p.o.BufferSize }); err != nil {
		return err
	}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return errClosed
	}

	s := p.encode(b)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.Stats.Read.Add(uint64(s.records))
	if p.bytes == 0 {
		p.waiting = time.Now()
	}
	if n := len(p.incoming); n > 0 && p.incoming[n-1].fits(s) {
		p.bytes += p.incoming[n-1].merge(s)
	} else {
		p.bytes += s.bytes
		p.incoming = append(p.incoming, s)
	}
	if !p.preparing && !p.prepared {
		p.preparing = true
		p.startPreparing()
	}
	p.signal()
	return nil
}

// prepare makes the state of each step durable before the host may have the
// step, until ctx ends or nothing is incoming.
func (p *Pipe) prepare(ctx context.Context) error {
	for {
		err := p.waitFor(ctx, func() bool {
			return len(p.incoming) == 0 || len(p.ready) < maxPrepared || p.closed
		})
		if err != nil {
			return err
		}
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		if len(p.incoming) == 0 {
			p.preparing = false
			p.prepared = p.readAll
			p.signal()
			p.mu.Unlock()
			return nil
		}
		s := p.incoming[0]
		s.sealed = true
		p.mu.Unlock()

		if s.pending, err = p.prepareState(ctx, s.state); err != nil {
			return err
		}

		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		p.incoming[0] = nil
		p.incoming = p.incoming[1:]
		p.ready = append(p.ready, s)
		p.signal()
		p.mu.Unlock()
	}
}

// prepareState tries until the state is on disk, for example until a full disk
// has room. Nothing is handed over meanwhile.
func (p *Pipe) prepareState(ctx context.Context, s State) (Pending, error) {
	backoff := retry.New(time.Second, 30*time.Second)
	for {
		pending, err := s.Prepare()
		if err == nil {
			if _, ended := p.unprepared.Worked(); ended {
				p.o.Log.Info("state can be written again")
			}
			return pending, nil
		}
		if errors.Is(err, cursor.ErrLost) {
			p.giveUp(err)
			return nil, errClosed
		}
		if p.o.EndOnError {
			return nil, err
		}
		if p.unprepared.Failed(err) {
			p.o.Log.Error("state cannot be written, reading waits", "error", err)
		}
		if err := backoff.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// giveUp stops the handing over of steps that the host has not begun: the process that holds the
// source now hands them over as well.
func (p *Pipe) giveUp(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		return
	}
	p.lost = true
	p.signal()
	// Thousands of sources can be lost together, and who takes them away says why.
	p.o.Log.Debug("what was not committed comes again from the process that holds the source", "reason", err)
}

// Close drops what the host has not taken. The next start reads it again, since
// its state was not committed. Close waits for a [Pipe.Drain] that is under way,
// until ctx ends.
func (p *Pipe) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.incoming, p.ready, p.bytes, p.beat, p.beside, p.waiting = nil, nil, 0, nil, nil, time.Time{}
	p.signal()
	p.mu.Unlock()
	for !p.host.mu.TryLock() {
		if err := retry.Sleep(ctx, time.Millisecond); err != nil {
			return errors.New("the host is still taking a chunk")
		}
	}
	p.host.mu.Unlock()
	return nil
}

// Await returns once [Pipe.Drain] has something to offer, or with [io.EOF] once
// the host has taken all and nothing more comes, or the source is lost, or with the context's error.
func (p *Pipe) Await(ctx context.Context) error {
	if err := p.waitFor(ctx, func() bool {
		return len(p.ready) > 0 || p.beat != nil || len(p.beside) > 0 || p.prepared || p.closed || p.lost
	}); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if p.lost {
		return io.EOF
	}
	if len(p.ready) > 0 || len(p.beside) > 0 || p.beat != nil && !p.prepared {
		return nil
	}
	return io.EOF
}

// UnderWay is how many bytes were read and are not yet taken.
func (p *Pipe) UnderWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// WaitingSince is when the records under way began to wait for the host, or when
// the host last took some of them. It is zero if there are none.
func (p *Pipe) WaitingSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// StateTrouble returns why the state cannot be written or committed, and since when; an
// empty text if it can.
func (p *Pipe) StateTrouble() (text string, since time.Time) {
	if text, since = p.unprepared.Current(); text != "" {
		return text, since
	}
	return p.host.failing.Current()
}

// Stopped returns what stopped [Pipe.Run], and since when, while it waits for the next
// attempt; an empty text otherwise.
func (p *Pipe) Stopped() (text string, since time.Time) { return p.stopped.Current() }
