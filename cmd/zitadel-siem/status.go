package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// progress is what a status line says.
type progress struct {
	events uint64        // handed over
	lag    time.Duration // how far reading is behind; negative: unknown
	errors uint64        // failed calls, all of which are retried, and events that cannot be read
	note   string
}

func (p progress) line(rate float64) string {
	lag := "-"
	if p.lag >= 0 {
		lag = roughly(p.lag)
	}
	s := fmt.Sprintf("read %s events  %s/s  lag %s  errors %s", thousands(p.events), thousands(uint64(rate+0.5)), lag, thousands(p.errors))
	if p.note != "" {
		s += "  " + p.note
	}
	return s
}

// showStatus shows a status line every second until ctx ends.
func showStatus(ctx context.Context, console *console, now func() progress) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, at := now().events, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-tick.C:
			p := now()
			rate := float64(p.events-last) / max(t.Sub(at).Seconds(), 1e-3)
			last, at = p.events, t
			console.show(p.line(rate))
		}
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// roughly writes a duration with its two largest units.
func roughly(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
