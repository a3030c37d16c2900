package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/format"
	"github.com/zitadel-siem/zitadel-siem/internal/source"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadel"
	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// What the benchmarks of many sources read from the environment.
const (
	envSources = "SOURCES"           // how many
	envProfile = "SOURCES_PROFILE"   // a directory for profiles of heap, goroutines and processor
	envBeFar   = "SOURCES_BE_SERVER" // set by the benchmark for the server, a process of its own
)

// far is a look-alike in a process of its own, so that what it costs is in no figure.
type far struct {
	b          testing.TB
	in         io.WriteCloser
	out        *bufio.Scanner
	url, token string
}

// farState is what the process of the look-alike says of itself.
type farState struct {
	URL, Token   string
	Calls, Store int64
}

// beFar is that process. It answers each line with its state; a line with a number lets it write so
// many events per second from then on.
func beFar() {
	store := zitadeltest.NewStore()
	n, _ := strconv.Atoi(os.Getenv(envBeFar))
	store.Fill(zitadeltest.Synthetic{Events: n, From: time.Now().Add(-24 * time.Hour), Every: time.Millisecond, PerTransaction: 1})
	server := zitadeltest.NewServer(store, zitadeltest.Options{})
	if err := server.Start("127.0.0.1:0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer server.Stop()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var perSecond float64
		if _, err := fmt.Sscan(lines.Text(), &perSecond); err == nil {
			w := zitadeltest.NewWriter(store, 1, time.Now)
			go w.Run(context.Background(), perSecond)
		}
		_ = json.NewEncoder(os.Stdout).Encode(farState{server.URL(), server.Token(), server.Requests(), int64(store.Len())})
	}
}

func startFar(b testing.TB, events int) *far {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envBeFar+"="+strconv.Itoa(events))
	cmd.Stderr = os.Stderr
	f := &far{b: b}
	if f.in, err = cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	f.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		f.in.Close()
		_ = cmd.Wait()
	})
	s := f.say("")
	f.url, f.token = s.URL, s.Token
	return f
}

func (f *far) say(line string) (s farState) {
	f.b.Helper()
	if _, err := fmt.Fprintln(f.in, line); err != nil {
		f.b.Fatal(err)
	}
	if !f.out.Scan() {
		f.b.Fatal("the server has ended")
	}
	if err := json.Unmarshal(f.out.Bytes(), &s); err != nil {
		f.b.Fatal(err)
	}
	return s
}

// nowhere takes everything.
type nowhere struct{}

func (nowhere) Send(context.Context, string, []byte, int) error { return nil }
func (nowhere) Close() error                                    { return nil }

// openMany opens n sources that read the far server, each with a state of its own.
func openMany(b testing.TB, f *far, dir string, n int, pairs ...string) []*Feed {
	b.Helper()
	feeds, conns := make([]*Feed, 0, n), new(zitadel.Conns)
	for i := range n {
		name := "instance-" + strconv.Itoa(i)
		sub := filepath.Join(dir, strconv.Itoa(i%256))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			b.Fatal(err)
		}
		values := map[string]string{"url": f.url, "token": f.token, "instance": name, "state_path": filepath.Join(sub, name)}
		for j := 0; j < len(pairs); j += 2 {
			values[pairs[j]] = pairs[j+1]
		}
		s, _, err := config.Pull.ParseMap(values, config.ParseOptions{NeedState: true})
		if err != nil {
			b.Fatal(err)
		}
		fm, err := format.Open(s.Format)
		if err != nil {
			b.Fatal(err)
		}
		o := source.Options{Conns: conns, Format: fm, Encode: fm.Lines(), Log: slog.New(slog.DiscardHandler).With("instance", name)}
		feed, err := Open(b.Context(), s, nowhere{}, o)
		if err != nil {
			b.Fatal(err)
		}
		feeds = append(feeds, feed)
	}
	return feeds
}

