package parser

import (
	"sync"
	"time"
)

// The limits of a Joiner.
const (
	// JoinWindow is how far apart the two lines of a request may be. ZITADEL prints them
	// within a millisecond.
	JoinWindow = 10 * time.Second
	// JoinRequests is how many first halves are remembered.
	JoinRequests = 10_000

	maxStreams = 1024
	// joinSlack is how far the clock of a line may be off. slog's text has milliseconds, and
	// a line is written a moment after its time was read.
	joinSlack = 5 * time.Millisecond
	// joinOrder is how far lines that follow one another may be out of order.
	joinOrder = 100 * time.Millisecond

	maxMethods = 4096 // in all streams; ZITADEL has about 900

	grpcOK, grpcUnknown = 0, 2
)

// Joiner remembers the first half of each request and completes the second half with it. It
// holds nothing back: each record can be sent at once, and what a crash loses is the join,
// never a record. It is safe for concurrent use.
//
// ZITADEL prints the access record before the line "request served", so that the first half
// is always a record of kind Access. A half is only used if its line has TrustFull.
//
// What is joined is proved, as long as no line is missing:
//
//   - A request of HTTP has an id that ZITADEL chose, and that both lines have.
//   - Other requests have their access record among those of the same method that were
//     printed while they were answered. If one of these has the trace id of the request, it
//     is the right one. If several have it, none is believed, because a client of gRPC can
//     choose the trace id of another request. If none has it, and only one is left that no
//     other request has taken, that one is it.
//
// A method, a code, an instance and a time are ZITADEL's own. Nothing is joined if the log
// began, or a line was lost ([Joiner.Lost]), or a half was forgotten, while the request was
// answered.
type Joiner struct {
	mu      sync.Mutex
	max     int
	halves  []half // a ring; next is the oldest when it is full
	next    int
	count   uint64
	byID    map[joinKey]int32 // of HTTP
	byLine  map[lineKey]int32 // of gRPC and connect
	methods map[methodKey]*method
	streams map[uint64]time.Time // since when all lines are known
	evicted time.Time            // when the youngest half that was forgotten was logged

	// The last of methods and of streams.
	lastMethod *method
	lastName   methodKey
	lastStream uint64
	lastSince  time.Time
	lastKnown  bool
}

// lineKey identifies an access record, so that one that comes again is known.
type lineKey struct {
	stream, hash uint64
	nanos        int64
}

// joinKey is a request id. It is unique in all streams.
type joinKey struct{ high, low uint64 }

// keyOf returns the key of a request id, in base 32.
func keyOf(id string) (k joinKey) {
	const bits = 5
	for i := range len(id) {
		c := id[i]
		if c -= '0'; c > 9 {
			c -= 'a' - '0' - 10
		}
		k.high = k.high<<bits | k.low>>(64-bits)
		k.low = k.low<<bits | uint64(c)
	}
	return k
}

type methodKey struct {
	stream uint64
	method string
}

// method has the halves of one method, in the order of their lines.
type method struct {
	halves []openHalf
	since  time.Time // when the youngest one was logged that was taken out
	newest time.Time // when the youngest one was logged
	mixed  time.Time // up to here, one came more than joinOrder late: of another file with this tag
}

// openHalf is the place of a half, as long as it has the number count.
type openHalf struct {
	i     int32
	count uint64
}

// half is the first half of a request.
type half struct {
	line   lineKey
	id     joinKey
	time   time.Time
	count  uint64
	hash   uint64
	access Request
	inst   string
	served uint64 // hash of the record that it was joined with
	used   bool
	how    Join
	place  Place
}

// Place is where the caller keeps a record of Access that may not have to be sent.
type Place struct {
	Batch uint64
	Index int
}

// NewJoiner returns a joiner that has seen nothing.
func NewJoiner() *Joiner {
	return &Joiner{
		max: JoinRequests, byLine: map[lineKey]int32{}, byID: map[joinKey]int32{},
		methods: map[methodKey]*method{}, streams: map[uint64]time.Time{},
	}
}

