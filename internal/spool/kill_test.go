package spool

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

const writerEnv = "SPOOL_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		writer(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// writer appends until it is killed, from several callers, and prints what was acknowledged.
func writer(dir string) {
	s, err := Open(dir, Options{MaxBytes: 8 << 20})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	for caller := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				e := fmt.Sprintf("%s-%d-%d", os.Getenv("SPOOL_TEST_RUN"), caller, i)
				if err := s.Append(noContext, []byte(e+strings.Repeat(".", i%3000))); err != nil {
					return
				}
				mu.Lock()
				fmt.Println(e) // a write(2) of its own: a kill takes none back
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// Everything that was acknowledged before a kill -9 is there, once, and a reader that dies as
// well has it until it is done.
func TestSpool_KilledWriter(t *testing.T) {
	dir := t.TempDir()
	acked, seen := map[string]bool{}, map[string]int{}
	done := uint64(0)
	for run := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+dir, "SPOOL_TEST_RUN="+strconv.Itoa(run))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acked[lines.Text()] = true
			if n == 20+run*13 { // what comes after the kill was still acknowledged
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // killed

		s := open(t, dir, Options{MaxBytes: 8 << 20})
		if n := s.Stats.Lost.Load(); n > 0 {
			t.Fatalf("run %d: %d lost", run, n)
		}
		for {
			e, ok, err := s.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if e.Number != done+1 {
				t.Fatalf("entry %d after %d", e.Number, done)
			}
			done = e.Number
			seen[strings.TrimRight(string(e.Data), ".")]++
			if err := s.Done(e.Number); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
	}
	for e := range acked {
		if seen[e] != 1 {
			t.Fatalf("%s was acknowledged and came %d times", e, seen[e])
		}
	}
	for e, n := range seen {
		if n != 1 {
			t.Fatalf("%s came %d times", e, n)
		}
	}
	if len(acked) < 12*20 {
		t.Fatalf("only %d entries", len(acked))
	}
}
