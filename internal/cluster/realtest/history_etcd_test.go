package realtest

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
)

// watch makes the history of an etcd from its events.
type watch struct {
	mu       sync.Mutex
	h        history
	numbers  map[string]uint64 // of the last commit
	revision int64
	errs     []error
}

func (c *etcdCluster) record(t testing.TB) (read func() history) {
	t.Helper()
	var urls []string
	for _, config := range c.configs {
		urls = append(urls, config.ListenClientUrls[0].String())
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: urls})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{h: history{names: map[string]string{}}, numbers: map[string]uint64{}}
	var watching sync.WaitGroup
	watching.Go(func() {
		for answer := range client.Watch(ctx, "/test/", clientv3.WithPrefix(), clientv3.WithRev(1), clientv3.WithPrevKV()) {
			w.take(answer)
		}
	})
	t.Cleanup(func() {
		stop()
		watching.Wait()
		client.Close()
	})
	return func() history {
		t.Helper()
		now, err := client.Get(ctx, "/test/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		clustertest.Eventually(t, time.Minute, "the watch has seen all", func() bool { return w.seen() >= now.Header.Revision })
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, err := range w.errs {
			t.Error(err)
		}
		return history{maps.Clone(w.h.names), w.h.changes}
	}
}

func (w *watch) seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revision
}

// take takes the events of whole revisions.
func (w *watch) take(answer clientv3.WatchResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := answer.Err(); err != nil {
		w.errs = append(w.errs, err)
	}
	ended := map[string]bool{} // leases
	for _, e := range answer.Events {
		if lease, ok := strings.CutPrefix(string(e.Kv.Key), "/test/members/"); ok && e.Type == clientv3.EventTypeDelete {
			ended[lease] = true
		}
	}
	for _, e := range answer.Events {
		w.takeOne(e, ended)
		w.revision = e.Kv.ModRevision
	}
}

func (w *watch) takeOne(e *clientv3.Event, ended map[string]bool) {
	part, name, _ := strings.Cut(strings.TrimPrefix(string(e.Kv.Key), "/test/"), "/")
	c := change{at: time.Now(), instance: name}
	value := e.Kv.Value
	if e.Type == clientv3.EventTypeDelete && e.PrevKv != nil {
		value = e.PrevKv.Value
	}
	switch {
	case part == "members" && e.Type == clientv3.EventTypePut:
		w.h.names[name] = nameIn(value)
		return
	case part == "holders":
		c.kind = taken
		c.lease, _, _ = strings.Cut(string(value), " ")
		c.fence = w.number(e, value, 1)
		if e.Type == clientv3.EventTypeDelete {
			if c.kind = released; ended[c.lease] {
				c.kind = over
			}
		}
	case part == "states" && e.Type == clientv3.EventTypePut:
		c.kind = committed
		c.fence, c.number = w.number(e, value, 0), w.number(e, value, 1)
		if c.number == w.numbers[name] {
			return // made by a take
		}
		w.numbers[name] = c.number
	default:
		return
	}
	w.h.changes = append(w.h.changes, c)
}

// number is a number in a value, by its place.
func (w *watch) number(e *clientv3.Event, value []byte, place int) uint64 {
	fields := strings.Fields(string(value[:min(len(value), 100)])) // the state follows
	if place >= len(fields) {
		w.errs = append(w.errs, fmt.Errorf("%s has %q: no number at place %d", e.Kv.Key, fields, place))
		return 0
	}
	n, err := strconv.ParseUint(fields[place], 10, 64)
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("%s: %w", e.Kv.Key, err))
	}
	return n
}
