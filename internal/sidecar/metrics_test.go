package sidecar

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/zitadel-siem/zitadel-siem/internal/forward/forwardtest"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func serveMetrics(t *testing.T, feeds ...*Feed) (*Metrics, string) {
	t.Helper()
	return serveSet(t, setOf(feeds...))
}

func serveSet(t *testing.T, set *Set) (*Metrics, string) {
	t.Helper()
	m, err := ListenMetrics("127.0.0.1:0", set, Shown{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Serve() }()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return m, "http://" + m.Addr()
}

func TestMetrics_OfEverySource(t *testing.T) {
	srv := serve(t, 120)
	far := forwardtest.Start(t, forwardtest.Options{})
	one := open(t, settings(t, srv, far), source.Options{})
	two := open(t, settings(t, srv, far, "instance", "two", "token", "wrong"), source.Options{})
	_, url := serveMetrics(t, one, two)
	run(t, one, func() bool { return one.Pipe.Stats.Taken.Load() == 120 && len(arrived(far)) == 120 })
	run(t, two, func() bool { return two.Metrics().Errors["Unauthenticated"] > 0 })

	status, text := get(t, url+"/metrics")
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, want := range []string{
		`zitadel_siem_events_total{instance="one"} 120`,
		`zitadel_siem_events_total{instance="two"} 0`,
		`zitadel_siem_errors_total{instance="two",kind="Unauthenticated"} `,
		`zitadel_siem_lag_seconds{instance="one"} `,
		`zitadel_siem_watermark_age_seconds{instance="one"} `,
		`zitadel_siem_last_success_age_seconds{instance="one"} `,
		`zitadel_siem_holes_found_total{instance="one"} `,
		`zitadel_siem_holes_filled_total{instance="one"} `,
		`zitadel_siem_late_events_total{instance="one"} `,
		`zitadel_siem_duplicates_dropped_total{instance="one"} `,
		`zitadel_siem_retries_total{instance="one"} `,
		"process_open_fds ", "go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("missing: %s", want)
		}
	}
	if regexp.MustCompile(`zitadel_siem_lag_seconds{instance="two"}`).MatchString(text) {
		t.Error("a lag before the first event")
	}
	if strings.Contains(text, srv.Token()) || strings.Contains(text, "wrong") {
		t.Error("a token stands in the metrics")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, o := range []struct {
		path string
		want int
	}{{"/live", 200}, {"/", 200}, {"/x", 404}, {"/metrics/x", 404}} {
		if status, _ := get(t, url+o.path); status != o.want {
			t.Errorf("%s: %d", o.path, status)
		}
	}
}

func TestHealth_TellsWhoIsSilent(t *testing.T) {
	srv := serve(t, 50)
	far := forwardtest.Start(t, forwardtest.Options{})
	good := open(t, settings(t, srv, far), source.Options{})
	stuck := forwardtest.Start(t, forwardtest.Options{Answer: func(int) forwardtest.Answer { return forwardtest.Silence }})
	waiting := open(t, settings(t, srv, stuck, "instance", "two"), source.Options{})
	down := open(t, settings(t, srv, far, "instance", "three", "url", "http://127.0.0.1:1"), source.Options{})
	m, url := serveMetrics(t, good, waiting, down)
	run(t, good, func() bool { return len(arrived(far)) == 50 })
	run(t, down, func() bool { return down.Reader.Calls.Load() > 0 })

	if status, text := get(t, url+"/health"); status != http.StatusOK || strings.Count(text, `"well":true`) != 3 {
		t.Errorf("at first: %d %s", status, text)
	}
	began := m.began
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- waiting.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	testkit.Until(t, "a message", func() bool { return stuck.Began() > 0 })
	if h := waiting.health(time.Now(), began.Add(-time.Hour)); !h.Well {
		t.Errorf("as soon as there is something after a quiet hour: %+v", h)
	}
	later := time.Now().Add(unhealthyAfter + time.Second)
	for _, c := range []struct {
		feed    *Feed
		problem string
	}{
		{waiting, "no records have been taken for 5m"},
		{down, "ZITADEL has not answered for 5m"},
	} {
		h := c.feed.health(later, began)
		if h.Well || !strings.HasPrefix(h.Problem, c.problem) {
			t.Errorf("%+v, want %q", h, c.problem)
		}
	}
	for _, keeper := range m.set.keepers {
		keeper.began = began.Add(-time.Hour)
	}
	status, text := get(t, url+"/health")
	var third health
	if err := json.Unmarshal([]byte(strings.Split(text, "\n")[2]), &third); err != nil || status != http.StatusServiceUnavailable || third.Well || third.Instance != "three" {
		t.Errorf("%d %s %v", status, text, err)
	}
}

func TestHealth_AnEndpointWithoutItsAddress(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	srv := serve(t, 50)
	far := forwardtest.Start(t, forwardtest.Options{})
	feed := open(t, listening(t, srv, far, "webhook_listen", busy.Addr().String()), source.Options{})
	run(t, feed, func() bool { return len(arrived(far)) == 50 && feed.Pipe.UnderWay() == 0 })
	now := time.Now()
	if h := feed.health(now, now.Add(-time.Minute)); !h.Well {
		t.Errorf("after a minute: %+v", h)
	}
	h := feed.health(now, now.Add(-unhealthyAfter-time.Second))
	if h.Well || !strings.HasPrefix(h.Problem, "webhooks are not received") {
		t.Errorf("%+v", h)
	}
	free, _, stop := listeningSource(t, listening(t, srv, far, "instance", "free"))
	defer stop()
	testkit.Until(t, "an answer", func() bool { return !free.Reader.LastSuccess().IsZero() })
	if h := free.health(time.Now(), now.Add(-unhealthyAfter-time.Second)); !h.Well {
		t.Errorf("%+v", h)
	}
}

func TestListenMetrics_SaysWhatItWants(t *testing.T) {
	_, err := ListenMetrics("9464", setOf(), Shown{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `metrics_listen "9464"`) || !strings.Contains(err.Error(), "127.0.0.1:9464") {
		t.Error(err)
	}
}
