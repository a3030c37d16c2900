package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/zitadel-siem/zitadel-siem/internal/page"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

const (
	// Limits of what one client can hold open, and for how long.
	metricsConns   = 16
	metricsTimeout = 10 * time.Second
	metricsHeaders = 8 << 10

	// unhealthyAfter is how long a source may be without an answer of ZITADEL, the
	// sink without taking what there is, or the endpoint for webhooks without its
	// address, before the source is unhealthy. Restarts and upgrades of ZITADEL
	// are shorter.
	unhealthyAfter = 5 * time.Minute
)

// Metrics serves /metrics for Prometheus, /health and /live, and to browsers on this
// machine the status page at /.
//
// /health is 200 while every source is healthy and 503 otherwise, also once the process is to end,
// with a line of JSON for each source in either case. If processes share sources, a line about the store comes
// first, and sources that another process reads have none. /live is 200 as long as the process
// answers: restarting it would not bring back a ZITADEL that is down.
type Metrics struct {
	listener net.Listener
	server   *http.Server
	set      *Set
	began    time.Time
	shown    Shown

	exposition exposition
}

// ListenMetrics begins to listen at addr, HOST:PORT. Everybody who can reach the
// address can read the metrics. They hold no secrets and no data of events.
func ListenMetrics(addr string, set *Set, shown Shown, log *slog.Logger) (*Metrics, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("metrics_listen %q: %w; stop the process that uses it, or give another port", addr, err)
	}
	if err != nil {
		return nil, &source.SettingsError{Err: fmt.Errorf("metrics_listen %q: %w; it must be HOST:PORT, for example 127.0.0.1:9464", addr, err)}
	}
	m := &Metrics{listener: netutil.LimitListener(listener, metricsConns), set: set, began: time.Now(), shown: shown}
	registry := prometheus.NewRegistry()
	if set.member != nil {
		registry.MustRegister(membership{set})
	}
	registry.MustRegister(reloads{set}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.metrics(promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: metricsConns, DisableCompression: true})))
	mux.HandleFunc("GET /health", m.health)
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	page.Handle(mux, m.status)
	m.server = &http.Server{
		Handler:     mux,
		ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: metricsTimeout,
		MaxHeaderBytes: metricsHeaders,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug), // bad requests are not logged by default
	}
	return m, nil
}

// Addr is where it listens.
func (m *Metrics) Addr() string { return m.listener.Addr().String() }

// Serve answers until [Metrics.Close].
func (m *Metrics) Serve() error {
	ctx, stop := context.WithCancel(context.Background())
	var remembering sync.WaitGroup
	remembering.Go(func() { m.remember(ctx) })
	defer remembering.Wait()
	defer stop()
	if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics_listen: %w", err)
	}
	return nil
}

// Close ends it at once.
func (m *Metrics) Close() error { return m.server.Close() }

// thatEnds is the problem of a process after SIGTERM.
const thatEnds = "this process is ending"

// health of a source, as a line of /health.
type health struct {
	Instance  string  `json:"instance"`
	Well      bool    `json:"well"`
	Problem   string  `json:"problem,omitempty"`
	Events    uint64  `json:"events"`
	Lag       float64 `json:"lag_seconds,omitempty"`
	Watermark string  `json:"watermark,omitempty"`
}

func (m *Metrics) health(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	views := m.set.views()
	lines := make([]any, 0, len(views)+1)
	status := http.StatusOK
	ending := m.set.ending() // a load balancer is to send no webhooks any more
	if ending {
		status = http.StatusServiceUnavailable
	}
	if m.set.member != nil {
		h := healthOf(m.set.memberStatus(), now)
		if ending {
			h.Well, h.Problem = false, thatEnds
		}
		if !h.Well {
			status = http.StatusServiceUnavailable
		}
		lines = append(lines, h)
	}
	for _, v := range views {
		if v.elsewhere() {
			continue
		}
		h := v.health(now)
		if ending {
			h.Well, h.Problem = false, thatEnds
		}
		if !h.Well {
			status = http.StatusServiceUnavailable
		}
		lines = append(lines, h)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	for _, h := range lines {
		_ = out.Encode(h) // an error means that the client is gone
	}
}

// health of one source. began is when it was started, at the latest.
func (f *Feed) health(now, began time.Time) health {
	stats := &f.Pipe.Stats
	h := health{Instance: f.Settings.Instance, Well: true, Events: stats.Taken.Load()}
	if mark := f.Reader.Watermark(); !mark.IsZero() {
		h.Watermark = mark.UTC().Format(time.RFC3339Nano)
	}
	if newest := stats.Newest(); !newest.IsZero() {
		h.Lag = now.Sub(newest).Round(time.Millisecond).Seconds()
	}
	silent := func(last time.Time) time.Duration {
		if last.Before(began) {
			last = began
		}
		return now.Sub(last)
	}
	// Records that wait count from when they began to wait: before that there may
	// have been nothing to take. A reader that waits for the sink sends no requests,
	// so that ZITADEL's silence means nothing then.
	waits := f.Pipe.WaitingSince()
	takes, answers := silent(waits), silent(f.Reader.LastSuccess())
	switch {
	case !waits.IsZero() && takes > unhealthyAfter:
		h.Well, h.Problem = false, fmt.Sprintf("no records have been taken for %s", takes.Round(time.Second))
	case !f.Relays() && waits.IsZero() && answers > unhealthyAfter:
		h.Well, h.Problem = false, fmt.Sprintf("ZITADEL has not answered for %s", answers.Round(time.Second))
	case f.Listener != nil && f.Listener.Addr() == "" && now.Sub(began) > unhealthyAfter:
		h.Well, h.Problem = false, "webhooks are not received, the log says why"
	}
	return h
}

var reloadsTotal = prometheus.NewDesc(metricPrefix+"reloads_total",
	"times the file of sources was read again, by result: taken or failed", []string{"result"}, nil)

// reloads gives Prometheus the count of reloads.
type reloads struct{ set *Set }

// Describe implements [prometheus.Collector].
func (reloads) Describe(to chan<- *prometheus.Desc) { to <- reloadsTotal }

// Collect implements [prometheus.Collector].
func (r reloads) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(reloadsTotal, prometheus.CounterValue, float64(r.set.Reloads.Taken.Load()), "taken")
	to <- prometheus.MustNewConstMetric(reloadsTotal, prometheus.CounterValue, float64(r.set.Reloads.Failed.Load()), "failed")
}
