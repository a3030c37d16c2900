package zitadeltest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	eventpb "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Event is one event to store.
type Event struct {
	AggregateType string
	AggregateID   string
	ResourceOwner string
	// Sequence counts per aggregate; 0 takes the next one.
	Sequence uint64
	Type     string
	// EditorID may be empty, as in ZITADEL's own set-up events.
	EditorID, EditorName string
	// Payload is encoded when the event is stored; nil means no payload.
	Payload *structpb.Struct
	// CreatedAt is kept in microseconds. Consecutive events of one call with the same
	// CreatedAt are one transaction.
	CreatedAt time.Time
	// Position is the place in the log; the zero time means CreatedAt, as in
	// every release before 2026-09.
	Position time.Time
	// VisibleFrom hides the event until this time of the store's clock; zero means
	// it is visible from the commit on.
	VisibleFrom time.Time
	// Poison makes every page that holds the event fail.
	Poison bool

	encoded *encodedEvent // may be stale: see Event.shape
}

// FromProto turns answers of the Events API into events to store.
func FromProto(events ...*eventpb.Event) []Event {
	out := make([]Event, len(events))
	for i, e := range events {
		out[i] = Event{
			AggregateType: e.GetAggregate().GetType().GetType(),
			AggregateID:   e.GetAggregate().GetId(),
			ResourceOwner: e.GetAggregate().GetResourceOwner(),
			Sequence:      e.GetSequence(),
			Type:          e.GetType().GetType(),
			EditorID:      e.GetEditor().GetUserId(),
			EditorName:    e.GetEditor().GetDisplayName(),
			Payload:       e.GetPayload(),
			CreatedAt:     e.GetCreationDate().AsTime(),
		}
	}
	return out
}

// Store is an event log in memory for 1,000,000 events and more: a row has 48 bytes,
// and what events have in common is stored once. It is safe for concurrent use.
type Store struct {
	mu         sync.RWMutex
	now        func() time.Time
	hideFuture bool

	rows []row
	// byCreated holds indexes into rows in the order (creation date, order in
	// the transaction, aggregate type, aggregate id): the index on which
	// ZITADEL's database answers a range.
	byCreated []int32
	// skewed is set once a row's position differs from its creation date, so
	// that the order of byCreated is not the order of the log.
	skewed     bool
	aggregates map[string]*aggregate
	shapes     map[shape]*shape
	hidden     map[int32]int64 // row -> visible from, microseconds

	open   int           // transactions that pushed and did not end
	closed chan struct{} // closed when open falls to 0
}

// row is one committed event.
type row struct {
	created   int64 // microseconds since 1970
	position  int64
	sequence  uint64
	aggregate *aggregate
	shape     *shape
	inTx      uint32
}

// aggregate is what the rows of one aggregate share.
type aggregate struct {
	typ, id string
	last    uint64
	rows    []int32    // as committed
	next    *aggregate // another type with the same id
}

// shape is what events have in common that differ only in aggregate, number and time.
// The payload is encoded as google.protobuf.Struct.
type shape struct {
	typ, owner           string
	editorID, editorName string
	payload              string
	hasPayload, poison   bool
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		now:        time.Now,
		aggregates: map[string]*aggregate{},
		shapes:     map[shape]*shape{},
		hidden:     map[int32]int64{},
	}
}

// SetClock sets the database's clock. Only with it are events hidden whose position is
// in that clock's future, as in ZITADEL.
func (s *Store) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.hideFuture = now, true
}

// Len counts the committed events, hidden ones too.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rows)
}

// Append commits events at once. An event that is older than one a reader has seen is
// a late one.
func (s *Store) Append(events ...Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(events)
}

// append must be called with s.mu held.
func (s *Store) append(events []Event) {
	first := len(s.rows)
	s.rows = slices.Grow(s.rows, len(events))
	s.byCreated = slices.Grow(s.byCreated, len(events))
	var inTx uint32
	for i, e := range events {
		if i > 0 && e.CreatedAt.Equal(events[i-1].CreatedAt) {
			inTx++
		} else {
			inTx = 0
		}
		s.insert(e, inTx)
	}
	s.index(first)
}

func (s *Store) insert(e Event, inTx uint32) {
	created := e.CreatedAt.UnixMicro()
	position := created
	if !e.Position.IsZero() {
		position = e.Position.UnixMicro()
	}
	if position != created {
		s.skewed = true
	}
	a := s.aggregate(e.AggregateType, e.AggregateID)
	if e.Sequence == 0 {
		e.Sequence = a.last + 1
	}
	a.last = max(a.last, e.Sequence)

	id := int32(len(s.rows))
	s.rows = append(s.rows, row{
		created: created, position: position, sequence: e.Sequence,
		aggregate: a, shape: s.shape(e), inTx: inTx,
	})
	a.rows = append(a.rows, id)
	if !e.VisibleFrom.IsZero() {
		s.hidden[id] = e.VisibleFrom.UnixMicro()
	}
}

