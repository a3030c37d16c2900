package pipe

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
)

const (
	// One call of the host's callback takes at most this much: on the engine's
	// thread everything else waits meanwhile.
	maxDrainBytes = 32_000_000
	maxDrainTime  = 50 * time.Millisecond

	// refusedFirst is how long the host may refuse before that is logged: a pause
	// of some seconds is ordinary backpressure.
	refusedFirst = 30 * time.Second
	refusedAgain = 10 * time.Minute

	// The host calls once a second. A longer silence is a pause.
	maxCallGap = 2 * time.Second
)

// handover is the host's side of a pipe. Its mutex only keeps Close from
// releasing the cursor under a callback.
type handover struct {
	mu sync.Mutex

	next    int        // chunks of ready[0] that were taken
	owed    *step      // taken by the host, but the commit failed
	failing outage.Log // commits
	told    bool       // of failing

	delay   time.Duration
	elapsed time.Duration // of unpaused callbacks
	called  time.Time
	waiting []delayed

	offered []byte   // by Next, until Done
	upTo    int      // chunks of ready[0:] in offered
	beside  []*chunk // in offered, too

	refusedAt time.Time // zero: not refused
	warnAt    time.Time
}

type delayed struct {
	step *step
	due  time.Duration
}

// Delay delays commits by d. It is for a host that may lose what it took: on an
// input thread a chunk lies in memory for up to 250 ms before Fluent Bit stores
// it. Only the time in which the host calls counts, because a paused host stores
// nothing.
func (p *Pipe) Delay(d time.Duration) {
	p.host.mu.Lock()
	p.host.delay = d
	p.host.mu.Unlock()
}

// Add gives the host records: how many, encoded one after the other, and their
// tag (empty: the host's own). It must not keep the bytes, and reports whether
// the host has them now.
type Add func(tag string, data []byte, records int) bool

// Drain offers the ready chunks to the host, in order; a refused one is offered
// again by the next call. It returns at the first end of a step after 32 MB or
// 50 ms: a stop in the middle of a step would repeat its beginning. It does no
// I/O but add and Commit.
func (p *Pipe) Drain(add Add) {
	if !p.host.mu.TryLock() {
		return // Close has it
	}
	defer p.host.mu.Unlock()
	p.tick()

	if !p.offerBeat(add) {
		p.refused()
		return
	}
	start, taken := time.Now(), 0
	for p.host.next > 0 || taken < maxDrainBytes && time.Since(start) < maxDrainTime {
		s := p.head()
		if s == nil {
			return
		}
		if p.host.next < len(s.chunks) {
			c := &s.chunks[p.host.next]
			if !p.give(add, c) {
				p.refused()
				return
			}
			p.accepted()
			taken += len(c.data)
			p.took(c)
			p.host.next++
		}
		if p.host.next == len(s.chunks) {
			p.finish(s)
		}
	}
}

// give offers a chunk to the host. With a limit, its tag says in which of the host's chunks
// it may be.
func (p *Pipe) give(add Add, c *chunk) bool {
	if p.o.Limit.None() {
		return add(c.tag, c.data, c.records)
	}
	return add(p.tags.Tag(cmp.Or(c.tag, p.o.BaseTag), c.size, c.records), c.data, c.records)
}

// Next returns what is ready, about 2 MB, for a host that takes bytes and does not
// say whether it has them; nil if there is nothing. The bytes stay valid until
// [Pipe.Done], and are offered again if Done is not called.
func (p *Pipe) Next() []byte {
	if !p.host.mu.TryLock() {
		return nil
	}
	defer p.host.mu.Unlock()
	p.tick()
	if p.host.offered != nil {
		return p.host.offered
	}

	for s := p.head(); s != nil && p.host.next == len(s.chunks); s = p.head() {
		p.finish(s) // moves the state alone
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	var out []byte
	if p.beat != nil {
		out = append(out, p.beat.data...)
		p.beat = nil
	}
	for _, c := range p.beside {
		out = append(out, c.data...)
	}
	p.host.beside, p.beside = p.beside, nil
	n, skip := 0, p.host.next
	for _, s := range p.ready {
		for _, c := range s.chunks[skip:] {
			if len(out) > 0 && len(out)+len(c.data) > maxChunk {
				p.host.offered, p.host.upTo = out, n
				return out
			}
			out = append(out, c.data...)
			n++
		}
		skip = 0
	}
	p.host.offered, p.host.upTo = out, n
	return out
}

// Done says that the host has what [Pipe.Next] gave last.
func (p *Pipe) Done() {
	if !p.host.mu.TryLock() {
		return
	}
	defer p.host.mu.Unlock()
	n := p.host.upTo
	p.host.offered, p.host.upTo = nil, 0
	for _, c := range p.host.beside {
		p.sayTaken(c)
	}
	p.host.beside = nil
	for s := p.head(); s != nil; s = p.head() {
		for ; n > 0 && p.host.next < len(s.chunks); n-- {
			p.took(&s.chunks[p.host.next])
			p.host.next++
		}
		if p.host.next < len(s.chunks) {
			return
		}
		p.finish(s)
	}
}

// Begun reports whether the host has a part of a step: a stop would repeat it.
func (p *Pipe) Begun() bool {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.host.next > 0
}

// Owes reports whether the next [Pipe.Drain] has a commit to do, although nothing came: an earlier
// one failed, or its time has not come.
func (p *Pipe) Owes() bool {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.host.owed != nil || len(p.host.waiting) > 0
}

func (p *Pipe) head() *step {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.ready) == 0 || p.lost && p.host.next == 0 {
		return nil
	}
	return p.ready[0]
}

