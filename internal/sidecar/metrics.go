package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	// What somebody can hold open, and for how long.
	metricsConns   = 16
	metricsTimeout = 10 * time.Second
	metricsHeaders = 8 << 10

	// unwellAfter is how long a source may be without an answer of ZITADEL, the
	// sink without taking what there is, or the endpoint for webhooks without
	// its address, before its health is bad. ZITADEL's restarts and upgrades are
	// shorter.
	unwellAfter = 5 * time.Minute
)

// Metrics serves /metrics for Prometheus, /health and /live.
//
// /health is 200 while every source is well and 503 otherwise, with a line of
// JSON for each source in either case. /live is 200 as long as the process
// answers: restarting it would not mend a ZITADEL that is away.
type Metrics struct {
	listener net.Listener
	server   *http.Server
	sources  []*Source
	began    time.Time
}

// ListenMetrics begins to listen at addr, HOST:PORT. No figure holds a secret
// or what an event says; who can reach the address can read them.
func ListenMetrics(addr string, sources []*Source, log *slog.Logger) (*Metrics, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("metrics_listen %q: %w; stop who has it, or give another port", addr, err)
	}
	if err != nil {
		return nil, &SettingsError{fmt.Errorf("metrics_listen %q: %w; it wants HOST:PORT, for example 127.0.0.1:9464", addr, err)}
	}
	m := &Metrics{listener: netutil.LimitListener(listener, metricsConns), sources: sources, began: time.Now()}
	registry := prometheus.NewRegistry()
	registry.MustRegister(figures{sources}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: metricsConns}))
	mux.HandleFunc("GET /health", m.health)
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	m.server = &http.Server{
		Handler:     mux,
		ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: metricsTimeout,
		MaxHeaderBytes: metricsHeaders,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers send is no news
	}
	return m, nil
}

// Addr is where it listens.
func (m *Metrics) Addr() string { return m.listener.Addr().String() }

// Serve answers until [Metrics.Close].
func (m *Metrics) Serve() error {
	if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics_listen: %w", err)
	}
	return nil
}

// Close ends it at once.
func (m *Metrics) Close() error { return m.server.Close() }

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
	lines := make([]health, 0, len(m.sources))
	status := http.StatusOK
	for _, s := range m.sources {
		h := s.health(now, m.began)
		if !h.Well {
			status = http.StatusServiceUnavailable
		}
		lines = append(lines, h)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	for _, h := range lines {
		_ = out.Encode(h) // the asker went away
	}
}

// health of one source. began is when it was started, at the latest.
func (s *Source) health(now, began time.Time) health {
	handed := s.Handed()
	h := health{Instance: s.settings.Instance, Well: true, Events: handed.Taken.Load()}
	if mark := s.reader.Watermark(); !mark.IsZero() {
		h.Watermark = mark.UTC().Format(time.RFC3339Nano)
	}
	if newest := handed.Newest(); !newest.IsZero() {
		h.Lag = now.Sub(newest).Round(time.Millisecond).Seconds()
	}
	silent := func(last time.Time) time.Duration {
		if last.Before(began) {
			last = began
		}
		return now.Sub(last)
	}
	// What waits counts from when it began to: before that there may have been
	// nothing to take. A reader that waits for the sink asks nothing, and is not
	// to blame.
	waits := s.pipe.WaitingSince()
	takes, answers := silent(waits), silent(s.reader.LastSuccess())
	switch {
	case !waits.IsZero() && takes > unwellAfter:
		h.Well, h.Problem = false, fmt.Sprintf("no records are taken since %s", takes.Round(time.Second))
	case waits.IsZero() && answers > unwellAfter:
		h.Well, h.Problem = false, fmt.Sprintf("no answer of ZITADEL since %s", answers.Round(time.Second))
	case s.listener != nil && s.listener.Addr() == "" && now.Sub(began) > unwellAfter:
		h.Well, h.Problem = false, "webhooks are not received, the log says why"
	}
	return h
}

// figures are those of the sources, for Prometheus.
type figures struct{ sources []*Source }

const metricPrefix = "zitadel_siem_"

var errorsTotal = prometheus.NewDesc(metricPrefix+"errors_total",
	"errors by kind: a gRPC code of ZITADEL's, or refused for the side that takes the records", []string{"instance", "kind"}, nil)

// Describe sends nothing: the figures of a source come and go, so that the
// registry is not to check them beforehand.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (f figures) Collect(to chan<- prometheus.Metric) {
	for _, s := range f.sources {
		now := s.Figures()
		for _, v := range now.List {
			name, kind := metricPrefix+v.Name, prometheus.GaugeValue
			if v.Counter {
				name, kind = name+"_total", prometheus.CounterValue
			}
			to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, v.Help, []string{"instance"}, nil), kind, v.Value, now.Instance)
		}
		for kind, n := range now.Errors {
			to <- prometheus.MustNewConstMetric(errorsTotal, prometheus.CounterValue, float64(n), now.Instance, kind)
		}
	}
}
