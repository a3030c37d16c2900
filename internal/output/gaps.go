package output

import (
	"maps"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// gaps are the chunks that Fluent Bit will flush again. Until then some of their lines are
// unknown, while lines that were written later may already be here.
type gaps struct {
	mu       sync.Mutex
	failures uint64               // chunks that failed, each time
	chunks   map[uint64]time.Time // when they failed, by the hash of their bytes
	tooMany  bool
}

const (
	// forgetGap is more than Fluent Bit waits between two tries (scheduler.cap: 2,000 s).
	// A chunk that did not come back by then was given up (retry_limit).
	forgetGap = time.Hour
	maxGaps   = 10_000
)

// state returns a number that differs before and after a gap, and whether one is open.
func (g *gaps) state(now time.Time) (failures uint64, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.chunks, func(_ uint64, failed time.Time) bool { return now.Sub(failed) > forgetGap })
	return g.failures, g.tooMany || len(g.chunks) > 0
}

// flushed notes how the flush of a chunk ended.
func (g *gaps) flushed(chunk []byte, result Result, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if result != OK {
		g.failures++
	}
	switch {
	case result == Retry && len(g.chunks) >= maxGaps:
		g.tooMany = true
	case result == Retry:
		if g.chunks == nil {
			g.chunks = map[uint64]time.Time{}
		}
		g.chunks[xxhash.Sum64(chunk)] = now
	case len(g.chunks) > 0:
		delete(g.chunks, xxhash.Sum64(chunk))
	}
}
