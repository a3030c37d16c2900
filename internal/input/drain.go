package input

import (
	"sync"
	"time"
)

const (
	// One call of the host's callback takes at most this much: on the engine's
	// thread everything else waits meanwhile.
	maxDrainBytes = 32_000_000
	maxDrainTime  = 50 * time.Millisecond

	// refusedFirst is how long the host may refuse before it is told; a pause
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

	next  int     // chunks of ready[0] that were taken
	owed  Pending // taken by the host, but the commit failed
	owing string  // why

	delay   time.Duration
	elapsed time.Duration // of unpaused callbacks
	called  time.Time
	waiting []delayed

	offered []byte // by Next, until Done
	upTo    int    // chunks of ready[0:] in offered

	refusedAt   time.Time // zero: not refused
	refusedTell time.Time
}

type delayed struct {
	pending Pending
	due     time.Duration
}

// Delay keeps commits back by d, for a host whose taking is no promise: on an
// input thread a chunk lies in memory for up to 250 ms before Fluent Bit
// stores it. Only time in which the host calls counts, since a paused host
// stores nothing.
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
// again by the next call. It returns at the first end of a group after 32 MB or
// 50 ms: what is in a group has one cursor step, and a stop in the middle would
// repeat its beginning. It does no I/O but add and Commit.
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
		g := p.head()
		if g == nil {
			return
		}
		if p.host.next < len(g.chunks) {
			c := &g.chunks[p.host.next]
			if !add(c.tag, c.data, c.events) {
				p.refused()
				return
			}
			p.accepted()
			taken += len(c.data)
			p.took(c)
			p.host.next++
		}
		if p.host.next == len(g.chunks) {
			p.finish(g)
		}
	}
}

// Next returns what is ready, about 2 MB, for a host that takes bytes and says
// nothing; nil when there is nothing. The bytes stay valid until [Pipe.Done],
// and are offered again if Done is not called.
func (p *Pipe) Next() []byte {
	if !p.host.mu.TryLock() {
		return nil
	}
	defer p.host.mu.Unlock()
	p.tick()
	if p.host.offered != nil {
		return p.host.offered
	}

	for g := p.head(); g != nil && p.host.next == len(g.chunks); g = p.head() {
		p.finish(g) // moves the state alone
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.beat
	p.beat = nil
	n, skip := 0, p.host.next
	for _, g := range p.ready {
		for _, c := range g.chunks[skip:] {
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
	for g := p.head(); g != nil; g = p.head() {
		for ; n > 0 && p.host.next < len(g.chunks); n-- {
			p.took(&g.chunks[p.host.next])
			p.host.next++
		}
		if p.host.next < len(g.chunks) {
			return
		}
		p.finish(g)
	}
}

// Begun reports whether the host has a part of a group: a stop would repeat it.
func (p *Pipe) Begun() bool {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.host.next > 0
}

func (p *Pipe) head() *group {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.ready) == 0 {
		return nil
	}
	return p.ready[0]
}

// took releases a chunk.
func (p *Pipe) took(c *chunk) {
	p.Stats.Taken.Add(uint64(c.events))
	p.Stats.took(c.newest)
	p.mu.Lock()
	if !p.closed {
		p.release(len(c.data))
	}
	p.signal()
	p.mu.Unlock()
	c.data = nil
}

// finish moves the cursor past a group whose every chunk was taken.
func (p *Pipe) finish(g *group) {
	p.mu.Lock()
	if !p.closed {
		p.ready[0] = nil
		p.ready = p.ready[1:]
		p.release(groupCost)
	}
	p.signal()
	p.mu.Unlock()
	p.host.next = 0
	if p.host.delay == 0 && len(p.host.waiting) == 0 {
		p.commit(g.pending)
		return
	}
	p.host.waiting = append(p.host.waiting, delayed{g.pending, p.host.elapsed + p.host.delay})
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
	var due Pending
	for len(p.host.waiting) > 0 && p.host.waiting[0].due <= p.host.elapsed {
		due = instead(due, p.host.waiting[0].pending)
		p.host.waiting = p.host.waiting[1:]
	}
	if due != nil {
		p.commit(due)
	} else if p.host.owed != nil {
		p.commit(p.host.owed)
	}
}

// commit moves the cursor. A failure is told once per cause and tried again
// with the next call; a later state makes up for it as well.
func (p *Pipe) commit(pending Pending) {
	pending = instead(p.host.owed, pending)
	err := pending.Commit()
	if err == nil {
		if p.host.owing != "" {
			p.o.Log.Info("state is saved again")
		}
		p.host.owed, p.host.owing = nil, ""
		return
	}
	p.host.owed = pending
	if text := err.Error(); text != p.host.owing {
		p.host.owing = text
		p.o.Log.Error("state cannot be saved: after a restart events come out twice", "error", err)
	}
}

// refused tells a host that takes nothing for long.
func (p *Pipe) refused() {
	p.Stats.Refused.Add(1)
	now := time.Now()
	if p.host.refusedAt.IsZero() {
		p.host.refusedAt, p.host.refusedTell = now, now.Add(refusedFirst)
	}
	if now.Before(p.host.refusedTell) {
		return
	}
	p.host.refusedTell = now.Add(refusedAgain)
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
