package realtest

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

const (
	mostLate = 4 * time.Second // of every transaction; the rest of the overlap is for slow machines
	settings = "start: beginning, settle: 200ms, overlap: 6s, poll_interval: 500ms, request_timeout: 3s, page_size: 50, ack_timeout: 1m"
)

// source is an instance of ZITADEL with a writer, which writes transactions of one to a few events:
// most at once, many late, some with the creation date of the one before, few of many events.
type source struct {
	instance string
	server   *zitadeltest.Server
	stop     func() // of the writer, once all that it began is committed

	mu        sync.Mutex
	sequences map[string]uint64 // by aggregate
	committed map[string]bool   // event.id
}

func newSource(t testing.TB, instance string, seed uint64) *source {
	server := zitadeltest.Serve(t, zitadeltest.NewStore(), zitadeltest.Options{})
	server.AddToken(token, zitadeltest.Viewer, time.Time{})
	s := &source{instance: instance, server: server, sequences: map[string]uint64{}, committed: map[string]bool{}}
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	writing.Go(func() { s.write(ctx, &writing, seed) })
	s.stop = func() {
		stop()
		writing.Wait()
	}
	t.Cleanup(s.stop)
	return s
}

// newSources are 30 of them.
func newSources(t testing.TB, seed uint64) (list []*source) {
	for i, instance := range clustertest.Names(30) {
		list = append(list, newSource(t, instance, seed<<8+uint64(i)))
	}
	return list
}

func (s *source) write(ctx context.Context, writing *sync.WaitGroup, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	shapes := zitadeltest.NewWriter(s.server.Store(), seed, nil)
	var before time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(random.Int64N(int64(time.Second)))):
		}
		created := time.Now().Truncate(time.Microsecond)
		if random.IntN(4) == 0 && created.Sub(before) < 2*time.Second {
			created = before
		}
		before = created
		events := shapes.Next()
		for random.IntN(50) == 0 || len(events) > 20 && len(events) < 120 { // more than a page
			events = append(events, shapes.Next()...)
		}
		if random.IntN(3) > 0 {
			s.commit(created, events)
			continue
		}
		late := time.Duration(random.Int64N(int64(mostLate * 3 / 4)))
		writing.Go(func() {
			time.Sleep(late)
			s.commit(created, events)
		})
	}
}

func (s *source) commit(created time.Time, events []zitadeltest.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(created) > mostLate {
		return // readers promise nothing for those
	}
	for i := range events {
		e := &events[i]
		aggregate := e.AggregateType + "/" + e.AggregateID
		s.sequences[aggregate]++
		e.Sequence = s.sequences[aggregate]
		s.committed[record.Key{Instance: s.instance, AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()] = true
	}
	tx := s.server.Store().Begin(created)
	tx.Push(events...)
	tx.Commit()
}

// ids are the events that were committed.
func (s *source) ids() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make(map[string]bool, len(s.committed))
	for id := range s.committed {
		ids[id] = true
	}
	return ids
}
