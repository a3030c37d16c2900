package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/zitadeltest"
)

// A backfill of many events by a process of its own: what it costs in memory
// and processor, with state, redaction and JSON. The server is not in the
// figures.
func BenchmarkPull(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(strconv.Itoa(n)+" events", func(b *testing.B) {
			store := zitadeltest.NewStore()
			newest := time.Now().Add(-time.Hour)
			store.Fill(zitadeltest.Synthetic{Events: n, From: newest.Add(-time.Duration(n) * time.Second), Every: 3 * time.Second, PerTransaction: 3})
			server := zitadeltest.NewServer(store, zitadeltest.Options{})
			if err := server.Start("127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			self, err := os.Executable()
			if err != nil {
				b.Fatal(err)
			}
			var peak int64
			var cpu time.Duration
			runs := 0
			for b.Loop() {
				runs++
				cmd := exec.Command(self, "pull", "--state-path", filepath.Join(b.TempDir(), strconv.Itoa(runs)), "--end", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339))
				cmd.Env = []string{beTheProgram + "=1", "ZITADEL_URL=" + server.URL(), "ZITADEL_TOKEN=" + server.Token()}
				cmd.Stderr = os.Stderr
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				stop := make(chan struct{})
				sampled := make(chan int64)
				go func() { sampled <- peakOf(cmd.Process.Pid, stop) }()
				err := cmd.Wait()
				close(stop)
				peak = max(peak, <-sampled)
				if err != nil {
					b.Fatal(err)
				}
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(peak)/1024, "peak-MiB")
			b.ReportMetric(float64(cpu.Microseconds())/float64(runs*n), "cpu-µs/event")
			b.ReportMetric(float64(runs*n)/b.Elapsed().Seconds(), "events/s")
			if got := server.Count("ListEvents").Events; got < int64(runs*n) {
				b.Fatalf("the server gave %d events, want %d", got, runs*n)
			}
		})
	}
}

// peakOf samples the highest resident memory of a process, in KiB. (The figure
// that the system gives at its end counts the time before exec, when the
// process was a copy of this one with its store.)
func peakOf(pid int, stop <-chan struct{}) (kib int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, line, found := strings.Cut(string(status), "VmHWM:"); found {
			var now int64
			if _, err := fmt.Sscan(line, &now); err == nil {
				kib = max(kib, now)
			}
		}
		select {
		case <-stop:
			return kib
		case <-time.After(20 * time.Millisecond):
		}
	}
}