// start runs feeds until stop is called.
func start(b testing.TB, feeds []*Feed) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- setOf(feeds...).Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// untilAll waits until ok of every feed, and returns how long that took.
func untilAll(b testing.TB, feeds []*Feed, ok func(*Feed) bool) time.Duration {
	began, next := time.Now(), 0
	for next < len(feeds) {
		if ok(feeds[next]) {
			next++
			continue
		}
		if time.Since(began) > 3*time.Minute {
			b.Fatalf("%d of %d are not as far after %s", len(feeds)-next, len(feeds), time.Since(began))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

func hasAnswer(f *Feed) bool { return !f.Reader.LastSuccess().IsZero() }
func hasRead(f *Feed) bool   { return !f.Reader.ReadUpTo().IsZero() }

// processor is the time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process that is in RAM, in bytes.
func resident() float64 {
	b, _ := os.ReadFile("/proc/self/statm")
	var total, pages float64
	_, _ = fmt.Sscan(string(b), &total, &pages)
	return pages * float64(os.Getpagesize())
}

// heap returns what the heap and the stacks hold, in bytes.
func heap() (objects, stacks float64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

var discard = slog.New(slog.DiscardHandler)

func sourcesFromEnv(def int) int {
	if n, err := strconv.Atoi(os.Getenv(envSources)); err == nil {
		return n
	}
	return def
}

// profiled writes profiles of what happens until stop is called.
func profiled(b testing.TB, name string) (stop func()) {
	dir := os.Getenv(envProfile)
	if dir == "" {
		return func() {}
	}
	cpu, err := os.Create(filepath.Join(dir, name+".cpu"))
	if err != nil {
		b.Fatal(err)
	}
	_ = pprof.StartCPUProfile(cpu)
	return func() {
		pprof.StopCPUProfile()
		cpu.Close()
		for _, kind := range []string{"heap", "goroutine"} {
			if f, err := os.Create(filepath.Join(dir, name+"."+kind)); err == nil {
				_ = pprof.Lookup(kind).WriteTo(f, 0)
				f.Close()
			}
		}
	}
}

// Many sources of quiet logs in one process: SOURCES of them, 200 by default. The server is a
// process of its own, and not in the figures.
func BenchmarkSources(b *testing.B) {
	n := sourcesFromEnv(200)
	f := startFar(b, 300)
	dir := b.TempDir()
	for b.Loop() {
		for _, run := range []string{"first", "again"} { // without states, and with them
			idle(b, f, dir, n, run)
		}
	}
}

func idle(b *testing.B, f *far, dir string, n int, run string) {
	debug.FreeOSMemory() // of the run before
	heap0, stacks0 := heap()
	goroutines0, resident0 := runtime.NumGoroutine(), resident()
	report := func(value float64, unit string) { b.ReportMetric(value, run+"-"+unit) }
	began, cpu0 := time.Now(), processor()
	feeds := openMany(b, f, dir, n, "start", "now")
	report(time.Since(began).Seconds(), "open-s")
	opened := time.Now()
	defer start(b, feeds)()
	untilAll(b, feeds, hasAnswer)
	report(time.Since(opened).Seconds(), "answered-s")
	untilAll(b, feeds, hasRead)
	report(time.Since(opened).Seconds(), "read-s")
	report((processor() - cpu0).Seconds(), "start-cpu-s")

	time.Sleep(5 * time.Second) // one interval, so that all are as they will be
	stop := profiled(b, run)
	const watched = 15 * time.Second
	calls, cpu := f.say("").Calls, processor()
	time.Sleep(watched)
	report((processor()-cpu).Seconds()/watched.Seconds(), "cpu-s/s")
	report(float64(f.say("").Calls-calls)/watched.Seconds(), "calls/s")
	report(float64(runtime.NumGoroutine()-goroutines0)/float64(n), "goroutines/source")
	report(resident()/(1<<20), "RSS-MiB")
	report((resident()-resident0)/1024/float64(n), "RSS-KiB/source")
	objects, stacks := heap()
	report((objects-heap0)/1024/float64(n), "heap-KiB/source")
	report((stacks-stacks0)/1024/float64(n), "stacks-KiB/source")
	stop()
	pages(b, feeds, report)
}

// pages reports how long /metrics, /health and the status page take.
func pages(b *testing.B, feeds []*Feed, report func(float64, string)) {
	m, err := ListenMetrics("127.0.0.1:0", setOf(feeds...), Shown{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- m.Serve() }()
	defer func() {
		_ = m.Close()
		<-served
	}()
	for path, name := range map[string]string{"/metrics": "metrics", "/health": "health", "/": "page"} {
		best, bytes := time.Hour, 0
		for range 3 {
			began := time.Now()
			resp, err := http.Get("http://" + m.Addr() + path)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body) // packed by gzip on its way
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || n < int64(len(feeds)) {
				b.Fatalf("%s: %v, %s, %d bytes", path, err, resp.Status, n)
			}
			best, bytes = min(best, time.Since(began)), int(n)
		}
		report(float64(best.Microseconds())/1e3, name+"-ms")
		if name != "page" {
			report(float64(bytes)/(1<<20), name+"-MiB")
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// Sources with ten new events per second each, and one source that reads as many in all. The
// ratio is of the processor time that an event takes.
func BenchmarkBusySources(b *testing.B) {
	n := sourcesFromEnv(100)
	const perSecond, seconds = 10, 30
	for b.Loop() {
		f := startFar(b, n*perSecond*seconds)
		cpu, began := processor(), time.Now()
		feeds := openMany(b, f, b.TempDir(), 1, "start", "beginning")
		stop := start(b, feeds)
		untilAll(b, feeds, func(f *Feed) bool { return f.Pipe.Stats.Taken.Load() >= uint64(n*perSecond*seconds) })
		one := float64((processor() - cpu).Microseconds()) / float64(n*perSecond*seconds)
		b.ReportMetric(float64(n*perSecond*seconds)/time.Since(began).Seconds(), "one-events/s")
		b.ReportMetric(one, "one-cpu-µs/event")
		stop()

		f = startFar(b, 300)
		feeds = openMany(b, f, b.TempDir(), n, "start", "now")
		stop = start(b, feeds)
		untilAll(b, feeds, hasRead)
		f.say(strconv.Itoa(perSecond))
		time.Sleep(15 * time.Second) // the overlap is full of events then
		taken := func() (n uint64) {
			for _, f := range feeds {
				n += f.Pipe.Stats.Taken.Load()
			}
			return n
		}
		before, calls, written := taken(), f.say("").Calls, f.say("").Store
		cpu, began = processor(), time.Now()
		ended := profiled(b, "busy")
		time.Sleep(seconds * time.Second)
		ended()
		events, took := float64(taken()-before), time.Since(began).Seconds()
		many := float64((processor() - cpu).Microseconds()) / events
		b.ReportMetric(events/took, "many-events/s")
		b.ReportMetric(many, "many-cpu-µs/event")
		b.ReportMetric(float64(f.say("").Calls-calls)/took, "many-calls/s")
		b.ReportMetric(events/float64(n)/float64(f.say("").Store-written), "read/written")
		b.ReportMetric(one/many, "one/many-cpu")
		stop()
	}
}
