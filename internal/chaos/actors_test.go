package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// An actor harms one thing again and again, until its context ends. Each has
// draws of its own, so that what it does depends on the seed alone, and only
// the moments on the machine.
type actor struct {
	w    *world
	rand *rand.Rand
}

func (w *world) actor(number uint64) *actor {
	return &actor{w: w, rand: rand.New(rand.NewPCG(w.seed, 100+number))}
}

// between draws a time.
func (a *actor) between(least, most time.Duration) time.Duration {
	return least + time.Duration(a.rand.Int64N(int64(most-least)))
}

// repeat does each thing once, so that none is missing in a short run, and then
// one drawn by weight after the other until the time is over. The one under way
// is brought to its end.
func (a *actor) repeat(ctx context.Context, pauses func() time.Duration, things []thing) error {
	sum := 0
	for _, t := range things {
		sum += t.weight
	}
	first := a.rand.Perm(len(things))
	for {
		err := pause(ctx, pauses())
		if err != nil && (len(first) == 0 || !errors.Is(err, errOver)) {
			break
		}
		i := a.draw(things, sum)
		if len(first) > 0 {
			i, first = first[0], first[1:]
		}
		if err := things[i].do(ctx); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, errOver) {
		return err
	}
	return nil
}

func (a *actor) draw(things []thing, sum int) int {
	n := a.rand.IntN(sum)
	for i, t := range things {
		if n -= t.weight; n < 0 {
			return i
		}
	}
	return 0 // not reached
}

type thing struct {
	weight int
	do     func(context.Context) error
}

// harmReader kills and stops a reader, fills its disk, moves its clock.
func (a *actor) harmReader(ctx context.Context, r *reader) error {
	things := []thing{
		{60, func(ctx context.Context) error { return a.killReader(ctx, r) }},
		{10, func(ctx context.Context) error { return a.stopReader(ctx, r) }},
	}
	if r.far != nil {
		things = append(things, thing{15, func(ctx context.Context) error { return a.stopStuck(ctx, r) }})
	}
	if r.stateDisk != nil {
		things = append(things, thing{6, func(ctx context.Context) error { return a.fillDisk(ctx, r, r.stateDisk) }})
	}
	if r.storageDisk != nil {
		things = append(things, thing{6, func(ctx context.Context) error { return a.fillDisk(ctx, r, r.storageDisk) }})
	}
	if r.clock != nil {
		things = append(things, thing{12, func(ctx context.Context) error { return a.moveClock(ctx, r) }})
	}
	return a.repeat(ctx, func() time.Duration { return a.between(100*time.Millisecond, 2500*time.Millisecond) }, things)
}

// killReader kills it at any moment or, more often, while its state moves: then
// there is something under way.
func (a *actor) killReader(ctx context.Context, r *reader) error {
	if a.rand.IntN(3) > 0 {
		r.awaitStep(ctx, 3*time.Second)
		_ = pause(ctx, a.between(0, 20*time.Millisecond))
	}
	if err := r.kill(); err != nil {
		return err
	}
	return a.startReader(ctx, r)
}

func (a *actor) stopReader(ctx context.Context, r *reader) error {
	if err := r.stop(); err != nil {
		return err
	}
	return a.startReader(ctx, r)
}

// startReader starts it after a while, or at once.
func (a *actor) startReader(ctx context.Context, r *reader) error {
	if a.rand.IntN(2) == 0 {
		_ = pause(ctx, a.between(0, time.Second)) // at the end it starts at once
	}
	return r.start()
}

// stopStuck is SIGTERM while the output takes nothing. The end of the output's
// trouble comes before the stop has ended, or after it.
func (a *actor) stopStuck(ctx context.Context, r *reader) error {
	r.far.stick()
	defer r.far.unstick()
	_ = pause(ctx, a.between(500*time.Millisecond, 3*time.Second)) // something gathers
	if a.rand.IntN(2) == 0 {
		defer time.AfterFunc(a.between(0, 3*time.Second), r.far.unstick).Stop()
	}
	if err := r.stop(); err != nil {
		return err
	}
	r.stuckStops++
	return a.startReader(ctx, r)
}

