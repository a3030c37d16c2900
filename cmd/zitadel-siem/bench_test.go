package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

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
			server := zitadeltest.Serve(b, store, zitadeltest.Options{})
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
				kib, err := runSampled(b, cmd)
				if err != nil {
					b.Fatal(err)
				}
				peak = max(peak, kib)
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

// runSampled runs a command to its end, and returns its highest resident memory in KiB.
func runSampled(b *testing.B, cmd *exec.Cmd) (kib int64, err error) {
	b.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop, sampled := make(chan struct{}), make(chan int64)
	go func() { sampled <- peakOf(cmd.Process.Pid, stop) }()
	err = cmd.Wait()
	close(stop)
	return <-sampled, err
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

// A million events against their copy: the verification is a process of its own, and the
// server is not in its figures. One record of a thousand is missing, so that the second
// reading is in them.
func BenchmarkVerify(b *testing.B) {
	const n = 1_000_000
	store := zitadeltest.NewStore()
	newest := time.Now().Add(-2 * time.Hour)
	from := newest.Add(-n * time.Second)
	store.Fill(zitadeltest.Synthetic{Events: n, From: from, Every: 3 * time.Second, PerTransaction: 3})
	server := zitadeltest.Serve(b, store, zitadeltest.Options{})
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(self, args...)
		cmd.Env = []string{beTheProgram + "=1", "ZITADEL_URL=" + server.URL(), "ZITADEL_TOKEN=" + server.Token(), "ZITADEL_INSTANCE=test", "TMPDIR=" + b.TempDir()}
		return cmd
	}
	end := newest.Add(time.Hour).UTC().Format(time.RFC3339)
	for _, format := range []string{"raw", "ecs"} {
		b.Run(format, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "records")
			file, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			pull := command("pull", "--end", end, "--format", format, "--tier", "noise", "--enrich", "off")
			pipe, err := pull.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := pull.Start(); err != nil {
				b.Fatal(err)
			}
			in, out := bufio.NewReaderSize(pipe, 1<<20), bufio.NewWriterSize(file, 1<<20)
			lines := 0
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					break
				}
				if lines++; lines%1000 != 0 {
					if _, err := out.Write(line); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := errors.Join(pull.Wait(), out.Flush(), file.Close()); err != nil || lines < n {
				b.Fatal(err, lines)
			}
			var peak int64
			runs := 0
			for b.Loop() {
				runs++
				report := filepath.Join(b.TempDir(), "report.json")
				cmd := command("verify", "--from", from.UTC().Format(time.RFC3339), "--to", end, "--records", path, "--tier", "noise", "--report", report)
				kib, _ := runSampled(b, cmd) // the report has what went wrong
				peak = max(peak, kib)
				data, err := os.ReadFile(report)
				if got := gjson.ParseBytes(data); err != nil || got.Get("missing.count").Int() != int64(lines/1000) || got.Get("altered.count").Int() != 0 || got.Get("foreign.count").Int() != 0 {
					b.Fatalf("%v: %.500s", err, data)
				}
			}
			b.ReportMetric(float64(peak)/1024, "peak-MiB")
			b.ReportMetric(float64(runs*n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
