package calls

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// Longest is how long a call takes at most. ZITADEL answers within milliseconds, slow
	// ones within a second or two.
	Longest = 10 * time.Second
	// Slack is 2 s by which the clock of ZITADEL's host, which signs, may differ from that of
	// its database, which dates events, and half a second between a call and its signature.
	Slack = 2500 * time.Millisecond
	// Arrival is how old an event must be before calls in flight decide: until then one of
	// them may still be on its way here. It is 2 s by which this machine's clock may differ
	// from the database's, and a second for the webhook.
	Arrival = 3 * time.Second

	// maxCalls and maxAge bound what is kept. A call takes about 250 bytes.
	maxCalls = 50_000
	maxAge   = 10 * time.Minute

	second = int64(time.Second / time.Microsecond) // of a signature
)

// Call is a request or a response execution.
type Call struct {
	Method string
	User   string // id
	// Address of the client; not valid where the headers have none.
	Address netip.Addr
	// Response means that ZITADEL has handled the call.
	Response bool
	Signed   time.Time // by ZITADEL's clock, whole seconds
	// Pair is the same for request and response of one call; the zero value is not known.
	Pair [16]byte
	// Changed is the date of the change that a response names; zero: none.
	Changed time.Time
}

// Verdict says what is known of the address of an event.
type Verdict uint8

// The verdicts of [Store.Find].
const (
	Unknown   Verdict = iota // no call fits, or it may be one that is not known here
	Found                    // one address fits
	Ambiguous                // several fit
)

// call is what is kept. Times are Unix microseconds.
type call struct {
	user     *caller
	from, to int64 // in flight, with all that is not known about it
	signed   int64
	changed  int64 // 0: no answer, or one without a date
	arrived  time.Time
	pair     [16]byte
	address  netip.Addr
	method   uint16
	request  bool // came
	response bool // came
}

// caller has the calls of one user, by from.
type caller struct {
	id    string
	calls []*call
}

// Stats are the counters of a [Store].
type Stats struct {
	Calls     int    // in memory
	Found     uint64 // events that got an address
	Ambiguous uint64 // events for which several addresses fit
	Forgotten uint64 // calls that went because memory was full
}

// Store keeps calls for the events of one source. It is safe for concurrent use.
type Store struct {
	table *writers
	now   func() time.Time
	most  int

	mu      sync.Mutex
	callers map[string]*caller
	queue   []*call // by arrival
	// horizon: calls in flight up to this date may be missing.
	horizon int64
	lost    []span
	stats   Stats
}

// New returns an empty store. now is this machine's clock; nil is time.Now.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	s := &Store{table: table(), now: now, most: maxCalls, callers: map[string]*caller{}}
	// What was in flight when we started was not received. The clocks differ by at most Slack.
	s.horizon = now().Add(Longest + 2*Slack).UnixMicro()
	return s
}

// Stats counts since New.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Calls = len(s.queue)
	return st
}

