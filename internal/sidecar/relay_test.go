package sidecar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/actions"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/cluster/clustertest"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// endpoint is what one member has for itself: an address and a spool.
type endpoint struct {
	settings config.PullSettings
	target   *zitadeltest.Target
}

// endpointOf are the settings of one member for the one source that all share.
func endpointOf(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, pairs ...string) endpoint {
	t.Helper()
	address := "127.0.0.1:" + testkit.FreePort(t)
	s := listening(t, srv, far, append([]string{"webhook_listen", address, "spool_path", filepath.Join(t.TempDir(), "spool"), "call_addresses", "off"}, pairs...)...)
	s.StatePath = ""
	return endpoint{s, zitadeltest.NewTarget("http://"+address+"/events/all", signingKey)}
}

// share starts a member and waits until it listens.
func (e endpoint) share(t *testing.T, store *clustertest.Memory, name string) *sharing {
	t.Helper()
	p := share(t, store, name, e.settings)
	testkit.Until(t, name+" listens", func() bool {
		c, err := net.Dial("tcp", e.settings.Listen.Address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// call sends an API call that nobody sent before.
func (e endpoint) call(n int) bool {
	return e.target.Post(callBody(n))
}

func callBody(n int) []byte {
	return fmt.Appendf(nil, `{"fullMethod":"/zitadel.user.v2.UserService/SetPassword","instanceID":"1","orgID":"2","userID":"call-%d","request":{"newPassword":{"password":"Passw0rd!x"}}}`, n)
}

// calls counts how often each API call arrived, by its user.
func calls(far *forwardtest.Server) map[string]int {
	counts := map[string]int{}
	for _, r := range far.Records() {
		if event := r.Body["event"].(map[string]any); event["type"] == "api.request" {
			counts[r.Body["editor"].(map[string]any)["id"].(string)]++
		}
	}
	return counts
}

// wantCalls waits for the calls 0 to n-1.
func wantCalls(t *testing.T, far *forwardtest.Server, n int) {
	t.Helper()
	testkit.Until(t, "every call", func() bool { return len(calls(far)) == n })
}

// relays waits until the member relays, because another one holds the source.
func (p *sharing) relays(t *testing.T) {
	t.Helper()
	testkit.Until(t, "a relay", func() bool { feeds := p.Feeds(); return len(feeds) == 1 && feeds[0].Relays() })
}

// reads waits until the member reads the source.
func (p *sharing) reads(t *testing.T) {
	t.Helper()
	testkit.Until(t, "a reader", func() bool { feeds := p.Feeds(); return len(feeds) == 1 && !feeds[0].Relays() })
}

func TestRelay_EventComesTwiceWithOneIDAndACallOnce(t *testing.T) {
	srv, far, store := serve(t, 20), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	a := one.share(t, store, "a")
	a.reads(t)
	testkit.Until(t, "the first pass", func() bool { return len(arrived(far)) == 20 })
	b := two.share(t, store, "b")
	b.relays(t)

	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	sent := two.target.Happen(srv.Store(), writer.Next())
	if sent == 0 || !two.call(0) {
		t.Fatal("the member that does not hold the source refused")
	}
	wantCalls(t, far, 1)
	testkit.Until(t, "each event from both", func() bool { return repeats(far) == sent })
	by := map[any]int{}
	for _, r := range far.Records() {
		by[r.Body["source"]]++
	}
	if by[record.SourceWebhook] != sent+1 || by[record.SourceEventsAPI] != srv.Store().Len() {
		t.Errorf("%d webhooks, records by %v", sent, by)
	}
	testkit.Until(t, "an empty spool", func() bool { return b.Feeds()[0].Listener.Spooled() == 0 })

	// At the member that holds it, everything comes once.
	more := one.target.Happen(srv.Store(), writer.Next())
	testkit.Until(t, "the events", func() bool { return len(arrived(far)) == srv.Store().Len()+1 })
	testkit.Until(t, "an empty spool", func() bool { return a.Feeds()[0].Listener.Spooled() == 0 })
	if n := repeats(far); more == 0 || n != sent {
		t.Errorf("%d came twice, %d before", n, sent)
	}
}

// The holder changes while calls come to both: each call that was answered with 200 comes out.
func TestRelay_WhatWasAcceptedComesOutWhoeverHolds(t *testing.T) {
	srv, far, store := serve(t, 20), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	a := one.share(t, store, "a")
	a.reads(t)
	b := two.share(t, store, "b")
	b.relays(t)
	n, lost := 0, map[string]bool{} // calls; those that a got while it could not commit
	send := func(to endpoint) {
		if to.call(n) {
			n++
		}
	}
	a.gate.Set(clustertest.Cut, 0)
	testkit.Until(t, "b gains the source", func() bool {
		lost[fmt.Sprint("call-", n)] = true
		send(one)
		send(two)
		return len(b.held()) == 1
	})
	b.reads(t)
	a.gate.Set(clustertest.Open, 0)
	testkit.Until(t, "a has lost it", func() bool { send(one); return len(a.Feeds()) == 1 && a.Feeds()[0].Relays() })
	b.stop()
	testkit.Until(t, "a gains it again", func() bool { send(one); return len(a.held()) == 1 })
	a.reads(t)
	two.share(t, store, "b again").relays(t) // what it had accepted last is in its spool
	wantCalls(t, far, n)
	for user, times := range calls(far) {
		if times > 2 || times == 2 && !lost[user] {
			t.Errorf("%s came %d times", user, times)
		}
	}
	t.Logf("%d calls", n)
}

// The files are those of a process that was killed after it had answered with 200.
func TestRelay_WhatAKilledMemberAcceptedComesOutOfItsSpool(t *testing.T) {
	srv, far, store := serve(t, 20), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	silent := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	holder := endpointOf(t, srv, far)
	holder.share(t, store, "holder").reads(t)
	two := endpointOf(t, srv, silent)
	two.share(t, store, "two").relays(t)
	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	if two.target.Ahead(writer.Next()[0]) != 1 || !two.call(0) {
		t.Fatal("refused")
	}
	killed := endpointOf(t, srv, far)
	if err := os.CopyFS(killed.settings.Listen.SpoolPath, os.DirFS(two.settings.Listen.SpoolPath)); err != nil {
		t.Fatal(err)
	}
	before := len(far.Records())
	killed.share(t, store, "two again").relays(t)
	wantCalls(t, far, 1)
	testkit.Until(t, "the event", func() bool { return len(far.Records()) >= before+2 })
}

// A load balancer that repeats a request, or an eavesdropper, reaches a member that has not
// seen it.
func TestRelay_RequestThatComesToTwoMembersHasOneID(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	one.share(t, store, "a").reads(t)
	two.share(t, store, "b").relays(t)
	body := callBody(0)
	signature := actions.ComputeSignatureHeader(time.Now(), body, signingKey)
	for _, e := range []endpoint{one, two} {
		q, err := http.NewRequest(http.MethodPost, e.target.URL, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Close = true
		q.Header = http.Header{"Content-Type": {"application/json"}, webhook.SignatureHeader: {signature}}
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status)
		}
	}
	testkit.Until(t, "both", func() bool { return calls(far)["call-0"] == 2 })
	testkit.Until(t, "the events", func() bool { return len(arrived(far)) >= srv.Store().Len()+1 })
	if n := len(arrived(far)); n != srv.Store().Len()+1 {
		t.Errorf("%d ids", n)
	}
}

// No way leads around the signature and the redaction.
func TestRelay_ForgedRequestsAndSecretsDoNotComeOut(t *testing.T) {
	const secret = "$2a$14$abcdefghijklmnopqrstuuJ5Gm1Ih9kxlBJAUyBBSBtHgZBdZ9m1e"
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	one.share(t, store, "a").reads(t)
	b := two.share(t, store, "b")
	b.relays(t)
	writer := zitadeltest.NewWriter(srv.Store(), 1, nil)
	event := writer.Next()[0]
	forged := zitadeltest.NewTarget(two.target.URL, "another key")
	if forged.Ahead(event) != 0 || forged.Post(callBody(7)) {
		t.Error("a request with a wrong signature was accepted")
	}
	payload, err := structpb.NewStruct(map[string]any{"encodedHash": secret, "userName": "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	event.AggregateType, event.Type, event.Payload = "user", "user.human.password.changed", payload
	if two.target.Ahead(event) != 1 || !two.call(0) {
		t.Fatal("refused")
	}
	wantCalls(t, far, 1)
	testkit.Until(t, "an empty spool", func() bool { return b.Feeds()[0].Listener.Spooled() == 0 })
	relayed := 0
	for _, r := range far.Records() {
		text := fmt.Append(nil, r.Body)
		if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte("Passw0rd!x")) {
			t.Errorf("a secret left: %s", text)
		}
		if r.Body["source"] == record.SourceWebhook {
			relayed++
		}
	}
	if relayed != 2 || calls(far)["call-7"] != 0 {
		t.Errorf("%d records came by webhook, want 2", relayed)
	}
}

// The receiver takes nothing: memory and spool stay within their limits, and ZITADEL is told.
func TestRelay_FullSpoolRefusesAndMemoryIsBounded(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	silent := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, silent, "spool_size", "8M", "buffer_size", "2M", "webhook_bodies", "on", "ack_timeout", "1m")
	one.share(t, store, "a").reads(t)
	b := two.share(t, store, "b")
	b.relays(t)
	text := strings.Repeat("x", 200<<10)
	n := 0
	for ; n < 100 && two.target.Post(fmt.Appendf(nil, `{"fullMethod":"/x/Y","request":{"a":"%d","text":"%s"}}`, n, text)); n++ {
	}
	if n < 5 || n == 100 {
		t.Fatalf("%d requests of 200 KiB were accepted for 8 MiB", n)
	}
	feed := b.Feeds()[0]
	if u := feed.Listener.Usage(); u.Bytes > 8<<20 || feed.Listener.RefusedBy()["not_spooled"] == 0 {
		t.Errorf("%d bytes in the spool, refused %v", u.Bytes, feed.Listener.RefusedBy())
	}
	if held := feed.Pipe.UnderWay(); held > 3<<20 { // the buffer, and one batch
		t.Errorf("%d bytes in memory", held)
	}
}

// A probe and the page see the endpoint of a member that does not hold the source, and so does
// Prometheus.
func TestRelay_EndpointIsWatchedWhereTheSourceIsNotHeld(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	one.share(t, store, "a").reads(t)
	taken, err := net.Listen("tcp", two.settings.Listen.Address)
	if err != nil {
		t.Fatal(err)
	}
	b := share(t, store, "b", two.settings)
	b.relays(t)
	later := time.Now().Add(unhealthyAfter + time.Minute)
	v := b.views()[0]
	if h := v.health(later); h.Well || !strings.Contains(h.Problem, "webhooks are not received") {
		t.Errorf("health says %+v", h)
	}
	problems := v.problems(later)
	if row := v.shown(later, problems); len(problems) != 1 || !strings.Contains(problems[0].What, "Webhooks are not received") || row.Doing != "failing" {
		t.Errorf("the page says %+v, %+v", row.Doing, problems)
	}
	taken.Close()
	testkit.Until(t, "the call", func() bool { return two.call(0) })
	wantCalls(t, far, 1)
	testkit.Until(t, "health", func() bool { return v.health(later).Well })
	if row := v.shown(later, v.problems(later)); row.Doing != notHeld || row.Webhooks == nil || row.Webhooks.Accepted != 1 {
		t.Errorf("the page says %+v", row)
	}
	var metrics bytes.Buffer
	if err := new(exposition).write(&metrics, b.Feeds()); err != nil || !strings.Contains(metrics.String(), `webhooks_accepted_total{instance="one"} 1`) {
		t.Errorf("%v\n%s", err, metrics.String())
	}
}

// That webhooks are relayed does not hide that the source cannot be read here.
func TestRelay_SourceThatCannotBeOpenedIsStillUnhealthy(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one := endpointOf(t, srv, far)
	p := shareOpening(t, store, "a", func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		if !hold.Relays() {
			return nil, errors.New("no such file")
		}
		return opener(ctx, s, hold)
	}, one.settings)
	testkit.Until(t, "the call", func() bool { return one.call(0) })
	wantCalls(t, far, 1)
	testkit.Until(t, "an attempt that failed", func() bool { return p.views()[0].trouble != "" })
	v := p.views()[0]
	if h := v.health(time.Now().Add(unhealthyAfter + time.Minute)); h.Well || !strings.Contains(h.Problem, "no such file") {
		t.Errorf("health says %+v", h)
	}
}

// What cannot be handed over waits in the spool, and a probe sees that.
func TestRelay_ThatCannotBeOpenedIsUnhealthyAndLosesNothing(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	one.share(t, store, "a").reads(t)
	var mended atomic.Bool
	b := shareOpening(t, store, "b", func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		if hold.Relays() && !mended.Load() {
			return nil, errors.New("no such file")
		}
		return opener(ctx, s, hold)
	}, two.settings)
	testkit.Until(t, "the call", func() bool { return two.call(0) })
	testkit.Until(t, "an attempt that failed", func() bool { return b.views()[0].unrelayed != "" })
	v, later := b.views()[0], time.Now().Add(unhealthyAfter+time.Minute)
	if h := v.health(later); h.Well || !strings.Contains(h.Problem, "webhooks cannot be relayed: no such file") {
		t.Errorf("health says %+v", h)
	}
	if p := v.problems(later); len(p) != 1 || !strings.Contains(p[0].What, "Webhooks cannot be relayed. no such file") {
		t.Errorf("the page says %+v", p)
	}
	mended.Store(true)
	wantCalls(t, far, 1)
	if v := b.views()[0]; v.unrelayed != "" {
		t.Errorf("still: %s", v.unrelayed)
	}
}

// Nobody reads a standard output that is closed.
func TestRelay_SinkThatWillNotWorkAgainEndsTheProcess(t *testing.T) {
	srv, far, store := serve(t, 5), forwardtest.Start(t, forwardtest.Options{}), clustertest.NewMemory()
	one, two := endpointOf(t, srv, far), endpointOf(t, srv, far)
	one.share(t, store, "a").reads(t)
	gone := func(ctx context.Context, s config.PullSettings, hold Hold) (*Feed, error) {
		f, err := opener(ctx, s, hold)
		if err == nil {
			_ = f.sink.Close()
			f.sink = brokenSink{&sink.FinalError{Err: errors.New("broken pipe")}}
		}
		return f, err
	}
	member, err := cluster.New(cluster.Options{Store: store, Name: "b", TTL: lease})
	if err != nil {
		t.Fatal(err)
	}
	set := Share([]config.PullSettings{two.settings}, member, gone, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- set.Run(t.Context()) }()
	testkit.Until(t, "the call", func() bool { return two.call(0) })
	if err := <-done; !sink.IsFinal(err) {
		t.Errorf("it ended with %v", err)
	}
}
