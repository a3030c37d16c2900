package parser

import (
	"sync"
	"time"
)

// Join says whether a record has both halves of its request: what the access log says
// (address, agent, headers) and what the request log says (user, duration).
type Join uint8

const (
	// NotJoined: no [Joiner] has seen the record.
	NotJoined Join = iota
	// JoinNone: the other half was not seen. The record has one half.
	JoinNone
	// JoinRequestID: both halves have the same request id, which only ZITADEL chooses.
	JoinRequestID
	// JoinTraceID: both halves have the same trace id, and no other request has it.
	JoinTraceID
	// JoinShared: the trace id is also that of another request, so that it proves nothing.
	// The record has one half.
	JoinShared
)

// String is "", "none", "request_id", "trace_id" or "shared_trace_id".
func (j Join) String() string {
	return [...]string{"", "none", "request_id", "trace_id", "shared_trace_id"}[j]
}

// Joined reports whether the record has both halves.
func (j Join) Joined() bool { return j == JoinRequestID || j == JoinTraceID }

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
)

// Joiner remembers the first half of each request and completes the second half with it. It
// holds nothing back: each record can be sent at once, and what a crash loses is the join,
// never a record. It is safe for concurrent use.
//
// ZITADEL prints the access record before the line "request served", so that the first half
// is always a record of kind Access. A half is only used if its line has TrustFull.
//
// What is joined is proved. A request of HTTP has an id that ZITADEL chose, and that both
// lines have. A request of gRPC has only the trace id, which ZITADEL takes over from the
// client's traceparent, so that a client can choose that of another request. It is believed
// if the joiner has seen each access record since the request began, and exactly one of them
// has this trace id: that of the request itself must be among them. The method, the code and
// the instance must be equal too.
type Joiner struct {
	mu      sync.Mutex
	max     int
	halves  []half // a ring; next is the oldest when it is full
	next    int
	byKey   map[joinKey]int32
	streams map[uint64]time.Time // when the first line was logged
	evicted time.Time            // when the youngest half that was forgotten was logged
}

// joinKey identifies a request in one stream of lines.
type joinKey struct {
	stream    uint64
	high, low uint64 // of the id
	trace     bool
}

// keyOf returns the key of a request id or a trace id. Both are valid, as the parser checks.
func keyOf(stream uint64, id string, trace bool) joinKey {
	k := joinKey{stream: stream, trace: trace}
	bits := 4 // of hex
	if !trace {
		bits, k.stream = 5, 0 // base 32; a request id is unique in all streams
	}
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

// half is the first half of a request.
type half struct {
	key    joinKey
	time   time.Time
	hash   uint64
	access Request
	inst   string
	served uint64 // hash of the record that it was joined with
	used   bool
	shared bool // another request has the same trace id
	place  Place
}

// Place is where the caller keeps a record of Access that may not have to be sent.
type Place struct {
	Batch uint64
	Index int
}

// NewJoiner returns a joiner that has seen nothing.
func NewJoiner() *Joiner {
	return &Joiner{max: JoinRequests, byKey: map[joinKey]int32{}, streams: map[uint64]time.Time{}}
}

// Begin forgets that stream was seen, because its next line is not the one behind its last
// line. whole reports that the next line is the first of the log.
func (j *Joiner) Begin(stream uint64, whole bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.streams, stream)
	if whole {
		j.begin(stream, time.Time{})
	}
}

func (j *Joiner) begin(stream uint64, at time.Time) {
	if len(j.streams) >= maxStreams {
		clear(j.streams)
	}
	j.streams[stream] = at
}

// see returns since when all lines of stream are known.
func (j *Joiner) see(stream uint64, r *Record) time.Time {
	since, known := j.streams[stream]
	if !known {
		since = r.Time
		j.begin(stream, since)
	}
	if since.Before(j.evicted) {
		return j.evicted
	}
	return since
}

// Access remembers r, a record of kind Access of one stream of lines. A stream is the lines
// of one process in their order, or of several mixed. The record at place is not needed if
// [Joiner.Served] returns place. A record that comes again, because its chunk is tried again,
// takes the place of the earlier one.
func (j *Joiner) Access(stream uint64, r *Record, place Place) {
	r.Join = JoinNone
	id, trace := r.Access.RequestID, false
	if id == "" {
		id, trace = r.Access.TraceID, true
	}
	key := keyOf(stream, id, trace)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.see(stream, r)
	if id == "" || r.Trust != TrustFull {
		return
	}
	if i, ok := j.byKey[key]; ok {
		h := &j.halves[i]
		switch {
		case h.hash == r.hash && h.time.Equal(r.Time):
			h.place = place
			if h.shared {
				r.Join = JoinShared
			}
		case trace:
			h.shared, r.Join = true, JoinShared
		}
		return
	}
	h := half{key: key, time: r.Time, hash: r.hash, access: r.Access, inst: r.Instance, place: place}
	if len(j.halves) < j.max {
		j.byKey[key] = int32(len(j.halves))
		j.halves = append(j.halves, h)
		return
	}
	old := &j.halves[j.next]
	if old.time.After(j.evicted) {
		j.evicted = old.time
	}
	delete(j.byKey, old.key)
	*old = h
	j.byKey[key] = int32(j.next)
	j.next = (j.next + 1) % len(j.halves)
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
	id, trace := r.Served.ID, false
	if r.Served.Protocol != "http" {
		id, trace = r.Served.TraceID, true
	}
	i, ok := j.byKey[keyOf(stream, id, trace)]
	if !ok || id == "" {
		return Place{}, false
	}
	h := &j.halves[i]
	if h.inst != r.Instance || r.Time.Sub(h.time).Abs() > JoinWindow {
		return Place{}, false
	}
	if trace {
		if h.shared = h.shared || h.used && h.served != r.hash; h.shared {
			r.Join = JoinShared
			return Place{}, false
		}
		if !h.within(r, since) {
			return Place{}, false
		}
	}
	h.used, h.served = true, r.hash
	r.Access, r.Join = h.access, JoinRequestID
	if trace {
		r.Join = JoinTraceID
	}
	return h.place, true
}

// within reports whether h can be the half of r, and no other that is not known.
func (h *half) within(r *Record, since time.Time) bool {
	began := r.Time.Add(-r.Took)
	return began.After(since.Add(joinSlack)) &&
		!h.time.Before(began.Add(-joinSlack)) && !h.time.After(r.Time.Add(joinSlack)) &&
		h.access.Protocol == "grpc" && h.access.URL == r.Served.Operation && h.access.Status == r.Served.Status
}
