package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// storm sends calls without a pause, each once, as ZITADEL does.
type storm struct {
	stop     func()
	senders  sync.WaitGroup
	sent     atomic.Int64
	refused  atomic.Int64
	mu       sync.Mutex
	accepted map[string]bool // by user: answered with 200
}

func startStorm(t *testing.T, to ...*zitadeltest.Target) *storm {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &storm{stop: stop, accepted: map[string]bool{}}
	for i := range 4 * len(to) {
		s.senders.Go(func() {
			for ctx.Err() == nil {
				n := s.sent.Add(1)
				if !to[i%len(to)].Post(callBody(int(n))) {
					s.refused.Add(1)
					continue
				}
				s.mu.Lock()
				s.accepted[fmt.Sprint("call-", n)] = true
				s.mu.Unlock()
			}
		})
	}
	t.Cleanup(func() { s.end() })
	return s
}

// end waits for the answers, and returns what was accepted.
func (s *storm) end() map[string]bool {
	s.stop()
	s.senders.Wait()
	return s.accepted
}

func (s *storm) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted)
}

// wantAccepted compares what arrived with what was answered with 200.
func wantAccepted(t *testing.T, far *forwardtest.Server, accepted map[string]bool) {
	t.Helper()
	came := calls(far)
	for user := range accepted {
		if n := came[user]; n != 1 {
			t.Errorf("%s was answered with 200 and came %d times", user, n)
		}
	}
	t.Logf("%d accepted, %d came", len(accepted), len(came))
}

// wantSpooled counts what is left in a spool that nobody uses any more.
func wantSpooled(t *testing.T, dir string, want uint64) {
	t.Helper()
	left, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if n := left.Usage().Entries; n != want {
		t.Errorf("%d entries are in the spool, want %d", n, want)
	}
}

// ending is a process that can be told to end.
type ending struct {
	*Set
	cancel func()
	done   chan error
	log    *testkit.Text
}

func (e *ending) wait(t *testing.T) {
	t.Helper()
	if err := <-e.done; err != nil {
		t.Error(err)
	}
}

