package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/pipe"
	"github.com/zitadel-siem/zitadel-siem/internal/record"
	"github.com/zitadel-siem/zitadel-siem/internal/sink"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

func TestMain(m *testing.M) {
	if os.Getenv(envBeFar) != "" {
		beFar()
		return
	}
	goleak.VerifyTestMain(m)
}

// serve starts a look-alike with n synthetic events, the newest a minute old.
func serve(t *testing.T, n int) *zitadeltest.Server {
	t.Helper()
	store := zitadeltest.NewStore()
	store.Fill(zitadeltest.Synthetic{Events: n, From: time.Now().Add(-time.Minute - time.Duration(n)*time.Millisecond), Every: 3 * time.Millisecond, PerTransaction: 3})
	srv := zitadeltest.ServeAt(t, "127.0.0.1:"+testkit.FreePort(t), store, zitadeltest.Options{})
	return srv
}

// settings of a source that reads srv and forwards to far; more pairs of name and value.
func settings(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server, pairs ...string) config.PullSettings {
	t.Helper()
	values := map[string]string{
		"url": srv.URL(), "token": srv.Token(), "instance": "one", "state_path": filepath.Join(t.TempDir(), "state"),
		"settle": "0s", "overlap": "2s", "poll_interval": "100ms", "ack_timeout": "2s",
	}
	if far != nil {
		values["forward"] = far.Forward().String()
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	s, _, err := config.Pull.ParseMap(values, config.ParseOptions{NeedState: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens a source with the forward sink of its settings.
func open(t *testing.T, s config.PullSettings, o source.Options) *Feed {
	t.Helper()
	to, _, err := sink.Open(s.Out, format.Raw(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	feed, err := Open(t.Context(), s, to, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
	})
	return feed
}

// setOf makes a set of feeds that are open.
func setOf(feeds ...*Feed) *Set {
	s := &Set{log: slog.New(slog.DiscardHandler), ended: make(chan struct{})}
	for _, f := range feeds {
		m := newKeeper(config.PullSettings{Settings: f.Settings})
		m.feed = f
		s.keepers = append(s.keepers, m)
	}
	return s
}

// run runs a source until ready says so, then stops it.
func run(t *testing.T, feed *Feed, ready func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	testkit.Until(t, "what is to be seen", ready)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// arrived counts how often each id arrived.
func arrived(far *forwardtest.Server) map[string]int {
	counts := map[string]int{}
	for _, r := range far.Records() {
		event, _ := r.Body["event"].(map[string]any)
		id, _ := event["id"].(string)
		counts[id]++
	}
	return counts
}

// wantAll compares with the store, and returns how many came again.
func wantAll(t *testing.T, srv *zitadeltest.Server, far *forwardtest.Server) (repeats int) {
	t.Helper()
	counts := arrived(far)
	for _, e := range srv.Store().Keys() {
		id := record.Key{Instance: "one", AggregateType: e.AggregateType, AggregateID: e.AggregateID, Sequence: e.Sequence}.ID()
		if counts[id] == 0 {
			t.Errorf("%s is lost", id)
		}
		repeats += max(counts[id]-1, 0)
		delete(counts, id)
	}
	for id := range counts {
		t.Errorf("%s was never written", id)
	}
	return repeats
}

func TestLaw1_TheCursorWaitsForTheAck(t *testing.T) {
	srv := serve(t, 300)
	far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	s := settings(t, srv, far)
	run(t, open(t, s, source.Options{}), func() bool { return far.Began() > 0 })
	state, err := cursor.Read(s.StatePath)
	if err == nil && state.Events != 0 {
		t.Errorf("the cursor is %d events on, of which none was acknowledged", state.Events)
	}
}

func TestLaw2_ABadReceiverGetsEveryEvent(t *testing.T) {
	srv := serve(t, 3000)
	bad := []forwardtest.Answer{forwardtest.Hangup, forwardtest.Cut, forwardtest.WrongAck, forwardtest.Ack, forwardtest.Hangup}
	far := forwardtest.Start(t, forwardtest.Options{Answer: func(int) (a forwardtest.Answer) {
		if len(bad) > 0 {
			a, bad = bad[0], bad[1:]
		}
		return a // of the rest: Ack
	}})
	log := &testkit.Text{}
	s := settings(t, srv, far, "page_size", "100")
	run(t, open(t, s, source.Options{Log: slog.New(slog.NewTextHandler(log, nil))}), func() bool { return len(arrived(far)) == 3000 })
	wantAll(t, srv, far)
	if !strings.Contains(log.String(), "nothing is lost") || !strings.Contains(log.String(), "records are taken again") {
		t.Errorf("the log does not say what happened:\n%s", log)
	}
}

func TestLaw2_AStopRepeatsNothing(t *testing.T) {
	srv := serve(t, 2000)
	far := forwardtest.Start(t, forwardtest.Options{Delay: time.Millisecond, Answer: func(int) forwardtest.Answer { return forwardtest.Late }})
	s := settings(t, srv, far, "page_size", "50", "tag_by", "aggregate_type")
	for n := 1; n < 2000; n += 400 {
		// Close is called before the next one opens, as by another process.
		to, _, err := sink.Open(s.Out, format.Raw(), nil)
		if err != nil {
			t.Fatal(err)
		}
		feed, err := Open(t.Context(), s, to, source.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		run(t, feed, func() bool { return len(arrived(far)) >= n })
		if err := feed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(t, open(t, s, source.Options{}), func() bool { return len(arrived(far)) == 2000 })
	if n := wantAll(t, srv, far); n != 0 {
		t.Errorf("%d repeated", n)
	}
}

func TestRun_EndsOnceEverythingIsAcknowledged(t *testing.T) {
	srv := serve(t, 500)
	far := forwardtest.Start(t, forwardtest.Options{Delay: 50 * time.Millisecond, Answer: func(int) forwardtest.Answer { return forwardtest.Late }})
	s := settings(t, srv, far, "end", time.Now().Add(-10*time.Second).UTC().Format(time.RFC3339))
	feed := open(t, s, source.Options{EndOnError: true})
	if err := feed.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := wantAll(t, srv, far); n != 0 || feed.Pipe.Stats.Taken.Load() != 500 {
		t.Errorf("%d repeated, %d counted", n, feed.Pipe.Stats.Taken.Load())
	}
}

func TestRun_AHeartbeatIsSentAndIsNoEvent(t *testing.T) {
	srv := serve(t, 100)
	far := forwardtest.Start(t, forwardtest.Options{})
	feed := open(t, settings(t, srv, far, "heartbeat", "20ms"), source.Options{})
	run(t, feed, func() bool {
		for id := range arrived(far) {
			if strings.HasPrefix(id, "one/"+pipe.HeartbeatType+"/") {
				return feed.Pipe.Stats.Taken.Load() == 100
			}
		}
		return false
	})
}

func TestRun_EndOnErrorReturnsWhatToMend(t *testing.T) {
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := settings(t, srv, far, "token", "wrong")
	if err := open(t, s, source.Options{EndOnError: true}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "token") {
		t.Error(err)
	}
}

func TestRun_OneSourceInTroubleDoesNotHoldUpTheOther(t *testing.T) {
	srv := serve(t, 400)
	far := forwardtest.Start(t, forwardtest.Options{})
	list := []config.PullSettings{settings(t, srv, far), settings(t, srv, far, "token", "wrong", "instance", "two")}
	set, err := Start(t.Context(), list, opener, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	bad := set.Feeds()[1]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	testkit.Until(t, "what is to be seen", func() bool { return len(arrived(far)) == 400 })
	testkit.Until(t, "what is to be seen", func() bool { return bad.Metrics().Errors["Unauthenticated"] > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// brokenSink fails for good.
type brokenSink struct{ err error }

func (b brokenSink) Send(context.Context, string, []byte, int) error { return b.err }
func (b brokenSink) Close() error                                    { return nil }

func TestRun_AFinalSinkEndsAllSources(t *testing.T) {
	srv, silent := serve(t, 100), serve(t, 100)
	silent.Update(func(f *zitadeltest.Faults) { f.Latency = time.Hour })
	gone := errors.New("the reader went away")
	var feeds []*Feed
	for i, server := range []*zitadeltest.Server{srv, silent} {
		s, err := Open(t.Context(), settings(t, server, nil, "instance", []string{"one", "two"}[i]), brokenSink{&sink.FinalError{Err: gone}}, source.Options{Log: slog.New(slog.DiscardHandler), Encode: record.AppendLine})
		if err != nil {
			t.Fatal(err)
		}
		feeds = append(feeds, s)
	}
	if err := setOf(feeds...).Run(t.Context()); !errors.Is(err, gone) || !strings.Contains(err.Error(), `source "one"`) {
		t.Error(err)
	}
}

func TestOpen_ASecondReaderIsRefused(t *testing.T) {
	srv := serve(t, 1)
	far := forwardtest.Start(t, forwardtest.Options{})
	s := settings(t, srv, far)
	open(t, s, source.Options{})
	if _, err := Open(t.Context(), s, brokenSink{}, source.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, cursor.ErrLocked) {
		t.Error(err)
	}
}
