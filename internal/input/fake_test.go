package input

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

	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/events"
	"github.com/zitadel-siem/zitadel-siem/internal/hostlog"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pull is a Puller that is a function.
type pull func(ctx context.Context, emit events.Emit) error

func (f pull) Run(ctx context.Context, emit events.Emit) error { return f(ctx, emit) }

// log of events 1, 2, 3 ... of which the state counts how many are behind.
type eventLog struct {
	total   uint64
	batch   uint64 // events per batch
	types   []string
	padding int // bytes each event is longer
}

func (l eventLog) record(seq uint64) record.Record {
	r := record.Record{Key: record.Key{Instance: "i", AggregateType: "user", AggregateID: "1", Sequence: seq}, Type: "user.added"}
	if len(l.types) > 0 {
		r.Type = l.types[int(seq)%len(l.types)]
	}
	r.LocalizedType = strings.Repeat("x", l.padding)
	return r
}

// from is a Puller that emits everything after state, then waits for ctx.
func (l eventLog) from(state cursor.State) (Puller, error) {
	return pull(func(ctx context.Context, emit events.Emit) error {
		for n := state.Events; n < l.total; {
			var b events.Batch
			for ; n < l.total && uint64(len(b.Records)) < l.batch; n++ {
				b.Records = append(b.Records, l.record(n+1))
			}
			b.State = cursor.State{Version: 1, Events: n}
			if err := emit(ctx, b); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}), nil
}

// encodeLine writes "sequence padding\n" for an event.
func encodeLine(b []byte, r *record.Record) []byte {
	b = strconv.AppendUint(b, r.Sequence, 10)
	b = append(b, ' ')
	b = append(b, r.LocalizedType...)
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

// memory is a Cursor that keeps states in memory.
type memory struct {
	mu        sync.Mutex
	state     cursor.State
	prepared  int
	commits   int
	prepareBy func(cursor.State) error
	commitBy  func() error
}

type memoryPending struct {
	m     *memory
	state cursor.State
}

func (m *memory) Prepare(s cursor.State) (Pending, error) {
	if m.prepareBy != nil {
		if err := m.prepareBy(s); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prepared++
	return memoryPending{m, s}, nil
}

func (p memoryPending) Commit() error {
	if p.m.commitBy != nil {
		if err := p.m.commitBy(); err != nil {
			return err
		}
	}
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if p.state.Events < p.m.state.Events {
		panic("the cursor went back")
	}
	p.m.state = p.state
	p.m.commits++
	return nil
}

func (m *memory) events() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Events
}

// logText is a writer that may be read while it is written.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a running pipe. It lives in a synctest bubble.
type rig struct {
	*Pipe
	cursor *memory
	log    *logText
	stop   func()
}

func start(t *testing.T, newPuller func(cursor.State) (Puller, error), c *memory, change ...func(*Options)) *rig {
	t.Helper()
	log := &logText{}
	o := Options{
		NewPuller:  newPuller,
		Redact:     func(*record.Record) {},
		Encode:     encodeLine,
		Tag:        "zitadel",
		TagBy:      "none",
		BufferSize: 16_000_000,
		Refusal:    "fluent bit refuses records: its storage is full, or the input is paused",
		Log:        hostlog.New("input", hostlog.Host{Name: "test", Level: slog.LevelDebug, Stderr: log}).Logger(),
	}
	for _, f := range change {
		f(&o)
	}
	p := NewPipe(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx, c, c.state) }()
	return &rig{Pipe: p, cursor: c, log: log, stop: sync.OnceFunc(func() {
		cancel()
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})}
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
