package testkit

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// WantLinear fails where the cost of f grows faster than the length of its text. repeat
// makes a text of about n bytes. The unit is the CPU time of one thread, which other
// processes hardly change, and the verdict is a ratio, which a slow machine does not
// change: a text that is eight times as long may take twenty-four times as long. It
// would take sixty-four times as long if each byte cost a look at all others.
func WantLinear(t testing.TB, what string, repeat func(n int) string, f func(s string)) {
	t.Helper()
	const (
		small, times, most = 8 << 10, 8, 24
		noise              = 2 * time.Millisecond // less than this shows nothing
	)
	short, long := repeat(small), repeat(times*small)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	many := cpuOf(long, f)
	one := many
	for range 6 { // the collector and a moved thread add to single runs, and never take away
		if many < noise*times {
			return
		}
		if one = min(one, cpuOf(short, f)); many <= most*one {
			return
		}
		many = min(many, cpuOf(long, f))
	}
	t.Errorf("%s: %v for %d bytes, and %v for %d: more than linear", what, one, len(short), many, len(long))
}

func cpuOf(s string, f func(string)) time.Duration {
	before := threadTime()
	f(s)
	return threadTime() - before
}

// threadTime is the CPU time of this thread.
func threadTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err)
	}
	return time.Duration(now.Nano())
}