// index inserts the rows from first on into byCreated.
func (s *Store) index(first int) {
	const few = 64 // moving the tail this often is cheaper than sorting all
	sorted := len(s.rows)-first <= few
	inOrder := true
	for id := int32(first); int(id) < len(s.rows); id++ {
		n := len(s.byCreated)
		if n == 0 || s.compareCreated(s.byCreated[n-1], id) <= 0 {
			s.byCreated = append(s.byCreated, id)
			continue
		}
		if !sorted {
			s.byCreated, inOrder = append(s.byCreated, id), false
			continue
		}
		at, _ := slices.BinarySearchFunc(s.byCreated, id, s.compareCreated)
		s.byCreated = slices.Insert(s.byCreated, at, id)
	}
	if !inOrder {
		slices.SortStableFunc(s.byCreated, s.compareCreated)
	}
}

func (s *Store) compareCreated(x, y int32) int {
	a, b := &s.rows[x], &s.rows[y]
	return cmp.Or(cmp.Compare(a.created, b.created), compareInTx(a, b), cmp.Compare(x, y))
}

func compareInTx(a, b *row) int {
	if a.inTx != b.inTx {
		return cmp.Compare(a.inTx, b.inTx)
	}
	return compareAggregate(a, b)
}

func compareAggregate(a, b *row) int {
	if a.aggregate == b.aggregate {
		return 0
	}
	return cmp.Or(cmp.Compare(a.aggregate.typ, b.aggregate.typ), cmp.Compare(a.aggregate.id, b.aggregate.id))
}

func (s *Store) aggregate(typ, id string) *aggregate {
	head := s.aggregates[id]
	for a := head; a != nil; a = a.next {
		if a.typ == typ {
			return a
		}
	}
	a := &aggregate{typ: typ, id: id, next: head}
	s.aggregates[id] = a
	return a
}

func (s *Store) shape(e Event) *shape {
	sh := e.shape()
	if known, ok := s.shapes[*sh]; ok {
		return known
	}
	s.shapes[*sh] = sh
	return sh
}

// encodedEvent is an event and its encoding.
type encodedEvent struct {
	shape   *shape
	payload *structpb.Struct // by identity
}

// encode makes later calls of shape cheap. Payloads must not change after it.
func (e *Event) encode() { e.encoded = &encodedEvent{e.shape(), e.Payload} }

func (e *Event) shape() *shape {
	sh := &shape{
		typ: e.Type, owner: e.ResourceOwner, editorID: e.EditorID, editorName: e.EditorName,
		hasPayload: e.Payload != nil, poison: e.Poison,
	}
	if e.encoded != nil && e.encoded.payload == e.Payload {
		// Everything else may have been set since.
		sh.payload = e.encoded.shape.payload
		if *sh == *e.encoded.shape {
			return e.encoded.shape
		}
		return sh
	}
	if e.Payload != nil {
		// A Struct of valid UTF-8 always encodes; anything else is a bug of the test.
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Payload)
		if err != nil {
			panic("zitadeltest: payload of " + e.Type + ": " + err.Error())
		}
		sh.payload = string(b)
	}
	return sh
}

// Tx is an open transaction of a writer.
type Tx struct {
	store  *Store
	at     time.Time
	events []Event
	pushed bool
	done   bool
}

// Begin opens a transaction and fixes the creation date of its events. BEGIN does
// nothing else: readers do not wait for it, so that events committed later are late.
func (s *Store) Begin(at time.Time) *Tx { return &Tx{store: s, at: at} }

// Push writes events into the transaction. From the first Push to the end of the
// transaction readers wait, because ZITADEL's writers hold the lock that readers need.
// The commit assigns the sequences.
func (t *Tx) Push(events ...Event) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if t.done {
		panic("zitadeltest: Push after the end of the transaction")
	}
	if !t.pushed {
		t.pushed = true
		if t.store.open == 0 {
			t.store.closed = make(chan struct{})
		}
		t.store.open++
	}
	t.events = append(t.events, events...)
}

// Commit makes the events visible, all with the creation date of Begin.
func (t *Tx) Commit() { t.end(true) }

// Rollback forgets the events.
func (t *Tx) Rollback() { t.end(false) }

func (t *Tx) end(commit bool) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	if commit {
		for i := range t.events {
			t.events[i].CreatedAt = t.at
		}
		t.store.append(t.events)
	}
	if t.pushed {
		t.store.open--
		if t.store.open == 0 {
			close(t.store.closed)
		}
	}
}

// awaitOpen waits until no transaction that pushed is open. Like the real server it has
// no timeout.
func (s *Store) awaitOpen(ctx context.Context) error {
	for {
		s.mu.RLock()
		open, closed := s.open, s.closed
		s.mu.RUnlock()
		if open == 0 {
			return nil
		}
		select {
		case <-closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
