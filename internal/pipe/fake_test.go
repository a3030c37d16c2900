package pipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count is the state in the tests: how many events are behind. It becomes one
// that can be prepared in [start].
type count uint64

func (count) Prepare() (Pending, error) { panic("the state is nobody's") }

// log of events 1, 2, 3 ... of which the state counts how many are behind.
type eventLog struct {
	total   uint64
	batch   uint64 // events per batch
	types   []string
	padding int // bytes each event is longer
}

func (l eventLog) record(seq uint64) *record.Event {
	r := &record.Event{Key: record.Key{Instance: "i", AggregateType: "user", AggregateID: "1", Sequence: seq}, Type: "user.added"}
	if len(l.types) > 0 {
		r.Type = l.types[int(seq)%len(l.types)]
	}
	r.LocalizedType = strings.Repeat("x", l.padding)
	return r
}

// from emits everything after the given event, then waits for ctx.
func (l eventLog) from(from uint64) Read {
	return func(ctx context.Context, emit Emit) error {
		for n := from; n < l.total; {
			var b Batch
			for ; n < l.total && uint64(len(b.Records)) < l.batch; n++ {
				b.Records = append(b.Records, l.record(n+1))
			}
			b.State = count(n)
			if err := emit(ctx, b); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

// encodeLine writes "sequence padding\n" for an event, and else JSON.
func encodeLine(b []byte, r record.Record) []byte {
	e, ok := r.(*record.Event)
	if !ok {
		return record.AppendJSON(b, r)
	}
	b = strconv.AppendUint(b, e.Sequence, 10)
	b = append(b, ' ')
	b = append(b, e.LocalizedType...)
	return append(b, '\n')
}

func sequences(data []byte) (seqs []uint64) {
	for line := range bytes.Lines(data) {
		number, _, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.ParseUint(string(number), 10, 64)
		if err != nil || line[len(line)-1] != '\n' {
			panic(fmt.Sprintf("a chunk does not hold whole events: %.80q", line))
		}
		seqs = append(seqs, n)
	}
	return seqs
}

// host is Fluent Bit: it takes chunks, or not.
type host struct {
	taken  []uint64
	chunks int
	tags   []string
	refuse func() bool
}

func (h *host) add(tag string, data []byte, _ int) bool {
	if h.refuse != nil && h.refuse() {
		return false
	}
	h.taken = append(h.taken, sequences(data)...)
	h.tags = append(h.tags, tag)
	h.chunks++
	return true
}

// memory keeps a state.
type memory struct {
	mu        sync.Mutex
	state     uint64
	prepared  int
	commits   int
	prepareBy func(uint64) error
	commitBy  func() error
}

// stateOf is a state for a memory, first as a State and then as a Pending.
type stateOf struct {
	m *memory
	n uint64
}

func (s stateOf) Prepare() (Pending, error) {
	if s.m.prepareBy != nil {
		if err := s.m.prepareBy(s.n); err != nil {
			return nil, err
		}
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.prepared++
	return s, nil
}

func (s stateOf) Commit() error {
	if s.m.commitBy != nil {
		if err := s.m.commitBy(); err != nil {
			return err
		}
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.n < s.m.state {
		panic("the cursor went back")
	}
	s.m.state = s.n
	s.m.commits++
	return nil
}

func (m *memory) events() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// rig is a running pipe. It lives in a synctest bubble.
type rig struct {
	*Pipe
	cursor *memory
	log    *testkit.Text
	stop   func()
}

// start runs a pipe whose source goes on, at first and after each error, behind
// the last event that was taken over.
func start(t *testing.T, from func(uint64) Read, c *memory, change ...func(*Options)) *rig {
	t.Helper()
	log := &testkit.Text{}
	o := Options{
		Encode:     encodeLine,
		BufferSize: 16_000_000,
		Refusal:    "fluent bit refuses records: its storage is full, or the input is paused",
		Log:        hostlog.New("input", hostlog.Host{Name: "test", Level: slog.LevelDebug, Stderr: log}).Logger(),
	}
	for _, f := range change {
		f(&o)
	}
	p := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	last := c.state
	read := func(ctx context.Context, emit Emit) error {
		return from(last)(ctx, func(ctx context.Context, b Batch) error {
			n, _ := b.State.(count)
			b.State = stateOf{c, uint64(n)}
			if err := emit(ctx, b); err != nil {
				return err
			}
			last = uint64(n)
			return nil
		})
	}
	go func() { defer close(done); p.Run(ctx, read) }()
	return &rig{Pipe: p, cursor: c, log: log, stop: sync.OnceFunc(func() {
		cancel()
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})}
}

// tagByType gives each event type a tag of its own.
func tagByType(o *Options) {
	o.Tag = func(r record.Record) string { return "zitadel." + r.EventType() }
}

// drain calls as the host does, once a second, n times.
func (r *rig) drain(h *host, n int) {
	for range n {
		synctest.Wait()
		r.Drain(h.add)
		time.Sleep(time.Second)
	}
}

func wantSequences(t *testing.T, got []uint64, total uint64) {
	t.Helper()
	if uint64(len(got)) != total {
		t.Fatalf("host has %d events, want %d", len(got), total)
	}
	for i, seq := range got {
		if seq != uint64(i+1) {
			t.Fatalf("event %d is number %d: order, a repeat or a loss", i, seq)
		}
	}
}

var errDisk = errors.New("no space left on device")