// process runs sources, in a store if that is not nil.
func process(t *testing.T, store cluster.Store, list ...config.PullSettings) *ending {
	t.Helper()
	e := &ending{log: &testkit.Text{}, done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(e.log, nil))
	if store == nil {
		var err error
		if e.Set, err = Start(t.Context(), list, openerWith(log), log); err != nil {
			t.Fatal(err)
		}
	} else {
		member, err := cluster.New(cluster.Options{Store: store, TTL: lease})
		if err != nil {
			t.Fatal(err)
		}
		e.Set = Share(list, member, openerWith(log), log)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.cancel = cancel
	go func() { e.done <- e.Run(ctx) }()
	t.Cleanup(cancel)
	for _, s := range list {
		testkit.Until(t, "an endpoint", func() bool { return listens(s.Listen.Address) })
	}
	return e
}

func listens(address string) bool {
	c, err := net.Dial("tcp", address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// slowly acknowledges late, so that something waits at any time.
func slowly(t *testing.T) *forwardtest.Server {
	t.Helper()
	return forwardtest.Start(t, forwardtest.Options{Delay: 5 * time.Millisecond, Answer: func(int) forwardtest.Answer { return forwardtest.Late }})
}

// withState are settings of a source with a state file and an address that is known before the start.
func withState(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, pairs ...string) endpoint {
	t.Helper()
	e := endpointOf(t, srv, far, pairs...)
	e.settings.StatePath = filepath.Join(t.TempDir(), "state")
	return e
}

// At SIGTERM the endpoint closes first, and what it has accepted is handed over, whatever the reader
// of the log does: the volume of the spool may go with the process, and a call is in no log.
func TestLaw1_WhatWasAcceptedComesOutBeforeTheEnd(t *testing.T) {
	for name, meanwhile := range map[string]func(t *testing.T, srv *zitadeltest.Server, e *ending){
		"while it reads": func(t *testing.T, srv *zitadeltest.Server, e *ending) {
			testkit.Until(t, "the first pass", func() bool { return !e.Feeds()[0].Reader.ReadUpTo().IsZero() })
		},
		"while ZITADEL does not answer": func(t *testing.T, srv *zitadeltest.Server, e *ending) {
			testkit.Until(t, "the first pass", func() bool { return !e.Feeds()[0].Reader.ReadUpTo().IsZero() })
			srv.Stop()
			testkit.Until(t, "an outage", func() bool { _, err := e.Feeds()[0].Reader.Trouble(); return err != nil })
		},
		"while ZITADEL refuses the token": func(t *testing.T, srv *zitadeltest.Server, e *ending) {
			testkit.Until(t, "the first pass", func() bool { return !e.Feeds()[0].Reader.ReadUpTo().IsZero() })
			srv.Update(func(f *zitadeltest.Faults) {
				f.BeforeQuery = func(context.Context, string, proto.Message) error { return status.Error(codes.Unauthenticated, "no") }
			})
			testkit.Until(t, "a pause", func() bool { text, _ := e.Feeds()[0].Pipe.Stopped(); return text != "" })
		},
		"before the first answer": func(*testing.T, *zitadeltest.Server, *ending) {},
	} {
		t.Run(name, func(t *testing.T) {
			srv, far := serve(t, 20), slowly(t)
			if name == "before the first answer" {
				srv.Stop()
			}
			one := withState(t, srv, far)
			e := process(t, nil, one.settings)
			meanwhile(t, srv, e)
			s := startStorm(t, one.target)
			testkit.Until(t, "calls", func() bool { return s.count() >= 300 })
			e.cancel()
			e.wait(t)
			testkit.Until(t, "a refusal", func() bool { return s.refused.Load() > 0 })
			wantAccepted(t, far, s.end())
			wantSpooled(t, one.settings.Listen.SpoolPath, 0)
			if strings.Contains(e.log.String(), "stay in the spool") {
				t.Errorf("log:\n%s", e.log)
			}
		})
	}
}

// The member that holds the source, and one that relays, end while calls come to both.
func TestLaw1_WhatAMemberAcceptedComesOutBeforeItsEnd(t *testing.T) {
	srv, far, store := serve(t, 20), slowly(t), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	a := process(t, store, one.settings)
	testkit.Until(t, "a reader", func() bool { feeds := a.Feeds(); return len(feeds) == 1 && !feeds[0].Relays() })
	b := process(t, store, two.settings)
	testkit.Until(t, "a relay", func() bool { feeds := b.Feeds(); return len(feeds) == 1 && feeds[0].Relays() })
	s := startStorm(t, one.target, two.target)
	testkit.Until(t, "calls", func() bool { return s.count() >= 300 })
	b.cancel()
	b.wait(t)
	wantSpooled(t, two.settings.Listen.SpoolPath, 0)
	a.cancel()
	a.wait(t)
	wantSpooled(t, one.settings.Listen.SpoolPath, 0)
	wantAccepted(t, far, s.end())
}

// What the receiver does not take in time stays, the log says how much, and the next start has it.
func TestDrain_ReceiverThatIsAwayDoesNotDelayTheEnd(t *testing.T) {
	for name, shared := range map[string]bool{"with a state file": false, "in a store": true} {
		t.Run(name, func(t *testing.T) {
			srv, far := serve(t, 5), forwardtest.Start(t, forwardtest.Options{})
			silent := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
			one := withState(t, srv, silent, "ack_timeout", "1m")
			var store cluster.Store
			if shared {
				one.settings.StatePath, store = "", clustertest.NewMemory()
			}
			e := process(t, store, one.settings)
			for n := range 3 {
				if !one.call(n) {
					t.Fatal("refused")
				}
			}
			began := time.Now()
			e.cancel()
			e.wait(t)
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("it ended after %s", took)
			}
			if !strings.Contains(e.log.String(), "stay in the spool") || !strings.Contains(e.log.String(), "waiting=3") {
				t.Errorf("log:\n%s", e.log)
			}
			wantSpooled(t, one.settings.Listen.SpoolPath, 3)
			one.settings.Out.Forward = far.Forward()
			e = process(t, store, one.settings)
			wantCalls(t, far, 3)
			e.cancel()
			e.wait(t)
			wantSpooled(t, one.settings.Listen.SpoolPath, 0)
		})
	}
}

// A receiver that is back at the end is not waited for as long as after many failures.
func TestDrain_TriesTheReceiverAtOnce(t *testing.T) {
	var back atomic.Bool
	srv := serve(t, 5)
	far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer {
		if back.Load() {
			return forwardtest.Ack
		}
		return forwardtest.Hangup
	}})
	one := withState(t, srv, far)
	e := process(t, nil, one.settings)
	if !one.call(0) {
		t.Fatal("refused")
	}
	testkit.Until(t, "a pause of several seconds", func() bool { return far.Began() >= 5 })
	back.Store(true)
	e.cancel()
	e.wait(t)
	wantCalls(t, far, 1)
	wantSpooled(t, one.settings.Listen.SpoolPath, 0)
}

// A load balancer sees that the process is to end, and its webhooks are not accepted any more.
func TestDrain_HealthSaysThatTheProcessEnds(t *testing.T) {
	srv := serve(t, 5)
	silent := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	for name, store := range map[string]cluster.Store{"with a state file": nil, "in a store": clustertest.NewMemory()} {
		t.Run(name, func(t *testing.T) {
			one := withState(t, srv, silent, "ack_timeout", "1m")
			if store != nil {
				one.settings.StatePath = ""
			}
			e := process(t, store, one.settings)
			_, url := serveSet(t, e.Set)
			testkit.Until(t, "health", func() bool { code, _ := get(t, url+"/health"); return code == 200 })
			if !one.call(0) {
				t.Fatal("refused")
			}
			e.cancel()
			if code, text := get(t, url+"/health"); code != 503 || !strings.Contains(text, `"well":false,"problem":"this process is ending"`) {
				t.Errorf("%d\n%s", code, text)
			}
			testkit.Until(t, "a closed address", func() bool { return !listens(one.settings.Listen.Address) })
			select {
			case err := <-e.done:
				t.Fatalf("it has ended already, %v", err)
			default:
			}
			e.wait(t)
		})
	}
}