// took releases a chunk.
func (p *Pipe) took(c *chunk) {
	p.Stats.Taken.Add(uint64(c.records))
	p.Stats.lastTaken.Store(time.Now().UnixMicro())
	p.mu.Lock()
	if !p.closed {
		p.release(len(c.data))
	}
	p.signal()
	p.mu.Unlock()
	c.data = nil
}

// finish commits a step whose every chunk was taken, now or after the delay.
func (p *Pipe) finish(s *step) {
	p.mu.Lock()
	if !p.closed {
		p.ready[0] = nil
		p.ready = p.ready[1:]
		p.release(stepCost)
	}
	p.signal()
	p.mu.Unlock()
	p.host.next = 0
	if at := s.newest.UnixMicro(); !s.newest.IsZero() && at > p.Stats.newest.Load() {
		p.Stats.newest.Store(at) // only the host's thread comes here
	}
	if p.host.delay == 0 && len(p.host.waiting) == 0 {
		p.commit(s)
		return
	}
	p.host.waiting = append(p.host.waiting, delayed{s, p.host.elapsed + p.host.delay})
}

// release notes that the host took some of what was under way. p.mu is held.
func (p *Pipe) release(bytes int) {
	p.bytes -= bytes
	p.waiting = time.Now()
	if p.bytes == 0 {
		p.waiting = time.Time{}
	}
}

// tick runs once per call of the host: it does the commits that are due.
func (p *Pipe) tick() {
	now := time.Now()
	if !p.host.called.IsZero() {
		p.host.elapsed += min(now.Sub(p.host.called), maxCallGap)
	}
	p.host.called = now
	if p.isClosed() {
		return
	}
	var due *step
	for len(p.host.waiting) > 0 && p.host.waiting[0].due <= p.host.elapsed {
		due = instead(due, p.host.waiting[0].step)
		p.host.waiting = p.host.waiting[1:]
	}
	if due != nil {
		p.commit(due)
	} else if p.host.owed != nil {
		p.commit(p.host.owed)
	}
}

// commit moves the state. After a failure the next call tries again; a later
// step covers this one as well.
func (p *Pipe) commit(s *step) {
	s = instead(p.host.owed, s)
	err := s.commit()
	if errors.Is(err, cursor.ErrLost) {
		p.host.owed = nil
		p.host.failing.Worked()
		p.giveUp(err)
		return
	}
	if err != nil {
		p.host.owed = s
		if p.host.failing.Failed(err) && !errors.Is(err, cursor.ErrTold) {
			p.host.told = true
			p.o.Log.Error("state cannot be saved: after a restart events come out twice", "error", err)
		}
		return
	}
	p.host.owed = nil
	if _, ended := p.host.failing.Worked(); ended && p.host.told {
		p.o.Log.Info("state is saved again")
	}
	p.host.told = false
}

// refused logs that the host takes nothing for a long time.
func (p *Pipe) refused() {
	p.Stats.Refused.Add(1)
	now := time.Now()
	if p.host.refusedAt.IsZero() {
		p.host.refusedAt, p.host.warnAt = now, now.Add(refusedFirst)
	}
	if now.Before(p.host.warnAt) {
		return
	}
	p.host.warnAt = now.Add(refusedAgain)
	p.o.Log.Warn(p.o.Refusal+"; nothing is lost, reading waits",
		"since", now.Sub(p.host.refusedAt).Round(time.Second))
}

func (p *Pipe) accepted() {
	if !p.host.refusedAt.IsZero() && time.Since(p.host.refusedAt) >= refusedFirst {
		p.o.Log.Info("records are taken again", "after", time.Since(p.host.refusedAt).Round(time.Second))
	}
	p.host.refusedAt = time.Time{}
}

func (p *Pipe) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