// fillDisk leaves no room for a while. The reader goes on, or is stopped or
// killed meanwhile.
func (a *actor) fillDisk(ctx context.Context, r *reader, d *disk) error {
	before := r.sawFullDisk()
	if err := d.fill(); err != nil {
		return err
	}
	what, more := a.rand.IntN(3), a.between(0, 3*time.Second)
	// At the end of the run there is time as well: nothing may have come that
	// wants to be written, since the network is down.
	if await(context.WithoutCancel(ctx), 30*time.Second, func() bool { return r.sawFullDisk() > before }) {
		r.fullDisks++
	}
	_ = pause(ctx, more)
	if r.running().ended() {
		// A full disk may end Fluent Bit itself; that is a crash like others.
		r.fellWhileFull++
		if err := errors.Join(r.account(), d.room()); err != nil {
			return err
		}
		return r.start()
	}
	var err error
	switch what {
	case 0:
		err = r.kill()
	case 1:
		err = r.stop()
	default:
		return d.room()
	}
	if err = errors.Join(err, d.room()); err != nil {
		return err
	}
	return a.startReader(ctx, r)
}

const jump = time.Hour

func (a *actor) moveClock(ctx context.Context, r *reader) error {
	if err := r.clock.set(a.signed(jump)); err != nil {
		return err
	}
	r.clockJumps++
	_ = pause(ctx, a.between(500*time.Millisecond, 4*time.Second))
	return r.clock.set(0)
}

func (a *actor) signed(d time.Duration) time.Duration {
	if a.rand.IntN(2) == 0 {
		return -d
	}
	return d
}

// harmServer kills the server, moves its clock and gives it faults.
func (a *actor) harmServer(ctx context.Context) error {
	w := a.w
	faults := []orderedFaults{
		{DatabaseDown: true}, {Starting: true}, {Latency: 300 * time.Millisecond}, {PerRow: 200 * time.Microsecond},
		{CutAnswers: 3, CutAfter: 200}, {CutAnswers: -1, CutAfter: 20}, {MaxMessage: 20_000},
	}
	if w.long() {
		faults = append(faults, orderedFaults{RateLimit: 1}) // readers take their time after it
	}
	return a.repeat(ctx, func() time.Duration { return a.between(200*time.Millisecond, 3*time.Second) }, []thing{
		{40, func(ctx context.Context) error {
			if err := w.killServer(); err != nil {
				return err
			}
			_ = pause(ctx, a.between(0, 2*time.Second))
			return w.startServer()
		}},
		{40, func(ctx context.Context) error {
			f := faults[a.rand.IntN(len(faults))]
			w.serverFaults++
			return a.forAWhile(ctx, func(o *serverOrder) { o.Faults = f })
		}},
		{15, func(ctx context.Context) error {
			by := a.signed(jump)
			w.serverJumps++
			return a.forAWhile(ctx, func(o *serverOrder) { o.Clock = by })
		}},
	})
}

// forAWhile tells the server something, and takes it back.
func (a *actor) forAWhile(ctx context.Context, change func(*serverOrder)) error {
	if err := a.w.command(change); err != nil {
		return err
	}
	_ = pause(ctx, a.between(200*time.Millisecond, 2*time.Second))
	return a.w.command(func(o *serverOrder) { o.Clock, o.Faults = 0, orderedFaults{} })
}

// harmNetwork stalls, resets and cuts connections, and makes far ends rude.
func (a *actor) harmNetwork(ctx context.Context) error {
	var links []*link
	var fars []*farEnd
	for _, r := range a.w.readers {
		links = append(links, r.up)
		if r.far != nil {
			links = append(links, r.down)
			fars = append(fars, r.far)
		}
	}
	anyLink := func() *link { return links[a.rand.IntN(len(links))] }
	things := []thing{
		{30, func(ctx context.Context) error {
			// A reader that was just killed has no connection.
			await(context.WithoutCancel(ctx), 10*time.Second, func() bool {
				n := anyLink().reset()
				a.w.resets += n
				return n > 0
			})
			return nil
		}},
		{30, func(context.Context) error { anyLink().cut(1 + a.rand.IntN(3)); a.w.cuts++; return nil }},
		{20, func(context.Context) error {
			anyLink().stall(a.between(100*time.Millisecond, 5*time.Second))
			a.w.stalls++
			return nil
		}},
	}
	if len(fars) > 0 {
		things = append(things, thing{20, func(ctx context.Context) error {
			far := fars[a.rand.IntN(len(fars))]
			a.w.farFaults++
			if a.rand.IntN(2) == 0 {
				far.hangUp(1 + a.rand.IntN(3))
				return nil
			}
			far.lateness(a.between(100*time.Millisecond, 4*time.Second))
			_ = pause(ctx, a.between(500*time.Millisecond, 3*time.Second))
			far.lateness(0)
			return nil
		}})
	}
	return a.repeat(ctx, func() time.Duration { return a.between(100*time.Millisecond, 1500*time.Millisecond) }, things)
}
