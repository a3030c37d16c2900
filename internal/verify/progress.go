package verify

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// Progress says how far a run is. It is safe for concurrent use.
type Progress struct {
	phase    atomic.Pointer[phase]
	n        atomic.Uint64 // events or records of the phase
	at       atomic.Int64  // date up to which events are read, Unix nanoseconds
	Bytes    atomic.Int64  // of the files, read
	from, to time.Time
	size     int64 // of the files; 0: unknown
}

type phase struct {
	name  string
	unit  string
	began time.Time
	files bool
}

func (p *Progress) begin(name, unit string, files bool) {
	p.n.Store(0)
	p.at.Store(0)
	p.phase.Store(&phase{name, unit, time.Now(), files})
}

func (p *Progress) reached(t time.Time) { p.at.Store(t.UnixNano()) }

// Line is the progress in one line: what is done, how fast, and how long it still takes.
func (p *Progress) Line(now time.Time) string {
	ph := p.phase.Load()
	if ph == nil {
		return "begins"
	}
	took := max(now.Sub(ph.began), time.Millisecond)
	n := p.n.Load()
	s := fmt.Sprintf("%s: %s %s  %s/s", ph.name, terminal.Thousands(n), ph.unit, terminal.Thousands(uint64(float64(n)/took.Seconds())))
	done := 0.0
	switch at := p.at.Load(); {
	case ph.files && p.size > 0:
		done = float64(p.Bytes.Load()) / float64(p.size)
	case !ph.files && at > 0:
		done = float64(time.Unix(0, at).Sub(p.from)) / float64(max(p.to.Sub(p.from), 1))
	}
	if done > 0.001 && done <= 1 {
		left := time.Duration(float64(took) * (1 - done) / done)
		s += fmt.Sprintf("  %.0f%%  about %s left", 100*done, terminal.Roughly(left))
	}
	return s
}