// Begin says that the next line of stream is the first of its log.
func (j *Joiner) Begin(stream uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begin(stream, time.Time{})
}

// Lost says that a line of stream may be missing here, or cannot be read.
func (j *Joiner) Lost(stream uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost(stream)
}

func (j *Joiner) lost(stream uint64) {
	delete(j.streams, stream)
	j.lastKnown = false
}

func (j *Joiner) begin(stream uint64, at time.Time) {
	if len(j.streams) >= maxStreams {
		clear(j.streams)
	}
	j.streams[stream] = at
	j.lastKnown = false
}

// see returns since when all lines of stream are known.
func (j *Joiner) see(stream uint64, r *Record) time.Time {
	if !j.lastKnown || j.lastStream != stream {
		since, known := j.streams[stream]
		if !known {
			since = r.Time
			j.begin(stream, since)
		}
		j.lastKnown, j.lastStream, j.lastSince = true, stream, since
	}
	if j.lastSince.Before(j.evicted) {
		return j.evicted
	}
	return j.lastSince
}

// Access remembers r, a record of kind Access of one stream of lines. A stream is the lines
// of one process in their order, or of several mixed. The record at place is not needed if
// [Joiner.Served] returns place. A record that comes again, because its chunk is tried again,
// takes the place of the earlier one.
func (j *Joiner) Access(stream uint64, r *Record, place Place) {
	r.Join = JoinNone
	j.mu.Lock()
	defer j.mu.Unlock()
	j.see(stream, r)
	if r.Trust != TrustFull {
		j.lost(stream) // the record is as good as lost
		return
	}
	switch {
	case r.Access.RequestID != "":
		id := keyOf(r.Access.RequestID)
		if i, again := j.byID[id]; again {
			j.halves[i].place = place
			return
		}
		i := j.take(r, place)
		j.halves[i].id, j.byID[id] = id, i
	case r.Access.Protocol == "grpc":
		j.remember(stream, r, place)
	}
}

// remember remembers a half of gRPC or connect.
func (j *Joiner) remember(stream uint64, r *Record, place Place) {
	line := lineKey{stream, r.hash, r.Time.UnixNano()}
	if i, again := j.byLine[line]; again {
		j.halves[i].place = place
		return
	}
	i := j.take(r, place)
	j.halves[i].line, j.byLine[line] = line, i
	j.open(stream, r, openHalf{i, j.count})
}

// open adds a half to those of its method.
func (j *Joiner) open(stream uint64, r *Record, at openHalf) {
	m := j.method(stream, r.Access.URL)
	if m == nil {
		if len(j.methods) >= maxMethods {
			clear(j.methods)
			if r.Time.After(j.evicted) {
				j.evicted = r.Time
			}
		}
		m = &method{}
		j.methods[methodKey{stream, r.Access.URL}] = m
		j.lastMethod, j.lastName = m, methodKey{stream, r.Access.URL}
	}
	old := 0
	for ; old < len(m.halves); old++ { // what is too old for any request goes
		if h := j.at(m.halves[old]); h != nil {
			if r.Time.Sub(h.time) <= JoinWindow {
				break
			}
			if h.time.After(m.since) {
				m.since = h.time
			}
		}
	}
	if r.Time.After(m.newest) {
		m.newest = r.Time
	} else if m.newest.Sub(r.Time) > joinOrder-joinSlack {
		m.mixed = m.newest
	}
	m.halves = append(m.halves[old:], at)
}

// method returns a method that has halves, or nil. The two lines of a request often follow one
// another.
func (j *Joiner) method(stream uint64, name string) *method {
	if j.lastMethod == nil || j.lastName.stream != stream || j.lastName.method != name {
		m := j.methods[methodKey{stream, name}]
		if m == nil {
			return nil
		}
		j.lastMethod, j.lastName = m, methodKey{stream, name}
	}
	return j.lastMethod
}

