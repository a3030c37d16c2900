package calls_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/calls"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// world is a ZITADEL with users who call it. All times in it are true ones; the clocks of
// ZITADEL, its database and this machine differ from them.
type world struct {
	*rand.Rand
	zitadel, database, here time.Duration
	kinds                   kinds
	steps                   []step
	events                  []*event
	last                    map[string]change // by user and event type: the last change
	dates                   map[time.Time]bool
	noops                   int // that name another call's date
	most                    int // calls in memory; 0: the usual
}

type change struct{ seen, date time.Time }

// kinds are the executions that are set up.
type kinds struct{ request, response bool }

type step struct {
	at time.Time
	do func(*calls.Store)
}

type event struct {
	user, typ     string
	created, read time.Time
	from          netip.Addr // the truth
	pushed        bool
	got           netip.Addr
	verdict       calls.Verdict
}

var began = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func newWorld(seed uint64, k kinds) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 12)), kinds: k, last: map[string]change{}, dates: map[time.Time]bool{}}
	skew := func() time.Duration { // any two differ by 2 s at most
		if w.IntN(2) == 0 {
			return []time.Duration{-time.Second, time.Second}[w.IntN(2)]
		}
		return time.Duration(w.Int64N(int64(2*time.Second))) - time.Second
	}
	w.zitadel, w.database, w.here = skew(), skew(), skew()
	return w
}

// few is mostly short, and never longer than most.
func (w *world) few(typical, most time.Duration) time.Duration {
	return min(most, time.Duration(w.ExpFloat64()*float64(typical)))
}

// methods and the events that they write.
var methods = []struct {
	name, typ string
	dated     bool
}{
	{"/zitadel.user.v2.UserService/SetUserMetadata", "user.metadata.set", true},
	{"/zitadel.management.v1.ManagementService/SetUserMetadata", "user.metadata.set", true},
	{"/zitadel.user.v2.UserService/DeactivateUser", "user.deactivated", true},
	{"/zitadel.session.v2.SessionService/SetSession", "user.human.password.check.failed", true},
	{"/zitadel.session.v2.SessionService/CreateSession", "user.human.password.check.failed", true},
	{"/zitadel.management.v1.ManagementService/RemoveUserGrant", "user.grant.removed", true},
	{"/zitadel.management.v1.ManagementService/BulkRemoveUserGrant", "user.grant.removed", false},
}

// call makes one call and what follows from it, and returns its end.
func (w *world) call(user string, address netip.Addr, start time.Time) (end time.Time) {
	m := methods[w.IntN(len(methods))]
	if !m.dated && w.IntN(4) > 0 { // there are few
		m = methods[0]
	}
	end = start.Add(w.few(30*time.Millisecond, calls.Longest))
	if w.IntN(200) == 0 {
		end = start.Add(time.Duration(w.Int64N(int64(calls.Longest))))
	}
	// It is answered within half a second after what it writes, see doc.go.
	first := start
	if late := end.Add(-500 * time.Millisecond); late.After(start) {
		first = late
	}
	within := func() time.Time { return first.Add(time.Duration(w.Int64N(int64(end.Sub(first)) + 1))) }
	var pair [16]byte
	copy(pair[:], fmt.Sprint(user, w.IntN(1000))) // sometimes two calls are equal
	c := calls.Call{Method: m.name, User: user, Address: address, Pair: pair}
	key := user + m.typ
	fails := false
	switch n := w.IntN(100); {
	case n < 6 && !w.last[key].date.IsZero() && w.last[key].seen.Before(start): // changes nothing, and names the date of the change before
		c.Changed = w.last[key].date
		w.noops++
	case n < 10:
		fails = true
		if m.typ == "user.human.password.check.failed" {
			w.write(user, m.typ, address, within())
		}
	case n < 12: // two transactions; the answer names the second
		a := within()
		b := a.Add(time.Duration(w.Int64N(int64(end.Sub(a)) + 1)))
		w.write(user, m.typ, address, a)
		c.Changed = w.write(user, m.typ, address, b)
		w.last[key] = change{b, c.Changed}
	default:
		at := within()
		c.Changed = w.write(user, m.typ, address, at)
		w.last[key] = change{at, c.Changed}
	}
	if !m.dated {
		c.Changed = time.Time{}
	}
	w.send(c, false, start)
	if !fails {
		w.send(c, true, end)
	}
	return end
}