// Add takes a call. It is for calls whose sender is verified.
func (s *Store) Add(c Call) {
	if c.User == "" || c.Method == "" || c.Signed.IsZero() {
		return
	}
	number, known := s.table.numbers[c.Method]
	if !known && Reading(c.Method) {
		return
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	who := s.callers[c.User]
	if who == nil {
		who = &caller{id: c.User}
		s.callers[c.User] = who
	}
	if who.complete(&c, number) {
		return
	}
	signed := c.Signed.UnixMicro()
	k := &call{user: who, signed: signed, arrived: now, pair: c.Pair, address: c.Address, method: number, request: !c.Response, response: c.Response}
	k.from, k.to = signed-Slack.Microseconds(), signed+second+Slack.Microseconds()
	if c.Response {
		k.from -= Longest.Microseconds()
		k.answered(&c)
	} else {
		k.to += Longest.Microseconds()
	}
	who.insert(k)
	s.queue = append(s.queue, k)
}

func (k *call) answered(c *Call) {
	k.response = true
	if !c.Changed.IsZero() {
		k.changed = c.Changed.UnixMicro()
	}
}

// complete joins request and response of one call, and reports whether it did. Where equal
// calls of one user overlap, any two are joined: they have one address, and together they
// were in flight at the same time, however they are joined.
func (who *caller) complete(c *Call, number uint16) bool {
	if c.Pair == ([16]byte{}) {
		return false
	}
	signed := c.Signed.UnixMicro()
	first := who.search(signed - 2*(Longest+Slack).Microseconds())
	for i, k := range who.calls[first:] {
		if k.pair != c.Pair || k.method != number || k.address != c.Address || k.request && k.response || k.request == !c.Response {
			continue
		}
		request, response := k.signed, signed
		if !c.Response {
			request, response = signed, k.signed
		}
		// A request may be signed a moment after its response: both are sent in the background.
		if response < request-second || response > request+Longest.Microseconds() {
			continue
		}
		if c.Response {
			k.answered(c)
		}
		k.request = true
		k.from, k.to = min(request, response)-Slack.Microseconds(), response+second+Slack.Microseconds()
		who.calls = slices.Delete(who.calls, first+i, first+i+1)
		who.insert(k)
		return true
	}
	return false
}

// search returns the first call that is in flight from a date on, or later.
func (who *caller) search(from int64) int {
	i, _ := slices.BinarySearchFunc(who.calls, from, func(k *call, from int64) int {
		if k.from < from {
			return -1
		}
		return 1
	})
	return i
}

// insert keeps the order. Most calls are the last.
func (who *caller) insert(k *call) {
	who.calls = append(who.calls, k)
	for i := len(who.calls) - 1; i > 0 && who.calls[i-1].from > k.from; i-- {
		who.calls[i-1], who.calls[i] = who.calls[i], who.calls[i-1]
	}
}

// forget drops what is too old or too much. s.mu is held.
func (s *Store) forget(now time.Time) {
	n := 0
	for n < len(s.queue) && (len(s.queue)-n >= s.most || now.Sub(s.queue[n].arrived) > maxAge) {
		k := s.queue[n]
		if len(s.queue)-n >= s.most {
			s.stats.Forgotten++
		}
		s.horizon = max(s.horizon, k.to)
		who := k.user
		i := who.search(k.from)
		for who.calls[i] != k {
			i++
		}
		who.calls = slices.Delete(who.calls, i, i+1)
		if len(who.calls) == 0 {
			delete(s.callers, who.id)
		}
		s.queue[n] = nil
		n++
	}
	s.queue = s.queue[n:]
	s.forgetLost(now)
}

// Find returns the client address of the call that wrote an event: one of user, of a type,
// created at a date, and read at another one, by ZITADEL's clock.
func (s *Store) Find(user, eventType string, created, read time.Time) (netip.Addr, Verdict) {
	set, ok := s.table.byType[eventType]
	if user == "" || !ok {
		return netip.Addr{}, Unknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, date := s.callers[user], created.UnixMicro()
	if who == nil || s.missing(date) {
		return netip.Addr{}, Unknown
	}
	f := who.flight(set, date)
	address, v := f.decide(read.Sub(created) >= Arrival)
	switch v {
	case Found:
		s.stats.Found++
	case Ambiguous:
		s.stats.Ambiguous++
	}
	return address, v
}

// flight are the calls of one user that were in flight at a date and can write a type.
type flight struct {
	named   addresses // the response names the date
	other   addresses // it names another one
	undated addresses // it names none
	open    addresses // there is no response
	// A response without its request: requests are not set up, or this one is not here yet.
	namedAlone, undatedAlone bool
}

func (who *caller) flight(set methodSet, date int64) (f flight) {
	longest := (Longest + 2*Slack).Microseconds() + 2*second
	for _, k := range who.calls[who.search(date-longest):] {
		if k.from > date {
			break
		}
		switch {
		case k.to < date, !set.has(k.method):
		case k.changed == date:
			f.named.add(k.address)
			f.namedAlone = f.namedAlone || !k.request
		case k.changed != 0:
			f.other.add(k.address)
		case k.response:
			f.undated.add(k.address)
			f.undatedAlone = f.undatedAlone || !k.request
		default:
			f.open.add(k.address)
		}
	}
	return f
}

// decide chooses. settled says that no webhook is on its way any more.
func (f *flight) decide(settled bool) (netip.Addr, Verdict) {
	if f.named.any {
		// One that names the date may have changed nothing, and another one have written the
		// event. That one then names the date too, when it is answered, or its method names none.
		may := f.named
		may.join(f.undated)
		if !settled {
			may.join(f.open)
		}
		address, v := may.verdict()
		if v == Found && f.namedAlone && !settled {
			return netip.Addr{}, Unknown // a request of another one may be on its way
		}
		return address, v
	}
	may := f.open
	may.join(f.undated)
	if !may.any || !settled {
		return netip.Addr{}, Unknown
	}
	may.join(f.other) // a few methods write at two dates, and name the second
	address, v := may.verdict()
	if v == Found && f.undatedAlone {
		return netip.Addr{}, Unknown // without requests, a call that failed is not known
	}
	return address, v
}

// addresses is a set of which only matters whether it has one member. That a call has no
// address is a member too.
type addresses struct {
	any, several bool
	address      netip.Addr
}

func (a *addresses) add(ip netip.Addr) {
	a.several = a.several || a.any && ip != a.address
	a.any, a.address = true, ip
}

func (a *addresses) join(b addresses) {
	if b.any {
		a.add(b.address)
		a.several = a.several || b.several
	}
}

func (a *addresses) verdict() (netip.Addr, Verdict) {
	switch {
	case a.several:
		return netip.Addr{}, Ambiguous
	case a.address.IsValid():
		return a.address, Found
	}
	return netip.Addr{}, Unknown
}
