package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/detect"
	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// wrongSince is what the page says of a source while it runs.
func wrongSince(f *Feed, began time.Time) (all string) {
	for _, p := range f.problems(time.Now(), began, new(histories)) {
		all += fmt.Sprintf("%s: %s FIX %s\n", p.Level, p.What, p.Fix)
		if p.Fix == "" || p.What == "" || p.Source != f.Settings.Instance {
			all += fmt.Sprintf("INCOMPLETE %+v\n", p)
		}
	}
	return all
}

// wantWrong runs a source until the page says all of want of it, mend does, and it says
// nothing any more.
func wantWrong(t *testing.T, f *Feed, mend func(), want ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	began, got := time.Now(), ""
	testkit.Until(t, strings.Join(want, ", "), func() bool {
		got = wrongSince(f, began)
		for _, part := range want {
			if !strings.Contains(got, part) {
				return false
			}
		}
		return true
	})
	if strings.Contains(got, "INCOMPLETE") {
		t.Error(got)
	}
	if mend != nil {
		mend()
		testkit.Until(t, "no problem", func() bool { return wrongSince(f, began) == "" })
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStatus_SaysWhatIsWrongUntilItIsMended(t *testing.T) {
	t.Run("zitadel is away", func(t *testing.T) {
		srv := serve(t, 50)
		srv.Stop()
		wantWrong(t, open(t, settings(t, srv, forwardtest.Start(t, forwardtest.Options{})), source.Options{}), func() {
			if err := srv.Restart(); err != nil {
				t.Error(err)
			}
		}, "failing: ZITADEL does not answer. ", "FIX If this lasts, check that ZITADEL runs")
	})
	t.Run("zitadel throttles", func(t *testing.T) {
		srv := serve(t, 50)
		srv.Update(func(f *zitadeltest.Faults) { f.QuotaOn = true })
		wantWrong(t, open(t, settings(t, srv, forwardtest.Start(t, forwardtest.Options{})), source.Options{}), nil, "warning: ZITADEL throttles. ", "raise poll_interval or the quota.")
	})
	t.Run("the token is wrong", func(t *testing.T) {
		srv := serve(t, 50)
		wantWrong(t, open(t, settings(t, srv, forwardtest.Start(t, forwardtest.Options{}), "token", "wrong-token-0123456789"), source.Options{}), nil,
			"failing: ZITADEL refuses. ", "FIX The token is wrong, removed, expired", "a restart is not needed.")
	})
	t.Run("the receiver is away", func(t *testing.T) {
		srv := serve(t, 50)
		address := "127.0.0.1:" + testkit.FreePort(t)
		feed := open(t, settings(t, srv, nil, "forward", "tcp://"+address), source.Options{})
		wantWrong(t, feed, nil, "failing: Records are not taken. ", "connection refused", "FIX Check that the receiver runs")
		if lag, _ := feed.lag(time.Now().Add(time.Minute)); lag >= 0 && feed.Pipe.UnderWay() > 0 && lag < time.Minute {
			t.Errorf("records wait for a minute, and the lag is %s", lag)
		}
	})
	t.Run("the state cannot be written", func(t *testing.T) {
		srv := serve(t, 50)
		s := settings(t, srv, forwardtest.Start(t, forwardtest.Options{}))
		feed := open(t, s, source.Options{})
		dir := filepath.Dir(s.StatePath)
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		wantWrong(t, feed, func() {
			if err := os.Rename(dir+".away", dir); err != nil {
				t.Error(err)
			}
		}, "failing: The state cannot be written. ", "FIX Make room on the disk of state_path")
	})
}

func TestStatus_RefusedWebhooksAreAProblemForAWhile(t *testing.T) {
	srv := serve(t, 10)
	feed, target, stop := listeningSource(t, listening(t, srv, forwardtest.Start(t, forwardtest.Options{})))
	defer stop()
	var h histories
	began := time.Now()
	h.add(feed, began)
	testkit.Until(t, "the first pass", func() bool { return wrongSince(feed, began) == "" })
	forged := zitadeltest.NewTarget("http://"+feed.Listener.Addr()+"/events/all", "another key")
	if forged.Post([]byte(`{}`)) || !target.Post([]byte(`{"fullMethod":"/x/Y","instanceID":"1","orgID":"2","userID":"3"}`)) {
		t.Fatal("the wrong one was taken")
	}
	h.add(feed, began.Add(page.Interval))
	list := feed.problems(time.Now(), began, &h)
	if len(list) != 1 || list[0].Level != page.Warning || !strings.Contains(list[0].What, "1 webhook requests were refused") || !strings.Contains(list[0].What, "bad_signature") || !strings.Contains(list[0].Fix, "zitadel-siem setup") {
		t.Errorf("%+v", list)
	}
	h.add(feed, began.Add(refusedWithin+time.Minute))
	h.add(feed, began.Add(refusedWithin+time.Minute+page.Interval))
	if list := feed.problems(time.Now(), began, &h); len(list) != 0 {
		t.Errorf("long after: %+v", list)
	}
	row := feed.shown(time.Now(), &h, nil)
	if w := row.Webhooks; w == nil || w.Accepted != 1 || w.Refused != 1 || w.Reasons["bad_signature"] != 1 || w.Address == "" || w.SpoolLimit == 0 {
		t.Errorf("%+v", row.Webhooks)
	}
}

func TestStatus_FixesAreOfRealReasons(t *testing.T) {
	real := map[string]bool{}
	for _, r := range webhook.Reasons() {
		real[r.String()] = true
	}
	for reason := range refusalFixes {
		if !real[reason] {
			t.Errorf("%s is no reason", reason)
		}
	}
}

func TestStatus_AnEndpointWithoutItsAddress(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	feed := open(t, listening(t, serve(t, 10), forwardtest.Start(t, forwardtest.Options{}), "webhook_listen", busy.Addr().String()), source.Options{})
	if got := wrongSince(feed, time.Now()); got != "" {
		t.Errorf("at the start: %s", got)
	}
	if got := wrongSince(feed, time.Now().Add(-slowAfter-time.Second)); !strings.Contains(got, "failing: Webhooks are not received.") {
		t.Error(got)
	}
}

// Law 6: no secret stands in the page, whatever the other side says.
func TestLaw6_ThePageHasNoSecret(t *testing.T) {
	const token = "Marker-t0ken-0123456789abcdef"
	echo := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you sent "+r.Header.Get("Authorization")+" to https://user:Marker-passw0rd@example.com/?access_token=Marker-query", http.StatusForbidden)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = echo.Serve(listener) }()
	t.Cleanup(func() { echo.Close() })
	srv := serve(t, 10)
	far := forwardtest.Start(t, forwardtest.Options{})
	var journal page.Journal
	log := journal.Watch(slog.New(slog.DiscardHandler))
	loud := open(t, settings(t, srv, far, "url", "http://"+listener.Addr().String(), "transport", "rest", "token", token, "instance", "<b>loud"), source.Options{Log: log.With("instance", "<b>loud")})
	stuck := open(t, settings(t, srv, nil, "forward", "tcp://127.0.0.1:"+testkit.FreePort(t), "shared_key", "Marker-shared-key", "instance", "stuck"), source.Options{Log: log})
	m, err := ListenMetrics("127.0.0.1:0", setOf(loud, stuck), Shown{Messages: &journal, Alerts: new(page.Alerts)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Serve() }()
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	text := ""
	run(t, loud, func() bool { _, err := loud.Reader.Trouble(); return err != nil })
	run(t, stuck, func() bool {
		_, text = get(t, "http://"+m.Addr()+"/")
		return strings.Contains(text, "ZITADEL refuses.") && strings.Contains(text, "Records are not taken.") && strings.Contains(text, "Last alerts") && strings.Contains(text, "error</span>")
	})
	for _, secret := range []string{"Marker", token, srv.Token(), "<b>loud"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s stands in the page:\n%s", secret, text)
		}
	}
}

// TestStatus_APanicInARuleIsAProblem: alerts may be missing, and records flow.
func TestStatus_APanicInARuleIsAProblem(t *testing.T) {
	set, err := detect.Load(fstest.MapFS{"r.yml": {Data: []byte("title: T\nid: t\nlevel: high\nlogsource: {product: zitadel}\ndetection: {a: {event.kind: event}, condition: a}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	feed := open(t, settings(t, serve(t, 10), forwardtest.Start(t, forwardtest.Options{})), source.Options{Detect: &source.Detection{Rules: set, Seen: func(*detect.Alert) { panic("a bug") }}})
	wantWrong(t, feed, nil, "notice: Since the start, 10 records were not evaluated by every rule", "FIX Alerts may be missing.")
	metric := ""
	for _, m := range feed.Metrics().List {
		if m.Name == "alert_rules_failed" {
			metric = fmt.Sprint(m.Value)
		}
	}
	if metric != "10" {
		t.Errorf("alert_rules_failed is %q", metric)
	}
}
