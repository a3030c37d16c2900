package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/outage"
)

// DefaultTTL is the time without renewal after which a member's sources are free. A member
// renews three times in it, so that one lost request, or a failover of PostgreSQL or etcd
// of a few seconds, moves no source; and 15 s without events are less than what
// ZITADEL's own retries and a SIEM's index take.
const DefaultTTL = 15 * time.Second

// MinTTL is the shortest [Options.TTL].
const MinTTL = cursor.MinLease

// DefaultMaxAge: a store that no member has used for so long is taken for an old backup. Three
// days let all members stand still over a weekend, and a store that is mended the next day
// needs nobody. An older backup is refused; a younger one makes three days come out twice at
// most, with a warning that says how much.
const DefaultMaxAge = 3 * 24 * time.Hour

// Options of a member. The zero value of each field but Store is usable.
type Options struct {
	Store Store
	Name  string        // for people; default that of the host, and some letters
	TTL   time.Duration // default [DefaultTTL], at least [MinTTL]
	// MaxAge: see [DefaultMaxAge].
	MaxAge time.Duration
	// AcceptOld takes states that look as if the store went back, and ends a refusal for all
	// members: one of them needs it, until it has started.
	AcceptOld bool
	Log       *slog.Logger // default: none

	now func() time.Time // monotonic; tests replace it
}

// Member is one process among those that share the sources of a store. Methods are safe for
// concurrent use.
type Member struct {
	o    Options
	wake chan struct{} // the balance loop has something to do
	tell chan struct{} // the note has changed

	mu       sync.Mutex
	known    map[string]bool
	sources  string // the hash of known
	unknown  bool   // the store has not been told of known
	waiting  map[string]*waiter
	held     map[string]*held
	unfreed  map[string]*held // closed, and perhaps still ours in the store
	freeFrom map[string]time.Time
	lease    string
	until    time.Time // the lease certainly stands until then
	lapsed   bool      // until is over
	met      bool      // there was a lease since the start
	watch    *time.Timer
	doubt    bool         // the last renewal got no answer
	trouble  [loops]error // why the store does not answer
	away     outage.Log
	unsaved  outage.Log // why the store takes no state
	untaken  outage.Log // why the store gives a source to nobody
	back     error      // the store went back
	store    string
	denied   string // another store than that, which is refused
	beat     uint64
	looked   time.Time     // before the look that showed them
	stamped  time.Time     // balancing: before the last Alive
	watched  time.Time     // before the first look at a store that this process has not used
	oldest   time.Duration // the largest View.Idle since then
	seen     map[string]seen
	counted  int // sources that the store is to show as held by this member
	differ   int // looks, one after the other, at which it did not
	running  bool
	stopping bool
	given    chan struct{}   // a source was given up
	life     context.Context // of Run; nil before
	taken    tally           // sources that were taken, for the log
	passed   tally           // and those that were given up, so that another member has as many
	lists    listWatch
}

// New returns a member that does nothing until Run.
func New(o Options) (*Member, error) {
	if o.Name == "" {
		o.Name = defaultName()
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < MinTTL {
		return nil, fmt.Errorf("the lease of %s is too short: give at least %s", o.TTL, MinTTL)
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	return &Member{
		o: o, wake: make(chan struct{}, 1), tell: make(chan struct{}, 1), given: make(chan struct{}, 1), sources: hashOf(nil),
		known: map[string]bool{}, waiting: map[string]*waiter{}, held: map[string]*held{},
		unfreed: map[string]*held{}, unsaved: outage.Log{Remind: time.Minute}, untaken: outage.Log{Remind: time.Minute},
		freeFrom: map[string]time.Time{}, seen: map[string]seen{},
	}, nil
}

// defaultName is the name of the host, with letters that tell two processes there apart. Numbers of
// processes do not: containers that share the name of their host have the same ones.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "member"
	}
	return host + "-" + strings.ToLower(rand.Text()[:4])
}

// Sources sets the sources that this member could read. It may be called at any time. A
// source that is no longer in the list is given up at once, so that a member that still lists it
// takes it; a Hold that waits for it returns. Its state stays in the store, for the day on
// which it is listed again.
func (m *Member) Sources(instances []string) {
	m.mu.Lock()
	m.known = make(map[string]bool, len(instances))
	for _, instance := range instances {
		m.known[instance] = true
	}
	m.sources, m.unknown = hashOf(slices.Collect(maps.Keys(m.known))), true
	for instance, h := range m.held {
		if !m.known[instance] {
			h.leave()
		}
	}
	for instance, w := range m.waiting {
		if !m.known[instance] {
			m.answer(w, nil, fmt.Errorf("source %q is no longer in the list of sources", instance))
		}
	}
	m.mu.Unlock()
	poke(m.tell)
	poke(m.wake)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run renews the lease and moves sources until ctx ends. Then every [cursor.Held.Done]
// closes; Run waits for the readers' Close, at most one TTL, and ends the lease. It returns nil.
// A store that is away is no reason to return: see [Member.Status].
func (m *Member) Run(ctx context.Context) error {
	m.mu.Lock()
	if m.running {
		m.mu.Unlock()
		return errors.New("the member runs already")
	}
	m.running, m.stopping, m.life = true, false, ctx
	m.mu.Unlock()
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { m.renewing(live) })
	loops.Go(func() { m.balancing(live) })
	<-ctx.Done()
	m.drain(live)
	stop()
	loops.Wait()
	m.end()
	return nil
}

// drain asks for every source and waits for it, at most one TTL.
func (m *Member) drain(ctx context.Context) {
	m.mu.Lock()
	m.stopping = true
	for _, w := range m.waiting {
		m.answer(w, nil, ErrStopped)
	}
	for _, h := range m.held {
		h.leave()
	}
	m.mu.Unlock()
	limit := time.NewTimer(m.o.TTL)
	defer limit.Stop()
	for {
		m.mu.Lock()
		left := len(m.held)
		m.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-m.given:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// end gives the lease back. If the store does not answer, the lease ends by itself.
func (m *Member) end() {
	m.mu.Lock()
	lease := m.lease
	m.drop()
	m.running = false
	if m.watch != nil {
		m.watch.Stop()
	}
	m.mu.Unlock()
	if lease == "" {
		return
	}
	ctx, cancel := m.limited(context.Background())
	defer cancel()
	if err := m.o.Store.Revoke(ctx, lease); err != nil {
		m.o.Log.Warn("the store did not take the lease back: the sources are free when it ends", "ttl", m.o.TTL, "err", err)
	}
}

// partingTimeout bounds requests to the store once the member stops, also those that are under way: a
// process has to end within seconds, also if the store does not answer, and then the lease ends by
// itself.
const partingTimeout = time.Second

// limited bounds one request to the store: three fit into a lease. The caller does not have m.mu.
func (m *Member) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, m.o.TTL/3)
	m.mu.Lock()
	life := m.life
	m.mu.Unlock()
	if life == nil {
		return ctx, cancel
	}
	release := context.AfterFunc(life, func() { time.AfterFunc(partingTimeout, cancel) })
	return ctx, func() { release(); cancel() }
}
