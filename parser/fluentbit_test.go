package parser_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/testkit"
)

// benchLines are the recorded official lines in logrus's text, the one format that
// every contender reads.
func benchLines(tb testing.TB) (lines [][]byte) {
	tb.Helper()
	for _, line := range recordedOfficial(tb) {
		if bytes.HasPrefix(line, []byte("time=")) {
			lines = append(lines, line)
		}
	}
	return lines
}

// linesFile writes n official lines into memory, where there is a file system for it.
func linesFile(tb testing.TB, n int) (name string, size int64) {
	tb.Helper()
	dir := tb.TempDir()
	if shared, err := os.MkdirTemp("/dev/shm", "official"); err == nil {
		tb.Cleanup(func() { os.RemoveAll(shared) })
		dir = shared
	}
	name = filepath.Join(dir, "official.log")
	f, err := os.Create(name)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	lines := benchLines(tb)
	for i := range n {
		line := lines[i%len(lines)]
		w.Write(line) // Flush tells of errors
		w.WriteByte('\n')
		size += int64(len(line)) + 1
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return name, size
}

// runFluentBit reads a file to its end through the chain of parsers and returns
// what it printed.
func runFluentBit(tb testing.TB, lines, output string) (stdout string, took time.Duration) {
	tb.Helper()
	path := testkit.FluentBit(tb)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-q", "-c", "testdata/fluentbit/official.yaml")
	cmd.Env = append(os.Environ(), "LINES="+lines, "OUTPUT="+output)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	if err := cmd.Run(); err != nil {
		tb.Fatalf("fluent-bit: %v\n%s", err, errs.String())
	}
	return out.String(), time.Since(start)
}

// The chain does what it is compared for: the fields come out. So do the passwords.
func TestFluentBitsOwnChainReadsTheFieldsAndThePasswords(t *testing.T) {
	file, _ := linesFile(t, len(benchLines(t)))
	out, _ := runFluentBit(t, file, "stdout")
	if got := strings.Count(out, `"remote_addr":"127.0.0.1:`); got < len(benchLines(t))*9/10 {
		t.Errorf("%d of %d lines have their fields: the comparison is none\n%.2000s", got, len(benchLines(t)), out)
	}
	if got := strings.Count(out, `"headers":{`); got < len(benchLines(t))/2 {
		t.Errorf("%d of %d lines have their request\n%.2000s", got, len(benchLines(t)), out)
	}
	if !strings.Contains(out, "Passw0rd!x") {
		t.Error("the passwords are gone: README says they are not")
	}
}

// BenchmarkFluentBit reports what Fluent Bit's own chain of parsers does, on one thread as it
// always does:
//
//	go test ./parser -run '^$' -bench 'FluentBit|BenchmarkParse'
func BenchmarkFluentBit(b *testing.B) {
	testkit.FluentBit(b)
	const n = 100_000
	few, _ := linesFile(b, 1)
	many, size := linesFile(b, n)
	for b.Loop() {
		_, idle := runFluentBit(b, few, "null") // starting, the pause at the end
		_, took := runFluentBit(b, many, "null")
		seconds := max(took-idle, time.Millisecond).Seconds()
		b.ReportMetric(n/seconds, "lines/s")
		b.ReportMetric(float64(size)/1e6/seconds, "MB/s")
	}
}
