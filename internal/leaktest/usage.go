// Package leaktest finds two kinds of leaks: it measures the resources of a process,
// and searches its output for secrets.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Usage is what a process uses.
type Usage struct {
	Descriptors int
	Tasks       int // goroutines of this process, threads of another one
	KiB         int // memory: live in this process's heap, resident in another one
}

func (u Usage) String() string {
	return fmt.Sprintf("%d descriptors, %d tasks, %d KiB", u.Descriptors, u.Tasks, u.KiB)
}

// Self measures this process. It collects garbage first.
func Self(t testing.TB) Usage {
	t.Helper()
	runtime.GC()
	runtime.GC() // a second time, for objects with finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{entries(t, "/proc/self/fd"), runtime.NumGoroutine(), int(m.HeapAlloc >> 10)}
}

// Of measures another process.
func Of(t testing.TB, pid int) Usage {
	t.Helper()
	u := Usage{entries(t, fmt.Sprint("/proc/", pid, "/fd")), entries(t, fmt.Sprint("/proc/", pid, "/task")), 0}
	status, err := os.ReadFile(fmt.Sprint("/proc/", pid, "/status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rss, _ := strings.Cut(string(status), "\nVmRSS:")
	if _, err := fmt.Sscan(rss, &u.KiB); err != nil {
		t.Fatalf("no VmRSS in %q: %v", status, err)
	}
	return u
}

func entries(t testing.TB, dir string) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("no /proc here: leaks were NOT looked for")
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// Max returns the larger of each value.
func (u Usage) Max(v Usage) Usage {
	return Usage{max(u.Descriptors, v.Descriptors), max(u.Tasks, v.Tasks), max(u.KiB, v.KiB)}
}

// Within reports whether u is at most warm plus slack.
func (u Usage) Within(warm, slack Usage) bool {
	return u.Descriptors <= warm.Descriptors+slack.Descriptors && u.Tasks <= warm.Tasks+slack.Tasks && u.KiB <= warm.KiB+slack.KiB
}

// WantLevel waits until a process uses at most what it used when it was warm, plus
// slack. It waits because only what stays is a leak.
func WantLevel(t testing.TB, warm, slack Usage, measure func() Usage) {
	t.Helper()
	now := measure()
	for end := time.Now().Add(15 * time.Second); !now.Within(warm, slack); now = measure() {
		if time.Now().After(end) {
			t.Errorf("it grew from %v to %v, more than %v", warm, now, slack)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("warm: %v; at the end: %v", warm, now)
}

// Polls is how many polls a test makes: usually, or $ZITADEL_SIEM_POLLS.
func Polls(t testing.TB, usual int) int {
	t.Helper()
	text := os.Getenv("ZITADEL_SIEM_POLLS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		t.Fatalf("ZITADEL_SIEM_POLLS=%q: want a number from 1000 on", text)
	}
	return n
}
