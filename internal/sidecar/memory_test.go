package sidecar

import (
	"runtime/debug"
	"testing"
)

func TestSpareMemory_OfManySourcesAndOnlyThen(t *testing.T) {
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := percent()
	for _, c := range []struct {
		n    int
		gogc string
		want int
	}{{manySources, "", sparingPercent}, {manySources - 1, "", before}, {manySources, "100", before}} {
		t.Setenv("GOGC", c.gogc)
		stop := spareMemory(c.n)
		if got := percent(); got != c.want {
			t.Errorf("%d sources, GOGC %q: %d, want %d", c.n, c.gogc, got, c.want)
		}
		stop()
		if got := percent(); got != before {
			t.Errorf("%d remain", got)
		}
	}
}
