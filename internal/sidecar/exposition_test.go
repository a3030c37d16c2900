package sidecar

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
)

// still opens a source that is never run, and needs no file, connection or server.
func still(t testing.TB, instance string) *Feed {
	t.Helper()
	s, _, err := config.Pull.ParseMap(map[string]string{"url": "http://127.0.0.1:1", "token": "x", "transport": "rest", "instance": instance}, config.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := format.Open(s.Format)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := Open(t.Context(), s, nowhere{}, source.Options{Format: f, Encode: f.Lines(), Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = feed.Close() })
	return feed
}

func TestLaw7_AKindOfErrorForgesNoLineOfMetrics(t *testing.T) {
	feed := still(t, "plain")
	var x exposition
	var text strings.Builder
	if err := x.write(&text, []*Feed{feed}); err != nil {
		t.Fatal(err)
	}
	forged := strings.Count(text.String(), "\n")
	var b strings.Builder
	x.addErrors([]byte(`a"} `), map[string]uint64{"x\"} 1\nforged_total 7": 3})
	if err := x.write(&b, []*Feed{feed}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\nforged_total") || strings.Count(b.String(), "\n") != forged+3 {
		t.Errorf("a label gave a line of its own:\n%s", b.String())
	}
	problems, err := promlint.New(strings.NewReader(b.String())).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestExposition_OneHeadForAllSources(t *testing.T) {
	feeds := []*Feed{still(t, "one"), still(t, "two"), still(t, "three")}
	var x exposition
	for range 2 { // the memory is used again
		var text strings.Builder
		if err := x.write(&text, feeds); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(text.String(), "# TYPE zitadel_siem_calls_total counter\n"); n != 1 {
			t.Errorf("%d heads", n)
		}
		if n := strings.Count(text.String(), "\nzitadel_siem_calls_total{instance=\""); n != len(feeds) {
			t.Errorf("%d values of %d sources", n, len(feeds))
		}
	}
}

func TestMetrics_ArePackedIfAskedFor(t *testing.T) {
	m, url := serveMetrics(t, still(t, "one"))
	_, plain := get(t, url+"/metrics")
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	m.server.Handler.ServeHTTP(w, r)
	packed, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatal(w.Header(), err)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ngo_goroutines ", "\nzitadel_siem_calls_total{instance=\"one\"} 0\n"} {
		if !strings.Contains(string(text), want) || !strings.Contains(plain, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if kind := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Error(w.Code, kind)
	}
}

// stuck is a client that takes nothing until it is released.
type stuck struct {
	began   sync.Once
	reached chan struct{}
	release chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	s.began.Do(func() { close(s.reached) })
	<-s.release
	return len(b), nil
}

func TestExposition_ASlowClientHoldsUpNoOther(t *testing.T) {
	feeds := []*Feed{still(t, "one")}
	var x exposition
	slow := &stuck{reached: make(chan struct{}), release: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- x.write(slow, feeds) }()
	<-slow.reached
	var text strings.Builder
	if err := x.write(&text, feeds); err != nil || !strings.Contains(text.String(), "zitadel_siem_calls_total") {
		t.Error(err, text.String())
	}
	close(slow.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// /metrics of 10,000 sources, without the network.
func BenchmarkMetrics(b *testing.B) {
	feeds := make([]*Feed, sourcesFromEnv(10_000))
	for i := range feeds {
		feeds[i] = still(b, "instance-"+strings.Repeat("x", i%7)+string(rune('a'+i%26)))
	}
	m, err := ListenMetrics("127.0.0.1:0", setOf(feeds...), Shown{}, discard)
	if err != nil {
		b.Fatal(err)
	}
	defer m.listener.Close()
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/metrics", nil)
			r.Header.Set("Accept-Encoding", encoding)
			b.ReportAllocs()
			var size int
			for b.Loop() {
				w := &counting{header: http.Header{}}
				m.server.Handler.ServeHTTP(w, r)
				size = w.n
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB")
		})
	}
}

// counting is a response that is counted.
type counting struct {
	header http.Header
	n      int
}

func (c *counting) Header() http.Header         { return c.header }
func (c *counting) WriteHeader(int)             {}
func (c *counting) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

func TestMetrics_AFailureIsReadableWithGzip(t *testing.T) {
	m := &Metrics{set: &Set{}}
	h := m.metrics(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Del("Content-Encoding") // as promhttp does
		http.Error(w, "no", http.StatusInternalServerError)
	}))
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	h(w, r)
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := io.ReadAll(body); err != nil || string(b) != "no\n" {
		t.Errorf("%q %v", b, err)
	}
}