// A source that a reload removes ends by itself: the process goes on.
func TestDrain_OfARemovedSourceDoesNotChangeHealth(t *testing.T) {
	srv, far := serve(t, 5), forwardtest.Start(t, forwardtest.Options{})
	silent := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	stays, goes := withState(t, srv, far, "instance", "stays"), withState(t, srv, silent, "instance", "goes", "ack_timeout", "1m")
	e := process(t, nil, stays.settings, goes.settings)
	_, url := serveSet(t, e.Set)
	if !goes.call(0) {
		t.Fatal("refused")
	}
	applied := make(chan struct{})
	go func() { defer close(applied); e.Apply([]config.PullSettings{stays.settings}) }()
	testkit.Until(t, "a closed address", func() bool { return !listens(goes.settings.Listen.Address) })
	if code, text := get(t, url+"/health"); code != 200 || strings.Contains(text, "goes") {
		t.Errorf("%d\n%s", code, text)
	}
	select {
	case <-applied:
		t.Error("the source has ended already")
	default:
	}
	<-applied
	wantSpooled(t, goes.settings.Listen.SpoolPath, 1)
}

// Events that came by webhook at the end are noted in the state: they do not come again.
func TestDrain_RepeatsNoEventOfTheLog(t *testing.T) {
	srv, far := serve(t, 20), slowly(t)
	one := withState(t, srv, far, "poll_interval", "1h")
	e := process(t, nil, one.settings)
	testkit.Until(t, "the first pass", func() bool { return !e.Feeds()[0].Reader.ReadUpTo().IsZero() })
	writer, sent := zitadeltest.NewWriter(srv.Store(), 1, nil), 0
	for sent < 40 {
		sent += one.target.Happen(srv.Store(), writer.Next())
	}
	e.cancel()
	e.wait(t)
	if n := len(arrived(far)); n < sent {
		t.Errorf("%d events came, %d were accepted", n, sent)
	}
	one.settings.PollInterval = 100 * time.Millisecond
	e = process(t, nil, one.settings)
	testkit.Until(t, "every event", func() bool { return len(arrived(far)) == srv.Store().Len() })
	e.cancel()
	e.wait(t)
	if n := wantAll(t, srv, far); n > 0 {
		t.Errorf("%d came twice", n)
	}
}

// ZITADEL sends a webhook once. So the address of a source with new settings is not closed for as
// long as the receiver is away: the spool stays, and the source goes on with it.
func TestApply_AddressStaysOpenWhileTheReceiverIsAway(t *testing.T) {
	for name, shared := range map[string]bool{"with a state file": false, "in a store": true} {
		t.Run(name, func(t *testing.T) {
			var back atomic.Bool
			far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer {
				if back.Load() {
					return forwardtest.Ack
				}
				return forwardtest.Hangup
			}})
			one := withState(t, serve(t, 5), far)
			var store cluster.Store
			if shared {
				one.settings.StatePath, store = "", clustertest.NewMemory()
			}
			e := process(t, store, one.settings)
			if !one.call(0) {
				t.Fatal("refused")
			}
			testkit.Until(t, "an attempt", func() bool { return far.Began() > 0 })
			changed := one.settings
			changed.PollInterval += time.Second
			began := time.Now()
			e.Apply([]config.PullSettings{changed})
			testkit.Until(t, "an endpoint", func() bool { return one.call(1) })
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("webhooks were refused for %s", took)
			}
			back.Store(true)
			wantCalls(t, far, 2)
			e.cancel()
			e.wait(t)
			wantSpooled(t, one.settings.Listen.SpoolPath, 0)
		})
	}
}

// A source that was changed right before the end has no time of its own beside that of the one
// before it.
func TestDrain_EndsInTimeAfterAReload(t *testing.T) {
	far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	one := endpointOf(t, serve(t, 5), far, "ack_timeout", "1m")
	e := process(t, clustertest.NewMemory(), one.settings)
	if !one.call(0) {
		t.Fatal("refused")
	}
	testkit.Until(t, "a message under way", func() bool { return far.Began() > 0 })
	changed := one.settings
	changed.PollInterval += time.Second
	applied := make(chan struct{})
	go func() { defer close(applied); e.Apply([]config.PullSettings{changed}) }()
	testkit.Until(t, "the change", func() bool { return e.views()[0].settings.PollInterval == changed.PollInterval })
	began := time.Now()
	e.cancel()
	e.wait(t)
	<-applied
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it ended after %s", took)
	}
	wantSpooled(t, one.settings.Listen.SpoolPath, 1)
}
