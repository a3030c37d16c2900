package webhook_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/spool"
	"github.com/zitadel-siem/zitadel-siem/internal/webhook"
)

// What a request costs over loopback, durable or not, beside a server of net/http that reads the body
// and does nothing. Client and server share the machine. p50 and p99 are those of the answer.
func BenchmarkAccepted(b *testing.B) {
	for _, conns := range []int{1, 64} {
		for _, c := range []struct {
			name string
			make func(b *testing.B) (http.Handler, *world)
		}{
			{"bare net-http", func(*testing.B) (http.Handler, *world) {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), newWorld(b, nil)
			}},
			{"verified, in memory", func(b *testing.B) (http.Handler, *world) { return nil, newWorld(b, nil) }},
			{"durable, shared fsync", func(b *testing.B) (http.Handler, *world) { return nil, spooled(b, 0) }},
			{"durable, an fsync each", func(b *testing.B) (http.Handler, *world) { return nil, spooled(b, 1) }},
		} {
			b.Run(fmt.Sprintf("%s/%d conns", c.name, conns), func(b *testing.B) {
				handler, w := c.make(b)
				var addr string
				if handler == nil {
					addr = w.serve(b)
				} else {
					l := must(net.Listen("tcp", "127.0.0.1:0"))
					server := &http.Server{Handler: handler}
					go func() { _ = server.Serve(l) }()
					b.Cleanup(func() { server.Close() })
					addr = l.Addr().String()
				}
				load(b, w, addr, conns, 0)
			})
		}
	}
}

func spooled(b *testing.B, group int) *world {
	s, err := spool.Open(b.TempDir(), spool.Options{MaxBytes: 8 << 30, Group: group})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return newWorld(b, func(o *webhook.Options) { o.Spool = s })
}

// The answer at a rate that is far above ZITADEL's own ten a second, and far below what there is.
func BenchmarkAnswer(b *testing.B) {
	b.Run("the disk alone/100 a second", func(b *testing.B) { disk(b, 100) })
	for _, rate := range []int{100, 1000, 4000} {
		b.Run(fmt.Sprintf("durable/%d a second", rate), func(b *testing.B) {
			w := spooled(b, 0)
			load(b, w, w.serve(b), 64, rate)
		})
	}
}

// disk writes and fsyncs what an event takes, and does nothing else.
func disk(b *testing.B, rate int) {
	f := must(os.Create(filepath.Join(b.TempDir(), "f")))
	defer f.Close()
	took := make([]time.Duration, b.N)
	begin := time.Now()
	for i := range b.N {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		start := time.Now()
		if _, err := f.Write(make([]byte, 400)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}

// load sends b.N different events over conns connections, as fast as they are answered, or rate a second.
func load(b *testing.B, w *world, addr string, conns, rate int) {
	// A recorded event, so that it has the size of a real one.
	body := `{"aggregateID":"400712808993393702","aggregateType":"user","resourceOwner":"400712317102263334","instanceID":"400712317102197798","version":"v2","sequence":%d,"event_type":"user.metadata.set","created_at":"2026-11-22T09:29:34.992299Z","userID":"400712317102787622","event_payload":{"key":"k1","value":"dmFs"}}`
	raw := make([][]byte, b.N)
	base := w.wire(b, "t", fmt.Sprintf(body, 1_000_000))
	signature := base[bytes.Index(base, []byte("t=")):]
	signature = signature[:bytes.IndexByte(signature, '\r')]
	for i := range raw {
		text := fmt.Sprintf(body, 1_000_000+i)
		raw[i] = bytes.Replace(base, signature, []byte(w.signed("t", text).Header.Get(webhook.SignatureHeader)), 1)
		raw[i] = append(raw[i][:bytes.Index(raw[i], []byte("\r\n\r\n"))+4], text...)
	}
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.SetBytes(int64(len(base)))
	b.ReportAllocs()
	b.ResetTimer()
	begin := time.Now()
	for range conns {
		c := dial(b, addr)
		all.Go(func() {
			in := bufio.NewReader(c)
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				if rate > 0 {
					time.Sleep(begin.Add(time.Duration(i) * time.Second / time.Duration(rate)).Sub(start))
					start = time.Now()
				}
				if _, err := c.Write(raw[i]); err != nil {
					b.Error(err)
					return
				}
				line, err := in.ReadString('\n')
				if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
					b.Error(line, err)
					return
				}
				for line != "\r\n" && err == nil {
					line, err = in.ReadString('\n')
				}
				took[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	runtime.ReadMemStats(&after)
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(after.HeapInuse-min(after.HeapInuse, before.HeapInuse))/(1<<20), "heap-MiB")
}

// What of it is ours: verify, redact, write into memory.
func BenchmarkServeHTTP(b *testing.B) {
	var all []recording
	for _, r := range recordings(b) {
		if strings.Contains(r.body, `"aggregateID"`) {
			all = append(all, r)
		}
	}
	w := newWorld(b, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := all[i%len(all)]
		w.now = r.at
		if i%len(all) == 0 {
			b.StopTimer()
			w = newWorld(b, nil) // else all of them were here before
			b.StartTimer()
			w.now = r.at
		}
		if status := w.do(r.request()); status != 200 {
			b.Fatal(status)
		}
	}
}

// A stranger's request: no key fits.
func BenchmarkRefused(b *testing.B) {
	w := newWorld(b, nil)
	for name, r := range map[string]func() *http.Request{
		"no signature":    func() *http.Request { r := w.signed("t", event); r.Header.Del(webhook.SignatureHeader); return r },
		"wrong signature": func() *http.Request { return w.signed("t", event, testSecret) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if status := w.do(r()); status != 401 {
					b.Fatal(status)
				}
			}
		})
	}
}

// Memory when every connection is held by one who sends a large body and never ends it.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		w := newWorld(b, nil)
		addr := w.serve(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		release := hold(b, w, addr, webhook.MaxConns)
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/(1<<20), "heap-MiB")
		b.ReportMetric(float64(after.StackInuse)/(1<<20), "stack-MiB")
		b.ReportMetric(float64(w.BudgetUsed())/(1<<20), "bodies-MiB")
		b.ReportMetric(float64(w.Stats.Refused(webhook.Overloaded)), "refused")
		release()
	}
}