// take fills a half with r and returns its index. The oldest is forgotten if there is no room.
func (j *Joiner) take(r *Record, place Place) int32 {
	j.count++
	i := len(j.halves)
	if i < j.max {
		j.halves = append(j.halves, half{})
	} else {
		i = j.next
		j.next = (j.next + 1) % len(j.halves)
		j.forget(&j.halves[i])
	}
	j.halves[i] = half{time: r.Time, count: j.count, hash: r.hash, access: r.Access, inst: r.Instance, place: place}
	return int32(i)
}

func (j *Joiner) forget(h *half) {
	if h.time.After(j.evicted) {
		j.evicted = h.time
	}
	if h.access.RequestID != "" {
		delete(j.byID, h.id)
	} else {
		delete(j.byLine, h.line)
	}
}

// at returns the half at o, or nil if it is forgotten.
func (j *Joiner) at(o openHalf) *half {
	if h := &j.halves[o.i]; h.count == o.count {
		return h
	}
	return nil
}

// Served completes r, a record of kind Served, with the half of its request that was seen
// before. joined reports that it did, and that the record of Access at place has nothing to
// add.
func (j *Joiner) Served(stream uint64, r *Record) (place Place, joined bool) {
	r.Join = JoinNone
	j.mu.Lock()
	defer j.mu.Unlock()
	since := j.see(stream, r)
	if r.Trust != TrustFull {
		return Place{}, false
	}
	var h *half
	how := JoinRequestID
	if r.Served.Protocol == "http" {
		if i, ok := j.byID[keyOf(r.Served.ID)]; ok && r.Served.ID != "" {
			h = &j.halves[i]
		}
	} else if r.Time.Add(-r.Took).After(since.Add(joinSlack)) {
		h, how = j.find(stream, r)
	}
	if h == nil || h.inst != r.Instance || r.Time.Sub(h.time).Abs() > JoinWindow {
		if how == JoinShared {
			r.Join = JoinShared
		}
		return Place{}, false
	}
	h.used, h.served, h.how = true, r.hash, how
	r.Access, r.Join = h.access, how
	return h.place, true
}

// find returns the half of a request of gRPC or connect. All access records since the request
// began are known, and that of the request itself is among the candidates. A request of gRPC
// takes its trace id from its traceparent. If it has none, ZITADEL makes one that nobody else
// can send.
func (j *Joiner) find(stream uint64, r *Record) (h *half, how Join) {
	m, began := j.method(stream, r.Served.Operation), r.Time.Add(-r.Took-joinOrder)
	if m == nil || !began.After(m.since) {
		return nil, JoinNone
	}
	var same, other *half // with the trace id of r, and without
	sames, others := 0, 0
	for i := len(m.halves) - 1; i >= 0; i-- {
		c := j.at(m.halves[i])
		if c == nil {
			continue
		}
		if c.time.Before(began) {
			if began.After(m.mixed) {
				break
			}
			continue
		}
		switch {
		case c.used && c.served == r.hash: // r comes again
			return c, c.how
		case c.used, !c.fits(r):
		case c.access.TraceID == r.Served.TraceID && c.access.TraceID != "":
			same = c
			sames++
		case r.Served.Protocol == "connect" || c.access.TraceID == "": // others of gRPC would give r their trace id
			other = c
			others++
		}
	}
	switch {
	case sames > 1:
		return nil, JoinShared
	case sames == 1:
		return same, JoinTraceID
	case others == 1:
		return other, JoinOnly
	}
	return nil, JoinNone
}

// fits reports whether h can be the half of r.
func (h *half) fits(r *Record) bool {
	return !h.time.Before(r.Time.Add(-r.Took-joinSlack)) && !h.time.After(r.Time.Add(joinSlack)) && h.inst == r.Instance &&
		h.access.Protocol == "grpc" && h.access.URL == r.Served.Operation &&
		(h.access.Status == r.Served.Status || h.access.Status == grpcOK && r.Served.Status == grpcUnknown) // ZITADEL logs Unknown as 0 there
}