// write commits an event and returns its date. It is read some seconds later, or pushed.
func (w *world) write(user, typ string, from netip.Addr, at time.Time) time.Time {
	created := at.Add(w.database).Truncate(time.Microsecond)
	for w.dates[created] { // see doc.go
		created = created.Add(time.Microsecond)
	}
	w.dates[created] = true
	e := &event{user: user, typ: typ, from: from, created: created}
	w.events = append(w.events, e)
	// settle and poll_interval, by this machine's clock; not before it is there
	read := e.created.Add(-w.here).Add(2*time.Second + time.Duration(w.Int64N(int64(5*time.Second))))
	if w.IntN(5) == 0 || read.Before(at) { // pushed
		read = at.Add(w.few(100*time.Millisecond, time.Second))
		e.pushed = true
	}
	e.read = read.Add(w.here)
	w.steps = append(w.steps, step{read, func(s *calls.Store) { e.got, e.verdict = s.Find(e.user, e.typ, e.created, e.read) }})
	return e.created
}

// send sends a webhook, which arrives within a second.
func (w *world) send(c calls.Call, response bool, at time.Time) {
	if response && !w.kinds.response || !response && !w.kinds.request {
		return
	}
	c.Response = response
	if !response {
		c.Changed = time.Time{}
	}
	sent := at.Add(w.few(time.Millisecond, 200*time.Millisecond))
	c.Signed = sent.Add(w.zitadel).Truncate(time.Second)
	w.steps = append(w.steps, step{sent.Add(w.few(10*time.Millisecond, 800*time.Millisecond)), func(s *calls.Store) { s.Add(c) }})
}

// run makes writers call for a minute, and returns the events whose calls were all received.
func (w *world) run(writers, users int, pause time.Duration) (seen []*event) {
	length := time.Minute
	if testkit.Race {
		length = 25 * time.Second // `make test` runs all of it without the race detector
	}
	next := make([]time.Time, writers) // when each writer calls
	for i := range next {
		next[i] = began.Add(w.few(pause, length))
	}
	for {
		i := 0
		for j := range next {
			if next[j].Before(next[i]) {
				i = j
			}
		}
		if next[i].After(began.Add(length)) {
			break
		}
		end := w.call(fmt.Sprint("user-", i%users), netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), next[i])
		next[i] = end.Add(w.few(pause, length))
	}
	slices.SortStableFunc(w.steps, func(a, b step) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	now := began
	s := calls.New(func() time.Time { return now.Add(w.here) })
	if w.most > 0 {
		s.Limit(w.most)
	}
	for _, step := range w.steps {
		now = step.at
		step.do(s)
	}
	return w.events
}

type score struct{ events, right, ambiguous, wrong, pushed, pushedRight int }

func (s *score) count(t *testing.T, list []*event) {
	for _, e := range list {
		if e.created.Before(began.Add(17 * time.Second)) {
			continue // the store was new
		}
		right := e.verdict == calls.Found && e.got == e.from
		if e.pushed && (right || e.verdict != calls.Found) {
			s.pushed++
			if right {
				s.pushedRight++
			}
			continue
		}
		s.events++
		switch {
		case right:
			s.right++
		case e.verdict == calls.Found:
			s.wrong++
			t.Errorf("%s %s at %s: %s, but it was %s", e.user, e.typ, e.created, e.got, e.from)
		case e.verdict == calls.Ambiguous:
			s.ambiguous++
		}
	}
}

func (s *score) share() float64 { return 100 * float64(s.right) / float64(s.events) }

func (s *score) String() string {
	return fmt.Sprintf("%d events pulled: %.1f %% right, %.1f %% ambiguous; %d pushed: %.1f %% right; %d wrong",
		s.events, s.share(), 100*float64(s.ambiguous)/float64(s.events), s.pushed, 100*float64(s.pushedRight)/float64(s.pushed), s.wrong)
}

// Whatever interleaves, no event gets the address of another call, with clocks that differ
// by up to 2 s. At 50 writers, the share of events that get theirs is logged.
func TestNeverAWrongAddress(t *testing.T) {
	worlds := 12
	if testing.Short() || testkit.Race {
		worlds = 1
	}
	both := kinds{true, true}
	for _, c := range []struct {
		name           string
		writers, users int
		pause          time.Duration
		kinds          kinds
		least          float64 // per cent
	}{
		{"50 writers, each a user of its own", 50, 50, 500 * time.Millisecond, both, 95},
		{"50 writers, 25 users with two addresses", 50, 25, 500 * time.Millisecond, both, 0},
		{"50 writers, one user", 50, 1, 500 * time.Millisecond, both, 0},
		{"50 quiet writers, 25 users with two addresses", 50, 25, 20 * time.Second, both, 0},
		{"50 writers, 25 users, requests only", 50, 25, 500 * time.Millisecond, kinds{request: true}, 0},
		{"50 writers, 25 users, responses only", 50, 25, 500 * time.Millisecond, kinds{response: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s score
			for seed := range uint64(worlds) {
				w := newWorld(seed, c.kinds)
				s.count(t, w.run(c.writers, c.users, c.pause))
			}
			if s.share() < c.least {
				t.Errorf("%.1f %% got an address, want %.0f", s.share(), c.least)
			}
			t.Log(&s)
		})
	}
}
