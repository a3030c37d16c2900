package sidecar

import (
	"os"
	"runtime/debug"
)

const (
	// manySources is from how many sources on memory is spared.
	manySources = 1000
	// sparingPercent is how much garbage may lie beside what is in use, in percent; Go's default
	// is 100. Half of it makes collections more frequent: memory is what bounds the number of
	// sources, and idle ones leave a core more than half free.
	sparingPercent = 50
)

// spareMemory makes the garbage collector run more often while there are n sources and n is
// large, unless the environment says how often (GOGC, GOMEMLIMIT).
func spareMemory(n int) (stop func()) {
	if n < manySources || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(sparingPercent)
	return func() { debug.SetGCPercent(before) }
}
